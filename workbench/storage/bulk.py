"""Bulk loads: rows of any number become one lake file and one commit."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from workbench.errors import NotFound, RowError
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.ids import LoadedIds, Sifted
from workbench.storage.index import Indexes, paths_of
from workbench.storage.lake import PartWriter
from workbench.storage.log import Append, find_token, note_position, note_token, store_bad
from workbench.storage.manifest import (
    bump_version,
    insert_part,
    insert_segment_files,
    read_manifest,
    reserve_seq,
)
from workbench.storage.model import ColumnFile, Part, Receipt, StoredIndex, StoredTable
from workbench.storage.quarantine import MOST_ROWS, good_rows, quarantine_of
from workbench.storage.tables import check_ids, check_schema, check_times, conform, insert_table

Extra = Callable[[sqlite3.Connection], None]


class BulkLoader:
    """Loads rows past the log.

    The file is written with relative seq before anything is reserved; then, under the table's lock, the segments of the
    table's indexes are built from it, and one commit gives the file its place in the order.
    """

    def __init__(self, database: Database, files: Files, indexes: Indexes, ids: LoadedIds) -> None:
        self._database = database
        self._files = files
        self._indexes = indexes
        self._ids = ids

    def load(
        self,
        table: StoredTable,
        reader: pa.RecordBatchReader,
        *,
        token: str | None = None,
        body_hash: str | None = None,
        source_position: str | None = None,
        progress: Callable[[int], None] | None = None,
        tx_extra: Extra | None = None,
    ) -> Receipt:
        """Load all rows of a reader; see :meth:`Storage.bulk_load`."""
        part, digest, bad = self._write(
            table, reader, progress, hashed=token is not None and body_hash is None
        )
        append = Append(table, b"", part.rows, None, token, body_hash or digest, source_position, bad=bad)
        placed: Part | None = None
        try:
            with self._files.lock(f"table-{table.id}") if table.id else contextlib.nullcontext():
                placed, receipt = self._place(append, part, tx_extra)
            return receipt
        finally:
            if placed is not part:
                self._files.discard(part.path)

    def _place(self, append: Append, part: Part, tx_extra: Extra | None) -> tuple[Part | None, Receipt]:
        """Commit a part, or what it holds of new ids; return the part that was committed, if any, and the receipt."""
        table = append.table
        indexes: list[StoredIndex] = []
        if table.id and part.rows:
            with self._database.reading() as connection:
                found = read_manifest(connection).indexes.values()
            indexes = [index for index in found if index.table_id == table.id]
        if table.id_column is None or not part.rows:
            return self._commit(append, part, indexes, tx_extra, None)
        while True:
            sifted = self._ids.sift(table, part)
            placed = None
            try:
                placed, receipt = self._commit(append, sifted.part, indexes, tx_extra, sifted)
            except _OvertakenError:
                continue
            finally:
                if sifted.part not in (part, placed):
                    self._files.discard(sifted.part.path)
            if receipt.replayed:
                return placed, replace(receipt, known=part.rows - receipt.accepted)
            return placed, replace(receipt, known=sifted.known, different=sifted.different)

    def _write(
        self,
        table: StoredTable,
        reader: pa.RecordBatchReader,
        progress: Callable[[int], None] | None,
        *,
        hashed: bool,
    ) -> tuple[Part, str | None, pa.Table | None]:
        check_schema(table, reader.schema)
        bad: list[pa.Table] = []
        digest = hashlib.sha256() if hashed else None
        with PartWriter(self._files, table) as writer:
            rows = stored = 0
            for batch in reader:
                chunk, refused = good_rows(
                    table, conform(table, pa.Table.from_batches([batch])), first_row=rows
                )
                if refused is not None:
                    chunk = chunk.combine_chunks()
                    bad.append(refused)
                    _require_few(table, bad)
                if table.time is not None and chunk.num_rows:
                    check_times(table, chunk.column(table.time).chunk(0), first_row=rows)
                if table.id_column is not None and chunk.num_rows:
                    check_ids(table, chunk.column(table.id_column).chunk(0), first_row=rows)
                writer.write(chunk, np.arange(stored, stored + chunk.num_rows, dtype=np.int64))
                stored += chunk.num_rows
                if digest is not None:
                    digest.update(batch.serialize())
                rows += batch.num_rows
                if progress is not None:
                    progress(rows)
        return writer.part(), digest.hexdigest() if digest else None, pa.concat_tables(bad) if bad else None

    def _commit(
        self,
        append: Append,
        part: Part,
        indexes: list[StoredIndex],
        tx_extra: Extra | None,
        sifted: Sifted | None,
    ) -> tuple[Part | None, Receipt]:
        built: dict[int, list[ColumnFile]] = {}
        placed: Part | None = None
        try:
            built = self._indexes.build_for(append.table, part, indexes if part.rows else [])
            with self._database.transaction() as connection:
                if append.table.id == 0:
                    append.table = insert_table(connection, append.table)
                    if append.table.checks is not None and append.table.checks["on_invalid"] == "quarantine":
                        quarantine_of(connection, append.table)
                elif not _exists(connection, append.table):
                    raise NotFound(f"table {append.table.name!r} was dropped")
                elif sifted is not None and self._ids.overtaken(connection, append.table, sifted):
                    raise _OvertakenError
                replayed = find_token(connection, append)
                if replayed is None:
                    receipt = _store(connection, append, part, built)
                    if append.bad is not None:
                        store_bad(connection, append.table, append.bad)
                    if tx_extra is not None:
                        tx_extra(connection)
            if replayed is None and part.rows:
                placed = part
        finally:
            if placed is None:
                self._files.discard(*paths_of(built))
        return placed, replayed or receipt


class _OvertakenError(Exception):
    """Rows of the same ids were appended meanwhile: sift again."""


def _require_few(table: StoredTable, bad: list[pa.Table]) -> None:
    if sum(rows.num_rows for rows in bad) > MOST_ROWS:
        first = bad[0].slice(0, 1).to_pylist()[0]
        raise RowError(
            f"more than {MOST_ROWS:,} rows fail the checks of table {table.name!r}; row {first['row']},"
            f" {first['reason']}",
            row=first["row"],
            hint="mend the source or the schema; nothing was stored",
        )


def _exists(connection: sqlite3.Connection, table: StoredTable) -> bool:
    return connection.execute("SELECT 1 FROM tables WHERE id = ?", (table.id,)).fetchone() is not None


def _store(
    connection: sqlite3.Connection, append: Append, part: Part, built: dict[int, list[ColumnFile]]
) -> Receipt:
    first = reserve_seq(connection, part.rows)
    if part.rows:
        bump_version(connection)
        placed = replace(
            part,
            table_id=append.table.id,
            base_seq=first,
            min_seq=part.min_seq + first,
            max_seq=part.max_seq + first,
        )
        part_id = insert_part(connection, placed)
        for index_id, files in built.items():
            insert_segment_files(connection, index_id, part_id, files)
    bad = append.bad.num_rows if append.bad is not None else 0
    receipt = Receipt(part.rows, first, first + part.rows - 1, quarantined=bad)
    note_token(connection, append, receipt)
    if append.source_position is not None:
        note_position(connection, append.table.id, append.source_position)
    return receipt
