"""Named definitions with versions: labels and Python functions.

As of a view, a name has one latest definition, overwritten by every ``save``, and the versions that were cut. A
version's identity is a hash of what it means: a definition with the hash of an existing version *is* that version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.catalog.schema import now
from workbench.errors import NotFound, did_you_mean

if TYPE_CHECKING:
    from workbench.storage import Storage

DRAFT = 0
_DDL = """
CREATE TABLE definitions (
    kind TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, version INTEGER NOT NULL, hash TEXT NOT NULL,
    body TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
);
"""


@dataclass(frozen=True)
class Definition:
    """One definition of a name; ``version`` 0 is a draft. ``body`` is what the kind keeps, as JSON text."""

    kind: str
    name: str
    version: int
    hash: str
    body: str
    created_at: str


def save(storage: Storage, kind: str, name: str, hash: str, body: str) -> Definition:
    """Make this the latest definition of a name; returns the version with the same hash where there is one."""
    _prepare(storage)
    with storage.transaction() as transaction:
        known = _find_name(transaction, kind, name)
        transaction.execute(
            "INSERT OR REPLACE INTO definitions VALUES (?, ?, ?, ?, ?, ?)",
            (kind, known or name, DRAFT, hash, body, now()),
        )
        saved = _of_hash(transaction, kind, name, hash)
    assert saved is not None
    return saved


def cut(storage: Storage, definition: Definition) -> Definition:
    """Return the version with a definition's hash, cutting a new one when there is none.

    Raises
    ------
    NotFound
        The name was dropped.
    """
    kind, name = definition.kind, definition.name
    with storage.transaction() as transaction:
        if _find_name(transaction, kind, name) is None:
            raise NotFound(f"there is no {kind} {name!r} any more", hint="define it again")
        known = _of_hash(transaction, kind, name, definition.hash)
        if known is not None and known.version != DRAFT:
            return known
        transaction.execute(
            """INSERT INTO definitions SELECT ?, ?,
               (SELECT max(version) + 1 FROM definitions WHERE kind = ? AND name = ?), ?, ?, ?""",
            (kind, name, kind, name, definition.hash, definition.body, now()),
        )
        made = _of_hash(transaction, kind, name, definition.hash)
    assert made is not None
    return made


def get(storage: Storage, kind: str, name: str, version: int | None = None) -> Definition:
    """Return a version, by default the latest definition.

    Raises
    ------
    NotFound
        There is no such name, or it has no such version.
    """
    found = find(storage, kind, name)
    if found is None:
        known = names(storage, kind)
        hint = did_you_mean(name, known) or (
            f"the {kind}s are {', '.join(known)}" if known else f"no {kind} is defined yet"
        )
        raise NotFound(f"there is no {kind} {name!r}", hint=hint)
    if version is None:
        return found
    cuts = {one.version: one for one in versions(storage, kind, name)}
    if version not in cuts:
        hint = f"its versions are {', '.join(map(str, cuts))}" if cuts else "no version was cut yet"
        raise NotFound(f"{kind} {name!r} has no version {version}", hint=hint)
    return cuts[version]


def find(storage: Storage, kind: str, name: str) -> Definition | None:
    """Return the latest definition of a name, in any case, or None."""
    _prepare(storage)
    rows = storage.query(
        """SELECT * FROM definitions d WHERE kind = ? AND name = ? AND hash =
           (SELECT hash FROM definitions WHERE kind = d.kind AND name = d.name AND version = 0)
           ORDER BY version DESC LIMIT 1""",
        (kind, name),
    )
    return _definition(rows[0]) if rows else None


def find_hash(storage: Storage, kind: str, name: str, hash: str) -> Definition | None:
    """Return the definition of a name with that hash, or with a hash that begins so, or None."""
    _prepare(storage)
    rows = storage.query(
        "SELECT * FROM definitions WHERE kind = ? AND name = ? AND substr(hash, 1, ?) = ? "
        "ORDER BY version DESC LIMIT 1",
        (kind, name, len(hash), hash),
    )
    return _definition(rows[0]) if rows else None


def versions(storage: Storage, kind: str, name: str) -> Sequence[Definition]:
    """Return the versions of a name, oldest first; none when only a draft is there."""
    _prepare(storage)
    rows = storage.query(
        "SELECT * FROM definitions WHERE kind = ? AND name = ? AND version > 0 ORDER BY version", (kind, name)
    )
    return [_definition(row) for row in rows]


def names(storage: Storage, kind: str) -> list[str]:
    """Return the names of a kind, sorted."""
    _prepare(storage)
    rows = storage.query("SELECT name FROM definitions WHERE kind = ? AND version = 0 ORDER BY name", (kind,))
    return [row["name"] for row in rows]


def drop(storage: Storage, kind: str, name: str) -> None:
    """Remove a name with all its versions; NotFound when there is none."""
    get(storage, kind, name)
    with storage.transaction() as transaction:
        transaction.execute("DELETE FROM definitions WHERE kind = ? AND name = ?", (kind, name))


def _prepare(storage: Storage) -> None:
    storage.ensure_schema("definitions", _DDL)


def _definition(row: sqlite3.Row) -> Definition:
    return Definition(*(row[name] for name in ("kind", "name", "version", "hash", "body", "created_at")))


def _find_name(transaction: sqlite3.Connection, kind: str, name: str) -> str | None:
    row = transaction.execute(
        "SELECT name FROM definitions WHERE kind = ? AND name = ?", (kind, name)
    ).fetchone()
    return row["name"] if row else None


def _of_hash(transaction: sqlite3.Connection, kind: str, name: str, hash: str) -> Definition | None:
    row = transaction.execute(
        "SELECT * FROM definitions WHERE kind = ? AND name = ? AND hash = ? ORDER BY version DESC LIMIT 1",
        (kind, name, hash),
    ).fetchone()
    return _definition(row) if row else None
