// One node: what it offers, and what it runs as far as the asked node has heard.

import { ago, bytes, cores, facts, fillTable, jobLink, labels, link, make, nodeLink, short, small, state, tag } from "./parts.js";
import { nodeTrip } from "./overview.js";

const EXECUTIONS_SHOWN = 200;
let frame = null;

export function showNode(box, shown, id) {
  const node = shown.nodes.get(id);
  const sign = `node ${id}`;
  if (box.sign !== sign) {
    box.sign = sign;
    frame = { top: make("div"), rows: executionTable() };
    const title = make("h2", "", "Work");
    title.id = "work-title";
    const section = make("section", "", make("div", "head", title), frame.rows);
    section.setAttribute("aria-labelledby", title.id);
    box.replaceChildren(backLink(), frame.top, section);
  }
  if (!node) {
    frame.top.replaceChildren(make("p", "lone", "This node is not a member as far as is known here."));
    frame.top.sign = "";
  } else if (frame.top.sign !== JSON.stringify(node)) {
    frame.top.sign = JSON.stringify(node);
    frame.top.replaceChildren(...nodeTop(node));
  }
  const here = [...shown.executions.values()].filter((one) => one.NodeID === id);
  fillExecutions(frame.rows, here.sort((one, other) => other.Modified - one.Modified).slice(0, EXECUTIONS_SHOWN), shown, { jobs: true });
}

export function backLink() {
  const back = link("#/", "← The whole mesh");
  back.className = "back";
  return back;
}

function nodeTop(node) {
  const engines = Object.entries(node.Engines).map(([name, version]) => `${name} ${version}`).join(", ");
  const of = (name, show) => `${show(node.Free[name])} of ${show(node.Capacity[name])}`;
  const known = facts([
    ["Heard as", [state(node.State), " since ", ago(node.Since)]],
    ["Round trip", nodeTrip(node)],
    ["Linked", node.IsSelf ? "" : node.Linked ? "yes" : "no"],
    ["Work", `${node.Running} running, ${node.Queued} waiting`],
    ["Load", node.Load === null ? "" : `${node.Load} per processor`],
    ["CPU free", of("CPU", cores)],
    ["Memory free", of("Memory", bytes)],
    ["Disk free", of("Disk", bytes)],
    ["GPU free", node.Capacity.GPU ? of("GPU", String) : ""],
    ["Engines", engines || "none"],
    ["Images", node.Images || ""],
    ["Data", node.Data.length ? node.Data.map((one) => make("div", "", one.Path, " ", tag(bytes(one.Size)))) : ""],
    ["Roles", node.Roles.join(", ")],
    ["Labels", labels(node.Labels)],
    ["Addresses", node.Addresses.join(", ")],
    ["Version", node.Version],
  ]);
  const section = make("section", "", make("div", "head", make("h2", "", "What it offers")), known);
  return [
    make("div", "lead", make("div", "title", make("h1", "", node.Name), state(node.State), node.Intent && state(node.Intent), node.IsSelf && tag("this node")), make("p", "id mono", node.ID)),
    section,
  ];
}

// --- executions: the same table for a node and for a job ---

export function executionTable() {
  const names = [["Execution", ""], ["State", ""], ["Node", ""], ["Exit code", "middle number"], ["Started", "middle"]];
  const heads = names.map(([name, kind]) => {
    const head = make("th", kind, name);
    head.scope = "col";
    return head;
  });
  const table = make("table", "", make("thead", "", make("tr", "", heads)), make("tbody"));
  return table;
}

export function fillExecutions(table, rows, shown, { jobs = false } = {}) {
  table.tHead.rows[0].cells[0].textContent = jobs ? "Job" : "Part";
  const cells = (one) => {
    const job = shown.jobs.get(one.JobID) || { ID: one.JobID, Name: "" };
    const part = `part ${one.Index}${one.Attempt > 1 ? `, attempt ${one.Attempt}` : ""}`;
    return [
      make("td", "", jobs ? jobLink(job) : part, small(jobs ? `${part} · ${short(one.ID)}` : short(one.ID)), one.Message && one.Message !== one.State && small(one.Message)),
      make("td", "", state(one.State), one.Accepted && small("result accepted"), one.Duplicate && small("duplicate")),
      make("td", "", nodeLink(one.NodeID, one.NodeName)),
      make("td", "middle number", one.ExitCode === null ? "–" : String(one.ExitCode)),
      make("td", "middle", ago(one.Started) || "–"),
    ];
  };
  fillTable(table.tBodies[0], rows, (one) => one.ID, (one) => JSON.stringify(one) + (jobs && shown.jobs.get(one.JobID)?.Name), cells);
  table.hidden = !rows.length;
}
