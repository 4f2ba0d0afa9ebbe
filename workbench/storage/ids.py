"""Ids: a table may name a column whose values name its rows; a row of a known id is not stored again.

Whether an id is known is decided inside the transaction that stores the row, with an index by id: no other process can
store anything meanwhile, so what the index and the log's tail hold is all there is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from workbench.storage.arrays import contiguous, int64_array
from workbench.storage.files import Files
from workbench.storage.keys import KeyCodec
from workbench.storage.lake import ROW_GROUP_ROWS, PartWriter
from workbench.storage.log import Append, read_records
from workbench.storage.model import SEQ, IndexSpec, Part, Receipt, StoredTable
from workbench.storage.session import connect, hold, quoted, text
from workbench.storage.snapshot import Snapshot
from workbench.storage.tables import find_table
from workbench.values.types import arrow_schema, arrow_type

if TYPE_CHECKING:
    from workbench.storage.reader import IndexReader


def id_index(table: StoredTable) -> IndexSpec:
    """Return the index by id of a table that has one."""
    assert table.id_column is not None
    return IndexSpec(table.name, (table.id_column,), table.time)


class AppendedIds:
    """Sifts the appends of one group commit; made inside its transaction.

    Parameters
    ----------
    reader
        Returns the reader of an index.
    """

    def __init__(self, reader: Callable[[IndexSpec], IndexReader]) -> None:
        self._reader = reader
        self._new: dict[int, dict[object, int]] = {}

    def sift(self, append: Append, first_seq: int) -> None:
        """Leave rows of known ids out of an append whose first new row gets ``first_seq``.

        Rows that the same group stores are known, and so are earlier rows of the same append.
        """
        assert append.batch is not None and append.table.id_column is not None
        ids = contiguous(append.batch.column(append.table.id_column))
        codec = KeyCodec(append.table.id_column, append.table.columns[append.table.id_column])
        stored = self._reader(id_index(append.table)).seqs(ids.to_pylist())
        new = self._new.setdefault(append.table.id, {})
        keep: list[int] = []
        for row, (value, seq) in enumerate(zip(codec.physical(ids).to_pylist(), stored, strict=True)):
            known = new.get(value) if seq is None else seq
            if known is None:
                new[value] = first_seq + len(keep)
                keep.append(row)
            else:
                append.known.append((row, known))
        if append.known:
            append.take(keep)


@dataclass(frozen=True)
class Sifted:
    """A part without the rows of known ids: how many there were, how many of them differ, and what was known then."""

    part: Part
    known: int
    different: int
    cut: int


class LoadedIds:
    """Sifts parts that are loaded past the log; the table's lock is held.

    Parameters
    ----------
    files
        The project's files.
    snapshot
        Returns what is known now.
    """

    def __init__(self, files: Files, snapshot: Callable[[], Snapshot]) -> None:
        self._files = files
        self._snapshot = snapshot

    def sift(self, table: StoredTable, part: Part) -> Sifted:
        """Return the part without rows of ids that are stored or stand in it before; the given file stays."""
        with (
            self._snapshot() as snapshot,
            self._files.spill_directory() as spill,
            connect(readable=[self._files.root / "lake"], temp_directory=spill) as connection,
        ):
            new = self._relation(part)
            stored = None if table.id == 0 else snapshot.relation(connection, table.name)
            name = quoted(str(table.id_column))
            connection.execute(f"CREATE TEMP TABLE known AS {_known(new, stored, name)}")
            known = _count(connection, "known")
            if not known:
                return Sifted(part, 0, 0, snapshot.cut)
            different = self._different(connection, table, new, stored)
            kept = f"SELECT * FROM {new} n ANTI JOIN known k ON k.row = n.{SEQ} ORDER BY n.{SEQ}"
            return Sifted(self._written(connection, table, kept), known, different, snapshot.cut)

    def overtaken(self, connection: sqlite3.Connection, table: StoredTable, sifted: Sifted) -> bool:
        """Whether an id of the part was appended since it was sifted; ask inside the committing transaction."""
        assert table.id_column is not None
        since = read_records(connection, find_table(connection, table.name), sifted.cut)
        if not since:
            return False
        ids = pa.Table.from_batches([record.batch.select([table.id_column]) for record in since])
        with connect(readable=[self._files.root / "lake"]) as session:
            hold(session, "since", ids)
            name, kind = quoted(table.id_column), table.columns[table.id_column]
            new = self._relation(sifted.part)
            both = f"{new} n SEMI JOIN since s ON CAST(s.{name} AS {kind}) = CAST(n.{name} AS {kind})"
            return _count(session, both) > 0

    def _relation(self, part: Part) -> str:
        return f"read_parquet({text(str(self._files.root / part.path))})"

    def _different(
        self, connection: duckdb.DuckDBPyConnection, table: StoredTable, new: str, stored: str | None
    ) -> int:
        differs = differing(table, "n", "s")
        again = f"known k JOIN {new} n ON n.{SEQ} = k.row JOIN {new} s ON s.{SEQ} = k.of WHERE NOT k.stored"
        count = _count(connection, f"{again} AND {differs}")
        if stored is not None:
            before = (
                f"known k JOIN {new} n ON n.{SEQ} = k.row JOIN {stored} s ON s.{SEQ} = k.of WHERE k.stored"
            )
            count += _count(connection, f"{before} AND {differs}")
        return count

    def _written(self, connection: duckdb.DuckDBPyConnection, table: StoredTable, query: str) -> Part:
        schema = arrow_schema(table.columns)
        rows = 0
        with PartWriter(self._files, table) as writer:
            for batch in connection.execute(query).to_arrow_reader(ROW_GROUP_ROWS):
                chunk = pa.Table.from_batches([batch])
                arrays = [contiguous(chunk.column(f.name), arrow_type(table.columns[f.name])) for f in schema]
                count = chunk.num_rows
                writer.write(
                    pa.Table.from_arrays(arrays, schema=schema), np.arange(rows, rows + count, dtype=np.int64)
                )
                rows += count
        return writer.part()


def with_known(
    receipt: Receipt,
    append: Append,
    rows: pa.Table,
    snapshot: Callable[[], Snapshot],
    session: Callable[[], duckdb.DuckDBPyConnection],
) -> Receipt:
    """Return the receipt of an append with how many of ``rows`` were known, and how many of those differ."""
    if receipt.replayed:
        return replace(receipt, known=rows.num_rows - receipt.accepted)
    if not append.known:
        return receipt
    seqs = [seq for _, seq in append.known]
    given = rows.take(pa.array([row for row, _ in append.known]))
    given = given.append_column(SEQ, int64_array(np.array(seqs, dtype=np.int64)))
    with snapshot() as pinned, session() as connection:
        hold(connection, "given", given)
        stored = pinned.relation(connection, append.table.name, seqs=sorted(set(seqs)))
        same = f"given n JOIN {stored} s ON s.{SEQ} = n.{SEQ}"
        different = _count(connection, f"{same} WHERE {differing(append.table, 'n', 's')}")
    return replace(receipt, known=len(append.known), different=different)


def differing(table: StoredTable, left: str, right: str) -> str:
    """Return SQL of whether two rows of a table differ in any column."""
    return " OR ".join(
        f"CAST({left}.{quoted(name)} AS {kind}) IS DISTINCT FROM CAST({right}.{quoted(name)} AS {kind})"
        for name, kind in table.columns.items()
    ).join("()")


def _known(new: str, stored: str | None, name: str) -> str:
    """The query of rows of known ids: ``row``, and ``of``, the first row of the id, ``stored`` or of the same part."""
    repeated = f"SELECT {name}, min({SEQ}) AS first FROM {new} GROUP BY {name} HAVING count(*) > 1"
    again = (
        f"SELECT n.{SEQ} AS row, f.first AS of, false AS stored FROM {new} n JOIN ({repeated}) f "
        f"ON f.{name} = n.{name} AND n.{SEQ} > f.first"
    )
    if stored is None:
        return again
    before = (
        f"SELECT n.{SEQ} AS row, min(s.{SEQ}) AS of, true AS stored FROM {new} n JOIN {stored} s "
        f"ON s.{name} = n.{name} GROUP BY n.{SEQ}"
    )
    return f"WITH before AS ({before}) FROM before UNION ALL ({again} ANTI JOIN before b ON b.row = n.{SEQ})"


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0]) if row else 0
