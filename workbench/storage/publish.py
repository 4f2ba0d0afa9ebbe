"""Changing what a table's files are: new parts with their segments in, old ones and log records out, in one commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.index import Indexes, paths_of
from workbench.storage.log import Record, read_records
from workbench.storage.manifest import (
    TableEntry,
    bump_version,
    drop_part,
    insert_part,
    insert_segment_files,
    read_manifest,
)
from workbench.storage.model import ColumnFile, Part, StoredIndex


@dataclass(frozen=True)
class Contents:
    """What a table consists of at one moment: its entry, its indexes, the records of its log."""

    entry: TableEntry
    indexes: tuple[StoredIndex, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Change:
    """What one commit does to a table's files.

    ``kind`` is the column of ``tables`` that says when this was done last. ``extra`` does further things in the same
    transaction, before the counts of the log are taken.
    """

    parts: Sequence[Part] = ()
    replaced: Sequence[Part] = ()
    flushed: Sequence[Record] = ()
    kind: str | None = None
    extra: Callable[[sqlite3.Connection], None] | None = None


class Publisher:
    """Reads and changes the files of tables. Whoever changes them holds the table's lock."""

    def __init__(self, database: Database, files: Files, indexes: Indexes) -> None:
        self._database = database
        self._files = files
        self._indexes = indexes

    def contents(self, table_id: int, *, log: bool = False) -> Contents | None:
        """Return what a table consists of, with its log records when asked; None when there is no such table."""
        with self._database.reading() as connection:
            manifest = read_manifest(connection)
            entry = manifest.tables.get(table_id)
            if entry is None:
                return None
            records = tuple(read_records(connection, entry.table)) if log else ()
        indexes = tuple(index for index in manifest.indexes.values() if index.table_id == table_id)
        return Contents(entry, indexes, records)

    def publish(self, contents: Contents, change: Change) -> bool:
        """Build the segments of new parts and commit; False when the table was dropped. No file is left on failure."""
        table = contents.entry.table
        built: list[dict[int, list[ColumnFile]]] = []
        done = False
        try:
            for part in change.parts:
                built.append(self._indexes.build_for(table, part, contents.indexes))
            with self._database.transaction() as connection:
                if connection.execute("SELECT 1 FROM tables WHERE id = ?", (table.id,)).fetchone() is None:
                    return False
                _commit(connection, table.id, change, built)
            done = True
        finally:
            if not done:
                paths = [path for files in built for path in paths_of(files)]
                self._files.discard(*(part.path for part in change.parts), *paths)
        return True


def _commit(
    connection: sqlite3.Connection,
    table_id: int,
    change: Change,
    built: Sequence[dict[int, list[ColumnFile]]],
) -> None:
    version = bump_version(connection)
    for old in change.replaced:
        drop_part(connection, version, old.id)
    for part, segments in zip(change.parts, built, strict=True):
        part_id = insert_part(connection, part)
        for index_id, files in segments.items():
            insert_segment_files(connection, index_id, part_id, files)
    connection.executemany(
        "DELETE FROM log WHERE first_seq = ?", [(record.first_seq,) for record in change.flushed]
    )
    if change.extra is not None:
        change.extra(connection)
    last = max((int(record.seqs()[-1]) for record in change.flushed), default=0)
    connection.execute(
        "UPDATE tables SET flushed_seq = max(flushed_seq, ?), flush_wanted = 0,"
        " tail_rows = (SELECT coalesce(sum(rows), 0) FROM log WHERE table_id = tables.id),"
        " tail_bytes = (SELECT coalesce(sum(bytes), 0) FROM log WHERE table_id = tables.id),"
        " tail_records = (SELECT count(*) FROM log WHERE table_id = tables.id) WHERE id = ?",
        (last, table_id),
    )
    if change.kind is not None:
        connection.execute(f"UPDATE tables SET {change.kind} = ? WHERE id = ?", (time.time(), table_id))
