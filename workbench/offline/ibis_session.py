"""Tables and views of a project as Ibis expressions, on a DuckDB session of the project's own."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.catalog import functions
from workbench.errors import DefinitionError, NotFound, did_you_mean
from workbench.functions import register
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Lookup, Window
from workbench.plan.plain_sql import plain_sql
from workbench.plan.render import quote
from workbench.storage import Storage

if TYPE_CHECKING:
    import ibis.expr.types as ir

#: The session that the last expression of a project was made on: expressions of one session can be joined.
_current: weakref.WeakKeyDictionary[Storage, tuple[object, weakref.ref[Any]]] = weakref.WeakKeyDictionary()


def table_expression(storage: Storage, name: str) -> ir.Table:
    """Return a table as an Ibis expression: its rows as they are known now."""
    return _backend(storage).table(name, database=("temp", "main"))


def view_expression(storage: Storage, name: str, plan: FeaturePlan, keys: bool | Sequence[str]) -> ir.Table:
    """Return the features of all stored anchor rows as an Ibis expression.

    Parameters
    ----------
    storage
        The project's storage.
    name
        The view's name, for the expression's.
    plan
        The plan.
    keys
        Columns of the anchor's table to put first; True means its time and what the view is keyed by.

    Raises
    ------
    NotFound
        The anchor's table has no such column.
    DefinitionError
        A feature has the name of a key, or plain SQL cannot say the plan.
    """
    backend = _backend(storage)
    columns = _key_columns(plan) if keys is True else list(keys or ())
    stored = storage.table(plan.table).columns
    for column in columns:
        if column not in stored:
            raise NotFound(f"{plan.table} has no column {column!r}", hint=did_you_mean(column, stored))
    added = [column for column in columns if not _is_output(plan, column)]
    types = {table: storage.table(table).columns for table in plan.tables()}
    features = plain_sql(plan, types, rows=_with_arrival, head=("__seq",))
    names = [
        *(f"k.{quote(column)}" for column in added),
        *(f"f.{quote(feature)}" for feature in plan.features),
    ]
    sql = f"SELECT {', '.join(names)} FROM ({features}) f JOIN {_with_arrival(plan.table)} k USING (__seq)"
    for function in functions.used(storage, plan):
        if function not in backend.known_functions:
            register(backend.con, function)
            backend.known_functions.append(function)
    called = f"{name} {plan.hash}" + "".join(f" {column}" for column in columns)
    backend.con.execute(f"CREATE TEMP VIEW IF NOT EXISTS {quote(called)} AS {sql}")
    return backend.table(called, database=("temp", "main"))


def _key_columns(plan: FeaturePlan) -> list[str]:
    """The time and the key columns of the anchor's table that the plan passes through or is keyed by."""
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    keys = [key.anchor for part in parts for key in part.keys]
    names = [key.name for key in keys if isinstance(key, e.Column) and key.source == e.ANCHOR]
    if plan.rows is not None:
        names = [column for name in names if (column := plan.rows.passed(name)) is not None]
    time = plan.base.time
    return list(dict.fromkeys([*names, *([time] if time is not None else [])]))


def _is_output(plan: FeaturePlan, column: str) -> bool:
    """Whether a feature is this column itself; fails where it is something else under that name."""
    for feature in plan.features:
        if feature.casefold() == column.casefold():
            if plan.passed(feature) == column:
                return True
            raise DefinitionError(
                f"{feature!r} is a feature of the view, and a column of {plan.table} too",
                hint="rename the feature with AS, or name other keys=",
            )
    return False


def _with_arrival(table: str) -> str:
    return quote(f"{table} with __seq")


def _backend(storage: Storage) -> Any:
    """The session on the rows that are known now, shared until more are known."""
    snapshot = storage.snapshot()
    state = (snapshot.cut, tuple((table.id, table.name) for table in storage.tables()))
    known = _current.get(storage)
    backend = known[1]() if known is not None and known[0] == state else None
    if backend is not None:
        snapshot.close()
        return backend
    from ibis.backends.duckdb import Backend

    connection = storage.connect(temp_directory=Path(storage.path) / "spill")
    for table in storage.tables():
        columns = ", ".join(quote(column) for column in table.columns)
        arrivals = _with_arrival(table.name)
        relation = snapshot.relation(connection, table.name)
        connection.execute(f"CREATE TEMP VIEW {arrivals} AS SELECT * FROM {relation}")
        connection.execute(f"CREATE TEMP VIEW {quote(table.name)} AS SELECT {columns} FROM {arrivals}")
    # Not Backend.from_connection: it sets what is locked here, to the values that it has already.
    backend = Backend()
    backend._can_reconnect = False
    backend.con = connection
    backend._record_batch_readers_consumed = {}
    backend.known_functions = []
    backend.snapshot = snapshot  # its files stay while an expression on this session lives
    _current[storage] = (state, weakref.ref(backend))
    return backend
