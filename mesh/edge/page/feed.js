// Server-sent events by fetch.
//
// The browser's own EventSource hides two things that a page on a weak network needs: the comments
// by which a quiet feed says that it is there, and the status of a refusal.

const SILENCE_MS = 25000; // the feed says something every 10 s: two silences mean that nobody is there
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

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

// Only what is there now: the snapshot that a feed begins with.
export async function readSnapshot(path, take, signal) {
  const enough = new AbortController();
  const stop = () => enough.abort();
  signal.addEventListener("abort", stop);
  let complete = false;
  const heard = (event, text) => {
    const data = JSON.parse(text);
    if (!complete) take(data);
    complete ||= !data.More;
    if (complete) stop();
  };
  try {
    await readFeed(path, heard, { signal: enough.signal });
  } catch (error) {
    if (!complete) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

// Reads one feed until it is paused: what breaks is begun again where it was. `told` hears "on", or
// "off" and why.
export class Follower {
  constructor(take, told) {
    this.take = take;
    this.told = told;
    this.path = "";
    this.lastId = "";
    this.stop = null;
  }

  get paused() {
    return this.stop === null;
  }

  go(path = this.path) {
    this.pause();
    if (path !== this.path) this.lastId = "";
    this.path = path;
    this.stop = new AbortController();
    this.follow(this.stop.signal);
  }

  pause() {
    this.stop?.abort();
    this.stop = null;
  }

  async follow(signal) {
    let wait = FIRST_WAIT_MS;
    while (!signal.aborted) {
      let why = null;
      try {
        const heard = (event, text, id) => {
          if (signal.aborted) return;
          this.take(event, JSON.parse(text));
          this.lastId = id || this.lastId;
          wait = FIRST_WAIT_MS;
        };
        await readFeed(this.path, heard, { signal, lastId: this.lastId, opened: () => this.told("on") });
      } catch (error) {
        why = error;
        // What was kept may be what it stumbled over: a new picture cannot hurt.
        if (!signal.aborted && !(error instanceof Refusal || ["AbortError", "TypeError"].includes(error.name))) this.lastId = "";
      }
      if (signal.aborted) return;
      this.told("off", why);
      await awake(wait, signal);
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    }
  }
}

// A while, cut short when somebody looks at the page again or the network is back.
function awake(wait, signal) {
  return new Promise((done) => {
    const over = new AbortController();
    const go = () => {
      clearTimeout(timer);
      over.abort();
      done();
    };
    const timer = setTimeout(go, wait);
    document.addEventListener("visibilitychange", go, { signal: over.signal });
    window.addEventListener("online", go, { signal: over.signal });
    signal.addEventListener("abort", go, { signal: over.signal });
  });
}
