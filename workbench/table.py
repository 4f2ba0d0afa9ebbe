"""The handle on a table: append rows, look at them."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

    from workbench.catalog.tables import TableSpec
    from workbench.storage import Receipt, Storage

#: A stream longer than this is loaded past the log, batch by batch.
_STREAMED_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class TableStats:
    """What a table holds: rows, bytes on disk without indexes, the span of its times (UTC), its last arrival number."""

    rows: int
    bytes: int
    first_time: datetime | None
    last_time: datetime | None
    last_seq: int


class Table:
    """A table of a project.

    Parameters
    ----------
    storage
        The project's storage.
    name
        The table's name, without regard to case.

    Raises
    ------
    NotFound
        There is no such table.

    Examples
    --------
    >>> transactions = project.table("transactions")                    # doctest: +SKIP
    >>> transactions.append({"card_id": 7, "amount": 12.5, "ts": "2026-01-02T03:04:05Z"})  # doctest: +SKIP
    Receipt(accepted=1, first_seq=1001, last_seq=1001, replayed=False, known=0, different=0)
    """

    def __init__(self, storage: Storage, name: str) -> None:
        from workbench.catalog import tables

        self._storage = storage
        self._name = tables.get(storage, name).name

    @property
    def _spec(self) -> TableSpec:
        """The definition as it is now: another process may have added a column."""
        from workbench.catalog import tables

        return tables.get(self._storage, self._name)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._name

    @property
    def columns(self) -> dict[str, str]:
        """Column names and their DuckDB types, in order."""
        return dict(self._spec.columns)

    @property
    def time(self) -> str | None:
        """The event-time column; None when rows are ordered by arrival alone."""
        return self._spec.time

    @property
    def id(self) -> str | None:
        """The column that names rows; appending a row of a known id does nothing."""
        return self._spec.id

    @property
    def options(self) -> dict[str, str]:
        """Those of ``ttl``, ``delay``, ``known`` and ``id`` that the table has."""
        given = {name: getattr(self._spec, name) for name in ("ttl", "delay", "known", "id")}
        return {name: value for name, value in given.items() if value is not None}

    def append(self, rows: Any, token: str | None = None) -> Receipt:
        """Add rows: all or nothing, durable and visible to everybody when it returns.

        Parameters
        ----------
        rows
            A dict, a list of dicts, a pandas or Polars DataFrame, an Arrow table or stream, or an Ibis table. Columns
            that are left out are NULL, except the time column, which must be there, and columns with a default of
            :meth:`add_column`. Long streams need no memory.
        token
            Makes a retry safe: the same rows under the same token are stored once, for a week.

        Returns
        -------
        Receipt
            How many rows are new and which arrival numbers they got. Of a table with an id, ``known`` says how many
            were left out because a row of their id is stored, and ``different`` how many of those have another content.

        Raises
        ------
        RowError
            A value cannot be held exactly, a column is unknown, a time is missing or in the future, or an id is NULL.
        Conflict
            Other rows were appended under this token.
        """
        from workbench.storage.added import without_defaults
        from workbench.values.coerce import coerced_reader, to_table
        from workbench.values.content import Fingerprint

        spec = self._spec
        columns, defaults = spec.columns, spec.defaults
        required = (spec.time,) if spec.time else ()
        stream = None if token is not None else _stream(rows)
        if stream is not None:
            with stream:
                reader = coerced_reader(columns, stream, required=required, defaults=defaults)
                return self._append_stream(reader)
        table = to_table(columns, rows, required=required, defaults=defaults)
        if token is None:
            return self._storage.append(self.name, table)
        # Columns that were left out are no part of the body: a retry after one was added is the same.
        given = without_defaults(self._storage.table(self.name), table)
        body = Fingerprint(given.schema)
        body.add(given)
        return self._storage.append(self.name, table, token=token, body_hash=body.hex())

    def add_column(self, name: str, type: str, default: Any = None) -> Table:
        """Give the table a further column; nothing is reloaded, and requests go on meanwhile.

        Parameters
        ----------
        name
            The new column's name. It comes last.
        type
            Its DuckDB type, such as ``"VARCHAR"`` or ``"DECIMAL(9,2)"``.
        default
            What it is in the rows that are stored already, and in those that are appended without it; None is NULL.

        Returns
        -------
        Table
            This table. Views can use the column at once, in every process.

        Raises
        ------
        WorkbenchError
            The name is taken or reserved, a column cannot have the type, or the type cannot hold the default exactly.

        Examples
        --------
        >>> project.table("transactions").add_column("channel", "VARCHAR", default="web")  # doctest: +SKIP
        """
        from workbench.catalog import tables

        tables.add_column(self._storage, self._name, name, type, default)
        return self

    def count(self) -> int:
        """Return the number of rows."""
        return self._storage.row_count(self.name)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the ``n`` oldest rows by (time, arrival) as a pandas DataFrame, oldest first."""
        return self._rows(n, "ASC")

    def tail(self, n: int = 5) -> pd.DataFrame:
        """Return the ``n`` newest rows by (time, arrival) as a pandas DataFrame, newest last."""
        return self._rows(n, "DESC").iloc[::-1].reset_index(drop=True)

    def to_ibis(self) -> ir.Table:
        """Return the table as an Ibis expression: to define views on, to look at, to join with ``view.to_ibis()``.

        It holds the rows that are known now, on a DuckDB session of the project; a view that is defined on it is of
        the table, whatever rows come.

        Examples
        --------
        >>> tx = project.table("transactions").to_ibis()                    # doctest: +SKIP
        >>> tx.count().execute()                                            # doctest: +SKIP
        1000
        """
        from workbench.offline.ibis_session import table_expression

        return table_expression(self._storage, self.name)

    def stats(self) -> TableStats:
        """Return how much the table holds, without reading it."""
        return TableStats(**self._storage.table_stats(self.name))

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"Table({self.name!r}, {self.stats().rows:,} rows, {self._order()}: {columns})"

    def _repr_html_(self) -> str:
        stats = self.stats()
        span = f", {stats.first_time} to {stats.last_time} UTC" if stats.first_time else ""
        head = f"<b>{html.escape(self.name)}</b>: {stats.rows:,} rows, {html.escape(self._order())}{span}"
        cells = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name)}</td>"
            f"<td style='text-align:left'>{html.escape(kind)}</td></tr>"
            for name, kind in self.columns.items()
        )
        names = "<tr><th>column</th><th>type</th></tr>"
        return f"<div>{head}<table><thead>{names}</thead><tbody>{cells}</tbody></table></div>"

    def _order(self) -> str:
        order = f"time {self.time}" if self.time else "ordered by arrival"
        return order + "".join(f", {name} {value}" for name, value in self.options.items())

    def _append_stream(self, reader: pa.RecordBatchReader) -> Receipt:
        import pyarrow as pa

        first: list[pa.RecordBatch] = []
        size = 0
        batches: Iterator[pa.RecordBatch] = iter(reader)
        for batch in batches:
            first.append(batch)
            size += batch.nbytes
            if size > _STREAMED_BYTES:
                everything = pa.RecordBatchReader.from_batches(reader.schema, itertools.chain(first, batches))
                return self._storage.bulk_load(self.name, everything)
        return self._storage.append(self.name, pa.Table.from_batches(first, schema=reader.schema))

    def _rows(self, n: int, direction: str) -> pd.DataFrame:
        if n < 0:
            raise WorkbenchError(f"the number of rows cannot be {n}", hint="give 0 or more")
        order = [f"{_quoted(self.time)} {direction}"] if self.time else []
        order.append(f"__seq {direction}")
        columns = ", ".join(_quoted(name) for name in self.columns)
        with self._storage.snapshot() as snapshot, self._storage.connect() as connection:
            relation = snapshot.relation(connection, self.name)
            sql = f"SELECT {columns} FROM {relation} ORDER BY {', '.join(order)} LIMIT {int(n)}"
            return connection.execute(sql).df()


def _stream(rows: Any) -> pa.RecordBatchReader | None:
    """Return a reader over rows that are not in memory yet, or None."""
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatchReader):
        return rows
    return rows.to_pyarrow_batches() if hasattr(rows, "to_pyarrow_batches") else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
