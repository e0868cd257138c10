// What a job prints, followed while it is printed.

import { Refusal, readFeed } from "./feed.js";
import { make } from "./parts.js";

const LINES = 500;
const PIECES_KEPT = 3000;
const AGAIN_MS = 1500;
const AT_END_PX = 30;
// Colours and cursor movements that programs print for a terminal.
const TERMINAL = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]/g;

export class Logs {
  constructor(path) {
    this.path = path;
    this.output = make("pre", "logs");
    this.output.tabIndex = 0;
    this.output.setAttribute("role", "region");
    this.output.setAttribute("aria-label", "What it printed");
    this.note = make("p", "note", "Nothing has run yet.");
    this.pick = make("select");
    this.pick.setAttribute("aria-label", "Which execution's output");
    this.pick.hidden = true;
    this.pick.addEventListener("change", () => this.read(this.pick.value));
    this.over = null;
    this.coming = [];
    this.drawing = 0;
  }

  // Which executions can be chosen; the first that may have printed is begun to be read.
  offer(executions) {
    const ran = executions.filter((one) => !["Assigned", "Refused", "Cancelled"].includes(one.State) || one.Started);
    const sign = ran.map((one) => one.ID).join();
    if (this.choices !== sign) {
      const before = this.pick.value;
      this.choices = sign;
      this.pick.replaceChildren(option("", "The job's newest output"), ...ran.map((one) => option(one.ID, `Part ${one.Index}, attempt ${one.Attempt}, on ${one.NodeName}`)));
      this.pick.value = ran.some((one) => one.ID === before) ? before : "";
      this.pick.hidden = ran.length < 2;
    }
    if (this.over === null && (ran.length || !executions.length)) this.read("");
  }

  leave() {
    this.over?.abort();
    cancelAnimationFrame(this.drawing);
  }

  async read(execution) {
    this.leave();
    const { signal } = (this.over = new AbortController());
    this.coming = [];
    this.drawing = 0;
    this.output.replaceChildren();
    const say = (text) => signal.aborted || this.note.textContent === text || (this.note.textContent = text);
    say("Reading…");
    const query = `follow=true&lines=${LINES}${execution ? `&execution_id=${encodeURIComponent(execution)}` : ""}`;
    try {
      const failed = await this.follow(`${this.path}?${query}`, signal, say);
      this.put();
      if (!failed) say(this.output.childNodes.length ? "That is all of it." : "It printed nothing.");
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.status < 500) {
        say(`No output: ${error.message}.`);
        return;
      }
      say("The connection broke. Trying again.");
      setTimeout(() => !signal.aborted && this.read(execution), AGAIN_MS);
    }
  }

  async follow(path, signal, say) {
    let failed = false;
    const take = (event, text) => {
      const { value, error } = JSON.parse(text);
      if (error) {
        failed = true;
        say(`No output: ${error}.`);
      }
      if (!value.Line) return;
      say("Live: more appears as it is printed.");
      this.coming.push([value.Type === 2 ? "err" : "", value.Line.replace(/\r\n/g, "\n").replace(TERMINAL, "")]);
      if (this.coming.length > PIECES_KEPT) this.coming.shift();
      this.drawing ||= requestAnimationFrame(() => this.put());
    };
    await readFeed(path, take, { signal, opened: () => say("Nothing printed yet.") });
    return failed;
  }

  // All that came since the last frame at once: a program prints faster than a screen is drawn.
  put() {
    this.drawing = 0;
    if (!this.coming.length) return;
    const { output } = this;
    const atEnd = output.scrollTop + output.clientHeight > output.scrollHeight - AT_END_PX;
    output.append(...this.coming.map(([kind, text]) => make("span", kind, text)));
    this.coming = [];
    while (output.childNodes.length > PIECES_KEPT) output.firstChild.remove();
    if (atEnd) output.scrollTop = output.scrollHeight;
  }
}

function option(value, text) {
  const made = make("option", "", text);
  made.value = value;
  return made;
}
