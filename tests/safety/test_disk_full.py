"""A full disk stops writes with a clear error; reads go on, and when there is room again so do writes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests.safety.worker import COLUMNS, TABLE, VIEWS, batch_of
from workbench.deployment import ensure_server, stop_server
from workbench.errors import StorageError
from workbench.project import Project
from workbench.table import Table

MEGABYTES = 48


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def project(small_disk: Path) -> Iterator[Project]:
    project = wb.open(small_disk / "project")
    project.create_table(TABLE, COLUMNS, time="at")
    yield project
    stop_server(project.path)
    project.close()


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            pass
    return filler


def append_until_refused(table: Table, rng: random.Random) -> None:
    for number in range(1000):
        table.append(batch_of(rng, f"full-{number}", 500))


def test_python_says_that_the_disk_is_full_and_goes_on_when_it_is_not(
    project: Project, small_disk: Path
) -> None:
    rng = random.Random(1)
    table = project.table(TABLE)
    view = project.define("short", VIEWS["short"])
    table.append(batch_of(rng, "before", 500))
    row = {"card": 1, "id": 1, "batch": "asked", "size": 1, "amount": 1.0, "at": "2026-01-03T00:00:00Z"}
    answer = view.request(row)
    filler = fill(small_disk)
    with pytest.raises(StorageError, match=r"no space left|disk is full"):
        append_until_refused(table, rng)
    # Where a little room was left, some batches went in, whole ones.
    stored = project.storage.row_count(TABLE)
    assert stored % 500 == 0
    assert view.request(row)["n"] >= answer["n"]
    filler.unlink()
    table.append(batch_of(rng, "after", 500))
    project.storage.flush(TABLE)
    assert project.storage.row_count(TABLE) == stored + 500
    assert project.sql(f"SELECT count(DISTINCT id) AS n FROM {TABLE}").to_pyarrow().to_pylist() == [
        {"n": stored + 500}
    ]


def test_a_server_refuses_rows_answers_requests_and_recovers(project: Project, small_disk: Path) -> None:
    rng = random.Random(2)
    view = project.define("short", VIEWS["short"])
    server = ensure_server(project.path, workers=1)
    deployment = view.deploy()

    def post(path: str, document: Any) -> tuple[int, Any]:
        headers = {"X-API-Key": deployment.api_key, "Content-Type": "application/json"}
        request = urllib.request.Request(server.url + path, json.dumps(document).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def append(name: str) -> tuple[int, Any]:
        rows = [row | {"at": f"{row['at'].isoformat()}Z"} for row in batch_of(rng, name, 200).to_pylist()]
        return post(f"/v1/tables/{TABLE}/rows", rows)

    asked = {"card": 1, "id": 1, "batch": "asked", "size": 1, "amount": 1.0, "at": "2026-01-03T00:00:00Z"}
    accepted = 0
    assert append("before")[0] == 200
    accepted += 200
    filler = fill(small_disk)
    for number in range(2000):
        status, document = append(f"full-{number}")
        if status != 200:
            break
        accepted += 200
    assert status == 503, document
    assert "disk" in document["detail"] or "space" in document["detail"], document
    for _ in range(20):
        status, document = post("/v1/features/short", asked)
        assert status == 200, document
    assert document["features"]["n"] >= 1
    filler.unlink()
    assert append("after")[0] == 200
    assert project.storage.row_count(TABLE) == accepted + 200
