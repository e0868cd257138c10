// Nodes, jobs and what happened, on one screen.

import { $, ago, bytes, cores, fillTable, jobLink, labels, make, nodeLink, plural, small, state, tag } from "./parts.js";
import { JOB_OVER } from "./feed.js";

const JOBS_AT_ONCE = 100;
const LIVE_FIRST = { Running: 0, Pending: 1, Queued: 1 };
let jobsShown = JOBS_AT_ONCE;
let kept = null;

export function showOverview(shown) {
  kept = shown;
  showCounts(shown);
  fillTable($("nodes").tBodies[0], [...shown.nodes.values()].sort(nodeOrder), (one) => one.ID, JSON.stringify, nodeCells);
  showJobs(shown);
  showEvents(shown);
}

function showCounts({ mesh }) {
  const counts = [[`${mesh.Reachable}${mesh.Reachable < mesh.Members ? ` of ${mesh.Members}` : ""}`, mesh.Members === 1 ? "node" : "nodes"]];
  for (const word of ["Running", "Pending", "Queued", "Completed", "Failed", "Stopped"]) {
    if (mesh.Jobs[word]) counts.push([mesh.Jobs[word], word.toLowerCase()]);
  }
  if (mesh.Provisional) counts.push([mesh.Provisional, "not settled yet"]);
  if (mesh.Duplicates) counts.push([mesh.Duplicates, mesh.Duplicates === 1 ? "duplicate" : "duplicates"]);
  const sign = JSON.stringify(counts);
  if ($("counts").sign === sign) return;
  $("counts").sign = sign;
  $("counts").replaceChildren(...counts.map(([count, word]) => make("div", "", make("dt", "", word), make("dd", "", String(count)))));
}

// --- nodes ---

const nodeOrder = (one, other) => other.IsSelf - one.IsSelf || one.Name.localeCompare(other.Name);

export const nodeTrip = (node) => (node.IsSelf ? "" : node.RoundTripMs ? `${node.RoundTripMs < 10 ? node.RoundTripMs.toFixed(1) : Math.round(node.RoundTripMs)} ms` : "unknown");

function nodeCells(node) {
  const engines = Object.keys(node.Engines).join(", ") || "no engines";
  const work = `${node.Running}${node.Queued ? ` + ${node.Queued}` : ""}`;
  const workCell = make("td", "number", work, small(node.Queued ? "run + wait" : "running"));
  return [
    make("td", "", nodeLink(node.ID, node.Name), " ", node.IsSelf && tag("this node"), small(engines)),
    make("td", "", state(node.State), node.Intent && make("div", "", state(node.Intent))),
    make("td", "wide", ago(node.Since)),
    make("td", "wide number", nodeTrip(node)),
    workCell,
    make("td", "middle number", cores(node.Free.CPU), small(`of ${cores(node.Capacity.CPU)}`)),
    make("td", "middle number", bytes(node.Free.Memory), small(`of ${bytes(node.Capacity.Memory)}`)),
    make("td", "wide number", bytes(node.Free.Disk), small(`of ${bytes(node.Capacity.Disk)}`)),
  ];
}

// --- jobs ---

function jobOrder(one, other) {
  return (LIVE_FIRST[one.State] ?? 2) - (LIVE_FIRST[other.State] ?? 2) || other.Created - one.Created || (one.ID < other.ID ? -1 : 1);
}

function showJobs(shown) {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...shown.jobs.values()].filter((job) => words.every((word) => searched(job).includes(word)));
  found.sort(jobOrder);
  fillTable($("jobs").tBodies[0], found.slice(0, jobsShown), (one) => one.ID, JSON.stringify, jobCells);
  const total = Math.max(shown.jobs.size, Object.values(shown.mesh.Jobs).reduce((sum, count) => sum + count, 0));
  $("jobs-more").hidden = found.length <= jobsShown;
  $("jobs-note").textContent = jobsNote(found.length, total, shown.jobs.size, words.length > 0);
}

function jobsNote(found, total, known, filtered) {
  if (!total) return "No jobs yet.";
  const older = total > known ? ` The newest ${known} of ${total} are looked at.` : "";
  if (!found && filtered) return `None of the ${known} jobs fits the filter.${older}`;
  if (found > jobsShown) return `${jobsShown} of ${plural(found, "job")}.${older}`;
  return filtered ? `${plural(found, "job")} of ${known}.${older}` : older.trim();
}

function searched(job) {
  return [job.ID, job.Name, job.Namespace, job.Type, job.State, job.Message, job.Owner, ...job.Where, labels(job.Labels)].join(" ").toLowerCase();
}

export const where = (job) => job.Where.join(", ") + (job.WhereMore ? ` and ${job.WhereMore} more` : "");

export function resultWord(job) {
  if (!JOB_OVER.has(job.State)) return "";
  const twice = job.Duplicates ? `, ${plural(job.Duplicates, "duplicate")}` : "";
  return (job.Settled ? "settled" : "provisional") + twice;
}

export function progress(job) {
  if (job.Type === "daemon" || job.Count < 1) return [String(job.Running || job.Done)];
  const bar = make("progress", "bar-of");
  bar.max = job.Count;
  bar.value = job.Done;
  bar.setAttribute("aria-label", `${job.Done} of ${job.Count} done`);
  return [`${job.Done} / ${job.Count}`, job.Count > 1 && bar];
}

function jobCells(job) {
  const note = job.Message || (job.Waiting && job.Running ? `${job.Waiting} waiting` : "");
  return [
    make("td", "", jobLink(job), " ", job.Type !== "batch" && tag(job.Type), job.Priority !== 0 && tag(`priority ${job.Priority}`), note && small(note)),
    make("td", "", state(job.State), job.Duplicates > 0 && small(plural(job.Duplicates, "duplicate"))),
    make("td", "number", progress(job)),
    make("td", "middle", where(job) || "–"),
    make("td", "wide", resultWord(job) || "–"),
    make("td", "middle", ago(job.Created)),
  ];
}

$("filter").addEventListener("input", () => {
  jobsShown = JOBS_AT_ONCE;
  if (kept) showJobs(kept);
});
$("jobs-more").addEventListener("click", () => {
  jobsShown += JOBS_AT_ONCE;
  if (kept) showJobs(kept);
});

// --- events ---

function showEvents({ events }) {
  const list = $("events");
  const newest = events.length ? events[events.length - 1] : null;
  const sign = newest ? `${newest.Seq} ${events.length}` : "";
  if (list.sign === sign && sign) return;
  list.sign = sign;
  if (!newest) {
    list.replaceChildren(make("li", "", make("span", "", "Nothing yet.")));
    return;
  }
  list.replaceChildren(...[...events].reverse().map((one) => make("li", "", ago(one.Time), make("span", one.Level, sentence(one)))));
}

function sentence(one) {
  if (!one.JobID) return one.Sentence;
  const known = kept.jobs.get(one.JobID);
  return [one.Sentence, " ", jobLink(known || { ID: one.JobID })];
}
