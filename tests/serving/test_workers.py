"""How many workers there are, and a server in the foreground."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import Served
from workbench.deployment import cores, default_workers, ensure_server, find_server, live_workers, stop_server
from workbench.errors import WorkbenchError


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight cores and no limits, but those that a test writes here."""
    monkeypatch.delenv("WORKBENCH_WORKERS")
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "workers"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000", "memory.max": "max"}, 8),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"memory.max": str(2 << 30)}, 4),
        ({"memory.max": str(100 << 20)}, 1),
    ],
)
def test_there_are_as_many_workers_as_cores_that_a_container_may_use(
    container: Path, files: dict[str, str], workers: int
) -> None:
    for name, text in files.items():
        (container / name).write_text(text + "\n")
    assert default_workers() == workers


def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_WORKERS", "3")
    assert default_workers() == 3
    monkeypatch.setenv("WORKBENCH_WORKERS", "some")
    with pytest.raises(WorkbenchError, match="WORKBENCH_WORKERS must be a positive integer, not 'some'"):
        default_workers()


def test_a_server_starts_with_the_workers_of_the_environment(
    own: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_server(own.path)
    monkeypatch.setenv("WORKBENCH_WORKERS", "2")
    ensure_server(own.path)
    assert len(live_workers(own.project.storage)) == 2


def test_a_server_in_the_foreground_ends_with_its_command(own: Served) -> None:
    stop_server(own.path)
    command = [sys.executable, "-m", "workbench", "serve", "--foreground", "--project", str(own.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        web = own.web.another()
        said = process.stdout.readline()
        assert str(web.port) in said, "the port of the server before"
        assert web.post("/v1/features/marker", {"card_id": 1}).status == 200
        again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert again.returncode == 2 and "runs already" in again.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert find_server(own.path) is None


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/views"])
def test_head_is_get_without_a_body(served: Served, path: str) -> None:
    got, head = served.web.get(path), served.web.send("HEAD", path)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


def test_head_on_a_route_that_only_takes_post_is_405(served: Served) -> None:
    head = served.web.send("HEAD", "/v1/features/card_risk")
    assert (head.status, head.headers["allow"]) == (405, "POST")
    assert served.web.send("DELETE", "/v1/views").headers["allow"] == "GET, HEAD"
