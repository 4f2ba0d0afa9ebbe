"""Which processes serve a project, and which generation of the catalog each of them serves."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import Unavailable

if TYPE_CHECKING:
    from workbench.storage import Storage

SCHEMA = """
CREATE TABLE workers (
    pid INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    heartbeat REAL NOT NULL,
    failures TEXT NOT NULL
);
"""
LOST_SECONDS = 30.0
FORGOTTEN_SECONDS = 3600.0
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Worker:
    """A process that serves the project; ``failures`` says of which views it could not load the deployed version."""

    pid: int
    generation: int
    heartbeat: float
    failures: Mapping[str, str]


def beat(storage: Storage, pid: int, generation: int, failures: Mapping[str, str]) -> None:
    """Say that the worker ``pid`` is alive and serves ``generation``."""
    storage.ensure_schema("workers", SCHEMA)
    with storage.transaction() as connection:
        connection.execute("DELETE FROM workers WHERE heartbeat < ?", (time.time() - FORGOTTEN_SECONDS,))
        connection.execute(
            "INSERT INTO workers VALUES (?, ?, ?, ?) ON CONFLICT (pid) DO UPDATE SET"
            " generation = excluded.generation, heartbeat = excluded.heartbeat, failures = excluded.failures",
            (pid, generation, time.time(), json.dumps(dict(failures))),
        )


def leave(storage: Storage, pid: int) -> None:
    """Take a worker off the list."""
    storage.ensure_schema("workers", SCHEMA)
    with storage.transaction() as connection:
        connection.execute("DELETE FROM workers WHERE pid = ?", (pid,))


def live_workers(storage: Storage) -> list[Worker]:
    """Return the workers that are alive: the process runs and has said so lately."""
    storage.ensure_schema("workers", SCHEMA)
    rows = storage.query("SELECT pid, generation, heartbeat, failures FROM workers ORDER BY pid")
    found = [
        Worker(row["pid"], row["generation"], row["heartbeat"], json.loads(row["failures"])) for row in rows
    ]
    oldest = time.time() - LOST_SECONDS
    return [worker for worker in found if worker.heartbeat > oldest and is_running(worker.pid)]


def wait_for_generation(
    path: str | os.PathLike[str], generation: int, timeout: float = 60.0, view: str | None = None
) -> None:
    """Return when all live workers serve at least ``generation`` of the catalog; at once when there is none.

    Parameters
    ----------
    path
        The project's folder.
    generation
        What :func:`workbench.catalog.deployments.generation` returned after the change.
    timeout
        Seconds to wait.
    view
        Only a failure to load this view is an error; by default that of any view.

    Raises
    ------
    Unavailable
        A worker could not load a deployment, or does not get there in time.
    """
    deadline = time.monotonic() + timeout
    with opened(path) as storage:
        while workers := [worker for worker in live_workers(storage) if worker.generation < generation]:
            if time.monotonic() > deadline:
                pids = ", ".join(str(worker.pid) for worker in workers)
                raise Unavailable(
                    f"the server (process {pids}) does not serve generation {generation} after {timeout:g} s",
                    hint=f"its log may say why: {Path(path) / 'server.log'}",
                )
            time.sleep(POLL_SECONDS)
        failures = {name: why for worker in live_workers(storage) for name, why in worker.failures.items()}
    broken = [why for name, why in sorted(failures.items()) if view in (None, name)]
    if broken:
        raise Unavailable("; ".join(broken), hint="the version before, if there is one, is served meanwhile")


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Storage]:
    """Open a project's storage for one piece of work."""
    from workbench.storage import Storage

    storage = Storage.open(Path(path))
    try:
        yield storage
    finally:
        storage.close()


def is_running(pid: int) -> bool:
    """Whether a process exists and is not just waiting for its parent to take notice of its end."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not _is_finished_child(pid)
    return state not in ("Z", "X")


def _is_finished_child(pid: int) -> bool:
    """Where there is no /proc: whether it is a child of ours that ended."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
