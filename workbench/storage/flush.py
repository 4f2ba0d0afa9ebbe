"""Moving the tail of the log into the lake, and keeping the number of parts small."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.index import Indexes, paths_of
from workbench.storage.lake import PartWriter, merge_parts
from workbench.storage.log import Record, expire_tokens, read_records
from workbench.storage.manifest import (
    TableEntry,
    bump_version,
    drop_part,
    insert_part,
    insert_segment_files,
    part_of_row,
    read_manifest,
)
from workbench.storage.model import ColumnFile, Part, StoredIndex

MERGE_COUNT = 4
MERGE_BASE_ROWS = 16_384
MERGE_LIMIT_ROWS = 8_500_000
WRITE_RECORDS = 1024
IDLE_SECONDS = 20.0

logger = logging.getLogger(__name__)


class Flusher:
    """Flushes tables; also in a background thread that ends when idle and starts again when needed."""

    def __init__(self, database: Database, files: Files, indexes: Indexes) -> None:
        self._database = database
        self._files = files
        self._indexes = indexes
        self._condition = threading.Condition()
        self._due: set[int] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    def flush(self, table_id: int) -> None:
        """Move a table's log rows into one lake file and a segment per index, in one commit; then merge small parts."""
        with self._files.lock(f"table-{table_id}"):
            self._flush_tail(table_id)
            while not self._closed and self._merge(table_id):
                pass
        with self._database.transaction() as connection:
            expire_tokens(connection)
        self._files.collect()

    def soon(self, table_id: int) -> None:
        """Have the background thread flush a table."""
        with self._condition:
            if self._closed:
                return
            self._due.add(table_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workbench-flusher", daemon=True)
                self._thread.start()
            self._condition.notify()

    def merge_soon(self, table: str) -> None:
        """Have the background thread merge a table's parts when loads have left many small ones."""
        rows = self._database.query(
            "SELECT parts.* FROM parts JOIN tables ON tables.id = table_id WHERE name = ?", (table,)
        )
        if mergeable([part_of_row(row) for row in rows]) is not None:
            self.soon(rows[0]["table_id"])

    def close(self) -> None:
        """Let a running flush finish and start no other."""
        with self._condition:
            self._closed = True
            self._due.clear()
            thread = self._thread
            self._condition.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._due or self._closed, IDLE_SECONDS)
                if not self._due:
                    self._thread = None
                    return
                table_id = self._due.pop()
            try:
                self.flush(table_id)
            except WorkbenchError as error:
                logger.error("rows of table %s stay in the log for now: %s", table_id, error)
            except Exception:
                logger.exception("rows of table %s stay in the log for now", table_id)

    def _flush_tail(self, table_id: int) -> None:
        with self._database.reading() as connection:
            manifest = read_manifest(connection)
            entry = manifest.tables.get(table_id)
            if entry is None:
                return
            records = read_records(connection, entry.table)
        if not records:
            return
        part = self._write(entry, records)
        indexes = [index for index in manifest.indexes.values() if index.table_id == table_id]
        self._publish(entry, part, indexes, replaced=(), flushed=records)

    def _write(self, entry: TableEntry, records: list[Record]) -> Part:
        with PartWriter(self._files, entry.table) as writer:
            for begin in range(0, len(records), WRITE_RECORDS):
                some = records[begin : begin + WRITE_RECORDS]
                rows = pa.Table.from_batches([record.batch for record in some]).combine_chunks()
                writer.write(rows, np.concatenate([record.seqs() for record in some]))
        return writer.part()

    def _merge(self, table_id: int) -> bool:
        """Merge parts of one size class when there are enough of them; return whether that was so."""
        with self._database.reading() as connection:
            manifest = read_manifest(connection)
        entry = manifest.tables.get(table_id)
        chosen = mergeable(entry.parts) if entry else None
        if entry is None or chosen is None:
            return False
        part = merge_parts(self._files, entry.table, chosen)
        indexes = [index for index in manifest.indexes.values() if index.table_id == table_id]
        self._publish(entry, part, indexes, replaced=chosen, flushed=())
        return True

    def _publish(
        self,
        entry: TableEntry,
        part: Part,
        indexes: list[StoredIndex],
        *,
        replaced: Iterable[Part],
        flushed: Iterable[Record],
    ) -> None:
        built: dict[int, list[ColumnFile]] = {}
        try:
            built = self._indexes.build_for(entry.table, part, indexes)
            with self._database.transaction() as connection:
                if (
                    connection.execute("SELECT 1 FROM tables WHERE id = ?", (entry.table.id,)).fetchone()
                    is None
                ):
                    self._files.discard(part.path, *paths_of(built))
                    return
                version = bump_version(connection)
                for old in replaced:
                    drop_part(connection, version, old.id)
                part_id = insert_part(connection, part)
                for index_id, files in built.items():
                    insert_segment_files(connection, index_id, part_id, files)
                connection.executemany(
                    "DELETE FROM log WHERE first_seq = ?", [(record.first_seq,) for record in flushed]
                )
                connection.execute(
                    "UPDATE tables SET flushed_seq = max(flushed_seq, ?),"
                    " tail_rows = (SELECT coalesce(sum(rows), 0) FROM log WHERE table_id = tables.id),"
                    " tail_bytes = (SELECT coalesce(sum(bytes), 0) FROM log WHERE table_id = tables.id),"
                    " tail_records = (SELECT count(*) FROM log WHERE table_id = tables.id) WHERE id = ?",
                    (max((int(record.seqs()[-1]) for record in flushed), default=0), entry.table.id),
                )
        except BaseException:
            self._files.discard(part.path, *paths_of(built))
            raise


def mergeable(parts: Iterable[Part]) -> list[Part] | None:
    """Return parts of one size class (a factor of four each) that are worth merging, None when there are too few."""
    classes: dict[int, list[Part]] = {}
    for part in parts:
        number = 0
        while part.rows > MERGE_BASE_ROWS * MERGE_COUNT**number:
            number += 1
        classes.setdefault(number, []).append(part)
    for _, group in sorted(classes.items()):
        if len(group) >= MERGE_COUNT and sum(part.rows for part in group) <= MERGE_LIMIT_ROWS:
            return group
    return None
