"""Spines: the rows that a training set is made for, as the user hands them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from workbench.errors import RowError, did_you_mean
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote
from workbench.storage import Snapshot, StoredTable
from workbench.storage.session import hold
from workbench.values import frames
from workbench.values.coerce import to_table

#: The column by which a spine row says which stored row it is, where the anchor's table has none of that name.
SEQ = "seq"


def spine_table(rows: Any) -> pa.Table:
    """Return a spine of any kind as an Arrow table with all its columns.

    Raises
    ------
    RowError
        When it is not a table of rows.
    """
    if isinstance(rows, pa.Table):
        return rows
    try:
        if isinstance(rows, list | dict):
            return pa.Table.from_pylist(_dicts(rows))
        if frames.is_pandas(rows):
            return pa.Table.from_pandas(rows, preserve_index=False)
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise RowError(f"the spine cannot be read as a table: {error}") from None
    stream = frames.open_stream(rows)
    if stream is None:
        raise RowError("a spine is a list of dicts, a DataFrame, an Arrow table or a Result")
    return stream.read_all()


def spine_rows(plan: FeaturePlan, columns: Mapping[str, str], rows: Any, what: str = "spine") -> pa.Table:
    """Return a spine with those of the anchor's columns that it has, ``__seq`` and ``__row`` (its number).

    Parameters
    ----------
    plan
        The plan whose anchors the rows are.
    columns
        Columns of the anchor's table with their types.
    rows
        The spine.
    what
        What messages call it.

    Raises
    ------
    RowError
        A column that the view uses is missing, a value does not fit, or a time is NULL.
    """
    if isinstance(rows, list | dict):
        dicts = _dicts(rows)
        table, given = _from_dicts(dicts, columns), list(dict.fromkeys(name for row in dicts for name in row))
    else:
        table = spine_table(rows)
        given = table.column_names
    by_folded = {name.casefold(): name for name in table.column_names}
    for name in plan.request_columns:
        if name.casefold() not in by_folded:
            close = did_you_mean(name, given)
            raise RowError(
                f"the {what} has no column {name!r}, which the view uses" + (f"; {close}" if close else ""),
                field=name,
            )
    present = {name: kind for name, kind in columns.items() if name.casefold() in by_folded}
    coerced = to_table(present, table.select([by_folded[name.casefold()] for name in present]))
    time = plan.base.time
    if time is not None and coerced.column(time).null_count:
        row = coerced.column(time).is_null().to_pylist().index(True)
        raise RowError(f"the {what}'s time {time!r} is NULL", field=time, row=row)
    seq = pa.nulls(table.num_rows, pa.int64())
    if SEQ in by_folded and SEQ not in {name.casefold() for name in columns}:
        seq = to_table({SEQ: "BIGINT"}, table.select([by_folded[SEQ]]).rename_columns([SEQ])).column(SEQ)
    numbers = pa.array(range(table.num_rows), pa.int64())
    return coerced.append_column("__seq", seq).append_column("__row", numbers)


def with_stored_seqs(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: StoredTable, spine: pa.Table
) -> pa.Table:
    """Return a spine in which rows whose id is stored have the ``__seq`` of the stored row.

    A row of a known id and another time than the stored row's stays a new one of its own time.

    Parameters
    ----------
    connection
        A session; the spine is registered in it meanwhile.
    snapshot
        What is known.
    table
        The anchor's table.
    spine
        Rows of :func:`spine_rows`.
    """
    name = table.id_column
    if name is None or name not in spine.column_names or not spine.column("__seq").null_count:
        return spine
    same = [name] if table.time is None else [name, table.time]
    on = " AND ".join(f"t.{quote(c)} = CAST(s.{quote(c)} AS {table.columns[c]})" for c in same)
    relation = snapshot.relation(connection, table.name)
    hold(connection, "__unplaced", spine)
    found = connection.execute(
        f"SELECT coalesce(s.__seq, t.__seq) AS seq FROM __unplaced s LEFT JOIN {relation} t ON {on} ORDER BY s.__row"
    ).to_arrow_table()
    connection.execute("DROP TABLE __unplaced")
    return spine.set_column(spine.column_names.index("__seq"), "__seq", found.column("seq"))


def _dicts(rows: list[Any] | dict[str, Any]) -> list[dict[str, Any]]:
    dicts = [rows] if isinstance(rows, dict) else rows
    for number, row in enumerate(dicts):
        if not isinstance(row, dict):
            raise RowError(f"a row of the spine is a dict, not {type(row).__name__}", row=number)
    return dicts


def _from_dicts(dicts: list[dict[str, Any]], columns: Mapping[str, str]) -> pa.Table:
    """Dicts as an Arrow table of ``seq`` and those anchor columns that any of them has, values coerced one by one."""
    types = {SEQ: "BIGINT"} | dict(columns)
    given = {name.casefold() for row in dicts for name in row}
    present = {name: kind for name, kind in types.items() if name.casefold() in given or not dicts}
    folded = {name.casefold() for name in present}
    return to_table(present, [{n: v for n, v in row.items() if n.casefold() in folded} for row in dicts])
