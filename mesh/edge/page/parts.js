// Small pieces that all views are made of. Text from the mesh goes into text nodes, never into markup.

export const $ = (id) => document.getElementById(id);

// make("td", "number", child, ...): texts and nodes are appended; null and false are left out.
export function make(tag, kind, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function link(where, text) {
  const element = make("a", "", text);
  element.href = where;
  return element;
}

export function button(text, pressed) {
  const element = make("button", "", text);
  element.type = "button";
  element.addEventListener("click", pressed);
  return element;
}

const MARKS = {
  alive: ["●", "good"], suspect: ["◐", "wait"], unreachable: ["○", "bad"], left: ["–", ""],
  cordoned: ["⊘", "wait"], draining: ["↓", "wait"],
  Pending: ["…", "wait"], Queued: ["…", "wait"], Running: ["▸", "busy"], Completed: ["✓", "good"],
  Failed: ["✕", "bad"], Stopped: ["■", ""],
  Assigned: ["…", "wait"], Accepted: ["…", "wait"], Preparing: ["…", "busy"], Publishing: ["▸", "busy"],
  Succeeded: ["✓", "good"], Refused: ["⊘", "wait"], Cancelled: ["■", ""],
};

export function state(word) {
  const [mark, kind] = MARKS[word] || ["·", ""];
  const element = make("span", `state ${kind}`, word);
  element.dataset.mark = mark;
  return element;
}

export const tag = (text) => make("span", "tag", text);
export const small = (...children) => make("span", "small", ...children);

export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  return make("dl", "facts", known.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
}

export function section(id, name, head, ...children) {
  const title = make("h2", "", name);
  title.id = id;
  const made = make("section", "", make("div", "head", title, head), ...children);
  made.setAttribute("aria-labelledby", id);
  return made;
}

// How much of something is taken, beside the words that say so.
export function bar(taken, of) {
  const made = make("progress", "bar-of");
  made.max = of || 1;
  made.value = taken;
  made.setAttribute("aria-hidden", "true");
  return made;
}

// Fills a table's body or a list with one element per id. One whose sign is the same stays untouched,
// so that what somebody has selected or focused in it stays too.
export function fill(parent, rows, { id, sign, tag = "tr", make }) {
  const kept = new Map([...parent.children].map((row) => [row.dataset.id, row]));
  let next = parent.firstElementChild;
  for (const one of rows) {
    const key = String(id(one)), signed = sign(one);
    let row = kept.get(key);
    kept.delete(key);
    if (!row) {
      row = document.createElement(tag);
      row.dataset.id = key;
    }
    if (row.signed !== signed) {
      const focused = row.contains(document.activeElement);
      row.replaceChildren(...make(one, row));
      row.signed = signed;
      if (focused) row.querySelector("a")?.focus();
    }
    if (row === next) next = next.nextElementSibling;
    else parent.insertBefore(row, next);
  }
  for (const row of kept.values()) row.remove();
}

// --- times ---

// The node's clock and this machine's may differ: what is said is told by the node's.
let ahead = 0;
export function learnClock(time) {
  if (time) ahead = time - Date.now();
}
export const now = () => Date.now() + ahead;

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [size, unit] = UNITS.find(([one]) => seconds >= one) || [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

export const took = (milliseconds) => (milliseconds < 1000 ? `${milliseconds} ms` : milliseconds < 60000 ? `${(milliseconds / 1000).toFixed(1)} s` : span(milliseconds));

const TOLD = {
  ago: (time) => (now() - time < 2000 ? "just now" : `${span(now() - time)} ago`),
  for: (time) => `for ${span(now() - time)}`,
};

// "3 min ago", or "for 3 min", told again as time goes by.
export function ago(time, how = "ago") {
  if (!time) return "";
  const element = make("time", "", TOLD[how](time));
  element.dateTime = new Date(time).toISOString();
  element.title = new Date(time).toLocaleString();
  element.dataset.time = time;
  element.dataset.how = how;
  return element;
}

export function refreshTimes() {
  for (const element of document.querySelectorAll("time[data-how]")) {
    const text = TOLD[element.dataset.how](Number(element.dataset.time));
    if (element.textContent !== text) element.textContent = text;
  }
}

// "14:03", with its day where that is not today.
export function clock(time) {
  const at = new Date(time), today = new Date(now()).toDateString() === at.toDateString();
  const text = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return today ? text : `${at.toLocaleDateString()} ${text}`;
}

// --- words ---

export function bytes(count) {
  if (!count) return "0";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const step = Math.min(Math.floor(Math.log10(count) / 3), units.length - 1);
  const value = count / 1000 ** step;
  return `${value < 10 && step ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

export const cores = (milli) => `${+(milli / 1000).toFixed(1)}`;
export const count = (number) => number.toLocaleString("en");
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
export const short = (id) => id.slice(0, 10);
export const named = (job) => job.Name || short(job.ID);
export const jobLink = (job) => link(`#/job/${encodeURIComponent(job.ID)}`, named(job));
export const nodeLink = (id, name) => link(`#/node/${encodeURIComponent(id)}`, name || short(id));
export const labels = (map) => Object.entries(map || {}).map(([key, value]) => `${key}=${value}`).join(", ");

// "a, b and c"; beyond `most` the others are counted.
export function listed(parts, most = 6) {
  const shown = parts.length > most ? [...parts.slice(0, most - 1), `${parts.length - most + 1} more`] : parts;
  return shown.flatMap((one, at) => (at === 0 ? [one] : [at === shown.length - 1 ? " and " : ", ", one]));
}
