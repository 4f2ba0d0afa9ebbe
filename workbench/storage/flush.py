"""Moving the tail of the log into the lake, and keeping the number of parts small."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.index import Indexes
from workbench.storage.lake import PartWriter, merge_parts
from workbench.storage.log import Record, expire_tokens
from workbench.storage.manifest import TableEntry, part_of_row
from workbench.storage.model import Part
from workbench.storage.publish import Change, Contents, Publisher
from workbench.storage.session import quoted

Told = Callable[[int], None]

MERGE_COUNT = 4
MERGE_BASE_ROWS = 16_384
MERGE_LIMIT_ROWS = 8_500_000
COMPACT_ROWS = 64_000_000
NEVER = 2**63
WRITE_RECORDS = 1024
IDLE_SECONDS = 20.0

logger = logging.getLogger(__name__)


class Flusher:
    """Flushes tables; also in a background thread that ends when idle and starts again when needed."""

    def __init__(self, database: Database, files: Files, indexes: Indexes) -> None:
        self._database = database
        self._files = files
        self._publisher = Publisher(database, files, indexes)
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

    def compact(self, table_id: int, progress: Callable[[float], None] | None = None) -> None:
        """Move a table's log rows into files and write all its files anew, as few as possible."""
        with self._files.lock(f"table-{table_id}"):
            self._flush_tail(table_id)
            contents = self._publisher.contents(table_id)
            groups = compactable(contents.entry) if contents else []
            total = sum(part.rows for group in groups for part in group)
            done = 0
            for group in groups:
                told = (
                    (lambda rows, done=done: progress(min(1.0, (done + 0.5 * rows) / total)))
                    if progress is not None
                    else None
                )
                found = self._publisher.contents(table_id)
                if found is None:
                    return
                self._rewrite(found, group, told)
                done += sum(part.rows for part in group)
                if progress is not None:
                    progress(done / total)
        self._files.collect()

    def expire(self, table_id: int, before: int) -> int:
        """Drop rows with a time (µs) before a moment; return how many are gone at once.

        Whole files go at once, and files most of whose time has expired are written anew; other files are when they are
        merged.
        """
        with self._files.lock(f"table-{table_id}"):
            contents = self._publisher.contents(table_id)
            if contents is None or contents.entry.table.time is None:
                return 0
            known = contents.entry.expired_before
            before = before if known is None else max(before, known)
            parts = contents.entry.parts
            whole = [part for part in parts if _last(part) < before]
            stale = [part for part in parts if part not in whole and _mostly(part, before)]
            gone = sum(part.rows for part in whole)
            if whole or stale or (any(_first(part) < before for part in parts) and known is None):
                change = Change((), whole, (), "expired_at", _expired(table_id, before, gone))
                self._publisher.publish(contents, change)
            for part in stale:
                found = self._publisher.contents(table_id)
                if found is not None:
                    self._rewrite(found, [part])
        self._files.collect()
        return gone

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
        contents = self._publisher.contents(table_id, log=True)
        if contents is not None and contents.records:
            part = self._write(contents.entry, contents.records)
            self._publisher.publish(contents, Change([part], (), contents.records, "flushed_at"))

    def _write(self, entry: TableEntry, records: Sequence[Record]) -> Part:
        with PartWriter(self._files, entry.table) as writer:
            for begin in range(0, len(records), WRITE_RECORDS):
                some = records[begin : begin + WRITE_RECORDS]
                rows = pa.Table.from_batches([record.batch for record in some]).combine_chunks()
                writer.write(rows, np.concatenate([record.seqs() for record in some]))
        return writer.part()

    def _merge(self, table_id: int) -> bool:
        """Merge parts of one size class when there are enough of them; return whether that was so."""
        contents = self._publisher.contents(table_id)
        chosen = mergeable(contents.entry.parts) if contents else None
        if contents is None or chosen is None:
            return False
        self._rewrite(contents, chosen)
        return True

    def _rewrite(self, contents: Contents, parts: Sequence[Part], told: Told | None = None) -> None:
        """Replace parts by one; rows that have expired stay behind."""
        entry = contents.entry
        where = living(entry)
        part = merge_parts(self._files, entry.table, parts, where=where, progress=told)
        expired = sum(old.rows for old in parts) - part.rows

        def count(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE tables SET expired_rows = expired_rows + ? WHERE id = ?", (expired, entry.table.id)
            )

        if not part.rows:
            self._files.discard(part.path)
        made = [part] if part.rows else []
        self._publisher.publish(contents, Change(made, parts, (), "merged_at", count))


def living(entry: TableEntry) -> str | None:
    """Return SQL of which rows of a table have not expired; None when none has."""
    if entry.expired_before is None or entry.table.time is None:
        return None
    before = f"make_timestamp({entry.expired_before})"
    return f"CAST({quoted(entry.table.time)} AS TIMESTAMP) >= {before}"


def _expired(table_id: int, before: int, rows: int) -> Callable[[sqlite3.Connection], None]:
    def note(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE tables SET expired_before = ?, expired_rows = expired_rows + ? WHERE id = ?",
            (before, rows, table_id),
        )

    return note


def _first(part: Part) -> int:
    return part.first_time if part.first_time is not None else NEVER


def _last(part: Part) -> int:
    return part.last_time if part.last_time is not None else NEVER


def _mostly(part: Part, before: int) -> bool:
    """Whether most of the time that a part spans is before a moment."""
    first, last = part.first_time, part.last_time
    return first is not None and last is not None and before - first > last - before


def compactable(entry: TableEntry) -> list[list[Part]]:
    """Return which parts become one: all, up to a size; a single one that has nothing to lose stays."""
    groups: list[list[Part]] = []
    for part in sorted(entry.parts, key=lambda part: part.min_seq):
        if groups and sum(one.rows for one in groups[-1]) + part.rows <= COMPACT_ROWS:
            groups[-1].append(part)
        else:
            groups.append([part])
    before = entry.expired_before
    return [
        group
        for group in groups
        if len(group) > 1
        or (before is not None and group[0].first_time is not None and group[0].first_time < before)
        or group[0].columns < len(entry.table.columns)
    ]


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
