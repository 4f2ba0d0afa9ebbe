"""A project with several tables and views behind a real server, for the fuzz."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving import cards
from workbench.catalog import keys
from workbench.deployment import find_server, stop_server

MERCHANTS = {
    "merchant": "VARCHAR",
    "ts": "TIMESTAMP",
    "rating": "TINYINT",
    "parts": "STRUCT(a INTEGER, b DATE)",
}
RATED = """
SELECT t.card_id, m.rating, m.merchant AS merchant, avg(amount) OVER w AS mean, max(day) OVER w AS latest
FROM transactions t LAST JOIN merchants m ORDER BY ts ON m.merchant = t.note
WINDOW w AS (PARTITION BY card_id ORDER BY ts ROWS 10 PRECEDING)
"""
MARKED = "SELECT id, count(*) OVER w AS n FROM events WHERE kind <> 'x' WINDOW w AS (PARTITION BY kind ORDER BY at)"


@dataclass(frozen=True)
class Target:
    """The server, and keys to it: one that may do everything, one that reads."""

    host: str
    port: int
    owner: str
    reader: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@contextmanager
def target(path: Path) -> Iterator[Target]:
    """Make the project, serve it, and stop it."""
    project: Any = cards.make(path)
    project.create_table("merchants", MERCHANTS, time="ts")
    project.table("merchants").append(
        {"merchant": "a", "ts": "2026-01-01", "rating": 3, "parts": {"a": 1, "b": None}}
    )
    project.create_table("events", {"id": "UUID", "at": "TIMESTAMP", "kind": "VARCHAR"}, time="at", id="id")
    try:
        for name, text in {
            "card_risk": cards.RISK,
            "wire": cards.WIRE,
            "rated": RATED,
            "marked": MARKED,
        }.items():
            project.define(name, text).deploy()
        server = find_server(path)
        assert server is not None
        reader = keys.create(project.storage, ["read"], "reader")
        yield Target(server.host, server.port, keys.owner_key(project.storage), reader, path / "server.log")
    finally:
        stop_server(path)
        project.close()
