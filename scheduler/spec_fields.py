"""Readers of single fields of a spec: names, paths, variables, addresses; each is one rule."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

from scheduler.reading import (
    Problems,
    map_of,
    pattern,
    shown,
    text,
    word,
)

MAX_PATH_CHARS = 4096
"""Linux' PATH_MAX."""
KERNEL_FOLDERS = ("/proc/", "/sys/", "/dev/")
_NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f\\]")
RESERVED_META_PREFIX = "bacalhau.org/"
_TAKEN_RESULT_NAMES = ("stdout", "stderr", "exitcode")

_JOB_ID_FORM = re.compile(r"[jJ]-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# --- names ---------------------------------------------------------------------------------------


def identity(problems: Problems, path: str, value: Any) -> str | None:
    """A job name or namespace; "" means not given. Unicode forms of one name become one (NFC)."""
    if value == "":
        return None
    checked = word(problems, path, value)
    if checked is None:
        return None
    name = unicodedata.normalize("NFC", checked)
    if name != name.strip() or name.startswith("-") or name in (".", "..", "*"):
        problems.add(
            path,
            f"{shown(name)} must not begin or end with a blank, nor begin with '-', "
            "nor be '.', '..' or '*'",
        )
        return None
    if _JOB_ID_FORM.fullmatch(name):
        problems.add(
            path, f"{shown(name)} has the form of a job id; leave the name out or choose another"
        )
        return None
    return name


def meta(problems: Problems, path: str, value: Any) -> Any:
    """Texts by key; keys under `bacalhau.org/` are the server's and are dropped."""
    if isinstance(value, dict):
        value = {
            key: item
            for key, item in value.items()
            if not (type(key) is str and key.startswith(RESERVED_META_PREFIX))
        }
    return map_of(word, text)(problems, path, value)


# --- paths ---------------------------------------------------------------------------------------


def _path(problems: Problems, path: str, value: Any) -> str | None:
    checked = text(problems, path, value)
    if checked is None:
        return None
    if not checked or len(checked) > MAX_PATH_CHARS or _NOT_IN_PATHS.search(checked):
        problems.add(
            path,
            f"{shown(checked)} is no path: 1 to {MAX_PATH_CHARS} characters, parted by '/', "
            "without backslashes and control characters",
        )
        return None
    parts = [part for part in checked.split("/") if part not in ("", ".")]
    if ".." in parts:
        problems.add(path, f"{shown(checked)} holds '..'; write the path without it")
        return None
    return ("/" if checked.startswith("/") else "") + "/".join(parts)


def host_path(problems: Problems, path: str, value: Any) -> str | None:
    """An absolute path on the node; neither `~` nor variables are expanded."""
    checked = _path(problems, path, value)
    if checked is not None and not checked.startswith("/"):
        problems.add(path, f"{shown(value)} must be absolute, as the node sees it")
        return None
    return checked


def result_path(problems: Problems, path: str, value: Any) -> str | None:
    """An absolute path in the program's own view."""
    if type(value) is str and value and not value.startswith("/"):
        problems.add(path, f"{shown(value)} must be absolute: write {shown('/' + value)}")
        return None
    return guest_path(problems, path, value)


def guest_path(problems: Problems, path: str, value: Any) -> str | None:
    """A path in the program's own view; a leading '/' is added where it lacks."""
    checked = _path(problems, path, value)
    if checked is None:
        return None
    checked = "/" + checked.removeprefix("/")
    if checked == "/":
        problems.add(path, "must be a place below '/', not '/' itself")
        return None
    if f"{checked}/".startswith(KERNEL_FOLDERS):
        problems.add(path, f"{shown(checked)} belongs to the kernel; choose another place")
        return None
    return checked


def result_name(problems: Problems, path: str, value: Any) -> str | None:
    """The name of a folder of results, beside `stdout`, `stderr` and `exitCode`."""
    checked = word(problems, path, value)
    if checked is None:
        return None
    taken = checked.lower() in _TAKEN_RESULT_NAMES
    if taken or re.search(r"[/\\]", checked) or checked.startswith((".", "-", " ")):
        problems.add(
            path,
            f"{shown(checked)} cannot name a folder of results: no '/' or backslash, no '.', '-' "
            "or blank first, not stdout, stderr or exitCode",
        )
        return None
    return checked


# --- what programs are given ---------------------------------------------------------------------


def _env_value(problems: Problems, path: str, value: Any) -> str | None:
    checked = text(problems, path, value)
    if checked is None:
        return None
    if not checked:
        problems.add(path, "must not be empty; leave the variable out")
        return None
    if checked.startswith("env:"):
        problems.add(path, "host variables (env:NAME) are not there yet; write the value itself")
        return None
    return checked


_env_name = pattern(
    r"(?!BACALHAU_)[A-Z][A-Z0-9_]{0,254}",
    "is no variable name: upper-case letters, digits and '_', a letter first, and not BACALHAU_...",
)
environment = map_of(_env_name, _env_value)

assignment = pattern(
    r"(?s)(?!BACALHAU_)[A-Za-z_][A-Za-z0-9_]*=.*",
    "is not NAME=VALUE with a name outside BACALHAU_...",
)


def working_directory(problems: Problems, path: str, value: Any) -> str | None:
    """An absolute path, or "" for the image's own."""
    return None if value == "" else host_path(problems, path, value)


# --- addresses -----------------------------------------------------------------------------------


def web_address(problems: Problems, path: str, value: Any) -> str | None:
    """An http or https URL without a user; where it leads is checked when it is used."""
    checked = text(problems, path, value)
    if checked is None:
        return None
    try:
        parts = urlsplit(checked)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(checked) > MAX_PATH_CHARS or re.search(r"[\x00-\x20\x7f\\]", checked):
        problems.add(path, f"{shown(checked)} is not a URL such as https://host/file")
        return None
    if "@" in parts.netloc:
        problems.add(path, "must not hold a user name or a password: specs are read by everybody")
        return None
    return checked


def host_address(problems: Problems, path: str, value: Any) -> str | None:
    """An IP address to bind, or "" for the default."""
    try:
        ipaddress.ip_address(value if type(value) is str else "")
    except ValueError:
        if value != "":
            problems.add(path, f"{shown(value)} is not an IP address such as 127.0.0.1")
        return None
    return str(value)


bucket = pattern(
    r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "is no bucket: 3 to 63 lower-case letters, digits, '.' and '-'",
)
object_key = pattern(r"[^\x00-\x1f]{1,1024}", "is no key: 1 to 1024 characters")
short = pattern(r"[^\x00-\x1f\x7f]{0,255}", "must be at most 255 plain characters")


def digest(problems: Problems, path: str, value: Any) -> str | None:
    """The address of a blob."""
    if type(value) is not str or not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        problems.add(path, f"must be a SHA-256 in 64 hexadecimal digits, not {shown(value)}")
        return None
    return value.lower()
