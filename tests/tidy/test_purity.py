"""Cores decide: no clock, no chance of their own, no waiting, and nothing heavy loaded with them.

import-linter checks what is imported; here stands what it cannot see: what is *called*, and what a
fresh interpreter has loaded once a core is imported.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy import places

# Called or touched by these names, the outside world gets into a decision.
IMPURE_NAMES = {
    "os.urandom": "take a random.Random",
    "uuid.uuid1": "derive the id, or take a random.Random",
    "uuid.uuid4": "derive the id, or take a random.Random",
    "datetime.now": "take `now: Instant`",
    "datetime.utcnow": "take `now: Instant`",
    "datetime.today": "take `now: Instant`",
    "date.today": "take `now: Instant`",
    "random.SystemRandom": "take a random.Random",
    "Random.from_os": "take a random.Random",
}
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "hash", "id"}
IMPURE_IMPORTS = {
    "time", "os", "secrets", "socket", "ssl", "select", "threading", "subprocess", "logging",
    "sqlite3", "asyncio", "trio", "anyio", "cryptography", "psutil", "tempfile", "shutil",
}  # fmt: skip

HEAVY = {
    "trio", "httpx", "docker", "wasmtime", "zeroconf", "typer", "h11", "httptools", "wsproto",
    "starlette", "cryptography", "sqlite3", "asyncio", "anyio", "websockets", "psutil", "pydantic",
}  # fmt: skip


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def impurities(text: str) -> Iterator[str]:
    """Each line of a core that waits, draws, reads a clock or touches the machine."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{node.lineno}: waits: a core is sync"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from _impure_imports(node)
        elif isinstance(node, ast.Attribute):
            yield from _impure_attribute(node)
        elif isinstance(node, ast.Call):
            yield from _impure_call(node)


def _impure_imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [node.module or ""]
        drawn = [alias.name for alias in node.names if alias.name != "Random"]
        if node.module == "random" and drawn:
            yield f"{node.lineno}: from random import {', '.join(drawn)}: take a random.Random"
    for name in names:
        if name.split(".")[0] in IMPURE_IMPORTS:
            yield f"{node.lineno}: imports {name}: that is the shell's"


def _impure_attribute(node: ast.Attribute) -> Iterator[str]:
    dotted = _dotted(node)
    for name, instead in IMPURE_NAMES.items():
        if dotted == name or dotted.endswith("." + name):
            yield f"{node.lineno}: {name}: {instead}"
    if dotted.startswith("random.") and dotted != "random.Random" and dotted.count(".") == 1:
        yield f"{node.lineno}: maybe-module {dotted}"


def _impure_call(node: ast.Call) -> Iterator[str]:
    name = _dotted(node.func)
    if name in IMPURE_CALLS:
        yield f"{node.lineno}: calls {name}()"
    if name in ("Random", "random.Random") and not node.args:
        yield f"{node.lineno}: Random() without a seed"


def _module_draws(text: str) -> bool:
    """Whether `random` in this file is the module (and not an argument of that name)."""
    return any(
        isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names)
        for node in ast.walk(ast.parse(text))
    )


def _findings(text: str) -> list[str]:
    draws = _module_draws(text)
    found = []
    for line in impurities(text):
        if "maybe-module" not in line:
            found.append(line)
        elif draws:
            found.append(line.replace("maybe-module ", "draws from the module: "))
    return found


@pytest.mark.parametrize("path", places.core_files(), ids=places.module_name)
def test_core_decides_only(path: Path) -> None:
    assert _findings(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "async def f(): pass",
        "import time",
        "from os import urandom",
        "import random\nx = random.random()",
        "from random import choice",
        "from random import Random\nr = Random()",
        "import uuid\nx = uuid.uuid4()",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now()",
        "x = open('f')",
        "x = hash('f')",
    ],
)
def test_the_rule_sees(text: str) -> None:
    assert _findings(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "from random import Random\ndef f(random: Random): return random.random()",
        "import uuid\nx = uuid.UUID(bytes=b'0' * 16)",
        "from random import Random\nr = Random(7)",
        "import hashlib\nx = hashlib.sha256(b'').digest()",
    ],
)
def test_the_rule_lets_pass(text: str) -> None:
    assert _findings(text) == []


def _loaded(modules: list[str], *, before: str = "") -> set[str]:
    """Top-level names loaded in a fresh interpreter once `modules` are imported."""
    program = (
        f"import sys, importlib\n{before}\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=places.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# pycrdt loads anyio by itself; standing in for it shows what *our* modules load.
STAND_IN = (
    "import types\n"
    "class Stub(types.ModuleType):\n"
    "    def __getattr__(self, name): return type(name, (), {'__class_getitem__': lambda *a: a})\n"
    "sys.modules['pycrdt'] = Stub('pycrdt')"
)


def test_cores_load_nothing_heavy() -> None:
    modules = [
        places.module_name(path)
        for path in places.core_files()
        if places.module_name(path) != "mesh.edge.render"
    ]
    loaded = _loaded(modules, before=STAND_IN) & HEAVY
    if loaded:
        guilty = {name: sorted(_loaded([name], before=STAND_IN) & HEAVY) for name in modules}
        assert {name: what for name, what in guilty.items() if what} == {}


def test_render_loads_rich_at_most() -> None:
    if not (places.ROOT / "mesh/edge/render.py").exists():
        pytest.skip("no mesh/edge/render.py yet")
    assert _loaded(["mesh.edge.render"], before=STAND_IN) & HEAVY == set()


def test_ledger_loads_pycrdt_and_what_that_needs() -> None:
    ledger = [
        places.module_name(path) for path in places.core_files() if "mesh/ledger" in path.as_posix()
    ]
    allowed = _loaded(["pycrdt"])
    assert _loaded(ledger) & HEAVY <= allowed
