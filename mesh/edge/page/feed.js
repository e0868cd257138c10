// Server-sent events by fetch, and the picture of the mesh that they make.
//
// The browser's own EventSource hides two things that a page on a weak network needs: the comments
// by which a quiet feed says that it is there, and the status of a refusal.

const SILENCE_MS = 25000; // the feed says something every 10 s: two silences mean that nobody is there
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
const JOBS_KEPT = 2000;
const FINISHED_EXECUTIONS_KEPT = 2000;
const EVENTS_KEPT = 100;
const OVER = new Set(["Succeeded", "Failed", "Refused", "Cancelled"]);
export const JOB_OVER = new Set(["Completed", "Failed", "Stopped"]);

export class Refusal extends Error {
  constructor(status, document) {
    super(document.Message || `the node answered ${status}`);
    this.status = status;
  }
}

export async function getJson(path, signal) {
  const answer = await fetch(path, { cache: "no-store", signal });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, document);
  return document;
}

// Calls take(event, text, id) for each event; returns when the feed ends, throws when it breaks.
export async function readFeed(path, take, { signal, lastId = "", opened = () => {} } = {}) {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal?.addEventListener("abort", stop);
  let timer = setTimeout(stop, SILENCE_MS);
  try {
    const headers = lastId ? { "Last-Event-ID": lastId } : {};
    const answer = await fetch(path, { cache: "no-store", headers, signal: silence.signal });
    if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
    opened();
    const pieces = answer.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      const frames = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = frames.pop();
      for (const frame of frames) takeFrame(frame, take);
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function takeFrame(frame, take) {
  let event = "message", text = "", id = "";
  for (const line of frame.split("\n")) {
    if (line.startsWith("data:")) text += line.slice(5).trimStart();
    else if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("id:")) id = line.slice(3).trim();
  }
  if (text) take(event, text, id);
}

// Reads one feed for ever: what breaks is begun again where it was. `told` hears "on", or "off" and why.
export async function followFeed(path, take, told) {
  let lastId = "", wait = FIRST_WAIT_MS;
  for (;;) {
    let why = null;
    try {
      const heard = (event, text, id) => {
        take(event, JSON.parse(text));
        lastId = id || lastId;
        wait = FIRST_WAIT_MS;
      };
      await readFeed(path, heard, { lastId, opened: () => told("on") });
    } catch (error) {
      why = error;
      // What was kept may be what it stumbled over: a new picture cannot hurt.
      if (!(error instanceof Refusal || error.name === "AbortError" || error.name === "TypeError")) lastId = "";
    }
    told("off", why);
    await awake(wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}

// A while, cut short when somebody looks at the page again or the network is back.
function awake(wait) {
  return new Promise((done) => {
    const go = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", go);
      window.removeEventListener("online", go);
      done();
    };
    const timer = setTimeout(go, wait);
    document.addEventListener("visibilitychange", go);
    window.addEventListener("online", go);
  });
}

const empty = () => ({ mesh: null, nodes: new Map(), jobs: new Map(), executions: new Map(), events: [] });

export class Picture {
  constructor() {
    this.shown = empty();
    this.complete = false;
    this.coming = null;
  }

  apply(event, data) {
    if (event === "snapshot") {
      if (data.Piece === 1 || !this.coming) this.coming = empty();
      put(this.coming, data);
      if (!data.More) {
        this.shown = this.coming;
        this.coming = null;
        this.complete = true;
      }
    } else if (event === "changes") {
      put(this.coming || this.shown, data);
    }
    trim(this.shown);
  }
}

function put(kept, data) {
  if (data.Mesh) kept.mesh = data.Mesh;
  for (const [name, rows] of [["Nodes", kept.nodes], ["Jobs", kept.jobs], ["Executions", kept.executions]]) {
    for (const row of data[name] || []) rows.set(row.ID, row);
    for (const id of data.Gone?.[name] || []) rows.delete(id);
  }
  kept.events.push(...(data.Events || []));
  kept.events.splice(0, kept.events.length - EVENTS_KEPT);
}

// A page that is left open for weeks must not grow: the oldest of what is over goes first.
function trim(kept) {
  if (kept.jobs.size > JOBS_KEPT) drop(kept.jobs, JOBS_KEPT, (row) => JOB_OVER.has(row.State));
  let over = 0;
  for (const row of kept.executions.values()) over += OVER.has(row.State);
  const most = kept.executions.size - over + FINISHED_EXECUTIONS_KEPT;
  if (over > FINISHED_EXECUTIONS_KEPT) drop(kept.executions, most, (row) => OVER.has(row.State));
}

function drop(rows, most, mayGo) {
  const old = [...rows.values()].filter(mayGo).sort((one, other) => one.Modified - other.Modified);
  for (const row of old.slice(0, rows.size - most)) rows.delete(row.ID);
}
