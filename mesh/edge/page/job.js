// One job: where it stands, its parts, its story and its output.

import { Refusal, getJson, readFeed } from "./feed.js";
import { ago, facts, labels, make, short, small, state, tag } from "./parts.js";
import { backLink, executionTable, fillExecutions } from "./node.js";
import { progress, resultWord, where } from "./overview.js";

const STORY_WAIT_MS = 400;
const LOG_LINES = 500;
const LOG_PIECES_KEPT = 3000;
const AGAIN_MS = 1500;
// Colours and cursor movements that programs print for a terminal.
const TERMINAL = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]/g;
let view = null;

export function leaveJob() {
  if (view) {
    view.logs?.abort();
    clearTimeout(view.timer);
    view.box.sign = "";
    view = null;
  }
}

export function showJob(box, shown, id) {
  const job = shown.jobs.get(id);
  if (view?.id !== id || box.sign !== `job ${id}`) {
    leaveJob();
    box.sign = `job ${id}`;
    view = frameOf(box, id);
  }
  const executions = [...shown.executions.values()].filter((one) => one.JobID === id);
  executions.sort((one, other) => one.Index - other.Index || other.Created - one.Created || (one.ID < other.ID ? -1 : 1));
  const sign = JSON.stringify(job);
  if (view.sign !== sign) {
    view.sign = sign;
    view.top.replaceChildren(...(job ? jobTop(job) : [make("div", "lead", make("h1", "", short(id)), make("p", "id mono", id))]));
  }
  fillExecutions(view.table, executions, shown);
  view.noParts.hidden = executions.length > 0;
  const news = sign + executions.map((one) => one.ID + one.State).join();
  if (view.news !== news) {
    view.news = news;
    tellStorySoon(view);
  }
  chooseLogs(view, executions);
}

function frameOf(box, id) {
  const made = {
    id, box, top: make("div"), table: executionTable(), noParts: make("p", "note", "Nothing of it has been placed yet, or not lately."),
    story: make("ol", "story"), pick: make("select"), output: make("pre", "logs"), logNote: make("p", "note", ""),
    told: 0, timer: 0, news: "", sign: null, logs: null, reading: null,
  };
  made.output.tabIndex = 0;
  made.output.setAttribute("aria-label", "Output");
  made.pick.setAttribute("aria-label", "Which execution's output");
  made.pick.hidden = true;
  made.pick.addEventListener("change", () => readLogs(made, made.pick.value));
  box.replaceChildren(
    backLink(), made.top,
    section("Parts", "parts-title", made.table, made.noParts),
    section("Output", "output-title", made.output, made.logNote, made.pick),
    section("Story", "story-title", made.story),
  );
  return made;
}

function section(name, id, ...children) {
  const title = make("h2", "", name);
  title.id = id;
  const head = make("div", "head", title, children.filter((one) => one.tagName === "SELECT"));
  const made = make("section", "", head, children.filter((one) => one.tagName !== "SELECT"));
  made.setAttribute("aria-labelledby", id);
  return made;
}

function jobTop(job) {
  const result = resultWord(job);
  const known = facts([
    ["Parts", [...progress(job).slice(0, 1), ` done, ${job.Running} running, ${job.Waiting} waiting, ${job.Failed} failed`]],
    ["Where", where(job)],
    ["Result", result === "provisional" ? "provisional: not every member has confirmed it yet" : result],
    ["Submitted", ago(job.Created)],
    ["Changed", ago(job.Modified)],
    ["Decided by", job.Owner],
    ["Version", String(job.Version)],
    ["Priority", job.Priority ? String(job.Priority) : ""],
    ["Namespace", job.Namespace],
    ["Labels", labels(job.Labels)],
  ]);
  return [
    make("div", "lead", make("div", "title", make("h1", "", job.Name || short(job.ID)), state(job.State), tag(job.Type)), make("p", "id mono", job.ID), job.Message && make("p", "why", job.Message)),
    make("section", "", make("div", "head", make("h2", "", "Where it stands")), known),
  ];
}

// --- story ---

const callOf = (one, rest) => `/api/v1/mesh/jobs/${encodeURIComponent(one.id)}/${rest}`;

// Told again when the job has changed, at most every so often.
function tellStorySoon(one) {
  one.timer ||= setTimeout(async () => {
    try {
      const { Items } = await getJson(callOf(one, "story"));
      one.story.replaceChildren(...Items.map(storyLine));
      if (!Items.length) one.story.replaceChildren(make("li", "", make("span"), make("div", "", "Nothing is known of it here.")));
    } catch (error) {
      const why = error instanceof Refusal ? error.message : "this node does not answer now";
      one.story.replaceChildren(make("li", "", make("span"), make("div", "", `The story cannot be told: ${why}.`)));
    }
    one.timer = 0;
  }, STORY_WAIT_MS);
}

function storyLine(item) {
  const because = item.Because ? `because ${item.Because.replace(/^It /, "it ")}` : "";
  const by = [item.NodeName, because].filter(Boolean).join(" · ");
  return make("li", "", ago(Math.round(item.Time / 1e6)), make("div", "", item.Sentence, by && small(by)));
}

// --- output ---

function chooseLogs(one, executions) {
  const ran = executions.filter((each) => !["Assigned", "Refused", "Cancelled"].includes(each.State) || each.Started);
  const sign = ran.map((each) => each.ID).join();
  if (one.choices !== sign) {
    const before = one.pick.value;
    one.choices = sign;
    one.pick.replaceChildren(option("", "The job's newest output"), ...ran.map((each) => option(each.ID, `Part ${each.Index}, attempt ${each.Attempt}, on ${each.NodeName}`)));
    one.pick.value = ran.some((each) => each.ID === before) ? before : "";
    one.pick.hidden = ran.length < 2;
  }
  if (one.reading === null && (ran.length || !executions.length)) readLogs(one, "");
}

function option(value, text) {
  const made = make("option", "", text);
  made.value = value;
  return made;
}

async function readLogs(one, execution) {
  one.logs?.abort();
  const logs = (one.logs = new AbortController());
  one.reading = execution;
  one.output.replaceChildren();
  const say = (text) => logs.signal.aborted || (one.logNote.textContent = text);
  say("Reading…");
  const query = `follow=true&lines=${LOG_LINES}${execution ? `&execution_id=${encodeURIComponent(execution)}` : ""}`;
  try {
    const failed = await feedLogs(one, callOf(one, `logs?${query}`), logs.signal, say);
    if (!failed) say(one.output.childNodes.length ? "That is all of it." : "It printed nothing.");
  } catch (error) {
    if (logs.signal.aborted) return;
    if (error instanceof Refusal && error.status < 500) {
      say(`No output: ${error.message}.`);
      return;
    }
    say("The connection broke. Trying again.");
    setTimeout(() => !logs.signal.aborted && readLogs(one, execution), AGAIN_MS);
  }
}

async function feedLogs(one, path, signal, say) {
  let failed = false;
  const take = (event, text) => {
    const { value, error } = JSON.parse(text);
    if (error) {
      failed = true;
      say(`No output: ${error}.`);
    }
    if (!value.Line) return;
    say("Live: more appears as it is printed.");
    const atEnd = one.output.scrollTop + one.output.clientHeight > one.output.scrollHeight - 30;
    one.output.append(make("span", value.Type === 2 ? "err" : "", value.Line.replace(/\r\n/g, "\n").replace(TERMINAL, "")));
    while (one.output.childNodes.length > LOG_PIECES_KEPT) one.output.firstChild.remove();
    if (atEnd) one.output.scrollTop = one.output.scrollHeight;
  };
  await readFeed(path, take, { signal, opened: () => say("Nothing printed yet.") });
  return failed;
}
