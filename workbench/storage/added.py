"""Columns that a table got later: rows that were stored before have a constant in them.

Nothing is rewritten when a column is added. A record of the log has the columns that the table had when it was stored,
told by its seq; a part knows how many of the table's columns its file has, since new ones come last. Readers put the
constant in where a column is missing; merges write it out.
"""

from __future__ import annotations

from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa

from workbench.errors import RowError, WorkbenchError
from workbench.storage.arrays import contiguous, int64_array
from workbench.storage.model import RESERVED_PREFIX, Added, StoredTable
from workbench.storage.session import connect, quoted, text
from workbench.values.coerce import Default, to_table
from workbench.values.types import arrow_schema, arrow_type, stored


def columns_at(table: StoredTable, seq: int) -> int:
    """Return how many of its columns the table had when the log record that starts at ``seq`` was stored."""
    return len(table.columns) - sum(added.since >= seq for added in table.added.values())


def default_of(table: StoredTable, name: str) -> str:
    """Return SQL of the constant that rows without a column have in it."""
    added = table.added.get(name)
    return constant_sql(table.columns[name], added.default if added else None)


def defaults(table: StoredTable) -> dict[str, Default]:
    """Return what rows have in columns that were added later and that they leave out, where it is not NULL."""
    return {
        name: Default(table.columns[name], added.default, _constant(table.columns[name], added.default))
        for name, added in table.added.items()
        if added.default is not None
    }


def selected(table: StoredTable, present: int) -> str:
    """Return a SELECT list of all the table's columns, in their types, over rows that have the first ``present``."""
    return ", ".join(
        f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}"
        if number < present
        else f"{default_of(table, name)} AS {quoted(name)}"
        for number, (name, kind) in enumerate(table.columns.items())
    )


def completed(table: StoredTable, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of an older schema with the constants of the columns that came since."""
    missing = list(table.columns)[batch.num_columns :]
    if not missing:
        return batch
    arrays = [*batch.columns, *(_repeated(table, name, batch.num_rows) for name in missing)]
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(table.columns))


def filled(table: StoredTable, rows: pa.Table) -> pa.Table:
    """Return rows with the constants of those later columns that they lack."""
    for name in table.added:
        if name not in rows.schema.names:
            rows = rows.append_column(name, _repeated(table, name, rows.num_rows))
    return rows


def without_defaults(table: StoredTable, rows: pa.Table) -> pa.Table:
    """Return rows without those later columns that are their default in every row."""
    same = [
        name
        for name in table.added
        if contiguous(rows.column(name)).equals(_repeated(table, name, rows.num_rows))
    ]
    return rows.drop_columns(same)


def schema_at(table: StoredTable, seq: int) -> pa.Schema:
    """Return the Arrow schema of the log record that starts at ``seq``."""
    present = columns_at(table, seq)
    return arrow_schema(dict(list(table.columns.items())[:present]))


def new_column(table: StoredTable, name: str, kind: str, default: object, seq: int) -> StoredTable:
    """Return the table with a further column, which rows up to ``seq`` have the default in.

    Raises
    ------
    WorkbenchError
        For a name that is taken or reserved, a type that columns cannot have, or a default that the type cannot hold.
    """
    _check_name(table, name)
    kept = stored(kind)
    added = Added(seq, constant_text(name, kept, default, "default"))
    return StoredTable(
        table.id,
        table.name,
        {**table.columns, name: kept},
        table.time,
        table.options,
        {**table.added, name: added},
    )


def _check_name(table: StoredTable, name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise WorkbenchError(
            f"a column cannot be named {name!r}", hint="give every column a name that is text"
        )
    if name.startswith(RESERVED_PREFIX):
        raise WorkbenchError(
            f"column {name!r}: names starting with {RESERVED_PREFIX} are reserved",
            hint="rename the column",
            field=name,
        )
    taken = {column.casefold(): column for column in table.columns}.get(name.casefold())
    if taken is not None:
        differ = "" if taken == name else f", which SQL takes for {name!r}"
        raise WorkbenchError(
            f"table {table.name!r} has a column {taken!r} already{differ}",
            hint=f"it is {table.columns[taken]}; choose another name",
            field=name,
        )


def constant_text(name: str, kind: str, value: object, what: str) -> str | None:
    """Return a value of a column as text that DuckDB reads back as exactly this value; None for NULL.

    Raises
    ------
    WorkbenchError
        The column cannot hold the value; ``what`` it is stands in the message.
    """
    if value is None:
        return None
    try:
        given = to_table({name: kind}, [{name: value}])
    except RowError as error:
        raise WorkbenchError(
            f"the {what} {value!r} cannot be a value of column {name!r} ({kind}): {error.message}",
            hint=error.hint,
            field=name,
        ) from None
    with connect() as connection:
        connection.register("given", given)
        row = connection.execute(
            f"SELECT CAST(CAST({quoted(name)} AS {kind}) AS VARCHAR) FROM given"
        ).fetchone()
        written = str(row[0]) if row else ""
        same = f"SELECT {constant_sql(kind, written)} IS NOT DISTINCT FROM CAST({quoted(name)} AS {kind}) FROM given"
        try:
            kept = connection.execute(same).fetchone()
        except duckdb.Error:
            kept = None
    if not kept or not kept[0]:
        raise WorkbenchError(
            f"the {what} {value!r} of column {name!r} ({kind}) cannot be written as SQL",
            hint="leave it out",
            field=name,
        )
    return written


def constant_sql(kind: str, default: str | None) -> str:
    """Return SQL of a constant whose text is that of :func:`constant_text`."""
    return f"CAST({'NULL' if default is None else text(default)} AS {kind})"


@lru_cache(maxsize=256)
def _constant(kind: str, default: str | None) -> pa.Array:
    with connect(threads=1) as connection:
        found = connection.execute(f"SELECT {constant_sql(kind, default)} AS v").to_arrow_table()
    return contiguous(found.column("v"), arrow_type(kind))


def _repeated(table: StoredTable, name: str, rows: int) -> pa.Array:
    one = _constant(table.columns[name], table.added[name].default)
    return one.take(int64_array(np.zeros(rows, dtype=np.int64)))
