from __future__ import annotations

import pytest

from scheduler.reading import Problems
from scheduler.spec_types import ENGINES, PUBLISHERS, SOURCES, TYPE_NAMES, engine, publisher, source


def _read(reader, value):
    problems = Problems()
    read = reader(problems, "P", value)
    return read, [(problem.path, problem.message) for problem in problems.found()]


def test_types_are_matched_in_any_case_and_held_in_lower_case():
    read, problems = _read(source, {"type": "URLDownload", "params": {"url": "http://a/b"}})
    assert (read, problems) == ({"Type": "urldownload", "Params": {"URL": "http://a/b"}}, [])


def test_local_directory_is_an_older_name_of_local():
    read, _ = _read(source, {"Type": "localDirectory", "Params": {"SourcePath": "/a"}})
    assert read == {"Type": "local", "Params": {"SourcePath": "/a"}}


def test_no_publisher_is_none():
    assert _read(publisher, {"Type": ""}) == (None, [])
    assert _read(publisher, {}) == (None, [])


@pytest.mark.parametrize(
    ("reader", "value", "hint"),
    [
        (engine, {"Type": "dokcer"}, "did you mean docker?"),
        (engine, {"Type": "qemu"}, "known are docker, wasm, scripted"),
        (source, {"Type": "localDirectry"}, "did you mean localDirectory?"),
        (source, {"Type": "gitlfs"}, "known are inline"),
        (publisher, {"Type": "S3manged"}, "did you mean s3managed?"),
        (publisher, {"Type": "ftp"}, "known are mesh"),
        (engine, {"Type": 3}, "3 is no engine"),
        (engine, {"Type": "x" * 100_000}, "known are"),
    ],
)
def test_unknown_types_are_refused_with_the_nearest(reader, value, hint):
    _, problems = _read(reader, value)
    assert [path for path, _ in problems] == ["P.Type"]
    assert hint in problems[0][1]


@pytest.mark.parametrize("reader", [engine, source])
@pytest.mark.parametrize("value", [{}, {"Type": ""}, {"Type": None}])
def test_engines_and_sources_need_a_type(reader, value):
    assert _read(reader, value)[1] == [("P.Type", "is required")]


@pytest.mark.parametrize("name", [*ENGINES, *SOURCES, *PUBLISHERS])
def test_each_type_has_its_spelling(name):
    assert TYPE_NAMES[name.lower()] == name


@pytest.mark.parametrize(
    ("reader", "kind", "params", "path"),
    [
        (engine, "docker", {}, "Image"),
        (engine, "docker", {"Image": "a b"}, "Image"),
        (engine, "docker", {"Image": "a", "EntryModule": "b"}, "EntryModule"),
        (engine, "docker", {"Image": "a", "Entrypoint": "sh -c"}, "Entrypoint"),
        (engine, "docker", {"Image": "a", "Parameters": ["a", 1]}, "Parameters[1]"),
        (engine, "docker", {"Image": "a", "Parameters": ["a\0"]}, "Parameters[0]"),
        (engine, "docker", {"Image": "a", "Parameters": ["a"] * 100_000}, "Parameters"),
        (
            engine,
            "docker",
            {"Image": "a", "EnvironmentVariables": ["A"]},
            "EnvironmentVariables[0]",
        ),
        (engine, "docker", {"Image": "a", "WorkingDirectory": "b"}, "WorkingDirectory"),
        (engine, "wasm", {}, "EntryModule"),
        (engine, "wasm", {"EntryModule": "/"}, "EntryModule"),
        (engine, "wasm", {"EntryModule": {"Target": "/a"}}, "EntryModule.Source"),
        (engine, "wasm", {"EntryModule": "/a", "Entrypoint": "a\n"}, "Entrypoint"),
        (engine, "scripted", {"DurationMs": -1}, "DurationMs"),
        (engine, "scripted", {"ExitCode": 256}, "ExitCode"),
        (engine, "scripted", {"Fail": "trip"}, "Fail"),
        (engine, "scripted", {"Image": "a"}, "Image"),
        (source, "inline", {"URL": "http://a/b"}, "URL"),
        (source, "inline", {}, "URL"),
        (source, "local", {"SourcePath": "a"}, "SourcePath"),
        (source, "local", {"SourcePath": "/a", "ReadWrite": "yes"}, "ReadWrite"),
        (source, "local", {"SourcePath": "/a", "CreateAs": "link"}, "CreateAs"),
        (source, "urlDownload", {"URL": "file:///a"}, "URL"),
        (source, "s3", {"Bucket": "b.."}, "Bucket"),
        (source, "s3", {"Bucket": "bucket"}, "Key"),
        (
            source,
            "s3",
            {"Bucket": "bucket", "Key": "k", "Partition": {"Typ": "x"}},
            "Partition.Typ",
        ),
        (source, "ipfs", {"CID": "../a"}, "CID"),
        (source, "mesh", {"Digest": "ab"}, "Digest"),
        (publisher, "s3", {"Bucket": "bucket", "Key": "k", "Encoding": "zip"}, "Encoding"),
        (publisher, "local", {"Path": "/a"}, "Path"),
    ],
)
def test_wrong_params_are_named(reader, kind, params, path):
    _, problems = _read(reader, {"Type": kind, "Params": params})
    assert f"P.Params.{path}" in [place for place, _ in problems]


def test_nulls_are_left_out_of_params():
    value = {"Type": "docker", "Params": {"Image": "a", "Entrypoint": None, "WorkingDirectory": ""}}
    assert _read(engine, value)[0] == {"Type": "docker", "Params": {"Image": "a"}}
