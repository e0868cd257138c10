// One node: what it offers, and what it runs as far as the asked node has heard.

import { ago, bytes, cores, facts, labels, link, make, plural, section, state, tag } from "./parts.js";
import { executionTable, fillExecutions } from "./executions.js";
import { nodeTrip } from "./overview.js";

let frame = null;

export function showNode(box, shown, id) {
  const node = shown.nodes.get(id);
  const sign = `node ${id}`;
  if (box.sign !== sign) {
    box.sign = sign;
    frame = { top: make("div"), work: executionTable("Work", { jobs: true }) };
    box.replaceChildren(backLink(), frame.top, section("work-title", "Work", null, frame.work.table, frame.work.note));
  }
  if (!node) {
    frame.top.replaceChildren(make("h1", "", "Unknown node"), make("p", "lone", "No node of this id is a member, as far as is known here."));
    frame.top.sign = null;
  } else if (frame.top.sign !== node) {
    frame.top.sign = node;
    frame.top.replaceChildren(...nodeTop(node));
  }
  const here = [...shown.executions.values()].filter((one) => one.NodeID === id);
  here.sort((one, other) => other.Modified - one.Modified || (one.ID < other.ID ? -1 : 1));
  fillExecutions(frame.work, here, shown);
}

export function backLink() {
  const back = link("#/", "← The whole mesh");
  back.className = "back";
  return make("nav", "", back);
}

function nodeTop(node) {
  const engines = Object.entries(node.Engines).map(([name, version]) => `${name} ${version}`).join(", ");
  const of = (name, show) => `${show(node.Free[name])} of ${show(node.Capacity[name])}`;
  const known = facts([
    ["State", [`${node.State} `, ago(node.Since, "for")]],
    ["Round trip", nodeTrip(node)],
    ["Link", node.IsSelf ? "" : node.Linked ? "open" : "none"],
    ["Work", `${node.Running} running, ${node.Queued} waiting`],
    ["Load", node.Load === null ? "" : `${node.Load} per processor`],
    ["CPU free", of("CPU", cores)],
    ["Memory free", of("Memory", bytes)],
    ["Disk free", of("Disk", bytes)],
    ["GPU free", node.Capacity.GPU ? of("GPU", String) : ""],
    ["Engines", engines || "none"],
    ["Images", node.Images ? plural(node.Images, "image") : ""],
    ["Roles", node.Roles.join(", ")],
    ["Version", node.Version],
    ["Addresses", node.Addresses.join(", ")],
    ["Labels", labels(node.Labels)],
    ["Data", node.Data.length ? node.Data.map((one) => make("div", "", one.Path, " ", tag(bytes(one.Size)))) : ""],
  ]);
  return [
    make("div", "lead", make("div", "title", make("h1", "", node.Name), state(node.State), node.Intent && state(node.Intent), node.IsSelf && tag("this node")), make("p", "id mono", node.ID)),
    section("offers-title", node.State === "unreachable" ? "What it offered when last heard" : "What it offers", null, known),
  ];
}
