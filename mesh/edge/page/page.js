// What is shown where: the overview, one job or one node, and the banner that tells of a split.

import { Picture, Refusal, followFeed } from "./feed.js";
import { showOverview } from "./overview.js";
import { leaveJob, showJob } from "./job.js";
import { showNode } from "./node.js";
import { $, learnClock, make, now, plural, refreshTimes } from "./parts.js";

const WATCH = "/api/v1/mesh/watch?jobs=500";
const TIMES_MS = 5000;
const picture = new Picture();
let lost = null; // {since, why} while the feed is away
let split = false; // a split was shown: its end is worth a word
let together = 0; // when it ended
let wanted = 0;

// The token of a link must not stay in the address that is shown, shared and kept.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

function draw() {
  wanted = 0;
  drawHead();
  drawBanner();
  if (!picture.complete) return;
  const [, kind, id] = /^#\/(job|node)\/(.+)$/.exec(location.hash) || [];
  $("overview").hidden = Boolean(kind);
  $("detail").hidden = !kind;
  if (kind !== "job") leaveJob();
  if (kind) (kind === "job" ? showJob : showNode)($("detail"), picture.shown, decode(id));
  else showOverview(picture.shown);
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function drawSoon() {
  wanted ||= requestAnimationFrame(draw);
}

function drawHead() {
  const { mesh } = picture.shown;
  $("live").dataset.state = lost ? "off" : picture.complete ? "on" : "wait";
  $("live-word").textContent = lost ? "not live" : picture.complete ? "live" : "connecting";
  if (!mesh) return;
  document.title = `${mesh.Split ? "split: " : ""}${mesh.Name} · bacalhau-mesh`;
  $("place").textContent = `as ${mesh.Name} sees it · cluster ${mesh.Cluster.slice(0, 8)} · version ${mesh.Version}`;
}

function drawBanner() {
  const lines = lost ? lostLines() : splitLines();
  const box = $("banner");
  const said = lines.texts.map((parts) => [parts].flat().join("")).join("\n");
  box.hidden = !said;
  // Said again only when it changed: a screen reader reads every change aloud.
  if (box.said === said) return;
  box.said = said;
  box.dataset.kind = lines.kind;
  box.replaceChildren(make("div", "", lines.texts.map(([strong, rest]) => make("p", "", make("strong", "", strong), rest))));
}

function lostLines() {
  if (lost.why instanceof Refusal && [401, 403].includes(lost.why.status)) {
    return { kind: "lost", texts: [["This link is not valid any more.", " Ask for the new one: bacalhau-mesh page prints it on the node."]] };
  }
  if (now() - lost.since < 1500) return { kind: "lost", texts: [] };
  const name = picture.shown.mesh?.Name || "The node";
  const why = lost.why instanceof Refusal ? ` It says: ${lost.why.message}.` : "";
  return { kind: "lost", texts: [[`${name} does not answer.`, `${why} What you see is old; this page tries again by itself.`]] };
}

function splitLines() {
  const { mesh, executions } = picture.shown;
  if (!mesh) return { kind: "calm", texts: [] };
  if (mesh.Split) {
    split = true;
    const away = new Set(mesh.Unreachable.map((one) => one.ID));
    const live = [...executions.values()].filter((one) => ["Assigned", "Accepted", "Preparing", "Running", "Publishing"].includes(one.State));
    const there = live.filter((one) => away.has(one.NodeID)).length;
    const names = mesh.Unreachable.map((one) => one.Name).join(", ");
    return { kind: "split", texts: [
      ["The mesh is split.", ` ${mesh.Name} cannot hear ${names}. Both sides go on working.`],
      ["", `On our side: ${plural(mesh.Reachable, "node")} of ${mesh.Members}, ${plural(live.length - there, "execution")} at work. Asked of the other side, without word: ${there}.`],
    ] };
  }
  if (split) {
    split = false;
    together = now();
  }
  if (!together || now() - together > 600000) return { kind: "calm", texts: [] };
  const twice = mesh.Duplicates ? ` ${plural(mesh.Duplicates, "result")} came twice: one of each was accepted, and the other kept.` : "";
  const open = mesh.Provisional ? ` ${plural(mesh.Provisional, "finished job")} still to be confirmed by every member.` : " Every finished job is settled.";
  return { kind: "calm", texts: [["The mesh is whole again.", twice + open]] };
}

function told(word, why) {
  if (word === "on") lost = null;
  else lost = { since: lost?.since ?? now(), why };
  drawSoon();
}

function take(event, data) {
  learnClock(data.Mesh?.Time);
  picture.apply(event, data);
  drawSoon();
}

let place = location.hash;
window.addEventListener("hashchange", () => {
  if (location.hash === "#main") {
    history.replaceState(null, "", place || "#/");
    $("main").focus();
    return;
  }
  place = location.hash;
  draw();
  window.scrollTo(0, 0);
  $("main").focus({ preventScroll: true });
});
setInterval(() => {
  refreshTimes();
  drawHead();
  drawBanner();
}, TIMES_MS);
setInterval(() => lost && drawBanner(), 1000);
draw();
followFeed(WATCH, take, told);
