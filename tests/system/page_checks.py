"""What a page must be for everybody, as expressions of JavaScript that find what is wrong."""

from __future__ import annotations

from typing import Any

CONTROLS = frozenset(("button", "link", "textbox", "searchbox", "combobox", "checkbox", "option"))
"""Roles of what can be used."""

PALE = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, under) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((at) => top[at] * alpha + under[at] * (1 - alpha));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const colour = parse(getComputedStyle(element).backgroundColor);
    const under = ground(element.parentElement);
    return colour[3] === 0 ? under : over(colour, under);
  };
  const found = new Set();
  const look = (element, colour, what) => {
    const under = ground(element), seen = ratio(over(parse(colour), under), under);
    if (seen < 4.5) found.add(`${what}: ${seen.toFixed(2)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    look(element, getComputedStyle(element).color, texts.currentNode.data.trim().slice(0, 40));
    const mark = getComputedStyle(element, "::before");
    if (mark.content !== "none") look(element, mark.color, `mark of ${element.textContent}`);
  }
  for (const field of document.querySelectorAll("input")) {
    const style = getComputedStyle(field, "::placeholder");
    if (field.checkVisibility()) look(field, style.color, "placeholder");
  }
  return [...found];
})()"""
"""Texts that stand out from their ground by less than 4.5 to 1."""

BEYOND = """(() => [...document.body.querySelectorAll("*")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > WIDTH + 0.5)
  .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}`).slice(0, 5))()"""


def beyond(width: int) -> str:
    """What ends to the right of a window of this width: one scrolls there, or it is cut off."""
    return BEYOND.replace("WIDTH", str(width))


BROKEN = """(() => {
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement.checkVisibility()) continue;
    for (const word of text.data.matchAll(/\\S+/g)) {
      if (!/^[\\p{L}\\d]{1,12}$/u.test(word[0])) continue;
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((one) => Math.round(one.top)));
      if (tops.size > 1) found.push(`${word[0]} in ${text.data.slice(0, 40)}`);
    }
  }
  return found;
})()"""
"""Short words that go on in the next line: their column is too narrow."""

MOVING = """[...document.querySelectorAll("*")].flatMap((one) => ["", "::before"].map((part) => {
  const style = getComputedStyle(one, part || null);
  const moves = parseFloat(style.transitionDuration) || parseFloat(style.animationDuration);
  return moves || style.scrollBehavior === "smooth" ? `${one.tagName} ${one.className}` : "";
})).filter(Boolean)"""
"""What moves by itself."""

REACHABLE = """[...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")]
  .filter((one) => one.checkVisibility()).length"""

FOCUSED = """(() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  one.reached ||= Math.random();
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    key: one.reached, what: `${one.tagName} ${one.id} ${one.textContent.slice(0, 30)}`,
    ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
})()"""


def role(node: Any) -> str:
    """Of a node of the tree that a screen reader is given."""
    return str(node["role"]["value"])


def name(node: Any) -> str:
    """What it is called there."""
    return str(node.get("name", {}).get("value", ""))


def told(tree: list[Any]) -> list[Any]:
    """What of it is told: containers without a meaning are passed over."""
    return [one for one in tree if not one["ignored"]]


def levels(tree: list[Any]) -> list[int]:
    """Of the headings, in order."""
    return [
        int(one["value"]["value"])
        for node in told(tree)
        if role(node) == "heading"
        for one in node["properties"]
        if one["name"] == "level"
    ]


def tables(tree: list[Any]) -> list[tuple[str, int, set[int]]]:
    """(Name, how many headers, how many cells its rows have) of each table."""
    by_id = {one["nodeId"]: one for one in tree}

    def inside(node: Any) -> list[Any]:
        children = [by_id[one] for one in node.get("childIds", ()) if one in by_id]
        return [node, *(one for child in children for one in inside(child))]

    found = []
    for table in (one for one in told(tree) if role(one) == "table"):
        rows = [one for one in inside(table) if role(one) == "row"]
        counts = [[role(one) for one in inside(row)] for row in rows]
        headers = sum(one.count("columnheader") for one in counts)
        cells = {one.count("cell") for one in counts if "columnheader" not in one}
        found.append((name(table), headers, cells))
    return found
