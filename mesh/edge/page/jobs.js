// The table of jobs, and what it is filtered by.

import { $, ago, bar, count, fill, jobLink, labels, listed, make, plural, small, state, tag } from "./parts.js";
import { jobIsOver, jobsInOrder } from "./picture.js";

const JOBS_AT_ONCE = 100;
const texts = new WeakMap(); // what is searched, by row
let jobsShown = JOBS_AT_ONCE;
let kept = null;

export function showJobs(shown) {
  kept = shown;
  const words = filterText().split(/\s+/).filter(Boolean);
  const all = jobsInOrder(shown);
  const found = words.length ? all.filter((job) => words.every((word) => searched(job).includes(word))) : all;
  fill($("jobs").tBodies[0], found.slice(0, jobsShown), { id: (one) => one.ID, sign: (one) => one, make: jobCells });
  const total = Math.max(all.length, Object.values(shown.mesh.Jobs).reduce((sum, some) => sum + some, 0));
  $("jobs").hidden = !found.length;
  $("jobs-more").hidden = found.length <= jobsShown;
  $("jobs-all").hidden = total <= all.length;
  $("jobs-all").textContent = `Look at all ${count(total)} jobs`;
  $("filter-box").hidden = !total;
  say($("jobs-note"), jobsNote(found.length, total, all.length, words.length > 0));
}

function jobsNote(found, total, known, filtered) {
  if (!total) return "No jobs yet. One is sent with: bacalhau-mesh job run job.yaml";
  const older = total > known ? ` Looked at are those that are not over and the newest, ${count(known)} of ${count(total)}.` : "";
  if (!found && filtered) return `None of ${plural(known, "job")} fits the filter.${older}`;
  if (found > jobsShown) return `${count(jobsShown)} of ${plural(found, "job")} are shown.${older}`;
  return filtered ? `${count(found)} of ${plural(known, "job")} ${found === 1 ? "fits" : "fit"} the filter.${older}` : older.trim();
}

// A screen reader reads every change of it aloud.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function searched(job) {
  let text = texts.get(job);
  if (text === undefined) {
    const result = [jobIsOver(job) && !job.Settled && "result:provisional", jobIsOver(job) && job.Settled && "result:settled", job.Duplicates > 0 && "result:duplicate"];
    const about = [job.ID, job.Name, job.Namespace, job.Type, `state:${job.State}`, job.Message, job.Owner, ...job.Where, labels(job.Labels), ...result];
    text = about.filter(Boolean).join(" ").toLowerCase();
    texts.set(job, text);
  }
  return text;
}

// --- the filter ---

export const filterText = () => $("filter").value.trim().toLowerCase();

// These words, or all jobs again when they are there already.
export function filterBy(words) {
  $("filter").value = filterText() === words ? "" : words;
  $("filter").dispatchEvent(new Event("input"));
}

$("filter").addEventListener("input", () => {
  jobsShown = JOBS_AT_ONCE;
  document.dispatchEvent(new Event("draw"));
});
$("jobs-more").addEventListener("click", () => {
  const rows = $("jobs").tBodies[0].rows, before = rows.length;
  jobsShown += JOBS_AT_ONCE;
  showJobs(kept);
  // Where the button was, what it brought goes on.
  rows[before]?.querySelector("a").focus({ preventScroll: true });
});
$("jobs-all").addEventListener("click", () => document.dispatchEvent(new Event("all-jobs")));

// --- one row ---

export const where = (job) => listed([...job.Where, ...(job.WhereMore ? [`${job.WhereMore} more`] : [])]).join("");

export function resultWord(job) {
  if (!jobIsOver(job)) return "";
  const twice = job.Duplicates ? `, ${plural(job.Duplicates, "duplicate")}` : "";
  return (job.Settled ? "settled" : "provisional") + twice;
}

export function progress(job) {
  if (job.Type === "daemon" || job.Count < 1) return [plural(job.Running || job.Done, "node")];
  return [`${count(job.Done)} of ${count(job.Count)}`, job.Count > 1 && bar(job.Done, job.Count)];
}

function jobCells(job) {
  const result = resultWord(job);
  // How many wait is seen in the columns beside it.
  const note = job.Message.replace(/^\d+ parts? waits?: /, "") || (job.Waiting && job.Running ? `${count(job.Waiting)} waiting` : "");
  return [
    make("td", "", jobLink(job), " ", job.Type !== "batch" && tag(job.Type), job.Priority !== 0 && tag(`priority ${job.Priority}`), note && small(note)),
    make("td", "", state(job.State), result && (!job.Settled || job.Duplicates > 0) && make("span", "small narrow", result)),
    make("td", "number", progress(job)),
    make("td", "middle", where(job) || "–"),
    make("td", "wide", result || "–"),
    make("td", "middle", ago(job.Created)),
  ];
}
