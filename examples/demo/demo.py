"""Three nodes, real jobs, a split and one answer: what `make demo` shows.

A ship: the bridge asks, the engine room has the data. Every step is a command that a person would
type; all of it stays on the loopback interface and is gone at the end.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, it finds its own folder alone

from examples.demo.act_one import act_one  # noqa: E402
from examples.demo.act_two import act_two  # noqa: E402
from examples.demo.make_readings import make_readings  # noqa: E402
from examples.demo.stage import START_S, DemoFailed, Step, assemble, end, say, three_nodes  # noqa: E402


def demo(folder: Path) -> None:
    """Both acts; DemoFailed when a part of the story does not hold."""
    say("", "bacalhau-mesh: a ship, three machines, no server.", "")
    readings = folder / "readings"
    readings.mkdir()
    with Step("20 MB of readings, in the engine room's folder only"):
        make_readings(readings / "readings.csv")
    modules = {name: folder / f"{name}.wasm" for name in ("summarise", "watch")}
    with Step("two WebAssembly programs assembled from their text"):
        for name, module in modules.items():
            assemble(HERE / f"{name}.wat", module)
    with three_nodes(folder, readings) as nodes:
        deadline_s = time.monotonic() + START_S
        with Step("three processes started, each a whole node"):
            for node in nodes:
                node.wait_ready(deadline_s)
        with Step("they found each other by mDNS on the loopback interface"):
            for node in nodes:
                node.wait_members(len(nodes), deadline_s)
        act_one(nodes, modules["summarise"], readings, folder)
        act_two(nodes, modules["watch"], modules["summarise"], readings)
        say("")
        with Step("everything stopped"):
            for node in nodes:
                end(node)


def main() -> int:
    """0 when the story held, 1 when not."""
    begun_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mesh-demo-"))
    try:
        demo(folder)
    except DemoFailed as failure:
        say("", f"The demo failed: {failure}.")
        return 1
    except KeyboardInterrupt:
        say("", "Stopped.")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("", f"Done in {time.monotonic() - begun_s:.1f} s. Nothing was left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
