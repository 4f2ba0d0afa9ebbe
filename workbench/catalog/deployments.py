"""Which version of which view is served.

Deployments are a chain: each row knows the one it replaced, so a rollback after a rollback goes further back. The
generation moves with every change; servers poll it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.catalog import views
from workbench.catalog.schema import bump, now, prepare
from workbench.errors import Conflict, NotFound, did_you_mean

if TYPE_CHECKING:
    from workbench.storage import Storage


@dataclass(frozen=True)
class DeployedView:
    """What an endpoint serves; ``previous_version`` is what a rollback goes back to. Times are ISO-8601 in UTC."""

    view: str
    version: int
    plan_json: str
    previous_version: int | None
    deployed_at: str


def deploy(storage: Storage, view: str, version: int) -> DeployedView:
    """Serve a version from now on; nothing happens when it is served already.

    Raises
    ------
    NotFound
        There is no such view or version.
    """
    wanted = views.get(storage, view, version)
    with storage.transaction() as transaction:
        current_row = _current_row(transaction, wanted.view)
        if current_row is None or current_row["version"] != version:
            previous = current_row["id"] if current_row else None
            if current_row:
                _end(transaction, current_row["id"], "deploy")
            _start(transaction, wanted.view, version, previous)
    return _one(storage, wanted.view)


def current(storage: Storage) -> Sequence[DeployedView]:
    """Return what is deployed, by view."""
    prepare(storage)
    rows = storage.query(_SELECT + " ORDER BY d.view")
    return [DeployedView(*row) for row in rows]


def rollback(storage: Storage, view: str) -> DeployedView:
    """Serve the version that was served before this one.

    Raises
    ------
    NotFound
        The view is not deployed.
    Conflict
        It has no version before.
    """
    prepare(storage)
    with storage.transaction() as transaction:
        row = _current_row(transaction, view)
        if row is None:
            raise _not_deployed(transaction, view)
        before = transaction.execute("SELECT * FROM deployments WHERE id = ?", (row["previous"],)).fetchone()
        if before is None:
            raise Conflict(
                f"version {row['version']} of view {row['view']!r} is the first that was deployed",
                hint="there is nothing to go back to; stop the deployment, or deploy another version",
            )
        _end(transaction, row["id"], "rollback")
        _start(transaction, row["view"], before["version"], before["previous"])
    return _one(storage, view)


def stop(storage: Storage, view: str) -> None:
    """Serve the view no longer.

    Raises
    ------
    NotFound
        The view is not deployed.
    """
    prepare(storage)
    with storage.transaction() as transaction:
        row = _current_row(transaction, view)
        if row is None:
            raise _not_deployed(transaction, view)
        _end(transaction, row["id"], "stop")
        bump(transaction)


def generation(storage: Storage) -> int:
    """Return a number that grows with every change of deployments, views that were deployed, or API keys."""
    prepare(storage)
    (row,) = storage.query("SELECT generation FROM catalog")
    number: int = row["generation"]
    return number


_SELECT = """
    SELECT d.view, d.version, v.plan_json, p.version AS previous_version, d.deployed_at
    FROM deployments d
    JOIN view_versions v ON v.view = d.view AND v.version = d.version
    LEFT JOIN deployments p ON p.id = d.previous
    WHERE d.ended_at IS NULL"""


def _one(storage: Storage, view: str) -> DeployedView:
    (row,) = storage.query(_SELECT + " AND d.view = ?", (view,))
    return DeployedView(*row)


def _current_row(transaction: sqlite3.Connection, view: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = transaction.execute(
        "SELECT * FROM deployments WHERE view = ? AND ended_at IS NULL", (view,)
    ).fetchone()
    return row


def _start(transaction: sqlite3.Connection, view: str, version: int, previous: int | None) -> None:
    transaction.execute(
        "INSERT INTO deployments (view, version, previous, deployed_at) VALUES (?, ?, ?, ?)",
        (view, version, previous, now()),
    )
    bump(transaction)


def _end(transaction: sqlite3.Connection, deployment: int, reason: str) -> None:
    transaction.execute(
        "UPDATE deployments SET ended_at = ?, ended_by = ? WHERE id = ?", (now(), reason, deployment)
    )


def _not_deployed(transaction: sqlite3.Connection, view: str) -> NotFound:
    rows = transaction.execute("SELECT view FROM deployments WHERE ended_at IS NULL").fetchall()
    hint = did_you_mean(view, [row["view"] for row in rows])
    return NotFound(f"view {view!r} is not deployed", hint=hint or "deploy it first")
