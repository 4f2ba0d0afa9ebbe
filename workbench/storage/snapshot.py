"""Snapshots: all tables as they were at one seq, for bulk reading with DuckDB."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from workbench.errors import StorageError
from workbench.storage.added import selected
from workbench.storage.arrays import int64_array
from workbench.storage.files import Files
from workbench.storage.lake import count_until
from workbench.storage.manifest import TableEntry
from workbench.storage.model import SEQ, Part, StoredTable
from workbench.storage.session import hold, quoted, text
from workbench.storage.tables import no_such_table
from workbench.storage.tail import State, Tail
from workbench.values.types import arrow_schema

_numbers = itertools.count(1)


class Snapshot:
    """Rows with ``seq <= cut``; its files stay until :meth:`close`.

    >>> with storage.snapshot() as snapshot, storage.connect() as connection:      # doctest: +SKIP
    ...     connection.sql(f"SELECT count(*) FROM {snapshot.relation(connection, 'transactions')}")
    """

    def __init__(self, tail: Tail, files: Files, cut: int | None) -> None:
        self._files = files
        self._lease: Path | None = None
        # The lease names a version that is known already, then the state is taken: nothing that this state, which is
        # that version or a later one, refers to can go in between.
        self._lease = files.take_lease(tail.state().manifest.version)
        self._state: State = tail.state()
        self.cut = self._state.last_seq if cut is None else min(cut, self._state.last_seq)
        self._tails: list[tuple[duckdb.DuckDBPyConnection, str, str]] = []

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._lease is not None:
            self._files.end_lease(self._lease)

    def close(self) -> None:
        """Give the files free and take back what was made in DuckDB connections."""
        if self._lease is None:
            return
        self._files.end_lease(self._lease)
        self._lease = None
        for connection, _, name in self._tails:
            # The connection may be closed already, which removed its tables.
            with contextlib.suppress(duckdb.Error):
                connection.execute(f"DROP TABLE IF EXISTS {name}")

    def table(self, name: str) -> StoredTable:
        """Return a table as it is in this snapshot; NotFound with the closest name when there is none."""
        return self._entry(name).table

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        *,
        narrowing: str = "",
        seqs: Collection[int] | None = None,
    ) -> str:
        """Return SQL for FROM that gives every row of a table with ``seq <= cut``: its columns and ``__seq``.

        Parameters
        ----------
        connection
            Where the SQL will run; rows that are not in files yet are copied there under a private name. It must
            be able to read the project's lake, as those of :meth:`Storage.connect` are.
        table
            The table's name.
        narrowing
            SQL that follows ``FROM … r`` over the columns of the rows ``r``, without ``__seq``: a join or condition
            that leaves rows out. Said here it is applied while files are read.
        seqs
            Only rows of these seqs: files and row groups without any of them are not read.
        """
        if self._lease is None:
            raise StorageError("the snapshot is closed", hint="run the query inside its with block")
        entry = self._entry(table)
        columns = selected(entry.table, len(entry.table.columns))
        branches = []
        for parts in self._groups(entry):
            wanted = None if seqs is None else _within(parts, seqs)
            if wanted is None or wanted:
                branches.append(self._files_branch(entry.table, parts, narrowing, wanted))
        tail = self._tail_table(entry)
        if tail is not None:
            name = self._held(connection, entry.table.name, tail)
            among = "" if seqs is None else f" WHERE {SEQ} IN ({_numbers_of(seqs)})"
            rows = f"SELECT {columns}, {SEQ} FROM {name}{among}"
            branches.append(f"SELECT r.* FROM ({rows}) r{narrowing}")
        if not branches:
            nulls = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in entry.table.columns.items())
            branches.append(f"SELECT {nulls}, NULL::BIGINT AS {SEQ} WHERE false")
        return f"({' UNION ALL '.join(branches)})"

    def _held(self, connection: duckdb.DuckDBPyConnection, table: str, tail: pa.Table) -> str:
        """The name of a temporary table with the rows of a table that are not in files yet."""
        known = next((n for c, t, n in self._tails if c is connection and t == table), None)
        if known is not None:
            return known
        name = f"__wb_tail_{next(_numbers)}"
        hold(connection, name, tail)
        self._tails.append((connection, table, name))
        return name

    def floors(self) -> Mapping[str, int]:
        """Return, for each table of which rows have expired, the time (µs) before which they may be gone."""
        return self._state.manifest.floors

    def row_count(self, table: str) -> int:
        """Return how many rows the table has in this snapshot."""
        entry = self._entry(table)
        whole = sum(part.rows for part in entry.parts if part.max_seq <= self.cut)
        split = [part for part in entry.parts if part.min_seq <= self.cut < part.max_seq]
        tail, _ = self._state.delta(entry.table.id).until(self.cut, arrow_schema(entry.table.columns))
        return whole + sum(count_until(self._files, part, self.cut) for part in split) + tail.num_rows

    def _entry(self, name: str) -> TableEntry:
        known = self._state.manifest.by_name
        if name not in known:
            raise no_such_table(name, list(known))
        return known[name]

    def _groups(self, entry: TableEntry) -> list[list[Part]]:
        """Group what one scan can read: of the same base and columns, and all visible or all needing the filter."""
        groups: dict[tuple[int, int, bool], list[Part]] = {}
        for part in entry.parts:
            if part.min_seq <= self.cut:
                groups.setdefault((part.base_seq, part.columns, part.max_seq > self.cut), []).append(part)
        return list(groups.values())

    def _files_branch(
        self, table: StoredTable, parts: list[Part], narrowing: str, seqs: list[int] | None
    ) -> str:
        base = parts[0].base_seq
        columns = selected(table, parts[0].columns)
        paths = ", ".join(text(str(self._files.root / part.path)) for part in parts)
        conditions = []
        if any(part.max_seq > self.cut for part in parts):
            conditions.append(f"{SEQ} <= {self.cut - base}")
        if seqs is not None:
            conditions.append(f"{SEQ} IN ({_numbers_of(seq - base for seq in seqs)})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # Arithmetic on seq comes last: below a condition it would keep DuckDB from skipping row groups.
        seq = f"r.* REPLACE (r.{SEQ} + {base} AS {SEQ})" if base else "r.*"
        return f"SELECT {seq} FROM (SELECT {columns}, {SEQ} FROM read_parquet([{paths}]){where}) r{narrowing}"

    def _tail_table(self, entry: TableEntry) -> pa.Table | None:
        delta = self._state.delta(entry.table.id)
        rows, seqs = delta.until(self.cut, arrow_schema(entry.table.columns))
        if rows.num_rows == 0:
            return None
        return rows.append_column(SEQ, int64_array(seqs))


def _within(parts: list[Part], seqs: Collection[int]) -> list[int]:
    return [seq for seq in seqs if any(part.min_seq <= seq <= part.max_seq for part in parts)]


def _numbers_of(values: Iterable[int]) -> str:
    return ", ".join(map(str, values)) or "NULL"
