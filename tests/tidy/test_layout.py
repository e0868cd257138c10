"""One place for everything: five packages, tests that mirror them, contracts that name cores."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from tests.tidy import places

OTHER_FOLDERS = {"tests", "docs", "examples"}

# Modules that hold signatures, enumerations or a start-up line: the tests of those who use them
# are their tests.
WITHOUT_TESTS_OF_THEIR_OWN = {"__init__", "__main__", "errors", "events", "ports"}

# A core that has no test file yet, with the reason. Only ever shorter.
NOT_TESTED_YET: dict[str, str] = {}


def _settings() -> dict:
    return tomllib.loads((places.ROOT / "pyproject.toml").read_text())


def test_only_the_five_packages_are_importable() -> None:
    folders = {
        path.name
        for path in places.ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and any(path.rglob("*.py"))
    }
    assert folders - OTHER_FOLDERS - {"build", "dist"} == set(places.PACKAGES)
    assert not list(places.ROOT.glob("*.py"))


def test_wheel_holds_the_five_packages() -> None:
    wheel = _settings()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["packages"]) == sorted(places.PACKAGES)


def test_each_package_is_typed() -> None:
    missing = [name for name in places.PACKAGES if not (places.ROOT / name / "py.typed").is_file()]
    assert missing == []


def test_each_room_has_a_head_that_says_its_purpose() -> None:
    bare = []
    for folder in {path.parent for path in places.source_files()}:
        head = folder / "__init__.py"
        docstring = ast.get_docstring(ast.parse(head.read_text())) if head.is_file() else None
        if not docstring or len(docstring.split()) < 4:
            bare.append(head.relative_to(places.ROOT).as_posix())
    assert sorted(bare) == []


def test_each_core_has_its_test_file() -> None:
    missing = []
    for path in places.core_files():
        if path.stem in WITHOUT_TESTS_OF_THEIR_OWN:
            continue
        name = path.relative_to(places.ROOT)
        if not (places.ROOT / "tests" / name.with_name(f"test_{name.name}")).is_file():
            missing.append(name.as_posix())
    assert missing == sorted(NOT_TESTED_YET), "a core without a test file of its own"


def test_import_contract_names_each_core() -> None:
    contract = next(
        one
        for one in _settings()["tool"]["importlinter"]["contracts"]
        if one["name"].startswith("Cores decide")
    )
    named = contract["source_modules"]
    unnamed = [
        module
        for module in map(places.module_name, places.core_files())
        if not any(module == one or module.startswith(one + ".") for one in named)
    ]
    # `render` may use rich, and has a contract of its own.
    assert [module for module in unnamed if module != "mesh.edge.render"] == []


def test_tests_are_found_by_their_names() -> None:
    """A `foo_test.py` or a `tests/x/test.py` would be collected by nobody."""
    strays = [
        path.relative_to(places.ROOT).as_posix()
        for path in (places.ROOT / "tests").rglob("*.py")
        if path.name.endswith("_test.py") or path.stem in ("test", "tests")
    ]
    assert strays == []


def test_test_folders_mirror_the_packages() -> None:
    """Below tests/<package>/ stands only what stands below <package>/."""
    unknown = []
    for package in places.PACKAGES:
        for folder in (path for path in (places.ROOT / "tests" / package).rglob("*")):
            relative = folder.relative_to(places.ROOT / "tests")
            if folder.is_dir() and "__pycache__" not in folder.parts and not _source(relative):
                unknown.append(relative.as_posix())
    assert unknown == []


def _source(relative: Path) -> bool:
    return (places.ROOT / relative).is_dir() or relative.name in ("fixtures", "seeds")
