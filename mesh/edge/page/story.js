// A job's story: every record about it, first to last, each with its cause.

import { Refusal, getJson } from "./feed.js";
import { button, count, fill, make, small } from "./parts.js";

const WAIT_MS = 400;
const SHARE = 20; // of the time that the last telling took: a story of thousands of lines is told less often
const LINES = 300; // shown at first: the last ones

export class Story {
  constructor(path) {
    this.path = path;
    this.list = make("ol", "story");
    this.list.setAttribute("role", "list");
    this.earlier = button("", () => {
      this.lines = Infinity;
      this.show();
    });
    this.earlier.className = "earlier";
    this.earlier.hidden = true;
    this.note = make("p", "note", "Reading…");
    this.lines = LINES;
    this.told = null;
    this.timer = 0;
    this.wait = WAIT_MS;
    this.over = new AbortController();
  }

  // Told again when the job has changed, at most every so often.
  tellSoon() {
    this.timer ||= setTimeout(() => this.tell(), this.wait);
  }

  leave() {
    clearTimeout(this.timer);
    this.over.abort();
  }

  async tell() {
    const begun = performance.now();
    try {
      this.told = await getJson(this.path, this.over.signal);
      this.show();
      this.note.textContent = this.told.Items.length ? "" : "Nothing is known of it here.";
    } catch (error) {
      if (this.over.signal.aborted) return;
      const why = error instanceof Refusal ? error.message : "this node does not answer now";
      this.note.textContent = `The story cannot be told: ${why}.`;
    }
    this.wait = Math.max(WAIT_MS, SHARE * (performance.now() - begun));
    this.timer = 0;
  }

  show() {
    const { Items: items, CreateTime: begun } = this.told;
    const hidden = Math.max(0, items.length - this.lines);
    this.earlier.hidden = !hidden;
    this.earlier.textContent = `Show the ${count(hidden)} earlier lines`;
    const rows = { id: (one) => one.Seq, sign: (one) => one.Sentence + one.Because, tag: "li", make: (one, row) => line(one, row, begun) };
    fill(this.list, items.slice(hidden), rows);
  }
}

function line(item, row, begun) {
  row.dataset.depth = item.Depth;
  const at = item.Time / 1e6, exact = new Date(at);
  const time = make("time", "", sinceText(Math.round(at - begun / 1e6)));
  time.dateTime = exact.toISOString();
  time.title = exact.toLocaleString();
  // Whose record it is stands before it.
  const sentence = item.Sentence.startsWith(`${item.NodeName} `) ? item.Sentence.slice(item.NodeName.length + 1) : item.Sentence;
  return [time, make("span", "teller", item.NodeName), " ", make("div", "", make("span", "", sentence), item.Because && small(because(item.Because)))];
}

function because(text) {
  const first = /^[A-Z][a-z ]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text;
  return `because ${first.replace(/\.$/, "")}`;
}

// How long after the submission: "+0.014 s", "+2 min 05 s", "+3 h 12 min".
function sinceText(milliseconds) {
  const sign = milliseconds < 0 ? "−" : "+", all = Math.abs(milliseconds), seconds = Math.floor(all / 1000), minutes = Math.floor(seconds / 60);
  const two = (number) => String(number).padStart(2, "0");
  if (minutes < 1) return `${sign}${(all / 1000).toFixed(3)} s`;
  if (minutes < 60) return `${sign}${minutes} min ${two(seconds % 60)} s`;
  return `${sign}${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
