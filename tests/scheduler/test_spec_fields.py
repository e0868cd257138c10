from __future__ import annotations

import pytest

from scheduler import spec_fields
from scheduler.reading import Problems, shown

TAKEN = [
    (spec_fields.identity, "a", "a"),
    (spec_fields.identity, "A Simple Docker Job", "A Simple Docker Job"),
    (spec_fields.identity, "a/b", "a/b"),
    (spec_fields.identity, "😀", "😀"),
    (spec_fields.identity, "e\u0301", "é"),
    (spec_fields.identity, "x" * 255, "x" * 255),
    (spec_fields.identity, "", None),
    (spec_fields.identity, "j-1234", "j-1234"),
    (spec_fields.guest_path, "main.wasm", "/main.wasm"),
    (spec_fields.guest_path, "//a//./b/", "/a/b"),
    (spec_fields.guest_path, "/process", "/process"),
    (spec_fields.host_path, "/data/", "/data"),
    (spec_fields.host_path, "/", "/"),
    (spec_fields.host_path, "/a/~b", "/a/~b"),
    (spec_fields.result_path, "/outputs", "/outputs"),
    (spec_fields.result_name, "out put", "out put"),
    (spec_fields.working_directory, "", None),
    (spec_fields.working_directory, "/tmp", "/tmp"),
    (spec_fields.web_address, "http://127.0.0.1:1/none", "http://127.0.0.1:1/none"),
    (spec_fields.web_address, "https://host/a?b=c", "https://host/a?b=c"),
    (spec_fields.host_address, "::1", "::1"),
    (spec_fields.host_address, "", None),
    (spec_fields.digest, "AB" * 32, "ab" * 32),
    (spec_fields.bucket, "my.bucket-1", "my.bucket-1"),
    (spec_fields.environment, {"A_1": "x=y"}, {"A_1": "x=y"}),
    (spec_fields.meta, {"bacalhau.org/requester.id": 3, "a": "b"}, {"a": "b"}),
]

REFUSED = [
    *(
        (spec_fields.identity, value)
        for value in (
            "x" * 2**20,
            "   ",
            " a",
            "a ",
            "a\nb",
            "a\0",
            "..",
            ".",
            "-rf",
            "*",
            "a\u202eb",
            "\x1b[31mred",
            "j-18d56134-0000-4000-8000-000000000000",
            3,
            None,
        )
    ),
    *(
        (spec_fields.guest_path, v)
        for v in ("", "/", "..", "/a/../b", "/proc", "/sys/x", "/dev", "C:\\a", "a\0", 1)
    ),
    *((spec_fields.guest_path, v) for v in ("x" * 5000, "/a\n")),
    *((spec_fields.host_path, v) for v in ("", "data", "~/data", "$HOME/data", "/a/..", "/a\0")),
    *((spec_fields.result_path, v) for v in ("out", "../out", "/", "/proc/1")),
    *(
        (spec_fields.result_name, v)
        for v in ("", "a/b", "..", ".a", "-a", "stdout", "ExitCode", "a\\b")
    ),
    *((spec_fields.working_directory, v) for v in ("tmp", 3)),
    *(
        (spec_fields.web_address, value)
        for value in (
            "",
            "file:///etc/passwd",
            "gopher://a",
            "ftp://a/b",
            "data:,x",
            "http://",
            "http://me:pw@host/",
            "http://host:0/",
            "http://host:99999/",
            "http://a b/",
            "http://[::/",
            "http://a\\@b/",
            "https://" + "a" * 5000,
            7,
        )
    ),
    *((spec_fields.host_address, v) for v in ("localhost", "1.2.3", 1)),
    *((spec_fields.digest, v) for v in ("", "ab", "g" * 64, 1)),
    *((spec_fields.bucket, v) for v in ("..", "a..b", "A", "a" * 64, "")),
    *((spec_fields.object_key, v) for v in ("", "k" * 2048)),
    *(
        (spec_fields.environment, value)
        for value in (
            {"a": "b"},
            {"": "b"},
            {"A=B": "c"},
            {"BACALHAU_X": "1"},
            {"A": ""},
            {"A": 1},
            {"A": "x\0"},
            {"A": "env:HOME"},
            ["A=b"],
        )
    ),
    *((spec_fields.assignment, v) for v in ("A", "=b", "BACALHAU_A=1", "1=2")),
    *((spec_fields.meta, v) for v in ({"a": 1}, {"": "a"}, {"a": {"b": "c"}}, {3: "a"}, "a")),
]


@pytest.mark.parametrize(("reader", "value", "wanted"), TAKEN, ids=shown)
def test_field_takes(reader, value, wanted):
    problems = Problems()
    assert reader(problems, "P", value) == wanted
    assert problems.found() == ()


@pytest.mark.parametrize(("reader", "value"), REFUSED, ids=shown)
def test_field_refuses(reader, value):
    problems = Problems()
    reader(problems, "P", value)
    assert len(problems.found()) == 1
    assert problems.found()[0].path.startswith("P")
    assert problems.found()[0].message.isprintable()
    assert len(problems.found()[0].message) < 300
