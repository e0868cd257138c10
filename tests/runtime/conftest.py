"""What tests of running one job start from."""

from __future__ import annotations

import pytest

from tests.runtime.rig import Rig


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)
