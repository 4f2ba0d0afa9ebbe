"""The life of an index: built as a draft or live, extended column by column, demoted, dropped, rebuilt."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from workbench.errors import NotFound, WorkbenchError, did_you_mean
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.keys import ORDER_TYPES, KeyCodec
from workbench.storage.manifest import (
    TableEntry,
    bump_version,
    drop_index,
    drop_segments,
    insert_segment_files,
    read_manifest,
)
from workbench.storage.model import (
    SUFFIX,
    ColumnFile,
    IndexInfo,
    IndexSpec,
    Needs,
    Part,
    Segment,
    StoredIndex,
    StoredTable,
)
from workbench.storage.segments import SegmentBuilder
from workbench.storage.tables import no_such_table

Progress = Callable[[float], None]

logger = logging.getLogger(__name__)


class Indexes:
    """Builds and changes the indexes of one project.

    Whoever builds or drops segments of a table holds the table's lock, so that flushes and loads of that table wait
    and every index always covers exactly the table's parts; rows still in the log are the delta's.
    """

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    def ensure(self, spec: IndexSpec, needs: Needs, *, live: bool, progress: Progress | None = None) -> None:
        """Make an index exist, complete and with at least what is needed.

        Parameters
        ----------
        needs
            What it shall hold besides what it has.
        live
            True: a deployment relies on it. False: a draft, unless it is live already.
        progress
            Called with the finished fraction between 0 and 1.

        Raises
        ------
        NotFound
            For an unknown table or column.
        WorkbenchError
            For columns that cannot be keys or an order, or SQL that does not fit the table.
        StorageError
            When the disk refuses.
        """
        entry, index = self._look(spec)
        wanted = _check(spec, entry.table, needs)
        if index is not None and self._satisfied(entry, index, wanted, live):
            return
        with self._files.lock(f"table-{entry.table.id}"):
            entry, index = self._look(spec)
            wanted = _check(spec, entry.table, index.needs | needs if index else needs)
            if index is None or not self._satisfied(entry, index, wanted, live):
                self._build(spec, entry, index, wanted, live, progress)

    def renew(self) -> None:
        """Build the segments again that an earlier version made in another layout: live indexes; drafts go."""
        old = self._database.query(
            "SELECT DISTINCT index_id FROM segments JOIN segment_files ON segment_id = segments.id"
            " WHERE path NOT LIKE ?",
            (f"%{SUFFIX}",),
        )
        outdated = {row["index_id"] for row in old}
        for index in self.stored() if outdated else []:
            if index.id not in outdated:
                continue
            if index.live:
                logger.warning("building the index %s again in the layout of this version", index.spec)
                self.ensure(index.spec, index.needs, live=True, progress=_logged(index.spec))
            else:
                self._drop_draft(index.id)

    def drop_drafts(self, keep: Collection[IndexSpec] = ()) -> None:
        """Drop every index that is not live, except those in ``keep``.

        Those of a table that is being loaded or flushed stay for the next time, rather than let the caller wait.
        """
        for index in self.stored():
            if index.live or index.spec in keep:
                continue
            lock = self._files.lock(f"table-{index.table_id}")
            if not lock.acquire(wait=False):
                continue
            try:
                self._drop_draft(index.id)
            finally:
                lock.release()
        self._files.collect()

    def _drop_draft(self, index_id: int) -> None:
        with self._database.transaction() as connection:
            # Somebody may have promoted it meanwhile.
            if connection.execute("SELECT 1 FROM indexes WHERE id = ? AND NOT live", (index_id,)).fetchone():
                drop_index(connection, bump_version(connection), index_id)

    def demote(self, spec: IndexSpec) -> None:
        """Make a live index a draft; NotFound when there is none."""
        _, index = self._look(spec)
        if index is None:
            raise NotFound(f"there is no index {spec}")
        with self._database.transaction() as connection:
            connection.execute("UPDATE indexes SET live = 0 WHERE id = ?", (index.id,))
            bump_version(connection)

    def stored(self) -> list[StoredIndex]:
        """Return every index as the manifest has it."""
        with self._database.reading() as connection:
            return list(read_manifest(connection).indexes.values())

    def infos(self) -> list[IndexInfo]:
        """Return every index with its size."""
        return [
            IndexInfo(
                index.spec,
                index.columns,
                index.live,
                sum(segment.part.rows for segment in index.segments),
                sum(file.bytes for segment in index.segments for file in segment.files.values()),
            )
            for index in self.stored()
        ]

    def report_lost(self, segment: Segment) -> None:
        """Drop a segment whose files cannot be read, so that :meth:`ensure` builds it again from the lake."""
        with self._database.transaction() as connection:
            drop_segments(connection, bump_version(connection), "id = ?", segment.id)

    def build_for(
        self, table: StoredTable, part: Part, indexes: Iterable[StoredIndex]
    ) -> dict[int, list[ColumnFile]]:
        """Build the segments that a new part needs; return their files by index id. Hold the table's lock."""
        built: dict[int, list[ColumnFile]] = {}
        try:
            for index in indexes:
                builder = SegmentBuilder(self._files, table, index.spec, part, index.needs, {})
                built[index.id] = builder.build()
        except BaseException:
            self._files.discard(*paths_of(built))
            raise
        return built

    def _look(self, spec: IndexSpec) -> tuple[TableEntry, StoredIndex | None]:
        with self._database.reading() as connection:
            manifest = read_manifest(connection)
        entry = manifest.by_name.get(spec.table)
        if entry is None:
            raise no_such_table(spec.table, list(manifest.by_name))
        return entry, manifest.indexes.get(spec)

    def _satisfied(self, entry: TableEntry, index: StoredIndex, wanted: Needs, live: bool) -> bool:
        return (
            index.needs.covers(wanted)
            and (index.live or not live)
            and not self._jobs(entry, index.spec, index, wanted)
        )

    def _jobs(
        self, entry: TableEntry, spec: IndexSpec, index: StoredIndex | None, wanted: Needs
    ) -> list[SegmentBuilder]:
        segments = {segment.part.id: segment for segment in index.segments} if index else {}
        jobs = []
        for part in entry.parts:
            segment = segments.get(part.id)
            files = segment.files if segment else {}
            present = {name: file for name, file in files.items() if self._intact(file)}
            builder = SegmentBuilder(self._files, entry.table, spec, part, wanted, present)
            if builder.missing:
                jobs.append(builder)
        return jobs

    def _intact(self, file: ColumnFile) -> bool:
        try:
            return (self._files.root / file.path).stat().st_size == file.bytes
        except FileNotFoundError:
            return False

    def _build(
        self,
        spec: IndexSpec,
        entry: TableEntry,
        index: StoredIndex | None,
        wanted: Needs,
        live: bool,
        progress: Progress | None,
    ) -> None:
        jobs = self._jobs(entry, spec, index, wanted)
        total = sum(job.part.rows for job in jobs) or 1
        done = 0
        built: dict[int, list[ColumnFile]] = {}
        try:
            for job in jobs:
                built[job.part.id] = job.build()
                done += job.part.rows
                if progress is not None:
                    progress(done / total)
            self._commit(spec, entry.table, index, wanted, live, jobs, built)
        except BaseException:
            self._files.discard(*paths_of(built))
            raise

    def _commit(
        self,
        spec: IndexSpec,
        table: StoredTable,
        index: StoredIndex | None,
        wanted: Needs,
        live: bool,
        jobs: list[SegmentBuilder],
        built: dict[int, list[ColumnFile]],
    ) -> None:
        with self._database.transaction() as connection:
            if connection.execute("SELECT 1 FROM tables WHERE id = ?", (table.id,)).fetchone() is None:
                raise NotFound(f"table {table.name!r} was dropped")
            version = bump_version(connection)
            names = wanted.to_json()
            if index is None:
                cursor = connection.execute(
                    "INSERT INTO indexes (table_id, keys, order_column, live, columns) VALUES (?, ?, ?, ?, ?)",
                    (table.id, json.dumps(list(spec.keys)), spec.order or "", live, names),
                )
                index_id = cursor.lastrowid
                assert index_id is not None
            else:
                index_id = index.id
                connection.execute(
                    "UPDATE indexes SET live = max(live, ?), columns = ? WHERE id = ?",
                    (live, names, index_id),
                )
            for job in jobs:
                if job.whole:
                    drop_segments(connection, version, "index_id = ? AND part_id = ?", index_id, job.part.id)
                else:
                    _forget_files(connection, index_id, job)
                insert_segment_files(connection, index_id, job.part.id, built[job.part.id])


def _logged(spec: IndexSpec) -> Progress:
    return lambda share: logger.warning("the index %s is built to %.0f%%", spec, 100 * share)


def _forget_files(connection: sqlite3.Connection, index_id: int, job: SegmentBuilder) -> None:
    """Forget files that are named but not intact on disk any more."""
    connection.execute(
        "DELETE FROM segment_files WHERE column_name IN (SELECT value FROM json_each(?)) AND segment_id IN"
        " (SELECT id FROM segments WHERE index_id = ? AND part_id = ?)",
        (json.dumps(job.missing), index_id, job.part.id),
    )


def paths_of(built: dict[int, list[ColumnFile]]) -> list[str]:
    """Return the paths of all files."""
    return [file.path for files in built.values() for file in files]


def _check(spec: IndexSpec, table: StoredTable, needs: Needs) -> Needs:
    """Return what is needed, columns in the table's order, after checking that the index can be built."""
    for name in (*spec.keys, *((spec.order,) if spec.order else ()), *needs.columns):
        if name not in table.columns:
            raise NotFound(
                f"table {table.name!r} has no column {name!r}", hint=did_you_mean(name, table.columns)
            )
    for name in spec.keys:
        KeyCodec(name, table.columns[name])
    if spec.order is not None and table.columns[spec.order] not in ORDER_TYPES:
        raise WorkbenchError(
            f"rows cannot be ordered by {spec.order!r}, which is {table.columns[spec.order]}",
            hint="order by a TIMESTAMP, DATE or integer column",
            field=spec.order,
        )
    known = {*needs.columns, *needs.derived}
    for name in (*needs.trees, *needs.newer):
        if name not in known:
            raise NotFound(f"the index {spec} has no column {name!r}", hint=did_you_mean(name, known))
    return replace(needs, columns=tuple(name for name in table.columns if name in needs.columns))
