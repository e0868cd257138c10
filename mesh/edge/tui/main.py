"""The page that `top` begins with: the four tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from textual import events
from textual.message import Message
from textual.widget import Widget

from mesh.edge.render import plain, short_id
from mesh.edge.render_columns import Line
from mesh.edge.render_details import job_facts, node_facts
from mesh.edge.render_hints import ACTIONS, COMMON, keys_line, tab_at, tabs_line
from mesh.edge.render_rows import comment_text, job_label
from mesh.edge.render_times import exact_text
from mesh.edge.render_top import TABS, columns_of, rows_of, tab_counts
from mesh.edge.tui import actions
from mesh.edge.tui.details import ExecutionPage, JobPage, NodePage
from mesh.edge.tui.drawn import Drawn
from mesh.edge.tui.rows import RowsTable
from mesh.edge.tui.screens import Changed, Page

EMPTY = {
    "nodes": "No nodes are known.",
    "jobs": "No jobs yet: run one with `bacalhau-mesh job run FILE`.",
    "executions": "No executions yet.",
    "events": "Nothing has happened yet.",
}
NONE_FITS = "Nothing here has all of these words: Esc shows everything again."
FILTER_CHARS = 60


class TabsBar(Drawn):
    """The names of the tables."""

    class Picked(Message):
        """A click on one."""

        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    def on_click(self, event: events.Click) -> None:
        """To that table."""
        event.stop()
        self.post_message(self.Picked(event.x))


class MainPage(Page):
    """Nodes, jobs, executions, events: one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.tab = "jobs"
        self.typing: str | None = None
        """The filter while it is typed."""

    def compose(self) -> Iterable[Widget]:
        """One table per tab."""
        app = self.top_app
        tables = []
        for name in TABS:
            columns = columns_of(name, app.picture, exact=app.exact)
            table = RowsTable(columns, id=f"table-{name}", palette=app.palette)
            table.display = name == self.tab
            table.add_class("table")
            tables.append(table)
        yield from self.frame(body=[TabsBar(id="tabs", palette=app.palette), *tables])

    def table(self, name: str = "") -> RowsTable:
        """The table of a tab, of the one shown if none is named."""
        return self.query_one(f"#table-{name or self.tab}", RowsTable)

    def on_mount(self) -> None:
        """The cursor is in the table."""
        super().on_mount()
        self.table().focus()

    def show_body(self, changed: Changed | None) -> None:
        """The names of the tabs, and the table that is shown."""
        picture, table = self.top_app.picture, self.table()
        words = " ".join(table.rows.words)
        width = self.app.size.width
        self.put("tabs", [tabs_line(self.tab, tab_counts(picture), words, width)])
        table.choose_columns(columns_of(self.tab, picture, exact=self.top_app.exact))
        ids = None if changed is None else changed.get(self.tab, set())
        if ids is None or (self.tab == "events" and ids):
            table.rows.fill(rows_of(self.tab, picture))
            ids = set()
        table.changed(ids)
        table.look = self.top_app.look
        known = EMPTY[self.tab] if picture.complete else ""
        table.empty = NONE_FITS if table.rows.words else known
        table.redraw()

    def on_tabs_bar_picked(self, message: TabsBar.Picked) -> None:
        """A click on the name of a table."""
        counts = tab_counts(self.top_app.picture)
        if name := tab_at(message.x, counts, self.app.size.width):
            self.choose_tab(name)

    def on_rows_table_moved(self, message: RowsTable.Moved) -> None:
        """The line below tells of the row under the cursor."""
        self.top_app.said = ("", "")
        self.put("status", [self.status_line()])

    def on_rows_table_opened(self, message: RowsTable.Opened) -> None:
        """A second click: deeper, as Enter."""
        message.stop()
        self._open(str(message.table.id).removeprefix("table-"), message.row_id)

    def _open(self, tab: str, row_id: str) -> None:
        pages = {"nodes": NodePage, "jobs": JobPage, "executions": ExecutionPage}
        if tab != "events":
            self.app.push_screen(pages[tab](row_id))
            return
        row = rows_of("events", self.top_app.picture).get(row_id, {})
        for key, name in (("ExecutionID", "executions"), ("JobID", "jobs"), ("NodeID", "nodes")):
            if row.get(key) in rows_of(name, self.top_app.picture):
                self._open(name, row[key])
                return

    # Keys.

    def take_key(self, event: events.Key) -> bool:
        """All keys of this page, one after the other: the next may be here before the table that
        the last one chose has the focus."""
        if self.typing is not None:
            return self._typed(event)
        actions_by_key: Mapping[str, Callable[[], None]] = {
            "tab": lambda: self.turn(1),
            "right": lambda: self.turn(1),
            "shift+tab": lambda: self.turn(-1),
            "left": lambda: self.turn(-1),
            "slash": self.begin_filter,
            "s": lambda: self.table().sort_next(),
            "S": lambda: self.table().sort_by(self.table().rows.column.title),
            "x": self.stop,
            "r": self.rerun,
            "c": self.cordon,
            "d": self.drain,
        }
        if event.key in ("1", "2", "3", "4"):
            self.choose_tab(TABS[int(event.key) - 1])
        elif (action := actions_by_key.get(_plain_key(event))) is not None:
            action()
        elif event.key == "enter" and (row_id := self.table().chosen_id):
            self._open(self.tab, row_id)
        else:
            return self.table().take_key(event)
        return True

    def choose_tab(self, name: str) -> None:
        """Show another table."""
        self.tab = name
        for one in TABS:
            self.table(one).display = one == name
        # At once: the next key may be here already.
        self.set_focus(self.table(), scroll_visible=False)
        self.top_app.said = ("", "")
        self.call_after_refresh(self.show)

    def turn(self, step: int) -> None:
        """Show the next table, or the one before."""
        self.choose_tab(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def stop(self) -> None:
        """Stop the job under the cursor."""
        if self.tab == "jobs" and (job := self.table().chosen_id):
            actions.stop_job(self.top_app, job)

    def rerun(self) -> None:
        """Run the job under the cursor again."""
        if self.tab == "jobs" and (job := self.table().chosen_id):
            actions.rerun_job(self.top_app, job)

    def cordon(self) -> None:
        """Cordon the node under the cursor."""
        if self.tab == "nodes" and (node := self.table().chosen_id):
            actions.cordon_node(self.top_app, node)

    def drain(self) -> None:
        """Drain the node under the cursor."""
        if self.tab == "nodes" and (node := self.table().chosen_id):
            actions.drain_node(self.top_app, node)

    # The filter.

    def begin_filter(self) -> None:
        """Type words."""
        self.typing = " ".join(self.table().rows.words)
        self._filtered()

    def _typed(self, event: events.Key) -> bool:
        """A key while the filter is typed; whether it was one of its own."""
        assert self.typing is not None
        if event.key == "enter":
            self.typing = None
        elif event.key in ("escape", "ctrl+c"):
            self.typing = ""
            self._filtered()
            self.typing = None
        elif event.key == "backspace":
            self.typing = self.typing[:-1]
        elif event.character and event.is_printable and len(self.typing) < FILTER_CHARS:
            self.typing += event.character
        elif event.key not in ("space",):
            return event.key not in ("up", "down", "pageup", "pagedown")
        self._filtered()
        return True

    def _filtered(self) -> None:
        if self.typing is not None:
            self.table().rows.filter(self.typing)
        self.show({})

    def back(self) -> bool:
        """Esc: end the filter, take the message away; whether there was anything to end."""
        if self.table().rows.words:
            self.table().rows.filter("")
        elif self.top_app.said[0]:
            self.top_app.said = ("", "")
        else:
            self.top_app.healed_ms = 0
        self.show({})
        return True

    # The lines below.

    def hints_line(self) -> Line:
        """The keys of this table, or the filter while it is typed."""
        if self.typing is not None:
            return [(" filter: ", "key"), (f" {self.typing}", "bold"), ("▏", ""),
                    ("   Enter keeps it, Esc ends it", "dim")]  # fmt: skip
        return keys_line((*ACTIONS[self.tab], *COMMON), self.app.size.width)

    def about_line(self) -> Line:
        """The row under the cursor, at full length."""
        row = self.table().rows.row(self.table().chosen_id)
        if row is None:
            return []
        look = self.top_app.look
        if self.tab == "nodes":
            return [(f" {plain(row['Name'])}: ", "bold"), *node_facts(row, look)[2]]  # type: ignore[arg-type]
        if self.tab == "jobs":
            facts = job_facts(row, look)  # type: ignore[arg-type]
            text = facts[0][2][0].removeprefix(" · ")
            about = facts[3] if len(facts) > 3 else [(text, "")]
            head = f" {short_id(row['ID'])} {plain(job_label(row))}: "  # type: ignore[arg-type]
            return [(head, "bold"), *about]
        if self.tab == "executions":
            comment = plain(comment_text(row))  # type: ignore[arg-type]
            text = f"part {row['Index']}, attempt {row['Attempt']}{comment and f': {comment}'}"
            return [(f" {short_id(row['ID'])}: ", "bold"), (text, "")]
        return [(f" {exact_text(row['Time'])} ", "dim"), (plain(row["Sentence"]), "")]


def _plain_key(event: events.Key) -> str:
    """Textual's name of a key, of a letter the letter itself."""
    return event.character if event.character and event.character.isalpha() else event.key
