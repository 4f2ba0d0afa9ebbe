"""Views and their versions.

A view has one latest definition, overwritten by every ``define``, and the versions that were cut from it. A version's
identity is its plan: a definition whose plan is that of an existing version *is* that version, whatever its comments
and layout; any other is a draft (version 0).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.catalog import lineage
from workbench.catalog.schema import bump, now, prepare
from workbench.errors import Conflict, NotFound, did_you_mean
from workbench.values.names import check_name

if TYPE_CHECKING:
    from workbench.storage import Storage

DRAFT = 0


@dataclass(frozen=True)
class ViewVersion:
    """One definition of a view; ``version`` 0 is a draft, which no version was cut from yet.

    ``created_at`` is ISO-8601 in UTC. ``state`` is ``deployed`` for the version that an endpoint serves.
    """

    view: str
    version: int
    plan_hash: str
    sql: str
    dialect: str
    plan_json: str
    created_at: str
    state: Literal["draft", "version", "deployed"]


def save_draft(
    storage: Storage, view: str, sql: str, dialect: str, plan_json: str, plan_hash: str
) -> ViewVersion:
    """Make this the latest definition of a view, creating the view when it is new.

    Returns the version with the same plan where there is one, else the draft.

    Raises
    ------
    WorkbenchError
        The name cannot be one.
    Conflict
        A table has that name.
    """
    prepare(storage)
    check_name(view, "view")
    with storage.transaction() as transaction:
        for table in storage.tables():
            if table.name.casefold() == view.casefold():
                raise Conflict(f"{table.name!r} is a table already", hint="give the view another name")
        known = _find_name(transaction, view)
        transaction.execute(
            "INSERT OR REPLACE INTO view_versions VALUES (?, ?, ?, ?, ?, ?, ?)",
            (known or view, DRAFT, plan_hash, sql, dialect, plan_json, now()),
        )
        # Read here: another definition may follow at once.
        saved = _of_plan(transaction, view, plan_hash)
    assert saved is not None
    return saved


def latest_hash(storage: Storage, view: str) -> str | None:
    """Return the plan hash of a view's latest definition; None when there is no such view."""
    prepare(storage)
    rows = storage.query("SELECT plan_hash FROM view_versions WHERE view = ? AND version = ?", (view, DRAFT))
    return rows[0]["plan_hash"] if rows else None


def cut(storage: Storage, definition: ViewVersion) -> ViewVersion:
    """Return the version with a definition's plan, cutting a new one when there is none.

    The latest definition stays as it is, whoever wrote it since.

    Raises
    ------
    NotFound
        The view was dropped.
    """
    with storage.transaction() as transaction:
        name = _find_name(transaction, definition.view)
        if name is None:
            raise NotFound(f"there is no view {definition.view!r} any more", hint="define it again")
        known = _of_plan(transaction, name, definition.plan_hash)
        if known is not None and known.version != DRAFT:
            return known
        transaction.execute(
            """INSERT INTO view_versions
               SELECT ?, (SELECT max(version) + 1 FROM view_versions WHERE view = ?), ?, ?, ?, ?, ?""",
            (
                name,
                name,
                definition.plan_hash,
                definition.sql,
                definition.dialect,
                definition.plan_json,
                now(),
            ),
        )
        made = _of_plan(transaction, name, definition.plan_hash)
    assert made is not None
    return made


def get(storage: Storage, view: str, version: int | None = None) -> ViewVersion:
    """Return a version of a view, by default its latest definition.

    Raises
    ------
    NotFound
        There is no such view, or it has no such version.
    """
    prepare(storage)
    if version is None:
        rows = storage.query(
            _SELECT + " WHERE v.view = ? AND v.plan_hash = (SELECT plan_hash FROM view_versions"
            " WHERE view = v.view AND version = 0) ORDER BY v.version DESC LIMIT 1",
            (view,),
        )
        if not rows:
            names = [row["view"] for row in storage.query("SELECT view FROM view_versions WHERE version = 0")]
            hint = did_you_mean(view, names) or _names_hint(names)
            raise NotFound(f"there is no view {view!r}", hint=hint)
        return _version(rows[0])
    rows = storage.query(_SELECT + " WHERE v.view = ? AND v.version = ?", (view, version))
    if not rows or version == DRAFT:
        known = [str(item.version) for item in versions(storage, view)]
        hint = f"its versions are {', '.join(known)}" if known else "no version was cut yet; deploy cuts one"
        raise NotFound(f"view {view!r} has no version {version}", hint=hint)
    return _version(rows[0])


def versions(storage: Storage, view: str) -> Sequence[ViewVersion]:
    """Return the versions of a view, oldest first; none when only a draft is there."""
    name = get(storage, view).view
    rows = storage.query(_SELECT + " WHERE v.view = ? AND v.version > 0 ORDER BY v.version", (name,))
    return [_version(row) for row in rows]


def list(storage: Storage) -> Sequence[ViewVersion]:
    """Return the latest definition of every view, by name."""
    prepare(storage)
    names = storage.query("SELECT view FROM view_versions WHERE version = 0 ORDER BY view")
    return [get(storage, row["view"]) for row in names]


def drop(storage: Storage, view: str) -> None:
    """Remove a view with all its versions.

    Raises
    ------
    NotFound
        There is no such view.
    Conflict
        An endpoint serves it.
    """
    name = get(storage, view).view
    with storage.transaction() as transaction:
        served = transaction.execute(
            "SELECT 1 FROM deployments WHERE view = ? AND ended_at IS NULL", (name,)
        ).fetchone()
        if served:
            raise Conflict(f"view {name!r} is deployed", hint="stop its deployment first")
        transaction.execute("UPDATE deployments SET previous = NULL WHERE view = ?", (name,))
        transaction.execute("DELETE FROM deployments WHERE view = ?", (name,))
        transaction.execute("DELETE FROM view_versions WHERE view = ?", (name,))
        bump(transaction)


def reading(storage: Storage, table: str) -> Sequence[ViewVersion]:
    """Return every draft and version whose plan reads a table, by view and version."""
    prepare(storage)
    rows = storage.query(_SELECT + " ORDER BY v.view, v.version")
    found = [_version(row) for row in rows]
    return [item for item in found if table in lineage.tables(item.plan_json)]


_SELECT = """
    SELECT v.*, EXISTS (SELECT 1 FROM deployments d
        WHERE d.view = v.view AND d.version = v.version AND d.ended_at IS NULL) AS deployed
    FROM view_versions v"""


def _version(row: sqlite3.Row) -> ViewVersion:
    state: Literal["draft", "version", "deployed"] = (
        "draft" if row["version"] == DRAFT else "deployed" if row["deployed"] else "version"
    )
    return ViewVersion(
        row["view"],
        row["version"],
        row["plan_hash"],
        row["sql"],
        row["dialect"],
        row["plan_json"],
        row["created_at"],
        state,
    )


def _of_plan(transaction: sqlite3.Connection, view: str, plan_hash: str) -> ViewVersion | None:
    """The version of a view with that plan, else the draft with it."""
    row = transaction.execute(
        _SELECT + " WHERE v.view = ? AND v.plan_hash = ? ORDER BY v.version DESC LIMIT 1", (view, plan_hash)
    ).fetchone()
    return _version(row) if row else None


def _find_name(transaction: sqlite3.Connection, view: str) -> str | None:
    row = transaction.execute("SELECT view FROM view_versions WHERE view = ?", (view,)).fetchone()
    return row["view"] if row else None


def _names_hint(names: Sequence[str]) -> str:
    return f"the views are {', '.join(sorted(names))}" if names else "no view is defined yet"
