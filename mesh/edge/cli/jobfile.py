"""Job files: YAML 1.2 or JSON, one document, nothing that JSON could not say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mesh.edge.cli.errors import bad_input
from mesh.edge.strictjson import NotJson, parse_json_untrusted

MAX_FILE_BYTES = 10_000_000
"""What the API takes in one body."""
MAX_VALUES = 200_000
"""A few lines of aliases can name billions of values; no job has so many."""
MAX_DEPTH = 64
_DEEP = re.compile(rf"(?:[\[{{]\s*|- +){{{MAX_DEPTH + 1}}}")
"""Found before the parser spends seconds on it."""


def read_job_file(path: str) -> Any:
    """The document of a file, or of standard input for `-`; CommandFailed when there is none."""
    where = "standard input" if path == "-" else path
    raw = _read(path)
    if len(raw) > MAX_FILE_BYTES:
        raise bad_input(f"{where} is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        document = parse_document_untrusted(raw)
    except NotJson as error:
        raise bad_input(f"{where} is not a job: {error}") from None
    if not isinstance(document, dict):
        raise bad_input(f"{where} is not a job: it must be a map of fields such as Name and Tasks")
    return document


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        if not Path(path).is_file():
            what = "is a folder" if Path(path).is_dir() else "does not exist"
            raise bad_input(f"the job file {path} {what}")
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise bad_input(f"the job file {path} cannot be read: {error}") from None


def parse_document_untrusted(raw: bytes) -> Any:
    """One value of JSON's kinds from JSON or YAML; NotJson with a sentence otherwise."""
    if raw.lstrip()[:1] == b"{":
        try:
            return parse_json_untrusted(raw)
        except NotJson as error:
            if b"\n" not in raw.strip():
                raise
            json_error = error
        try:
            return _parse_yaml_untrusted(raw)
        except NotJson:
            raise json_error from None
    return _parse_yaml_untrusted(raw)


def _parse_yaml_untrusted(raw: bytes) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = raw.decode("utf-8-sig")
        if not text.strip():
            raise NotJson("it is empty")
        if _DEEP.search(text):
            raise NotJson("it is nested too deeply")
        value = YAML(typ="safe", pure=True).load(text)
        return _plain_value(value, [MAX_VALUES], 0)
    except UnicodeDecodeError as error:
        raise NotJson(f"it is not UTF-8 text (byte {error.start})") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = str(error.problem or error.context or "bad YAML").splitlines()[0]
        raise NotJson(f"{problem}{where}") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except NotJson:
        raise
    except (YAMLError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise NotJson((str(error) or type(error).__name__).splitlines()[0][:200]) from None


def _plain_value(value: Any, budget: list[int], depth: int) -> Any:
    """The value with aliases written out; NotJson for kinds that JSON has not, or too many."""
    budget[0] -= 1
    if budget[0] < 0:
        raise NotJson(f"it holds more than {MAX_VALUES} values once its aliases are written out")
    if depth > MAX_DEPTH:
        raise NotJson("it is nested too deeply, or holds itself")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise NotJson(f"the key {key!r} is not a text: put it in quotes")
        return {key: _plain_value(one, budget, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_value(one, budget, depth + 1) for one in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise NotJson(f"{str(value)[:40]!r} is a {type(value).__name__}: put it in quotes")
