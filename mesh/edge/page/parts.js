// Small pieces that all views are made of. Text from the mesh goes into text nodes, never into markup.

export const $ = (id) => document.getElementById(id);

// make("td", "number", child, ...): texts and nodes are appended; null and false are left out.
export function make(tag, kind, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function link(where, text) {
  const element = make("a", "", text);
  element.href = where;
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
  const list = make("dl", "facts");
  for (const [name, value] of pairs) {
    if (value === "" || value === null || value === undefined || value === false) continue;
    list.append(make("dt", "", name), make("dd", "", value));
  }
  return list;
}

// Fills a table's body with one row per id. A row whose `signature` is the same stays untouched, so
// that what somebody has selected or focused in it stays too.
export function fillTable(body, rows, id, signature, cells) {
  const kept = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  let next = body.firstElementChild;
  for (const one of rows) {
    const key = id(one), sign = signature(one);
    let row = kept.get(key);
    kept.delete(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.id = key;
    }
    if (row.signature !== sign) {
      const focused = row.contains(document.activeElement);
      row.replaceChildren(...cells(one));
      row.signature = sign;
      if (focused) row.querySelector("a")?.focus();
    }
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
  for (const row of kept.values()) row.remove();
}

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

export function ago(time) {
  if (!time) return "";
  const element = make("time", "", agoText(time));
  element.dateTime = new Date(time).toISOString();
  element.title = new Date(time).toLocaleString();
  element.dataset.time = time;
  return element;
}

const agoText = (time) => (now() - time < 2000 ? "just now" : `${span(now() - time)} ago`);

export function refreshTimes() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const text = agoText(Number(element.dataset.time));
    if (element.textContent !== text) element.textContent = text;
  }
}

export function bytes(count) {
  if (!count) return "0";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const step = Math.min(Math.floor(Math.log10(count) / 3), units.length - 1);
  const value = count / 1000 ** step;
  return `${value < 10 && step ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

export const cores = (milli) => `${+(milli / 1000).toFixed(1)}`;
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
export const short = (id) => id.slice(0, 10);
export const jobLink = (job) => link(`#/job/${encodeURIComponent(job.ID)}`, job.Name || short(job.ID));
export const nodeLink = (id, name) => link(`#/node/${encodeURIComponent(id)}`, name || short(id));
export const labels = (map) => Object.entries(map || {}).map(([key, value]) => `${key}=${value}`).join(", ");
