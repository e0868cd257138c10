// Executions: the table of a job's parts, and of a node's work.

import { ago, count, fill, jobLink, make, nodeLink, short, small, state, took } from "./parts.js";
import { executionIsOver } from "./picture.js";

const SHOWN = 200;

export function executionTable(name, { jobs = false } = {}) {
  const columns = [[jobs ? "Job" : "Part", ""], ["State", ""], ...(jobs ? [] : [["Node", ""]]), ["Exit code", "middle number"], ["Started", "middle"], ["Took", "middle number"]];
  const heads = columns.map(([text, kind]) => {
    const head = make("th", kind, text);
    head.scope = "col";
    return head;
  });
  const table = make("table", "executions", make("thead", "", make("tr", "", heads)), make("tbody"));
  table.setAttribute("aria-label", name);
  return { jobs, table, note: make("p", "note") };
}

export function fillExecutions({ jobs, table, note }, rows, shown) {
  const accepted = new Map(rows.filter((one) => one.Accepted).map((one) => [one.Index, one]));
  const cells = (one, row) => executionCells(one, row, { jobs, job: shown.jobs.get(one.JobID) || { ID: one.JobID, Name: "" }, accepted: accepted.get(one.Index) });
  const sign = (one) => JSON.stringify(one) + (jobs ? shown.jobs.get(one.JobID)?.Name : accepted.get(one.Index)?.ID);
  fill(table.tBodies[0], rows.slice(0, SHOWN), { id: (one) => one.ID, sign, make: cells });
  table.hidden = !rows.length;
  note.textContent = rows.length > SHOWN ? `${count(SHOWN)} of ${count(rows.length)} are shown.` : rows.length ? "" : jobs ? "Nothing is known to run there, or to have run lately." : "Nothing of it has been placed yet.";
}

function executionCells(one, row, { jobs, job, accepted }) {
  row.className = one.Duplicate ? "away" : "";
  const part = `part ${one.Index}${one.Attempt > 1 ? `, attempt ${one.Attempt}` : ""}`;
  // What went well says so by its state.
  const message = one.Message && one.Message !== one.State && !(one.State === "Succeeded" && !one.ExitCode) ? one.Message : "";
  return [
    make("td", "", jobs ? jobLink(job) : part, jobs && small(part), make("span", "small code", short(one.ID)), message && small(message)),
    make("td", "", state(one.State), one.Accepted && small("its result is accepted"), one.Duplicate && small(duplicateWords(jobs ? null : accepted))),
    !jobs && make("td", "", nodeLink(one.NodeID, one.NodeName)),
    make("td", "middle number", one.ExitCode === null ? "–" : String(one.ExitCode)),
    make("td", "middle", ago(one.Started) || "–"),
    make("td", "middle number", lasted(one)),
  ].filter(Boolean);
}

const duplicateWords = (accepted) => (accepted ? `duplicate: the result of ${accepted.NodeName} is accepted` : "duplicate: another result is accepted");

function lasted(one) {
  if (!one.Started) return "–";
  if (!executionIsOver(one)) return ago(one.Started, "for");
  return took(one.ElapsedMs || Math.max(0, one.Modified - one.Started));
}
