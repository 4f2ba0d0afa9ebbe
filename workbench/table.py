"""The handle on a table: append rows, look at them."""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
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


@dataclass(frozen=True, repr=False)
class TableStats:
    """What a table holds and what housekeeping did to it.

    Attributes
    ----------
    rows, bytes
        All of them, and what they take on disk without indexes.
    first_time, last_time
        The span of their times (UTC).
    last_seq
        The last arrival number.
    parts
        How many files they are in.
    log_rows, log_bytes
        Those of them that are in the log still and not in files.
    index_bytes
        What each index takes on disk.
    flushed_at, merged_at, expired_at
        When (UTC) rows were last moved from the log into files, files last merged, and rows last dropped because they
        had expired.
    expired_rows, expired_before
        How many expired rows are gone, and before which time (UTC) rows may be.
    """

    rows: int
    bytes: int
    first_time: datetime | None
    last_time: datetime | None
    last_seq: int
    parts: int = 0
    log_rows: int = 0
    log_bytes: int = 0
    index_bytes: Mapping[str, int] = field(default_factory=dict)
    flushed_at: datetime | None = None
    merged_at: datetime | None = None
    expired_at: datetime | None = None
    expired_rows: int = 0
    expired_before: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name; times as ISO-8601 text."""
        return {
            item.name: value.isoformat() + "Z" if isinstance(value, datetime) else value
            for item in fields(self)
            for value in [getattr(self, item.name)]
        }

    def lines(self) -> list[tuple[str, str]]:
        """Return what to show, as name and text."""
        span = f"{self.first_time} to {self.last_time} UTC" if self.first_time else "none"
        shown = [
            ("rows", f"{self.rows:,}, last seq {self.last_seq:,}"),
            ("times", span),
            ("files", f"{self.parts:,}, {_size(self.bytes - self.log_bytes)}"),
            ("log", f"{self.log_rows:,} rows, {_size(self.log_bytes)}"),
            *((f"index {name}", _size(size)) for name, size in self.index_bytes.items()),
            *((name.replace("_at", ""), f"{value:%Y-%m-%d %H:%M:%S} UTC") for name, value in self._done()),
        ]
        if self.expired_before is not None:
            shown.append(("expired rows", f"{self.expired_rows:,}, before {self.expired_before} UTC"))
        return shown

    def _done(self) -> list[tuple[str, datetime]]:
        times = [(name, getattr(self, name)) for name in ("flushed_at", "merged_at", "expired_at")]
        return [(name, value) for name, value in times if value is not None]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.lines())
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.lines())

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name)}</td>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self.lines()
        )
        return f"<table><tbody>{cells}</tbody></table>"


@dataclass(frozen=True)
class Erasure:
    """What :meth:`Table.erase` did.

    Attributes
    ----------
    rows
        How many rows were erased.
    scrubbed
        Whether their bytes are gone from the project's folder; False while somebody still reads old files, with which
        they go.
    views
        The views that read the table: training sets and exports made of them before are copies outside of the project,
        and are not touched.
    """

    rows: int
    scrubbed: bool
    views: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.rows:,} rows erased"
        if not self.scrubbed:
            text += "; their bytes go when those who still read old files are done"
        if self.views:
            text += f"\nnot touched: training sets and exports that were made of {', '.join(self.views)}"
        return text


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
        """Those of ``ttl``, ``delay``, ``known``, ``keep`` and ``id`` that the table has."""
        given = {name: getattr(self._spec, name) for name in ("ttl", "delay", "known", "keep", "id")}
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

    def compact(self, progress: Callable[[float], None] | None = None) -> TableStats:
        """Move all rows into files, as few as possible and sorted; drop what has expired. Returns the stats after.

        Requests and appends go on meanwhile, and what is read stays the same. It happens by itself bit by bit; do it
        after many small loads.

        Parameters
        ----------
        progress
            Called with the finished share between 0 and 1.
        """
        from workbench.catalog.expiry import horizons

        before = horizons(self._storage).get(self.name)
        if before is not None:
            self._storage.expire(self.name, before)
        self._storage.compact(self.name, progress)
        return self.stats()

    def erase(self, key: Mapping[str, Any] | None = None, where: Mapping[str, Any] | None = None) -> Erasure:
        """Erase the rows of an entity for good, from both sides in one step: log, files and indexes are written anew.

        Arrival numbers of the other rows stay. Kept answers of requests that the table's views gave are erased too.

        Parameters
        ----------
        key
            Column to value, such as ``{"card_id": 7}``; a row must have all of them. None is NULL.
        where
            Further columns and values of the same kind.

        Returns
        -------
        Erasure
            How many rows are gone, whether their bytes are, and what is not touched.

        Raises
        ------
        WorkbenchError
            No column is given, one is unknown, or a value cannot be of its column's type.

        Examples
        --------
        >>> print(project.table("transactions").erase({"card_id": 7}))      # doctest: +SKIP
        12 rows erased
        not touched: training sets and exports that were made of card_risk
        """
        from workbench.catalog.erasure import erase

        erased, views = erase(self._storage, self.name, {**(key or {}), **(where or {})})
        return Erasure(erased.rows, erased.scrubbed, views)

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


def _size(size: int) -> str:
    number, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"


def _stream(rows: Any) -> pa.RecordBatchReader | None:
    """Return a reader over rows that are not in memory yet, or None."""
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatchReader):
        return rows
    return rows.to_pyarrow_batches() if hasattr(rows, "to_pyarrow_batches") else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
