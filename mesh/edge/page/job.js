// One job: where it stands, its parts, its output and its story.

import { Refusal, readSnapshot } from "./feed.js";
import { ago, count, facts, labels, make, named, section, short, state, tag } from "./parts.js";
import { backLink } from "./node.js";
import { executionTable, fillExecutions } from "./executions.js";
import { Logs } from "./logs.js";
import { Story } from "./story.js";
import { jobIsOver } from "./picture.js";
import { progress, resultWord, where } from "./jobs.js";

let view = null;

export function leaveJob() {
  if (view) {
    view.logs.leave();
    view.story.leave();
    view.over.abort();
    view.box.sign = "";
    view = null;
  }
}

export function showJob(box, picture, id) {
  if (view?.id !== id || box.sign !== `job ${id}`) {
    leaveJob();
    box.sign = `job ${id}`;
    view = frameOf(box, id);
  }
  const { shown } = picture;
  const job = shown.jobs.get(id);
  const executions = [...shown.executions.values()].filter((one) => one.JobID === id);
  executions.sort((one, other) => one.Index - other.Index || one.Attempt - other.Attempt || (one.ID < other.ID ? -1 : 1));
  askForRest(view, picture, job, executions);
  if (view.told !== job) {
    view.told = job;
    view.top.replaceChildren(...(job ? jobTop(job) : unknownTop(view)));
  }
  fillExecutions(view.parts, executions, shown);
  const news = JSON.stringify(job) + executions.map((one) => one.ID + one.State).join();
  if (view.news !== news) {
    view.news = news;
    view.story.tellSoon();
  }
  view.logs.offer(executions);
}

// The feed tells the newest jobs and the executions that ended lately; of older ones, it is asked once.
async function askForRest(one, picture, job, executions) {
  if (one.asked === picture.shown) return;
  const accepted = executions.filter((each) => each.Accepted).length;
  if (job && accepted >= job.Done) return;
  one.asked = picture.shown;
  try {
    await readSnapshot(`/api/v1/mesh/watch?job=${encodeURIComponent(one.id)}`, (data) => picture.add(data), one.over.signal);
  } catch (error) {
    if (!(error instanceof Refusal)) return;
    one.unknown = error.message;
    one.told = null;
  }
  document.dispatchEvent(new Event("draw"));
}

function frameOf(box, id) {
  const path = `/api/v1/mesh/jobs/${encodeURIComponent(id)}`;
  const made = {
    id, box, top: make("div"), parts: executionTable("Parts"), logs: new Logs(`${path}/logs`), story: new Story(`${path}/story`),
    over: new AbortController(), told: null, news: "", asked: null, unknown: "",
  };
  const { parts, logs, story } = made;
  box.replaceChildren(
    backLink(), made.top,
    section("parts-title", "Parts", null, parts.table, parts.note),
    section("output-title", "Output", logs.pick, logs.output, logs.note),
    section("story-title", "Story", null, story.earlier, story.list, story.note),
  );
  return made;
}

function unknownTop({ id, unknown }) {
  const why = unknown && `It is not known here: ${unknown}.`;
  return [make("div", "lead", make("h1", "", short(id)), make("p", "id mono", id), why && make("p", "why", why))];
}

function jobTop(job) {
  const result = resultWord(job);
  const rest = [["running", job.Running], ["waiting", job.Waiting], ["failed", job.Failed]].filter(([, some]) => some);
  const known = facts([
    ["Parts", [progress(job)[0], " done", rest.map(([word, some]) => `, ${count(some)} ${word}`)]],
    ["Where", where(job)],
    ["Result", result.startsWith("provisional") ? `${result}: not every member has confirmed it yet` : result],
    ["Submitted", ago(job.Created)],
    ["Changed", ago(job.Modified)],
    ["Decided by", job.Owner],
    ["Version", job.Version > 1 ? String(job.Version) : ""],
    ["Priority", job.Priority ? String(job.Priority) : ""],
    ["Namespace", job.Namespace],
    ["Labels", labels(job.Labels)],
  ]);
  return [
    make("div", "lead", make("div", "title", make("h1", "", named(job)), state(job.State), jobIsOver(job) && tag(job.Settled ? "settled" : "provisional"), tag(job.Type)), make("p", "id mono", job.ID), job.Message && make("p", "why", job.Message)),
    section("stands-title", "Where it stands", null, known),
  ];
}
