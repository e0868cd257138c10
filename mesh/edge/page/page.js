// What is shown where: the overview, one job or one node.

import { Follower } from "./feed.js";
import { Picture } from "./picture.js";
import { Banner } from "./banner.js";
import { showOverview } from "./overview.js";
import { leaveJob, showJob } from "./job.js";
import { showNode } from "./node.js";
import { listenToKeys } from "./keys.js";
import { $, learnClock, named, refreshTimes } from "./parts.js";

const WATCH = "/api/v1/mesh/watch";
const JOBS_AT_FIRST = 500;
const JOBS_KEPT_OF_ALL = 50000;
const TIMES_MS = 5000;
const DRAW_MS = 200; // between two drawings while much changes: five a second are enough for eyes
const UNSEEN_MS = 30000; // a page that nobody looks at costs the node nothing after this
const picture = new Picture();
const banner = new Banner();
const follower = new Follower(take, told);
let wanted = 0;
let drawn = 0;
let place = "";
let overviewTop = 0; // how far down the overview was when it was left

// The token of a link must not stay in the address that is shown, shared and kept.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

// --- drawing ---

function draw() {
  wanted = 0;
  drawn = performance.now();
  drawHead();
  banner.draw(picture.shown);
  if (!picture.complete || follower.paused) return;
  const { kind, id } = whereTo(place);
  $("overview").hidden = Boolean(kind);
  $("detail").hidden = !kind;
  if (kind !== "job") leaveJob();
  if (kind === "job") showJob($("detail"), picture, id);
  else if (kind === "node") showNode($("detail"), picture.shown, id);
  else showOverview(picture.shown);
}

function whereTo(hash) {
  const [, kind, id] = /^#\/(job|node)\/(.+)$/.exec(hash) || [];
  if (!kind) return {};
  try {
    return { kind, id: decodeURIComponent(id) };
  } catch {
    return { kind, id };
  }
}

function drawSoon() {
  wanted ||= setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn + DRAW_MS - performance.now()));
}

function drawHead() {
  const { mesh } = picture.shown;
  const [word, kind] = banner.lost ? ["not live", "off"] : follower.paused ? ["paused", "wait"] : picture.complete ? ["live", "on"] : ["connecting", "wait"];
  $("live").dataset.state = kind;
  if ($("live-word").textContent !== word) $("live-word").textContent = word;
  if (!mesh) return;
  const { kind: shown, id } = whereTo(place);
  const job = shown === "job" && picture.shown.jobs.get(id), node = shown === "node" && picture.shown.nodes.get(id);
  const about = job ? `${named(job)}: ${job.State.toLowerCase()} · ` : node ? `${node.Name} · ` : "";
  document.title = `${mesh.Split ? "split: " : ""}${about}${mesh.Name} · bacalhau-mesh`;
  $("place").textContent = `asked ${mesh.Name} · cluster ${mesh.Cluster.slice(0, 8)} · version ${mesh.Version}`;
}

// --- the feed ---

function told(word, why) {
  banner.told(word, why);
  drawSoon();
}

function take(event, data) {
  learnClock(data.Mesh?.Time);
  const version = picture.shown.mesh?.Version;
  picture.apply(event, data);
  // A node that was updated has a page that fits it.
  if (event === "snapshot" && version && picture.shown.mesh.Version !== version) location.reload();
  drawSoon();
}

let unseen = 0;
function pause() {
  follower.pause();
  leaveJob();
  drawHead();
}
function goOn() {
  clearTimeout(unseen);
  if (follower.paused) follower.go();
  drawSoon();
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) unseen = setTimeout(pause, UNSEEN_MS);
  else goOn();
});
// A browser that keeps the page for its way back keeps its connections open, and has only six.
window.addEventListener("pagehide", pause);
window.addEventListener("pageshow", goOn);
document.addEventListener("draw", drawSoon);
document.addEventListener("all-jobs", () => {
  picture.jobsKept = JOBS_KEPT_OF_ALL;
  follower.go(WATCH);
});

// --- ways through the page ---

function arrive() {
  const before = place;
  if (!whereTo(before).kind) overviewTop = window.scrollY;
  place = location.hash;
  draw();
  const to = whereTo(place), from = whereTo(before);
  const row = !to.kind && from.kind && document.querySelector(`#overview tr[data-id="${CSS.escape(from.id)}"] a`);
  window.scrollTo(0, to.kind ? 0 : overviewTop);
  (row || $("main")).focus({ preventScroll: true });
}

window.addEventListener("hashchange", arrive);
// Its own way would change the address, which says what is shown.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
$("banner-close").addEventListener("click", () => {
  banner.close();
  draw();
  $("main").focus({ preventScroll: true });
});
listenToKeys({
  back: () => {
    if (banner.close()) draw();
    else if (whereTo(place).kind) location.hash = "#/";
  },
});
setInterval(() => {
  refreshTimes();
  drawSoon();
}, TIMES_MS);
setInterval(() => banner.lost && drawSoon(), 1000);
place = location.hash;
follower.path = `${WATCH}?jobs=${JOBS_AT_FIRST}`;
draw();
goOn();
