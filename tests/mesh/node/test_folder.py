import json
import os
import stat
from pathlib import Path

import pytest

from mesh.node.errors import NodeError
from mesh.node.folder import data_folder, node_page


def test_folder_is_private_and_locked(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "data"
    with data_folder(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        with pytest.raises(NodeError, match=f"process id {os.getpid()}"), data_folder(path):
            pass
        assert (path / "lock").read_text() == f"{os.getpid()}\n"
    with data_folder(path):
        pass


def test_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with data_folder(tmp_path):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match="--data-dir"), data_folder(tmp_path / "file" / "data"):
        pass


def test_page_is_there_while_the_node_runs(tmp_path: Path) -> None:
    with node_page(tmp_path, {"pid": 7}):
        assert json.loads((tmp_path / "node.json").read_text()) == {"pid": 7}
    assert list(tmp_path.iterdir()) == []
