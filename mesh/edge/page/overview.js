// Nodes, jobs and what happened, on one screen.

import { $, ago, bar, button, bytes, cores, count, fill, jobLink, link, make, nodeLink, short, small, state, tag } from "./parts.js";
import { filterBy, filterText, showJobs } from "./jobs.js";

const NODES_AT_FIRST = 12;
let allNodes = false;
let kept = null;

export function showOverview(shown) {
  kept = shown;
  showCounts(shown);
  showNodes(shown);
  showJobs(shown);
  showEvents(shown);
}

// --- in short: each count shows its jobs when it is pressed ---

function showCounts({ mesh }) {
  const { Reachable: heard, Members: all } = mesh;
  $("title").textContent = `The mesh as ${mesh.Name} sees it`;
  const counts = [[heard < all ? `${heard} of ${all}` : count(all), all === 1 ? "node" : "nodes", ""]];
  for (const word of ["Running", "Pending", "Queued", "Completed", "Failed", "Stopped"]) {
    if (mesh.Jobs[word]) counts.push([count(mesh.Jobs[word]), word.toLowerCase(), `state:${word.toLowerCase()}`]);
  }
  if (mesh.Provisional) counts.push([count(mesh.Provisional), "not settled yet", "result:provisional"]);
  if (mesh.Duplicates) counts.push([count(mesh.Duplicates), mesh.Duplicates === 1 ? "duplicate" : "duplicates", "result:duplicate"]);
  const rows = { id: ([, , words]) => words, sign: (one) => `${one} ${filterText() === one[2]}`, tag: "li", make: countPiece };
  fill($("counts"), counts, rows);
}

function countPiece([number, word, words], row) {
  const text = [make("b", "", number), ` ${word}`];
  if (!words) return [make("span", "", text)];
  const chosen = filterText() === words;
  const known = row.firstElementChild || button("", () => filterBy(words));
  known.replaceChildren(...text);
  known.setAttribute("aria-pressed", String(chosen));
  known.title = chosen ? "Show all jobs again" : "Show only these jobs";
  return [known];
}

// --- nodes ---

const TROUBLE = { unreachable: 1, suspect: 1 };
const nodeOrder = (one, other) => other.IsSelf - one.IsSelf || (TROUBLE[other.State] || 0) - (TROUBLE[one.State] || 0) || one.Name.localeCompare(other.Name) || (one.ID < other.ID ? -1 : 1);

const isAway = (node) => node.State === "unreachable" || node.State === "left";
export const nodeTrip = (node) => (node.IsSelf ? "" : isAway(node) ? "–" : node.RoundTripMs ? `${node.RoundTripMs < 10 ? node.RoundTripMs.toFixed(1) : Math.round(node.RoundTripMs)} ms` : "unknown");

function showNodes(shown) {
  const nodes = [...shown.nodes.values()].sort(nodeOrder);
  const some = allNodes ? nodes : nodes.slice(0, NODES_AT_FIRST);
  fill($("nodes").tBodies[0], some, { id: (one) => one.ID, sign: (one) => one, make: nodeCells });
  $("nodes-all").hidden = nodes.length <= NODES_AT_FIRST;
  $("nodes-all").textContent = allNodes ? "Show fewer nodes" : `Show all ${nodes.length} nodes`;
}

$("nodes-all").addEventListener("click", () => {
  allNodes = !allNodes;
  showNodes(kept);
});

function nodeCells(node, row) {
  const engines = Object.keys(node.Engines).join(", ") || "no engines";
  const away = isAway(node);
  row.className = away ? "away" : "";
  const free = (kind, name, show) => {
    const has = node.Capacity[name], rest = node.Free[name];
    return make("td", `${kind} number`, away ? ["–"] : [show(rest), small(`of ${show(has)}`), bar(has - rest, has)]);
  };
  return [
    make("td", "", nodeLink(node.ID, node.Name), " ", node.IsSelf && tag("this node"), small(engines)),
    make("td", "", state(node.State), node.Intent && make("div", "", state(node.Intent)), node.State !== "alive" && make("span", "small narrow", ago(node.Since, "for"))),
    make("td", "wide", ago(node.Since, "for")),
    make("td", "wide number", nodeTrip(node)),
    make("td", "number", String(node.Running), away ? make("span", "small loose", "when last heard") : small("running"), node.Queued > 0 && small(`${node.Queued} waiting`)),
    free("middle", "CPU", cores),
    free("middle", "Memory", bytes),
    free("wide", "Disk", bytes),
  ];
}

// --- events ---

function showEvents({ events }) {
  const rows = { id: (one) => `e${one.Seq}`, sign: (one) => nameIn(one), tag: "li", make: eventPieces };
  fill($("events"), [...events].reverse(), rows);
  $("events-none").hidden = events.length > 0;
  $("events").hidden = !events.length;
}

function nameIn(event) {
  const job = kept.jobs.get(event.JobID);
  return `${event.Time} ${job ? job.Name : ""}`;
}

const eventPieces = (one) => [ago(one.Time), make("span", one.Level, sentence(one))];

// The sentence, in which the job's name or id is the way to the job.
function sentence(one) {
  if (!one.JobID) return [one.Sentence];
  const job = kept.jobs.get(one.JobID) || { ID: one.JobID, Name: "" };
  for (const words of [`(${job.Name})`, ` ${job.Name} `, short(job.ID)]) {
    const at = words.trim().length > 2 ? one.Sentence.indexOf(words) : -1;
    if (at < 0) continue;
    const [before, inside, after] = /^[( ]/.test(words) ? [words[0], words.slice(1, -1), words.at(-1)] : ["", words, ""];
    const where = link(jobLink(job).getAttribute("href"), inside);
    return [one.Sentence.slice(0, at) + before, where, after + one.Sentence.slice(at + words.length)];
  }
  return [one.Sentence, " ", jobLink(job)];
}

