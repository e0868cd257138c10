// What everybody should know at once: a split, its end, and a node that does not answer.

import { Refusal } from "./feed.js";
import { executionIsOver } from "./picture.js";
import { $, clock, jobLink, listed, make, nodeLink, now, plural, span } from "./parts.js";

const WHOLE_MS = 600000; // the end of a split is told so long, unless somebody closes it
const LOST_MS = 1500; // a node that starts again is back sooner

export class Banner {
  constructor() {
    this.lost = null; // {since, why} while the feed is away
    this.split = null; // {since, duplicates} while there is one
    this.whole = null; // {since, lasted, more} after it
    this.said = "";
  }

  told(word, why) {
    this.lost = word === "on" ? null : { since: this.lost?.since ?? now(), why };
  }

  // Whether there was anything to close.
  close() {
    const closed = this.whole !== null;
    this.whole = null;
    return closed;
  }

  draw(shown) {
    const told = this.lost ? lostText(this.lost, shown) : this.meshText(shown);
    const said = told.said.map((part) => part.textContent ?? part).join("");
    const more = told.more.map((part) => part.textContent ?? part).join("");
    if (this.said === said + more && $("banner").dataset.kind === told.kind) return;
    this.said = said + more;
    $("banner").dataset.kind = said ? told.kind : "";
    // Said again only when it changed: a screen reader reads every change of the first line aloud.
    if ($("said").textContent !== said) $("said").replaceChildren(...told.said);
    $("said-more").replaceChildren(...told.more);
    $("banner-close").hidden = told.kind !== "whole" || !said;
  }

  meshText(shown) {
    const { mesh } = shown;
    if (!mesh) return text("calm");
    if (mesh.Split) {
      this.whole = null;
      this.split ||= { since: Math.min(...mesh.Unreachable.map((one) => one.Since)), duplicates: duplicates(shown) };
      return splitText(shown);
    }
    if (this.split) {
      this.whole = { since: now(), lasted: now() - this.split.since, before: this.split.duplicates };
      this.split = null;
    }
    if (this.whole && now() - this.whole.since > WHOLE_MS) this.whole = null;
    return this.whole ? wholeText(this.whole, shown) : text("calm");
  }
}

const text = (kind, said = [], more = []) => ({ kind, said, more });
const strong = (words) => make("strong", "", words);
const duplicates = (shown) => new Map([...shown.jobs.values()].filter((job) => job.Duplicates).map((job) => [job.ID, job.Duplicates]));

function lostText({ since, why }, shown) {
  if (why instanceof Refusal && [401, 403].includes(why.status)) {
    return text("lost", [strong("This link is not valid any more."), " Ask for the new one: bacalhau-mesh page prints it on the node."]);
  }
  if (now() - since < LOST_MS) return text("lost");
  const name = shown.mesh?.Name || "The node";
  const says = why instanceof Refusal ? ` It says: ${why.message}.` : "";
  const old = shown.mesh ? `What you see is of ${clock(since)}; this` : "This";
  return text("lost", [strong(`${name} does not answer.`), `${says} ${old} page tries again by itself.`]);
}

const JOBS_NAMED = 3; // of those that the other side was asked for

function splitText({ mesh, executions, jobs }) {
  const away = new Set(mesh.Unreachable.map((one) => one.ID));
  const live = [...executions.values()].filter((one) => !executionIsOver(one));
  const asked = live.filter((one) => away.has(one.NodeID)), there = asked.length;
  const names = mesh.Unreachable.map((one) => make("span", "", nodeLink(one.ID, one.Name), ` (since ${clock(one.Since)})`));
  const of = listed([...new Set(asked.map((one) => one.JobID))].map((id) => jobLink(jobs.get(id) || { ID: id })), JOBS_NAMED);
  const theirs = there ? [` The other side was asked for ${plural(there, "execution")} before, of `, ...of, `: what came of ${there === 1 ? "it" : "them"} will be known when it is heard again.`] : [];
  return text(
    "split",
    [strong("The mesh is split."), ` ${mesh.Name} cannot hear `, ...listed(names), ". Both sides go on working."],
    [`On our side: ${mesh.Reachable} of ${plural(mesh.Members, "node")}, ${plural(live.length - there, "execution")} at work.`, ...theirs],
  );
}

function wholeText(whole, shown) {
  const { mesh, jobs } = shown;
  const twice = [...duplicates(shown)].map(([id, some]) => [id, some - (whole.before.get(id) || 0)]).filter(([, some]) => some > 0);
  const results = twice.reduce((sum, [, some]) => sum + some, 0);
  const of = listed(twice.map(([id]) => jobLink(jobs.get(id))));
  const said = results ? [` ${plural(results, "result")} came twice, of `, ...of, ": one of each is accepted, the same on every node, and the other is kept as a duplicate."] : [" No work was done twice."];
  const open = mesh.Provisional ? `${plural(mesh.Provisional, "finished job")} still to be confirmed by every member.` : "Every finished job is settled.";
  return text("whole", [strong("The mesh is whole again"), ` after ${span(whole.lasted)}.`, ...said], [open]);
}
