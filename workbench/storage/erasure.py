"""Erasing rows for good: out of the log, the lake, every index, and the pages and logs that the database leaves behind.

One commit takes the rows out of everything that is read, so nobody ever sees half of it, and a crash before it changes
nothing. What it leaves on disk (files that readers still hold, free pages and the write-ahead log of the database) is
cleared right after; the same commit notes that this is to do, so that whoever comes next does it after a crash.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.errors import WorkbenchError, did_you_mean
from workbench.storage.added import constant_sql, constant_text, schema_at
from workbench.storage.arrays import contiguous, int64_array
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.lake import PartWriter, merge_parts
from workbench.storage.log import Record, encode_batch, read_records
from workbench.storage.model import SEQ, Part, StoredTable
from workbench.storage.publish import Change, Contents, Publisher
from workbench.storage.scan import part_relation
from workbench.storage.session import connect, hold, quoted
from workbench.storage.tables import microseconds

Extra = Callable[[sqlite3.Connection], None]
SCRUB = "scrub"
CHECKPOINT_SECONDS = 10.0
Seqs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Erased:
    """How many rows were erased, and whether their bytes are gone from the disk or wait for readers to finish."""

    rows: int
    scrubbed: bool


class Eraser:
    """Erases rows of tables."""

    def __init__(self, database: Database, files: Files, publisher: Publisher) -> None:
        self._database = database
        self._files = files
        self._publisher = publisher

    def erase(self, table_id: int, values: Mapping[str, Any], extra: Extra | None = None) -> Erased:
        """Erase the rows whose columns have all these values; ``extra`` joins the commit. See :meth:`Storage.erase`."""
        rows = 0
        with self._files.lock(f"table-{table_id}"):
            contents = self._publisher.contents(table_id, log=True)
            if contents is not None:
                rows = _Erasure(self._database, self._files, self._publisher, contents, values).run(extra)
        return Erased(rows, self.scrub())

    def scrub(self) -> bool:
        """Clear what erased rows left on disk, as far as readers allow; return whether all is gone."""
        self._files.collect()
        if not self._database.query("SELECT 1 FROM meta WHERE key = ?", (SCRUB,)):
            return True
        if self._database.query("SELECT 1 FROM removals LIMIT 1"):
            return False
        self._database.maintain("VACUUM")
        deadline = time.monotonic() + CHECKPOINT_SECONDS
        while self._database.maintain("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (SCRUB,))
        return True


class _Erasure:
    """One erasure; the table's lock is held."""

    def __init__(
        self,
        database: Database,
        files: Files,
        publisher: Publisher,
        contents: Contents,
        values: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._files = files
        self._publisher = publisher
        self._contents = contents
        self._table: StoredTable = contents.entry.table
        self._condition = condition(self._table, values)
        self._rows = 0

    def run(self, extra: Extra | None) -> int:
        with (
            self._files.spill_directory() as spill,
            connect(readable=[self._files.root / "lake"], temp_directory=spill) as connection,
        ):
            parts: list[Part] = []
            try:
                replaced = self._parts(connection, parts)
                flushed = self._tail(connection, parts)
            except BaseException:
                self._files.discard(*(part.path for part in parts))
                raise

            def finish(transaction: sqlite3.Connection) -> None:
                self._late(transaction, connection)
                transaction.execute(
                    "UPDATE tables SET erasures = erasures + 1 WHERE id = ?", (self._table.id,)
                )
                transaction.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (SCRUB,))
                if extra is not None:
                    extra(transaction)

            self._publisher.publish(self._contents, Change(parts, replaced, flushed, None, finish))
        return self._rows

    def _parts(self, connection: duckdb.DuckDBPyConnection, written: list[Part]) -> list[Part]:
        """Write the parts that hold such rows anew, without them; return the old ones."""
        replaced = []
        for part in self._contents.entry.parts:
            relation = part_relation(self._files, self._table, part)
            found = connection.execute(f"SELECT count(*) FROM {relation} WHERE {self._condition}").fetchone()
            count = int(found[0]) if found else 0
            if count:
                self._rows += count
                replaced.append(part)
                if count < part.rows:
                    written.append(
                        merge_parts(self._files, self._table, [part], where=f"NOT ({self._condition})")
                    )
        return replaced

    def _tail(self, connection: duckdb.DuckDBPyConnection, written: list[Part]) -> Sequence[Record]:
        """Move the log's rows into a part when some of them are to go; return the records that it replaces."""
        records = self._contents.records
        gone = self._matching(connection, records)
        if not len(gone):
            return ()
        self._rows += len(gone)
        if len(gone) < sum(record.batch.num_rows for record in records):
            with PartWriter(self._files, self._table) as writer:
                for record in records:
                    kept = ~np.isin(record.seqs(), gone)
                    if kept.any():
                        rows = pa.Table.from_batches([record.batch])
                        writer.write(rows.take(int64_array(np.flatnonzero(kept))), record.seqs()[kept])
            written.append(writer.part())
        return records

    def _late(self, transaction: sqlite3.Connection, connection: duckdb.DuckDBPyConnection) -> None:
        """Take such rows out of the records that were stored since the log was read."""
        last = max((record.first_seq for record in self._contents.records), default=0)
        records = read_records(transaction, self._table, last)
        gone = self._matching(connection, records)
        self._rows += len(gone)
        for record in records:
            kept = ~np.isin(record.seqs(), gone)
            if not kept.all():
                _rewrite(transaction, self._table, record, kept)

    def _matching(self, connection: duckdb.DuckDBPyConnection, records: Sequence[Record]) -> Seqs:
        if not records:
            return np.zeros(0, np.int64)
        rows = pa.Table.from_batches([record.batch for record in records])
        rows = rows.append_column(SEQ, int64_array(np.concatenate([record.seqs() for record in records])))
        hold(connection, "__wb_tail", rows)
        found = connection.execute(f"SELECT {SEQ} FROM __wb_tail WHERE {self._condition}").fetchall()
        return np.array([row[0] for row in found], dtype=np.int64)


def condition(table: StoredTable, values: Mapping[str, Any]) -> str:
    """Return SQL of whether a row has all these values.

    Raises
    ------
    WorkbenchError
        There are none, a column is unknown, or a value cannot be of its column's type.
    """
    if not values:
        raise WorkbenchError("which rows are to be erased?", hint="give the value of at least one column")
    terms = []
    for name, value in values.items():
        if name not in table.columns:
            raise WorkbenchError(
                f"table {table.name!r} has no column {name!r}",
                hint=did_you_mean(name, table.columns) or f"the columns are {', '.join(table.columns)}",
                field=name,
            )
        kind = table.columns[name]
        constant = constant_sql(kind, constant_text(name, kind, value, "value"))
        terms.append(f"CAST({quoted(name)} AS {kind}) IS NOT DISTINCT FROM {constant}")
    return " AND ".join(terms)


def _rewrite(
    transaction: sqlite3.Connection, table: StoredTable, record: Record, kept: npt.NDArray[np.bool_]
) -> None:
    """Replace a log record by one for each run of rows that stay: their seq are consecutive in every record."""
    present = len(schema_at(table, record.first_seq))
    rows = pa.Table.from_batches([record.batch]).select(range(present))
    transaction.execute("DELETE FROM log WHERE first_seq = ?", (record.first_seq,))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2):
        run = rows.slice(int(begin), int(end - begin)).combine_chunks()
        # A slice would keep the bytes of its neighbours.
        run = run.take(int64_array(np.arange(run.num_rows)))
        first = last = None
        if table.time is not None:
            times = microseconds(contiguous(run.column(table.time)))
            first, last = int(times.min()), int(times.max())
        data = encode_batch(run)
        transaction.execute(
            "INSERT INTO log (first_seq, table_id, rows, first_time, last_time, bytes, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (record.first_seq + int(begin), table.id, run.num_rows, first, last, len(data), data),
        )
