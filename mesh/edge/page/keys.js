// Keys beside Tab and Enter: / to filter, arrows from row to row, Escape back.

import { $ } from "./parts.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

export function listenToKeys({ back }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !$("overview").hidden && !$("filter-box").hidden) {
      $("filter").focus();
      $("filter").select();
    } else if (event.key === "Escape" && event.target === $("filter")) {
      leaveFilter();
    } else if (event.key === "Escape" && !typing) {
      back();
      return;
    } else if (event.key === "ArrowDown" && event.target === $("filter")) {
      $("jobs").tBodies[0].querySelector("a")?.focus();
    } else if (!(event.key in STEPS) || !step(event.target, STEPS[event.key])) {
      return;
    }
    event.preventDefault();
  });
}

function leaveFilter() {
  if ($("filter").value) {
    $("filter").value = "";
    $("filter").dispatchEvent(new Event("input"));
  } else $("main").focus({ preventScroll: true });
}

// To the same column's link in another row. Whether there was one to go to.
function step(from, by) {
  const row = from.closest("tbody tr");
  if (!row || from.tagName !== "A") return false;
  const rows = [...row.parentElement.rows];
  const at = Math.min(Math.max(rows.indexOf(row) + by, 0), rows.length - 1);
  const column = from.closest("td").cellIndex;
  const link = rows[at].cells[column].querySelector("a");
  link?.focus();
  return Boolean(link);
}
