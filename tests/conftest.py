"""Where the tests put their files, and what a test that never ends leaves behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"
_ROOM = 6 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Keep the projects of the tests in memory where there is room; a server has one worker unless a test says more.

    The tests commit some hundred thousand times, and what they kill are processes, never the machine: a slow or busy
    disk would only make them late. Whoever sets TMPDIR decides otherwise.
    """
    os.environ.setdefault("WORKBENCH_WORKERS", "1")
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ["TMPDIR"] = _MEMORY
        tempfile.tempdir = None


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with compiled kernels, loaded into this process: compiled once a machine and change of their source."""
    from workbench.kernels import warm

    folder = tmp_path_factory.mktemp("kernels")
    assert warm.warm(folder), warm.reason()
    assert warm.load(folder), warm.reason()
    return folder
