"""The catalog's part of the project's database, and its generation."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.storage import Storage

#: A version of 0 is the view's latest definition, which may or may not have become a version.
DDL = """
CREATE TABLE catalog (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL);
INSERT INTO catalog VALUES (1, 0);
CREATE TABLE view_versions (
    view TEXT NOT NULL COLLATE NOCASE, version INTEGER NOT NULL, plan_hash TEXT NOT NULL, sql TEXT NOT NULL,
    dialect TEXT NOT NULL, plan_json TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (view, version)
);
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY, view TEXT NOT NULL COLLATE NOCASE, version INTEGER NOT NULL,
    previous INTEGER REFERENCES deployments (id), deployed_at TEXT NOT NULL, ended_at TEXT, ended_by TEXT
);
CREATE UNIQUE INDEX deployments_current ON deployments (view) WHERE ended_at IS NULL;
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL,
    created_at TEXT NOT NULL
);
"""


def prepare(storage: Storage) -> None:
    """Create the catalog's tables where they are missing; cheap when they are there."""
    storage.ensure_schema("catalog", DDL)


def bump(transaction: sqlite3.Connection) -> None:
    """Move the generation on: servers look again at what is deployed and which keys are right."""
    transaction.execute("UPDATE catalog SET generation = generation + 1")


def now() -> str:
    """Return the time as it is kept in the catalog: ISO-8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
