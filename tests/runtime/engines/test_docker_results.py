"""What a hostile container leaves in its result folder, kept by the code that keeps all results."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from functools import partial

import pytest
import trio

from runtime.conformance import Subject, serving
from runtime.engines.docker import DockerEngine
from runtime.ports import EngineSetup
from runtime.results import Keeper, store_results
from scheduler.jobs import Resources
from storage.blobs import BlobStore
from storage.digest import EntryKind, decode_manifest_untrusted
from storage.errors import TooLarge
from tests.runtime.engines.docker_programs import shell

PATIENCE_S = 120.0
"""100,000 files take a second or two on an idle machine."""
pytestmark = pytest.mark.real("docker")


@pytest.fixture
def left_by(docker_engine, tmp_path):
    """Runs a shell program and keeps what it leaves in /outputs; (manifest, exit code)."""
    options = {"docker_host": docker_engine.host, "cluster": "tests", "node": tmp_path.name}
    engine = DockerEngine(EngineSetup(tmp_path / "data", options))

    async def run(text):
        subject = Subject(engine, {"it": shell(f"cd /outputs; {text}")}, tmp_path)
        job = subject.job("it", attempt=f"e-{tmp_path.name}")
        job = replace(job, task=replace(job.task, resources=Resources(memory_bytes=512 << 20)))
        async with serving(engine):
            with trio.fail_after(PATIENCE_S):
                ended = await engine.run(job, lambda: None)
            await engine.release(job.attempt)
        assert ended.exit_code == 0, ended
        keeper = Keeper(BlobStore(tmp_path / "blobs"))
        outputs = [("results", job.outputs[0].host)]
        store = partial(
            store_results,
            job.attempt,
            ended,
            stdout=job.stdout,
            stderr=job.stderr,
            outputs=outputs,
            blobs=keeper,
        )
        digest, _ = await trio.to_thread.run_sync(store)
        data = keeper.small.get(digest) or keeper._blobs.read(digest, limit_bytes=16 << 20)
        assert data is not None
        return {one.path: one for one in decode_manifest_untrusted(data).entries}, ended

    return run


async def test_what_leads_out_or_is_no_file_is_kept_as_text(left_by):
    entries, ended = await left_by(
        "ln -s /etc/passwd link; ln -s / root; ln -s ../../../etc up; mkfifo pipe; "
        "mknod disk b 8 0 2>/dev/null && echo made; echo a >one; ln one two; "
        "ln /etc/passwd hard 2>/dev/null && echo linked; "
        'echo x >"$(printf "a\\033[2Jb\\nc")"; echo y >...; mkdir .hidden; '
        "mkdir closed; echo z >closed/z; chmod 0 closed/z closed"
    )
    assert (ended.exit_code, ended.stdout_tail) == (0, ""), "no device, no link out of the folder"
    kinds = {path: entry.kind for path, entry in entries.items()}
    note, file, folder = EntryKind.NOTE, EntryKind.FILE, EntryKind.FOLDER
    if os.getuid():
        pytest.skip("what is closed to its own owner is closed to a node that is not root")
    assert kinds == {
        "results": folder,
        "results/link": note,
        "results/root": note,
        "results/up": note,
        "results/pipe": note,
        "results/one": file,
        "results/two": file,
        "results/a\\x1b[2Jb\\x0ac": file,
        "results/...": file,
        "results/.hidden": folder,
        "results/closed": folder,
        "results/closed/z": file,
    }


async def test_a_sparse_file_of_a_terabyte_is_refused_at_once(left_by):
    with pytest.raises(TooLarge, match=r"its limit of .*Resources\.Disk"):
        await left_by("dd if=/dev/zero of=sparse bs=1 count=1 seek=1099511627776 2>/dev/null")


async def test_more_small_results_than_may_be_are_refused_before_any_is_kept(left_by, tmp_path):
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TooLarge, match="more than 100000 files"):
        await left_by("seq 100100 | xargs -n 5000 touch")
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 64 << 10
    assert sum(1 for _ in BlobStore(tmp_path / "blobs").digests()) == 0


async def test_folders_without_end_are_kept_as_far_as_anybody_looks(left_by):
    entries, ended = await left_by(
        "i=0; while [ $i -lt 300 ]; do mkdir d && cd -P d || exit 3; i=$((i+1)); done; touch f"
    )
    assert ended.exit_code == 0
    assert entries["results (1 too deep, not kept)"].kind is EntryKind.NOTE
