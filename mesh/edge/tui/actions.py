"""What can be done from the full screen; each asks first, and tells what the node answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.paths import job_path, mesh_node_path
from mesh.edge.render import plain
from mesh.edge.render_rows import FINISHED_JOBS, job_label
from mesh.edge.tui.calls import ask
from mesh.edge.tui.dialogs import Question

if TYPE_CHECKING:
    from mesh.edge.tui.app import TopApp


def stop_job(app: TopApp, job: str) -> None:
    """Stop a job that is not over."""
    row = app.picture.jobs.get(job)
    if row is None:
        return
    name = plain(job_label(row))
    if row["State"] in FINISHED_JOBS:
        app.say(f"{name} is over already: there is nothing to stop.", "warn")
        return
    running = row["Running"]
    runs = "1 execution of it runs now" if running == 1 else f"{running} executions of it run now"
    doing = runs if running else "it waits"
    question = Question(
        f"Stop {name}?",
        f"{doing[0].upper()}{doing[1:]}. Every node that hears of the stop obeys.",
        "stop it",
    )
    body = {"Namespace": row["Namespace"], "Reason": "Stopped from top"}
    _after(
        app, question, lambda api: api.send("DELETE", job_path(job), body), f"{name} is stopped."
    )


def rerun_job(app: TopApp, job: str) -> None:
    """Run a job once more, as its next version."""
    row = app.picture.jobs.get(job)
    if row is None:
        return
    name = plain(job_label(row))
    text = f"It runs as version {row['Version'] + 1}; what it has done stays in its history."
    body = {"Namespace": row["Namespace"], "Reason": "Run again from top"}
    _after(
        app,
        Question(f"Run {name} again?", text, "run it"),
        lambda api: api.send("PUT", job_path(job, "rerun"), body),
        f"{name} runs again.",
    )


def cordon_node(app: TopApp, node: str) -> None:
    """No new work for a node; or, where that is so already, work as before."""
    row = app.picture.nodes.get(node)
    if row is None:
        return
    name = plain(row["Name"])
    if row["Intent"]:
        question = Question(
            f"Let {name} work again?", f"It is {row['Intent']}: it gets no new work now.", "do it"
        )
        _intent(app, question, node, "", f"{name} takes work again.")
        return
    question = Question(
        f"Cordon {name}?", "It gets no new work; what it runs goes on.", "cordon it"
    )
    _intent(app, question, node, "cordoned", f"{name} is cordoned.")


def drain_node(app: TopApp, node: str) -> None:
    """No new work, and what runs there moves."""
    row = app.picture.nodes.get(node)
    if row is None:
        return
    name = plain(row["Name"])
    text = f"It gets no new work; what it runs ({row['Running']} now) may end for ten minutes, "
    question = Question(f"Drain {name}?", text + "then it moves to other nodes.", "drain it")
    _intent(app, question, node, "draining", f"{name} is draining.")


def _intent(app: TopApp, question: Question, node: str, intent: str, done: str) -> None:
    path = mesh_node_path(node, "intent")
    _after(app, question, lambda api: api.send("PUT", path, {"Intent": intent}), done)


def _after(app: TopApp, question: Question, call: Callable[[NodeApi], Any], sentence: str) -> None:
    def told(_: Any, failure: str) -> None:
        app.say(failure or sentence, "bad" if failure else "good")

    def answered(yes: bool | None) -> None:
        if yes:
            app.say("asking the node ...", "dim")
            ask(app, app.endpoint, call, told)

    app.push_screen(question, answered)
