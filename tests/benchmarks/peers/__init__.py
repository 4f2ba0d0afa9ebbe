"""What people use instead, doing the scenario's work: hand-written on SQLite, DuckDB, Redis, PostgreSQL; Feast.

None of them is a dependency: a peer whose package or server is missing is left out, with the reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Protocol

from tests.benchmarks.scenario import Scenario

#: By the name that the table shows: the module.
PEERS = {
    "SQLite, clustered": "sqlite_peer",
    "DuckDB per request": "duckdb_peer",
    "Redis + Python": "redis_peer",
    "PostgreSQL": "postgres_peer",
}


class Missing(Exception):
    """A peer cannot run here; the message says what it needs."""


class Peer(Protocol):
    """A hand-written service of the scenario's features.

    ``mode`` says how its server calls it: on the event loop (``inline``), awaited (``async``) or on a ``thread``.
    """

    mode: str

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""

    def afeatures(self, row: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        """Return the features of one request; of peers of the mode ``async``."""

    def store_cpu(self) -> float:
        """Return the CPU seconds that the store's own processes have used, 0 where there are none."""

    def close(self) -> None:
        """Stop what was started."""


def start(name: str, scenario: Scenario, folder: Path) -> Peer:
    """Load the scenario into a peer, where it is not loaded yet, and return it.

    Raises
    ------
    Missing
        When a package or a server is missing.
    """
    module = importlib.import_module(f"tests.benchmarks.peers.{PEERS[name]}")
    peer: Peer = module.start(scenario, folder)
    return peer


def attach(name: str, folder: Path) -> Peer:
    """Return a peer whose store was started by another process."""
    peer: Peer = importlib.import_module(f"tests.benchmarks.peers.{PEERS[name]}").attach(folder)
    return peer


def cpu_of_processes(command: str) -> float:
    """Return the CPU seconds of all processes whose command begins so (Linux)."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        if name.startswith(command):
            total += int(rest[11]) + int(rest[12])
    return total / 100
