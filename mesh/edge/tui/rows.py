"""A table of any number of rows, of which only those on the screen are drawn."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.style import Style
from textual import events
from textual.message import Message

from mesh.edge.palette import PALETTE
from mesh.edge.render_columns import Column, Layout, Look, column_at, head_line, lay_out, row_line
from mesh.edge.render_rows import search_text
from mesh.edge.tui.drawn import Drawn

WHEEL_LINES = 3
Row = Mapping[str, Any]
Place = tuple[Any, str]
"""(What the row is sorted by, its id.)"""


class Rows:
    """Ids of rows in order, those that a filter lets pass; kept as rows change, one by one."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.reverse = False
        self.words: list[str] = []
        self._rows: Mapping[str, Row] = {}
        self._places: list[Place] = []
        self._keys: dict[str, Any] = {}
        self._keep: Callable[[Row], bool] = lambda row: True

    def __len__(self) -> int:
        return len(self._places)

    def sort(self, column: Column, *, reverse: bool) -> None:
        """Order by another column."""
        self.column, self.reverse = column, reverse
        self.fill(self._rows)

    def filter(self, text: str) -> None:
        """Only rows in which each of these words is found."""
        self.words = text.lower().split()
        self.fill(self._rows)

    def only(self, keep: Callable[[Row], bool]) -> None:
        """Never any others."""
        self._keep = keep

    def fill(self, rows: Mapping[str, Row]) -> None:
        """All rows anew."""
        self._rows = rows
        order, wanted = self.column.order, self._wanted
        self._keys = {key: order(row) for key, row in rows.items() if wanted(row)}
        self._places = sorted((order, key) for key, order in self._keys.items())

    def change(self, ids: Iterable[str]) -> None:
        """Only these rows changed, came or went."""
        for one in ids:
            if one in self._keys:
                place = (self._keys.pop(one), one)
                del self._places[bisect_left(self._places, place)]
            row = self._rows.get(one)
            if row is not None and self._wanted(row):
                self._keys[one] = self.column.order(row)
                insort(self._places, (self._keys[one], one))

    def _wanted(self, row: Row) -> bool:
        if not self._keep(row):
            return False
        return not self.words or all(word in search_text(row) for word in self.words)

    def at(self, index: int) -> str:
        """The id at a place from the top."""
        return self._places[-1 - index if self.reverse else index][1]

    def row(self, one: str) -> Row | None:
        """The row of an id."""
        return self._rows.get(one)

    def index(self, one: str) -> int:
        """Where an id stands, -1 where it does not."""
        if one not in self._keys:
            return -1
        at = bisect_left(self._places, (self._keys[one], one))
        return len(self._places) - 1 - at if self.reverse else at


class RowsTable(Drawn, can_focus=True):
    """The table on the screen: a cursor that stays with its row, wheel, mouse, sorting."""

    class Opened(Message):
        """Enter or a second click on a row."""

        def __init__(self, table: RowsTable, row_id: str) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

    class Moved(Message):
        """Another row is under the cursor, or the order is another one."""

    def __init__(
        self, columns: tuple[Column, ...], *, id: str, palette: Mapping[str, Style] = PALETTE
    ) -> None:
        super().__init__(id=id, palette=palette)
        self.columns = columns
        self.rows = Rows(columns[0])
        self.top = 0
        self.look = Look(0)
        self.empty = ""
        self._cursor = ""
        self._layout: Layout = []

    # What is shown.

    def choose_columns(self, columns: tuple[Column, ...]) -> None:
        """Other columns; the order stays where they have it too."""
        if [one.title for one in columns] == [one.title for one in self.columns]:
            return
        self.columns = columns
        self._layout = []

    def redraw(self) -> None:
        """Draw what is in sight, as it is now."""
        height = self.size.height - 1
        if height < 1:
            return
        if not self._layout or sum(wide + 1 for _, wide in self._layout) > self.size.width + 1:
            self._layout = lay_out(self.columns, self.size.width)
        self.top = max(0, min(self.top, len(self.rows) - height))
        lines = [head_line(self._layout, self.rows.column.title, reverse=self.rows.reverse)]
        for index in range(self.top, min(self.top + height, len(self.rows))):
            row = self.rows.row(self.rows.at(index))
            lines.append(row_line(self._layout, row, self.look))
        if not len(self.rows) and self.empty:
            lines.append([(f" {self.empty}", "dim")])
        at = self.cursor_index - self.top
        chosen = at + 1 if 0 <= at < height and len(self.rows) and self.has_focus else -1
        self.put(lines, chosen=chosen)

    def changed(self, ids: Iterable[str] | None) -> None:
        """These rows changed, None for all: the one under the cursor stays where it is seen."""
        at = self.cursor_index - self.top
        if ids is None:
            self.rows.fill(self.rows._rows)
        else:
            self.rows.change(ids)
        if self._cursor:
            if (index := self.rows.index(self._cursor)) >= 0:
                self.top = max(index - at, 0)
            else:
                self._cursor = ""

    @property
    def cursor_index(self) -> int:
        """The line of the cursor among all rows; it stays on top until somebody moves it."""
        return max(self.rows.index(self._cursor), 0) if self._cursor else 0

    @property
    def chosen_id(self) -> str:
        """The id of the row under the cursor, "" where there is none."""
        return self.rows.at(self.cursor_index) if len(self.rows) else ""

    # Moves.

    def move_to(self, index: int) -> None:
        """Put the cursor on a line, and that in sight."""
        if not len(self.rows):
            return
        index = max(0, min(index, len(self.rows) - 1))
        height = max(self.size.height - 1, 1)
        self._cursor = self.rows.at(index) if index else ""
        self.top = max(min(self.top, index), index - height + 1)
        self.redraw()
        self.post_message(self.Moved())

    def sort_by(self, title: str, *, reverse: bool | None = None) -> None:
        """Order by a column; by the same once more: the other way round."""
        column = next(one for one in self.columns if one.title == title)
        same = title == self.rows.column.title
        if reverse is None:
            reverse = same and not self.rows.reverse
        self.rows.sort(column, reverse=reverse)
        self.redraw()
        self.post_message(self.Moved())

    def sort_next(self) -> None:
        """Order by the next column that is shown."""
        titles = [one.title for one, _ in self._layout if one.title]
        here = self.rows.column.title
        at = titles.index(here) + 1 if here in titles else 0
        self.sort_by(titles[at % len(titles)], reverse=False)

    def on_key(self, event: events.Key) -> None:
        """Keys that move."""
        if self.take_key(event):
            event.stop()

    def take_key(self, event: events.Key) -> bool:
        """Keys that move; whether it was one of them."""
        page = max(self.size.height - 2, 1)
        here = self.cursor_index
        targets = {
            "up": here - 1, "k": here - 1, "down": here + 1, "j": here + 1,
            "pageup": here - page, "pagedown": here + page, "space": here + page,
            "home": 0, "g": 0, "end": len(self.rows), "G": len(self.rows),
            "upper_g": len(self.rows),
        }  # fmt: skip
        if event.key in targets:
            self.move_to(targets[event.key])
        elif event.key == "enter" and self.chosen_id:
            self.post_message(self.Opened(self, self.chosen_id))
        else:
            return False
        return True

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cursor."""
        event.stop()
        self.move_to(self.cursor_index + WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the cursor."""
        event.stop()
        self.move_to(self.cursor_index - WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """A click on a column's name sorts by it, one on a row goes there, a second one opens."""
        event.stop()
        if event.y == 0:
            column = column_at(self._layout, event.x)
            if column is not None and column.title:
                self.sort_by(column.title)
            return
        index = self.top + event.y - 1
        if index >= len(self.rows):
            return
        again = self.rows.at(index) == self.chosen_id
        self.move_to(index)
        if again:
            self.post_message(self.Opened(self, self.chosen_id))

    def on_resize(self, event: events.Resize) -> None:
        """Other columns may fit."""
        self._layout = []
        self.lines = []
        self.redraw()
        self.refresh()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.redraw()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.redraw()
