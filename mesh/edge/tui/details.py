"""The pages one comes to with Enter: a job's story, an execution's output, a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual.widget import Widget

from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.errors import CommandFailed
from mesh.edge.cli.paths import job_path, mesh_job_path, mesh_node_path
from mesh.edge.render import plain, short_id
from mesh.edge.render_columns import Line, fit_line
from mesh.edge.render_details import (
    execution_facts,
    job_facts,
    job_title,
    node_facts,
    node_lines,
    output_lines,
    story_lines,
)
from mesh.edge.render_rows import job_label
from mesh.edge.render_top import columns_of
from mesh.edge.tui import actions
from mesh.edge.tui.calls import LogThread, ask
from mesh.edge.tui.drawn import Drawn
from mesh.edge.tui.pager import Pager
from mesh.edge.tui.rows import RowsTable
from mesh.edge.tui.screens import Changed, Page

LEAST_ROWS, MOST_SHARE = 2, 3
"""The table on a page takes what it needs, up to a third of the screen."""


IN_TABLE = (("Enter", "output"), ("Tab", "other part"))
BACK = (("Esc", "back"), ("?", "help"))


class DetailPage(Page):
    """Facts, a table of executions, and text below it."""

    keys: Sequence[tuple[str, str]] = (*IN_TABLE, *BACK)
    BINDINGS: ClassVar[list[Any]] = [
        ("tab", "app.focus_next", ""),
        ("shift+tab", "app.focus_previous", ""),
    ]

    def __init__(self, about: str) -> None:
        super().__init__()
        self.about = about
        self._asked: object = None

    def compose(self) -> Iterable[Widget]:
        """Facts, table, text."""
        palette = self.top_app.palette
        columns = columns_of("executions", self.top_app.picture, exact=self.top_app.exact)
        table = RowsTable(columns, id="table", palette=palette)
        table.empty = "No executions are known here."
        table.rows.only(self.belongs)
        yield from self.frame(
            body=[
                Drawn(id="title", palette=palette),
                Drawn(id="facts", palette=palette),
                table,
                Drawn(id="caption", palette=palette),
                Pager(id="pager", palette=palette),
            ]
        )

    def belongs(self, row: Mapping[str, Any]) -> bool:
        """Whether an execution stands in the table."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """The table has the cursor."""
        super().on_mount()
        self.query_one(RowsTable).focus()

    def show_body(self, changed: Changed | None) -> None:
        """Facts and table from the picture; the text is asked for when its subject changed."""
        table = self.query_one(RowsTable)
        if changed is None:
            table.rows.fill(self.top_app.picture.executions)
            table.changed(())
        else:
            table.changed(changed.get("executions", set()))
        table.look = self.top_app.look
        most = max(self.app.size.height // MOST_SHARE, LEAST_ROWS + 1)
        height = min(max(len(table.rows), LEAST_ROWS - 1) + 1, most)
        if table.styles.height is None or table.styles.height.value != height:
            table.styles.height = height
        table.redraw()
        self.show_subject()

    def show_subject(self) -> None:
        """Facts, and the text."""

    def on_rows_table_opened(self, message: RowsTable.Opened) -> None:
        """To its output."""
        message.stop()
        self.app.push_screen(ExecutionPage(message.row_id))

    def title_line(self, text: str) -> Line:
        """What the page is about."""
        return [(f" {text} ".ljust(self.app.size.width), "key")]

    def caption_line(self, text: str) -> Line:
        """What the text is."""
        return [(text.ljust(self.app.size.width), "head")]


class JobPage(DetailPage):
    """A job: its executions, and its story."""

    keys = (*IN_TABLE, ("x", "stop"), ("r", "rerun"), *BACK)
    BINDINGS: ClassVar[list[Any]] = [("x", "stop", ""), ("r", "rerun", "")]

    def belongs(self, row: Mapping[str, Any]) -> bool:
        """Those of this job."""
        return bool(row["JobID"] == self.about)

    def show_subject(self) -> None:
        """Ask for the story anew when the job changed."""
        row = self.top_app.picture.jobs.get(self.about)
        self.put("caption", [self.caption_line("STORY")])
        if row is None:
            self.put("title", [self.title_line(f"job {short_id(self.about)}")])
            self.put("facts", [[("This job is no longer in the node's memory.", "warn")]])
        else:
            self.put("title", [self.title_line(job_title(row))])
            width = self.app.size.width
            self.put("facts", [fit_line(one, width) for one in job_facts(row, self.top_app.look)])
        if row is not self._asked or (row is None and self._asked is None):
            self._asked = row or self
            ask(self.app, self.top_app.endpoint, self._story, self._told)

    def _story(self, api: NodeApi) -> Any:
        try:
            return api.get(mesh_job_path(self.about, "story"))
        except CommandFailed:
            return api.get(job_path(self.about, "history"), {"limit": 1000})

    def _told(self, answer: Any, failure: str) -> None:
        if not self.is_attached:
            return
        names = {one["ID"]: one["Name"] for one in self.top_app.picture.nodes.values()}
        pager = self.query_one(Pager)
        if answer is None:
            pager.fill([[(plain(failure), "warn")]])
        else:
            pager.fill(story_lines(answer, names, pager.size.width))

    def action_stop(self) -> None:
        """Stop it, after a question."""
        actions.stop_job(self.top_app, self.about)

    def action_rerun(self) -> None:
        """Run it again, after a question."""
        actions.rerun_job(self.top_app, self.about)


class NodePage(DetailPage):
    """A node: what it runs, its data, its refusals."""

    keys = (*IN_TABLE, ("c", "cordon"), ("d", "drain"), *BACK)
    BINDINGS: ClassVar[list[Any]] = [("c", "cordon", ""), ("d", "drain", "")]

    def __init__(self, about: str) -> None:
        super().__init__(about)
        self._answer: Any = None
        self._failure = ""

    def belongs(self, row: Mapping[str, Any]) -> bool:
        """Those placed there."""
        return bool(row["NodeID"] == self.about)

    def show_subject(self) -> None:
        """Ask for refusals and traffic when the node changed."""
        row = self.top_app.picture.nodes.get(self.about)
        self.put("caption", [self.caption_line("DATA AND REFUSALS")])
        if row is None:
            self.put("facts", [[("This node is no longer a member.", "warn")]])
            return
        self.put("title", [self.title_line(f"node {row['Name']}")])
        self.put("facts", node_facts(row, self.top_app.look))
        if row is not self._asked:
            self._asked = row
            path = mesh_node_path(self.about)
            ask(self.app, self.top_app.endpoint, lambda api: api.get(path), self._told)

    def _told(self, answer: Any, failure: str) -> None:
        row = self.top_app.picture.nodes.get(self.about)
        if self.is_attached and row is not None:
            self.query_one(Pager).fill(node_lines(row, answer, failure))

    def action_cordon(self) -> None:
        """Cordon it or let it work again, after a question."""
        actions.cordon_node(self.top_app, self.about)

    def action_drain(self) -> None:
        """Drain it, after a question."""
        actions.drain_node(self.top_app, self.about)


class ExecutionPage(Page):
    """An execution and its output as it comes."""

    keys = (("End", "newest"), ("Home", "oldest"), *BACK)

    def __init__(self, about: str) -> None:
        super().__init__()
        self.about = about
        self._thread: LogThread | None = None
        self._said = "following its output ..."

    def compose(self) -> Iterable[Widget]:
        """Facts and text."""
        palette = self.top_app.palette
        names = ("title", "facts", "caption")
        pager = Pager(id="pager", palette=palette)
        pager.follows = True
        yield from self.frame(body=[*(Drawn(id=one, palette=palette) for one in names), pager])

    def on_mount(self) -> None:
        """Begin to follow."""
        super().on_mount()
        self.query_one(Pager).focus()
        row = self.top_app.picture.executions.get(self.about)
        if row is not None:
            endpoint = self.top_app.endpoint
            self._thread = LogThread(
                self.app, endpoint, row["JobID"], self.about, self._told, self._ended
            )

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        if self._thread is not None:
            self._thread.stop()

    def show_body(self, changed: Changed | None) -> None:
        """Facts from the picture."""
        app, row = self.top_app, self.top_app.picture.executions.get(self.about)
        title = f" execution {short_id(self.about)} "
        self.put("title", [[(title.ljust(self.app.size.width), "key")]])
        if row is None:
            self.put("facts", [[("This execution is no longer told of.", "warn")]])
        else:
            job = app.picture.jobs.get(row["JobID"])
            label = job_label(job) if job else short_id(row["JobID"])
            self.put("facts", execution_facts(row, label, app.look))
        caption = f"OUTPUT  {self._said}"
        self.put("caption", [[(caption.ljust(self.app.size.width), "head")]])

    def _told(self, texts: list[tuple[int, str]]) -> None:
        if self.is_attached:
            lines = [line for stream, text in texts if text for line in output_lines(stream, text)]
            self.query_one(Pager).add(lines)

    def _ended(self, why: str) -> None:
        if self.is_attached:
            self._said = "" if why else "it has ended; this is all of it"
            self.query_one(Pager).add([[(plain(why), "warn")]] if why else [])
            self.show()
