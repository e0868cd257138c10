// The picture of the mesh that the frames of its feed make.

const JOBS_KEPT = 2000;
const FINISHED_EXECUTIONS_KEPT = 2000;
const EVENTS_KEPT = 100;
const TRIM_STEP = 200; // rows between two looks at what may go
const EXECUTION_OVER = new Set(["Succeeded", "Failed", "Refused", "Cancelled"]);
const JOB_OVER = new Set(["Completed", "Failed", "Stopped"]);
const LIVE_FIRST = { Running: 0, Pending: 1, Queued: 1 };

export const jobIsOver = (job) => JOB_OVER.has(job.State);
export const executionIsOver = (one) => EXECUTION_OVER.has(one.State);

const empty = () => ({ mesh: null, nodes: new Map(), jobs: new Map(), executions: new Map(), events: [], order: [], moved: new Map() });

export class Picture {
  constructor() {
    this.shown = empty();
    this.complete = false;
    this.coming = null;
    this.trimAt = { jobs: 0, executions: 0 };
    this.jobsKept = JOBS_KEPT;
  }

  apply(event, data) {
    if (event === "snapshot") {
      if (data.Piece === 1 || !this.coming) this.coming = empty();
      put(this.coming, data);
      if (!data.More) {
        this.shown = this.coming;
        this.coming = null;
        this.complete = true;
        this.trimAt = { jobs: 0, executions: 0 };
      }
    } else if (event === "changes") {
      put(this.coming || this.shown, data);
    }
    this.trim("jobs", this.jobsKept, jobIsOver);
    this.trim("executions", FINISHED_EXECUTIONS_KEPT, executionIsOver);
  }

  // Rows that were asked for one by one. What the feed told by then is newer.
  add(data) {
    for (const row of data.Jobs || []) if (!this.shown.jobs.has(row.ID)) put(this.shown, { Jobs: [row] });
    for (const row of data.Executions || []) if (!this.shown.executions.has(row.ID)) put(this.shown, { Executions: [row] });
  }

  // A page that is left open for weeks must not grow: the oldest of what is over goes first.
  trim(name, most, mayGo) {
    const { shown, trimAt } = this;
    if (shown[name].size <= Math.max(most, trimAt[name])) return;
    const over = [...shown[name].values()].filter(mayGo).sort((one, other) => other.Modified - one.Modified);
    const live = name === "jobs" ? shown.jobs.size - over.length : 0;
    for (const row of over.slice(Math.max(0, most - live))) {
      shown[name].delete(row.ID);
      if (name === "jobs") shown.moved.set(row.ID, null);
    }
    trimAt[name] = shown[name].size + TRIM_STEP;
  }
}

function put(kept, data) {
  if (data.Mesh) kept.mesh = data.Mesh;
  for (const [name, rows] of [["Nodes", kept.nodes], ["Jobs", kept.jobs], ["Executions", kept.executions]]) {
    for (const row of data[name] || []) rows.set(row.ID, row);
    for (const id of data.Gone?.[name] || []) rows.delete(id);
  }
  for (const row of data.Jobs || []) kept.moved.set(row.ID, row);
  for (const id of data.Gone?.Jobs || []) kept.moved.set(id, null);
  const told = kept.events.at(-1)?.Seq ?? 0; // a change may be in the snapshot before it
  kept.events.push(...(data.Events || []).filter((one) => one.Seq > told));
  kept.events.splice(0, kept.events.length - EVENTS_KEPT);
}

function jobOrder(one, other) {
  return (LIVE_FIRST[one.State] ?? 2) - (LIVE_FIRST[other.State] ?? 2) || other.Created - one.Created || (one.ID < other.ID ? -1 : 1);
}

// All jobs, those that are not over first, the newest first. The order is kept from one look to the
// next, since sorting what is nearly sorted takes one pass.
export function jobsInOrder(shown) {
  const { moved } = shown;
  if (moved.size) {
    const order = [];
    for (const row of shown.order) {
      if (!moved.has(row.ID)) order.push(row);
      else {
        if (moved.get(row.ID)) order.push(moved.get(row.ID));
        moved.delete(row.ID);
      }
    }
    for (const row of moved.values()) if (row) order.push(row);
    moved.clear();
    shown.order = order.sort(jobOrder);
  }
  return shown.order;
}
