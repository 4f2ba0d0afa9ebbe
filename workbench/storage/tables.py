"""Tables: their creation, their removal, and the checks that rows must pass."""

from __future__ import annotations

import json
import sqlite3
import time as clock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.errors import Conflict, NotFound, RowError, StorageError, WorkbenchError, did_you_mean
from workbench.storage.added import filled, new_column
from workbench.storage.arrays import null_mask, raw_int64, raw_values
from workbench.storage.manifest import bump_version, drop_index, drop_part, read_counters, table_of_row
from workbench.storage.model import RESERVED_PREFIX, StoredTable
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, arrow_schema, stored

TIME_TYPES = ("TIMESTAMP", "DATE")
ID_TYPES = ("VARCHAR", "UUID", "BLOB", *(name for name in INTEGER_RANGES if name not in WIDE_INTEGERS))
FUTURE_TOLERANCE_SECONDS = 300
MICROSECONDS_A_DAY = 86_400_000_000


def new_table(
    name: str, columns: dict[str, str], time: str | None, options: dict[str, Any] | None = None
) -> StoredTable:
    """Return a table that is not stored yet, with its columns checked.

    Raises
    ------
    WorkbenchError
        For a type that columns cannot have, a reserved name, or a time column that is none.
    """
    if not columns:
        raise WorkbenchError(f"table {name!r} has no columns")
    folded: dict[str, str] = {}
    for column, kind in columns.items():
        if column.startswith(RESERVED_PREFIX):
            raise WorkbenchError(f"column names starting with {RESERVED_PREFIX!r} are reserved", field=column)
        if column.casefold() in folded:
            raise WorkbenchError(
                f"columns {folded[column.casefold()]!r} and {column!r} differ in case only", field=column
            )
        folded[column.casefold()] = column
        if stored(kind) != kind:
            raise WorkbenchError(f"a table column cannot be {kind}", hint=f"use {stored(kind)}", field=column)
    if time is not None and time not in columns:
        raise NotFound(
            f"table {name!r} has no column {time!r} for its time", hint=did_you_mean(time, columns)
        )
    if time is not None and columns[time] not in TIME_TYPES:
        raise WorkbenchError(
            f"the time column must be TIMESTAMP or DATE, not {columns[time]}",
            hint="cast it, or leave time out: the table is then ordered by arrival",
            field=time,
        )
    made = StoredTable(0, name, dict(columns), time, dict(options or {}))
    if made.id_column is not None:
        check_id(columns, made.id_column)
    return made


def insert_table(connection: sqlite3.Connection, table: StoredTable) -> StoredTable:
    """Store a new table in this transaction and return it with its id.

    Raises
    ------
    Conflict
        When the name is taken.
    """
    _require_free(connection, table.name)
    cursor = connection.execute(
        "INSERT INTO tables (name, columns, time, options) VALUES (?, ?, ?, ?)",
        (table.name, json.dumps(table.columns), table.time, json.dumps(table.options)),
    )
    bump_version(connection)
    assert cursor.lastrowid is not None
    return StoredTable(cursor.lastrowid, table.name, table.columns, table.time, table.options)


def delete_table(connection: sqlite3.Connection, name: str) -> None:
    """Remove a table with its rows and indexes in this transaction; its files are removed later."""
    table = find_table(connection, name)
    version = bump_version(connection)
    for row in connection.execute("SELECT id FROM indexes WHERE table_id = ?", (table.id,)).fetchall():
        drop_index(connection, version, row["id"])
    for row in connection.execute("SELECT id FROM parts WHERE table_id = ?", (table.id,)).fetchall():
        drop_part(connection, version, row["id"])
    for owned in ("log", "tokens", "positions"):
        connection.execute(f"DELETE FROM {owned} WHERE table_id = ?", (table.id,))
    connection.execute("DELETE FROM tables WHERE id = ?", (table.id,))


def rename_table(connection: sqlite3.Connection, name: str, new_name: str) -> None:
    """Give a table another name in this transaction; rows, indexes and tokens stay.

    Raises
    ------
    Conflict
        When the new name is taken.
    """
    table = find_table(connection, name)
    _require_free(connection, new_name)
    connection.execute("UPDATE tables SET name = ? WHERE id = ?", (new_name, table.id))
    bump_version(connection)


def add_column(
    connection: sqlite3.Connection, name: str, column: str, kind: str, default: object = None
) -> StoredTable:
    """Give a table a further column in this transaction; see :meth:`Storage.add_column`."""
    table = new_column(find_table(connection, name), column, kind, default, read_counters(connection)[0])
    connection.execute(
        "UPDATE tables SET columns = ?, added = ? WHERE id = ?",
        (
            json.dumps(table.columns),
            json.dumps({name: [one.since, one.default] for name, one in table.added.items()}),
            table.id,
        ),
    )
    bump_version(connection)
    return table


def find_table(connection: sqlite3.Connection, name: str) -> StoredTable:
    """Return a table by name.

    Raises
    ------
    NotFound
        With the closest name.
    """
    row = connection.execute("SELECT * FROM tables WHERE name = ?", (name,)).fetchone()
    if row is None:
        names = [found["name"] for found in connection.execute("SELECT name FROM tables")]
        raise no_such_table(name, names)
    return table_of_row(row)


def _require_free(connection: sqlite3.Connection, name: str) -> None:
    if connection.execute("SELECT 1 FROM tables WHERE name = ?", (name,)).fetchone():
        raise Conflict(f"a table {name!r} exists already", hint="drop it first, or choose another name")


def no_such_table(name: str, known: list[str]) -> NotFound:
    """Return the error for an unknown table."""
    return NotFound(f"there is no table {name!r}", hint=did_you_mean(name, known))


def conform(table: StoredTable, rows: pa.Table) -> pa.Table:
    """Return rows in the table's own Arrow schema; only column order and field metadata may differ.

    Columns that the table got later may be missing; they get their default.

    Raises
    ------
    StorageError
        When columns are missing, unknown, or of another type.
    """
    wanted = arrow_schema(table.columns)
    if rows.schema.equals(wanted):
        return rows
    rows = filled(table, rows)
    check_schema(table, rows.schema)
    return rows.select(wanted.names).cast(wanted)


def check_schema(table: StoredTable, schema: pa.Schema) -> None:
    """Raise StorageError unless a schema has exactly the table's columns and types."""
    wanted = arrow_schema(table.columns)
    unknown = sorted((set(schema.names) ^ set(wanted.names)) - (set(table.added) - set(schema.names)))
    if unknown or len(schema.names) != len(set(schema.names)):
        raise StorageError(f"the rows do not have exactly the columns of table {table.name!r}: {unknown}")
    for field in wanted:
        if field.name not in schema.names:
            continue
        given = schema.field(field.name).type
        if given != field.type:
            raise StorageError(f"column {field.name!r} is {field.type}, the rows have {given}")


def check_id(columns: dict[str, str], name: str) -> None:
    """Raise WorkbenchError unless a column can be a table's id."""
    if name not in columns:
        close = did_you_mean(name, columns)
        raise WorkbenchError(f"the column id={name!r} is not there" + (f"; {close}" if close else ""))
    if columns[name] not in ID_TYPES:
        raise WorkbenchError(
            f"the column id={name!r} is {columns[name]}",
            hint="an id is a whole number, VARCHAR, UUID or BLOB",
            field=name,
        )


def check_ids(table: StoredTable, column: pa.Array, *, first_row: int = 0) -> None:
    """Refuse NULL ids.

    Raises
    ------
    RowError
        With the column and the 0-based row, counted from ``first_row``.
    """
    nulls = null_mask(column)
    if nulls is not None:
        row = first_row + int(np.argmax(nulls))
        raise RowError(
            f"row {row} has no {table.id_column}, which is the table's id",
            field=table.id_column,
            row=row,
            hint="give every row its id",
        )


def microseconds(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return a TIMESTAMP or DATE array as µs since 1970 in UTC; what lies under NULLs is arbitrary."""
    if pa.types.is_date32(column.type):
        days = raw_values(column, np.int32).astype(np.int64)
        # DuckDB's infinite dates must stay larger and smaller than all others without overflowing.
        limit = np.iinfo(np.int64).max // MICROSECONDS_A_DAY
        return np.clip(days, -limit, limit) * MICROSECONDS_A_DAY
    return raw_int64(column)


def check_times(table: StoredTable, column: pa.Array, *, first_row: int = 0) -> tuple[int, int] | None:
    """Refuse NULL times and times beyond the server's clock; return the (first, last) time in µs, None for no rows.

    Raises
    ------
    RowError
        With the column and the 0-based row, counted from ``first_row``.
    """
    if len(column) == 0:
        return None
    nulls = null_mask(column)
    if nulls is not None:
        row = int(np.argmax(nulls))
        raise RowError(
            f"row {first_row + row} has no time",
            field=table.time,
            row=first_row + row,
            hint="give every row a time",
        )
    times = microseconds(column)
    latest = int(times.max())
    limit = int((clock.time() + FUTURE_TOLERANCE_SECONDS) * 1_000_000)
    if latest > limit:
        row = int(np.argmax(times > limit))
        raise RowError(
            f"the time of row {first_row + row} is in the future: {column[row].as_py()}",
            field=table.time,
            row=first_row + row,
            hint="times are UTC and may be at most 5 minutes ahead of the server's clock",
        )
    return int(times.min()), latest
