"""Erasing an entity: its rows, and what was kept of answers that may have used them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.catalog import tables
from workbench.catalog.schema import prepare

if TYPE_CHECKING:
    from workbench.storage import Storage
    from workbench.storage.erasure import Erased


def erase(storage: Storage, name: str, values: Mapping[str, Any]) -> tuple[Erased, tuple[str, ...]]:
    """Erase the rows of a table that have these values, and kept answers of the views that read it.

    Returns
    -------
    tuple
        What was erased, and the names of these views.

    Raises
    ------
    NotFound
        There is no such table.
    WorkbenchError
        No column is given, one is unknown, or a value cannot be of its column's type.
    """
    prepare(storage)
    table = tables.get(storage, name)
    folded = {column.casefold(): column for column in table.columns}
    named = {folded.get(column.casefold(), column): value for column, value in values.items()}
    views = tuple(tables.dependants(storage, table.name))

    def forget(transaction: sqlite3.Connection) -> None:
        known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'serving_replies'"
        if transaction.execute(known).fetchone():
            transaction.executemany(
                "DELETE FROM serving_replies WHERE view = ? COLLATE NOCASE", [(view,) for view in views]
            )

    return storage.erase(table.name, named, forget), views
