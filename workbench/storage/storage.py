"""The facade over everything that must not be lost: rows, files, indexes, and the database that names them."""

from __future__ import annotations

import atexit
import datetime as dt
import os
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from workbench.errors import StorageError
from workbench.storage import artifacts, log, manifest, quarantine, session, tables
from workbench.storage import files as files_module
from workbench.storage.arrays import contiguous
from workbench.storage.bulk import BulkLoader
from workbench.storage.database import Database
from workbench.storage.erasure import Erased, Eraser
from workbench.storage.files import Files
from workbench.storage.filesystem import require_local
from workbench.storage.flush import Flusher, mergeable
from workbench.storage.housekeeping import HousekeepingState, Presence, read_state
from workbench.storage.ids import AppendedIds, LoadedIds, id_index, with_known
from workbench.storage.index import Indexes, Progress
from workbench.storage.log import Append, Committer
from workbench.storage.model import IndexInfo, IndexSpec, Needs, Receipt, StoredTable
from workbench.storage.publish import Publisher
from workbench.storage.reader import IndexReader
from workbench.storage.snapshot import Snapshot
from workbench.storage.tail import State, Tail
from workbench.storage.upkeep import Damage, Upkeep
from workbench.storage.watch import ChangeCounter

FORMAT = "1"
DATABASE = "workbench.db"
BULK_BYTES = 16 << 20
#: Ids of more rows are not looked up one by one.
BULK_IDS = 4096


class Storage:
    """One project folder. Thread-safe; several processes may have it open; a forked child may go on using it.

    >>> storage = Storage.open("flights")
    >>> with storage.transaction() as tx:
    ...     table = storage.create_table(tx, "trips", {"id": "BIGINT", "at": "TIMESTAMP"}, time="at")
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path / DATABASE)
        self._files = Files(path, self._database)
        with self._files.lock("open"):
            self._prepare()
        self._tail = Tail(self._database)
        self._indexes = Indexes(self._database, self._files)
        self._readers: dict[IndexSpec, IndexReader] = {}
        self._ensured: dict[tuple[IndexSpec, str, bool, bool], int] = {}
        self._start()
        self._indexes.renew()
        self._files.remove_orphans()
        self._files.collect()
        _instances.add(self)

    @classmethod
    def open(cls, path: Path | str) -> Storage:
        """Open a project folder, creating it when missing.

        Raises
        ------
        StorageError
            On network file systems and native Windows, for a folder made by a newer version, or when the disk refuses.
        """
        folder = Path(path).expanduser().resolve()
        require_local(folder)
        _require_plain(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder)
        except OSError as error:
            raise StorageError(
                f"the project folder {folder} cannot be used: {error.strerror or error}",
                hint="choose a folder that you can write to",
            ) from error

    def close(self) -> None:
        """Let a running flush finish and close the files; harmless when closed already."""
        self._flusher.close()
        self._upkeep.close()
        self._database.close()
        self._files.close()

    @property
    def project_id(self) -> str:
        """The random id that the project got when it was made."""
        value: str = self.query("SELECT value FROM meta WHERE key = 'project_id'")[0]["value"]
        return value

    # --- The database, also for the rooms above ---

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Yield a connection inside ``BEGIN IMMEDIATE`` … ``COMMIT``; an exception rolls back.

        Usable from any thread and process; keep it short, since all writers of the project wait meanwhile.
        """
        return self._database.transaction()

    def query(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run one reading statement; inside this thread's transaction it sees what that has changed."""
        return self._database.query(sql, params)

    def ensure_schema(self, name: str, ddl: str) -> None:
        """Create a room's own tables once (``name`` is the room's); Conflict when another version made them."""
        self._database.ensure_schema(name, ddl)

    def change_counter(self) -> ChangeCounter:
        """Return a value that differs whenever anybody has committed since (about 0.3 µs); poll it per request."""
        return self._database.change_counter()

    def connect(
        self,
        *,
        threads: int = session.DEFAULT_THREADS,
        memory_limit: str | None = None,
        temp_directory: Path | str | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB session that can read this project's lake and nothing else."""
        return session.connect(
            readable=[self.path / "lake"],
            threads=threads,
            memory_limit=memory_limit,
            temp_directory=temp_directory,
        )

    # --- Tables ---

    def create_table(
        self,
        tx: sqlite3.Connection,
        name: str,
        columns: dict[str, str],
        time: str | None,
        options: dict[str, Any] | None = None,
    ) -> StoredTable:
        """Create a table in a transaction.

        Parameters
        ----------
        columns
            Name to DuckDB type.
        time
            The event-time column (TIMESTAMP or DATE), None for a table ordered by arrival.
        options
            JSON-able settings of the layers above.
        """
        return tables.insert_table(tx, tables.new_table(name, columns, time, options))

    def new_table(
        self, name: str, columns: dict[str, str], time: str | None, options: dict[str, Any] | None = None
    ) -> StoredTable:
        """Return a checked table that is not stored yet, for :meth:`bulk_load` to create and fill in one commit."""
        return tables.new_table(name, columns, time, options)

    def add_column(
        self, tx: sqlite3.Connection, table: str, column: str, kind: str, default: object = None
    ) -> StoredTable:
        """Give a table a further column in a transaction; nothing is rewritten, and no request waits.

        Parameters
        ----------
        kind
            Its DuckDB type.
        default
            What rows have in it that are stored already, or are appended without it; None is NULL.

        Raises
        ------
        WorkbenchError
            For a name that is taken or reserved, a type that columns cannot have, or a default that the type cannot
            hold exactly.
        """
        return tables.add_column(tx, table, column, kind, default)

    def drop_table(self, tx: sqlite3.Connection, name: str) -> None:
        """Drop a table with its rows and indexes in a transaction; NotFound when there is none."""
        tables.delete_table(tx, name)

    def rename_table(self, tx: sqlite3.Connection, name: str, new_name: str) -> None:
        """Give a table another name in a transaction, for example to swap in one that was loaded aside."""
        tables.rename_table(tx, name, new_name)

    def table(self, name: str) -> StoredTable:
        """Return a table; NotFound with the closest name when there is none."""
        rows = self.query("SELECT * FROM tables WHERE name = ?", (name,))
        if not rows:
            raise tables.no_such_table(name, [row["name"] for row in self.query("SELECT name FROM tables")])
        return manifest.table_of_row(rows[0])

    def tables(self) -> list[StoredTable]:
        """Return all tables by name."""
        return [manifest.table_of_row(row) for row in self.query("SELECT * FROM tables ORDER BY name")]

    # --- Rows ---

    def append(
        self,
        table: str,
        rows: pa.Table,
        *,
        token: str | None = None,
        body_hash: str | None = None,
        source_position: str | None = None,
    ) -> Receipt:
        """Store rows for good; when it returns they are on disk and visible to every process.

        Rows whose id is known are left out, of a table that has ids; the receipt counts them.

        Parameters
        ----------
        rows
            Exactly the table's columns with their Arrow types.
        token, body_hash
            Idempotency: the same token with the same body answers the old receipt, for a week.
        source_position
            How far a stream was read, stored in the same transaction.

        Raises
        ------
        RowError
            For a NULL time or one beyond the server's clock, or a NULL id.
        Conflict
            When the token was used for another body.
        Unavailable
            When too many rows wait to be moved into files.
        StorageError
            When the disk refuses; nothing is stored then.
        """
        if self._database.in_transaction:
            raise StorageError("rows cannot be appended inside a transaction", hint="append after it")
        stored = self.table(table)
        rows = tables.conform(stored, rows)
        if stored.id_column is not None:
            self.ensure_ids(stored)
        if rows.nbytes > BULK_BYTES or (stored.id_column is not None and rows.num_rows > BULK_IDS):
            receipt = self._bulk.load(
                stored, rows.to_reader(), token=token, body_hash=body_hash, source_position=source_position
            )
            self._merge_soon(stored.name)
            return receipt
        append = self._append(stored, rows, token, body_hash, source_position)
        if stored.id_column is None:
            return self._committer.commit(append)
        assert append.batch is not None
        rows = append.batch
        tables.check_ids(stored, contiguous(rows.column(stored.id_column)))
        receipt = self._committer.commit(append)
        return with_known(receipt, append, rows, self.snapshot, self.connect)

    def begin_append(
        self,
        table: StoredTable,
        rows: pa.Table,
        *,
        token: str | None = None,
        body_hash: str | None = None,
        caller: str | None = None,
        on_done: Callable[[Append], None],
    ) -> bool:
        """Like :meth:`append`, without waiting: ``on_done`` gets the outcome, on a thread of the storage's own.

        Parameters
        ----------
        table
            As returned by :meth:`table`; when it was dropped since, the outcome is NotFound.
        caller
            Whose share of the queue the rows take; no caller can fill the queue alone.
        on_done
            Called with an object whose ``outcome()`` returns the receipt or raises why there is none.

        Returns
        -------
        bool
            False, and nothing happens, for rows that only :meth:`append` can store: large ones and those with ids.

        Raises
        ------
        RowError
            For a NULL time or one beyond the server's clock.
        Throttled
            When the caller has as much waiting as one caller may have.
        Unavailable
            When as much is waiting as there may be at all.
        """
        rows = tables.conform(table, rows)
        if table.id_column is not None or rows.nbytes > BULK_BYTES:
            return False
        append = self._append(table, rows, token, body_hash, None)
        append.caller, append.on_done = caller, lambda: on_done(append)
        self._committer.submit(append)
        return True

    def _append(
        self,
        table: StoredTable,
        rows: pa.Table,
        token: str | None,
        body_hash: str | None,
        source_position: str | None,
    ) -> Append:
        rows, bad = quarantine.good_rows(table, rows)
        times = self._check_times(table, rows)
        data = log.encode_batch(rows)
        made = Append(table, data, rows.num_rows, times, token, body_hash, source_position, bad=bad)
        made.batch = rows if table.id_column is not None else None
        return made

    def bulk_load(
        self,
        table: str | StoredTable,
        reader: pa.RecordBatchReader,
        *,
        progress: Callable[[int], None] | None = None,
        tx_extra: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Receipt:
        """Store rows of any number, out of core, all or nothing; nothing is visible before the one commit.

        Parameters
        ----------
        table
            A table's name, or the result of :meth:`new_table`, which is then created in the same commit.
        progress
            Called with the number of rows read so far.
        tx_extra
            Further changes for the same transaction.
        """
        if self._database.in_transaction:
            raise StorageError("rows cannot be loaded inside a transaction", hint="load after it")
        stored = self.table(table) if isinstance(table, str) else table
        receipt = self._bulk.load(stored, reader, progress=progress, tx_extra=tx_extra)
        self._merge_soon(stored.name)
        return receipt

    def last_seq(self) -> int:
        """Return the seq of the newest committed row, 0 when there is none."""
        return self._tail.state().last_seq

    def state(self) -> State:
        """Return the newest committed state, for :meth:`Source.now` of several sources."""
        return self._tail.state()

    def source_position(self, table: str) -> str | None:
        """Return the position stored with the last append that had one."""
        rows = self.query("SELECT position FROM positions WHERE table_id = ?", (self.table(table).id,))
        return rows[0]["position"] if rows else None

    def row_count(self, table: str, cut: int | None = None) -> int:
        """Return how many rows of a table have ``seq <= cut``, or all."""
        with self.snapshot(cut) as snapshot:
            return snapshot.row_count(table)

    def table_stats(self, table: str) -> dict[str, Any]:
        """Return what a table holds and what was done to it; see :class:`workbench.table.TableStats`."""
        stored = self.table(table)
        (row,) = self.query(
            "SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes, min(first_time) AS first_time,"
            " max(last_time) AS last_time, coalesce(max(last_seq), 0) AS last_seq,"
            " coalesce(sum(part), 0) AS parts, coalesce(sum((1 - part) * rows), 0) AS log_rows,"
            " coalesce(sum((1 - part) * bytes), 0) AS log_bytes FROM ("
            " SELECT rows, bytes, first_time, last_time, max_seq AS last_seq, 1 AS part FROM parts"
            " WHERE table_id = :id UNION ALL"
            " SELECT rows, bytes, first_time, last_time, first_seq + rows - 1, 0 FROM log WHERE table_id = :id)",
            {"id": stored.id},
        )
        (life,) = self.query(
            "SELECT flushed_at, merged_at, expired_at, expired_rows, expired_before FROM tables WHERE id = ?",
            (stored.id,),
        )
        moments = {
            name: None
            if life[name] is None
            else dt.datetime.fromtimestamp(life[name], dt.UTC).replace(tzinfo=None)
            for name in ("flushed_at", "merged_at", "expired_at")
        }
        return {
            **dict(row),
            "first_time": _moment(row["first_time"]),
            "last_time": _moment(row["last_time"]),
            "index_bytes": {
                str(index.spec): index.bytes for index in self.indexes() if index.spec.table == stored.name
            },
            **moments,
            "expired_rows": life["expired_rows"],
            "expired_before": _moment(life["expired_before"]),
        }

    def newest_time(self, table: str) -> int | None:
        """Return the newest time of a table's rows in µs, None when it has no rows or no time."""
        (row,) = self.query(
            "SELECT max(newest) AS newest FROM (SELECT max(last_time) AS newest FROM parts WHERE table_id = :id"
            " UNION ALL SELECT max(last_time) FROM log WHERE table_id = :id)",
            {"id": self.table(table).id},
        )
        newest: int | None = row["newest"]
        return newest

    def snapshot(self, cut: int | None = None) -> Snapshot:
        """Pin what was known at a seq (default: now) for bulk reading; use it as a context manager."""
        return Snapshot(self._tail, self._files, cut)

    def flush(self, table: str | None = None) -> None:
        """Move rows from the log into lake files and index segments; happens by itself in the background too."""
        chosen = [self.table(table)] if table is not None else self.tables()
        for stored in chosen:
            self._flusher.flush(stored.id)

    def floors(self) -> Mapping[str, int]:
        """Return, for each table of which rows have expired, the time (µs) before which they may be gone."""
        return self._tail.state().manifest.floors

    def erasures(self) -> int:
        """Return a number that moves on when rows are erased: what reads several indexes compares it, to read again."""
        return self._tail.state().manifest.erasures

    def flush_soon(self, table: str) -> None:
        """Ask for a flush without waiting for it: of the housekeeping process, or of a thread when none lives."""
        stored = self.table(table)
        if not self._housekeeping.lives():
            self._flusher.soon(stored.id)
        elif self.query("SELECT 1 FROM tables WHERE id = ? AND NOT flush_wanted", (stored.id,)):
            with self._database.transaction() as connection:
                connection.execute("UPDATE tables SET flush_wanted = 1 WHERE id = ?", (stored.id,))

    def compact(self, table: str, progress: Progress | None = None) -> None:
        """Move a table's rows out of the log and write its files anew, as few as possible, sorted by arrival.

        Requests and appends go on meanwhile; nothing that is read changes.

        Parameters
        ----------
        progress
            Called with the finished fraction between 0 and 1.
        """
        self._flusher.compact(self.table(table).id, progress)

    def expire(self, table: str, before: int) -> int:
        """Drop the rows with a time (µs) before a moment, whole files at once; return how many rows these had."""
        return self._flusher.expire(self.table(table).id, before)

    def erase(
        self,
        table: str,
        values: Mapping[str, Any],
        tx_extra: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Erased:
        """Erase the rows whose columns have all these values from log, files and indexes, all or nothing.

        The other rows keep their arrival numbers. Their bytes are gone when it returns, unless somebody still reads old
        files: then they go with these.

        Parameters
        ----------
        values
            Column to value; None is NULL.
        tx_extra
            Further changes for the same transaction.

        Raises
        ------
        WorkbenchError
            There are no values, a column is unknown, or a value cannot be of its column's type.
        """
        return self._eraser.erase(self.table(table).id, values, tx_extra)

    def scrub(self) -> bool:
        """Clear what erased rows left on disk, as far as readers allow; return whether all is gone."""
        return self._eraser.scrub()

    def mergeable(self, table_id: int) -> bool:
        """Whether a table has many small files."""
        rows = self.query("SELECT * FROM parts WHERE table_id = ?", (table_id,))
        return mergeable([manifest.part_of_row(row) for row in rows]) is not None

    def version(self) -> int:
        """Return the manifest's version."""
        version: int = self.query("SELECT version FROM counters")[0]["version"]
        return version

    def housekeeping(self) -> HousekeepingState | None:
        """Return the process that keeps house, None when none lives."""
        state = read_state(self._database)
        return state if state is not None and state.lives else None

    @property
    def database(self) -> Database:
        """The project's database, for housekeeping."""
        return self._database

    @property
    def files(self) -> Files:
        """The project's data files, for housekeeping."""
        return self._files

    # --- Indexes ---

    def ensure_index(
        self,
        spec: IndexSpec,
        columns: Collection[str],
        *,
        live: bool,
        derived: Mapping[str, tuple[str, str]] | None = None,
        trees: Collection[str] = (),
        newer: Collection[str] = (),
        progress: Progress | None = None,
    ) -> None:
        """Build an index, extend it by columns, promote it or rebuild what is damaged, as far as needed.

        Parameters
        ----------
        columns
            Columns of the table that the index holds; it keeps those that it has.
        live
            True: a deployment relies on it. False: a draft, unless it is live already.
        derived
            Further columns: name to SQL over the table's columns of one row, and its DuckDB type.
        trees
            Columns, derived ones too, that are summed, averaged and the like over long windows.
        newer
            Columns whose different values are counted over long windows.
        progress
            Called with the finished fraction between 0 and 1.
        """
        needs = Needs(tuple(sorted(columns)), dict(derived or {}), tuple(sorted(trees)), tuple(sorted(newer)))
        wanted = (spec, needs.to_json(), live, artifacts.available(self.path) if trees or newer else False)
        version = self._tail.state().manifest.version
        # Nothing about an index changes without a new manifest, so asking before every request costs nothing.
        if self._ensured.get(wanted) != version:
            self._indexes.ensure(spec, needs, live=live, progress=progress)
            self._ensured[wanted] = version

    def ensure_ids(self, table: StoredTable) -> IndexSpec | None:
        """Build the index by id of a table that has ids, as far as needed; appends do so too. Returns its name."""
        if table.id_column is None:
            return None
        spec = id_index(table)
        self.ensure_index(spec, (), live=True)
        return spec

    def demote_index(self, spec: IndexSpec) -> None:
        """Make a live index a draft; NotFound when there is none."""
        self._indexes.demote(spec)

    def drop_draft_indexes(self, keep: Collection[IndexSpec] = ()) -> None:
        """Drop the indexes that are not live, except those in ``keep``."""
        self._indexes.drop_drafts(keep)

    def indexes(self) -> list[IndexInfo]:
        """Return all indexes."""
        return self._indexes.infos()

    def verify(self, progress: Progress | None = None) -> list[Damage]:
        """Read every data file and return those that are damaged; indexes among them are built again."""
        return self._upkeep.verify(progress)

    def reader(self, spec: IndexSpec) -> IndexReader:
        """Return the reader of an index; NotFound when there is none."""
        found = self._readers.get(spec)
        if found is None:
            with self._lock:
                found = self._readers.get(spec)
                if found is None:
                    found = IndexReader(self._tail, self._files, spec, lambda: self._upkeep, self.flush_soon)
                    self._readers[spec] = found
        return found

    def _prepare(self) -> None:
        ddl = manifest.SCHEMA + log.SCHEMA + files_module.SCHEMA
        self._database.ensure_schema("storage", ddl)
        self._database.ensure_schema("life", manifest.LIFE)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT,))
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('project_id', ?)", (secrets.token_hex(8),))

    def _merge_soon(self, table: str) -> None:
        if not self._housekeeping.lives():
            self._flusher.merge_soon(table)

    def _start(self) -> None:
        """Everything with threads and locks; anew in a forked child."""
        self._lock = threading.Lock()
        self._flusher = Flusher(self._database, self._files, self._indexes)
        self._eraser = Eraser(
            self._database, self._files, Publisher(self._database, self._files, self._indexes)
        )
        self._housekeeping = Presence(self._database)
        self._upkeep = Upkeep(self._database, self._files, self._indexes)
        self._committer = Committer(
            self._database,
            lambda append: None if self._housekeeping.lives() else self._flusher.soon(append.table.id),
            lambda: AppendedIds(self.reader),
        )
        self._bulk = BulkLoader(
            self._database, self._files, self._indexes, LoadedIds(self._files, self.snapshot)
        )

    @staticmethod
    def _check_times(table: StoredTable, rows: pa.Table) -> tuple[int, int] | None:
        if table.time is None:
            return None
        return tables.check_times(table, contiguous(rows.column(table.time)))


def _require_plain(folder: Path) -> None:
    # DuckDB takes these for patterns and might then read files of a folder with a similar name.
    if any(sign in str(folder) for sign in "*?["):
        raise StorageError(
            f"the path of the project folder {folder} contains one of the signs * ? [",
            hint="rename the folder or choose another one",
        )


def _moment(microseconds: int | None) -> dt.datetime | None:
    if microseconds is None:
        return None
    return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=microseconds)


_instances: weakref.WeakSet[Storage] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for storage in list(_instances):
        storage._start()


def _close_all() -> None:
    for storage in list(_instances):
        storage.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_close_all)
