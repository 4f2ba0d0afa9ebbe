"""The commit log: one record per append, acknowledged when its transaction is on disk.

Appends of all threads go through one committer thread, which puts whatever is waiting into one transaction (group
commit). Only there do rows get their seq, so no smaller seq can appear after a larger one was visible.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time as clock
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.errors import Conflict, NotFound, StorageError, Throttled, Unavailable
from workbench.storage.added import completed, schema_at
from workbench.storage.arrays import contiguous
from workbench.storage.database import Database
from workbench.storage.manifest import read_counters, reserve_seq, table_of_row
from workbench.storage.model import Receipt, StoredTable
from workbench.storage.quarantine import quarantine_of
from workbench.storage.tables import microseconds
from workbench.values.types import arrow_schema

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE log (
    first_seq INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES tables, rows INTEGER NOT NULL,
    first_time INTEGER, last_time INTEGER, bytes INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE tokens (
    table_id INTEGER NOT NULL REFERENCES tables, token TEXT NOT NULL, body_hash TEXT NOT NULL,
    first_seq INTEGER NOT NULL, rows INTEGER NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (table_id, token)
) WITHOUT ROWID;
CREATE INDEX tokens_by_age ON tokens (created_at);
CREATE TABLE positions (table_id INTEGER PRIMARY KEY REFERENCES tables, position TEXT NOT NULL);
"""

TOKEN_SECONDS = 7 * 86_400
GROUP_BYTES = 64 << 20
IDLE_SECONDS = 20.0
FLUSH_ROWS = 131_072
FLUSH_BYTES = 64 << 20
FLUSH_RECORDS = 16_384
LIMIT_ROWS = 16 * FLUSH_ROWS
LIMIT_BYTES = 16 * FLUSH_BYTES
QUEUE_APPENDS = 4096
QUEUE_BYTES = 64 << 20
#: What one caller may have of the queue, so that others find room in it.
SHARE = 0.5


@dataclass(frozen=True)
class Record:
    """One record of the log: a batch of rows with consecutive seq."""

    first_seq: int
    batch: pa.RecordBatch

    def seqs(self) -> npt.NDArray[np.int64]:
        """Return the seq of every row."""
        return np.arange(self.first_seq, self.first_seq + self.batch.num_rows, dtype=np.int64)


def encode_batch(rows: pa.Table) -> bytes:
    """Return rows as the bytes that the log stores: one Arrow IPC record batch message without its schema."""
    arrays = [contiguous(column) for column in rows.columns]
    return bytes(pa.RecordBatch.from_arrays(arrays, schema=rows.schema).serialize())


def decode_record(table: StoredTable, first_seq: int, data: bytes) -> Record:
    """Return one log record, without a copy; columns that were added since have their default."""
    batch = pa.ipc.read_record_batch(pa.py_buffer(data), schema_at(table, first_seq))
    return Record(first_seq, completed(table, batch))


@dataclass
class Append:
    """One append on its way through the committer.

    ``batch`` holds the rows where the table has ids; ``known`` gets those that are left out, with the seq of the row
    that has their id. ``bad`` are rows for the table's quarantine, stored with the others.
    ``caller`` says whose share of the queue it takes; ``on_done`` is called on the committer's
    thread once the outcome is known.
    """

    table: StoredTable
    data: bytes
    rows: int
    times: tuple[int, int] | None
    token: str | None
    body_hash: str | None
    source_position: str | None
    batch: pa.Table | None = None
    bad: pa.Table | None = None
    caller: str | None = None
    on_done: Callable[[], None] | None = None
    receipt: Receipt | None = None
    error: BaseException | None = None
    tail: tuple[int, int, int] = (0, 0, 0)
    known: list[tuple[int, int]] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def take(self, kept: list[int]) -> None:
        """Keep only some of the rows; the body's hash stays that of all that were given."""
        assert self.batch is not None
        self.body_hash = body_hash_of(self)
        rows = self.batch.take(pa.array(kept, pa.int64()))
        self.data, self.rows = encode_batch(rows), rows.num_rows
        if self.table.time is not None and kept:
            times = microseconds(contiguous(rows.column(self.table.time)))
            self.times = int(times.min()), int(times.max())

    def complete(self, table: StoredTable) -> None:
        """Take over a table that got further columns since the rows were made: they have the defaults in them."""
        self.body_hash = body_hash_of(self)
        batch = pa.ipc.read_record_batch(pa.py_buffer(self.data), arrow_schema(self.table.columns))
        rows = pa.Table.from_batches([completed(table, batch)])
        self.table, self.data = table, encode_batch(rows)
        if self.batch is not None:
            self.batch = rows

    def finish(self) -> None:
        """Wake the caller."""
        self._done.set()
        if self.on_done is not None:
            try:
                self.on_done()
            except Exception:
                logger.exception("who appended to table %s could not be told", self.table.name)

    def result(self) -> Receipt:
        """Wait for the commit and return its receipt, or raise why there is none."""
        self._done.wait()
        return self.outcome()

    def outcome(self) -> Receipt:
        """Return the receipt of an append that is done, or raise why there is none."""
        if self.error is not None:
            raise self.error
        assert self.receipt is not None
        return self.receipt

    def wants_flush(self) -> bool:
        """Whether the table's tail has grown enough to be moved into the lake."""
        rows, size, records = self.tail
        return rows >= FLUSH_ROWS or size >= FLUSH_BYTES or records >= FLUSH_RECORDS


class Sifter(Protocol):
    """Leaves rows of known ids out of appends, inside the transaction that stores them."""

    def sift(self, append: Append, first_seq: int) -> None:
        """Leave them out of one append, whose first new row gets ``first_seq``."""


class Queue:
    """What waits for the committer: bounded, and no caller has more than its share. Not thread-safe.

    Parameters
    ----------
    appends, size
        How many appends, and how many bytes of rows, may wait.
    """

    def __init__(self, appends: int, size: int) -> None:
        self._limits = appends, size
        self._waiting: deque[Append] = deque()
        self._size = 0
        self._shares: dict[str, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def fits(self, append: Append) -> bool:
        """Whether there is room; an empty queue takes anything."""
        return not self._waiting or not self._full(append, len(self._waiting), self._size, 1.0)

    def put(self, append: Append) -> None:
        """Add an append.

        Raises
        ------
        Throttled
            When its caller has more than its share of the queue.
        Unavailable
            When the queue is full.
        """
        share = self._shares.get(append.caller) if append.caller is not None else None
        if share is not None and self._full(append, *share, SHARE):
            raise Throttled(
                "this caller has as many rows on their way to the disk as one caller may have",
                hint="wait for answers before you send more",
            )
        if not self.fits(append):
            raise Unavailable(
                f"{len(self._waiting):,} appends are on their way to the disk", hint="append more slowly"
            )
        self.add(append)

    def add(self, append: Append) -> None:
        """Add an append that fits."""
        self._waiting.append(append)
        self._note(append, 1)

    def take(self) -> list[Append]:
        """Remove and return what one transaction should store."""
        group: list[Append] = []
        size = 0
        while self._waiting and (not group or size + len(self._waiting[0].data) <= GROUP_BYTES):
            append = self._waiting.popleft()
            self._note(append, -1)
            size += len(append.data)
            group.append(append)
        return group

    def _full(self, append: Append, count: int, size: int, part: float) -> bool:
        appends, limit = self._limits
        return count >= appends * part or size + len(append.data) > limit * part

    def _note(self, append: Append, sign: int) -> None:
        self._size += sign * len(append.data)
        if append.caller is not None:
            count, size = self._shares.pop(append.caller, (0, 0))
            if count + sign:
                self._shares[append.caller] = count + sign, size + sign * len(append.data)


class Committer:
    """The committer thread of one process; it ends when idle and starts again when needed."""

    def __init__(
        self, database: Database, on_commit: Callable[[Append], None], sifter: Callable[[], Sifter]
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._sifter = sifter
        self._condition = threading.Condition()
        self._queue = Queue(QUEUE_APPENDS, QUEUE_BYTES)
        self._running = False

    def commit(self, append: Append) -> Receipt:
        """Store one append; waits for room in the queue and returns when it is on disk."""
        with self._condition:
            self._condition.wait_for(lambda: self._queue.fits(append))
            self._queue.add(append)
            self._wake()
        return append.result()

    def submit(self, append: Append) -> None:
        """Store one append soon, and finish it then.

        Raises
        ------
        Throttled
            When its caller has more than its share of the queue.
        Unavailable
            When the queue is full.
        """
        with self._condition:
            self._queue.put(append)
            self._wake()

    def _wake(self) -> None:
        if not self._running:
            self._running = True
            threading.Thread(target=self._run, name="workbench-committer", daemon=True).start()
        self._condition.notify_all()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if not group:
                return
            try:
                self._commit_group(group)
            finally:
                for append in group:
                    if append.receipt is None and append.error is None:
                        append.error = StorageError("the committer was stopped", hint="try again")
                    append.finish()
            for append in group:
                if append.error is None and append.wants_flush():
                    self._ask_for_flush(append)

    def _ask_for_flush(self, append: Append) -> None:
        try:
            self._on_commit(append)
        except Exception:
            # The rows are stored; the next append asks again.
            logger.exception("a flush of table %s could not be asked for", append.table.name)

    def _next_group(self) -> list[Append]:
        with self._condition:
            if not self._queue and not self._condition.wait_for(lambda: self._queue, IDLE_SECONDS):
                self._running = False
                return []
            group = self._queue.take()
            self._condition.notify_all()
            return group

    def _commit_group(self, group: list[Append]) -> None:
        try:
            with self._database.transaction() as connection:
                receipts = _store_group(connection, group, self._sifter())
        except BaseException as error:
            for append in group:
                append.error = error
            return
        for append, receipt in zip(group, receipts, strict=True):
            append.receipt = receipt


def _store_group(connection: sqlite3.Connection, group: list[Append], sifter: Sifter) -> list[Receipt | None]:
    """Store what can be stored of a group; an append that cannot gets its error and touches nothing."""
    last = start = read_counters(connection)[0]
    tails: dict[int, tuple[int, int, int]] = {}
    stored: dict[int, StoredTable] = {}
    receipts: list[Receipt | None] = []
    for append in group:
        table_id = append.table.id
        try:
            if table_id not in tails:
                stored[table_id], tails[table_id] = _read_table(connection, append.table)
            if len(stored[table_id].columns) > len(append.table.columns):
                append.complete(stored[table_id])
            replayed = find_token(connection, append)
            if replayed is None:
                _require_room(append, tails[table_id])
                if append.table.id_column is not None:
                    sifter.sift(append, last + 1)
        except (NotFound, Conflict, Unavailable, StorageError) as error:
            append.error = error
            receipts.append(None)
            continue
        quarantined = append.bad.num_rows if append.bad is not None else 0
        if replayed is not None:
            receipts.append(replace(replayed, quarantined=quarantined))
            continue
        receipt = Receipt(append.rows, last + 1, last + append.rows, quarantined=quarantined)
        last = receipt.last_seq
        _insert_record(connection, append, receipt)
        note_token(connection, append, receipt)
        rows, size, records = tails[table_id]
        if append.rows:
            tails[table_id] = (rows + append.rows, size + len(append.data), records + 1)
        append.tail = tails[table_id]
        receipts.append(receipt)
        if append.bad is not None:
            last = _store_bad(connection, append.table, append.bad, last, tails)
    if last != start:
        connection.execute("UPDATE counters SET last_seq = ?", (last,))
    connection.executemany(
        "UPDATE tables SET tail_rows = ?, tail_bytes = ?, tail_records = ? WHERE id = ?",
        [(*tail, table_id) for table_id, tail in tails.items()],
    )
    return receipts


def _store_bad(
    connection: sqlite3.Connection,
    table: StoredTable,
    bad: pa.Table,
    last: int,
    tails: dict[int, tuple[int, int, int]],
) -> int:
    """Put rows into a table's quarantine; return the last seq."""
    append = _to_quarantine(connection, table, bad)
    quarantine = append.table
    if quarantine.id not in tails:
        tails[quarantine.id] = _read_table(connection, quarantine)[1]
    _insert_record(connection, append, Receipt(append.rows, last + 1, last + append.rows))
    rows, size, records = tails[quarantine.id]
    tails[quarantine.id] = (rows + append.rows, size + len(append.data), records + 1)
    return last + append.rows


def _to_quarantine(connection: sqlite3.Connection, table: StoredTable, bad: pa.Table) -> Append:
    quarantine = quarantine_of(connection, table)
    times = microseconds(contiguous(bad.column(str(quarantine.time))))
    ends = int(times.min()), int(times.max())
    return Append(quarantine, encode_batch(bad), bad.num_rows, ends, None, None, None)


def store_bad(connection: sqlite3.Connection, table: StoredTable, bad: pa.Table) -> None:
    """Put rows into a table's quarantine in this transaction, outside of a group commit."""
    append = _to_quarantine(connection, table, bad)
    first = reserve_seq(connection, append.rows)
    _insert_record(connection, append, Receipt(append.rows, first, first + append.rows - 1))
    connection.execute(
        "UPDATE tables SET tail_rows = tail_rows + ?, tail_bytes = tail_bytes + ?, tail_records = tail_records + 1"
        " WHERE id = ?",
        (append.rows, len(append.data), append.table.id),
    )


def _read_table(
    connection: sqlite3.Connection, table: StoredTable
) -> tuple[StoredTable, tuple[int, int, int]]:
    row = connection.execute(
        "SELECT * FROM tables WHERE id = ? AND name = ?", (table.id, table.name)
    ).fetchone()
    if row is None:
        raise NotFound(f"table {table.name!r} was dropped")
    return table_of_row(row), (row["tail_rows"], row["tail_bytes"], row["tail_records"])


def _require_room(append: Append, tail: tuple[int, int, int]) -> None:
    if tail[0] + append.rows > LIMIT_ROWS or tail[1] + len(append.data) > LIMIT_BYTES:
        raise Unavailable(
            f"table {append.table.name!r} has {tail[0]:,} rows that wait to be moved into its files",
            hint="append more slowly, or try again in a few seconds",
        )


def _insert_record(connection: sqlite3.Connection, append: Append, receipt: Receipt) -> None:
    if append.rows:
        first, last = append.times or (None, None)
        connection.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)",
            (receipt.first_seq, append.table.id, append.rows, first, last, len(append.data), append.data),
        )
    if append.source_position is not None:
        note_position(connection, append.table.id, append.source_position)


def note_position(connection: sqlite3.Connection, table_id: int, position: str) -> None:
    """Remember how far a stream was read into this table."""
    connection.execute(
        "INSERT INTO positions VALUES (?, ?) ON CONFLICT (table_id) DO UPDATE SET position = excluded.position",
        (table_id, position),
    )


def body_hash_of(append: Append) -> str:
    """Return the hash that identifies the body: the caller's, else that of the stored bytes."""
    return append.body_hash or hashlib.sha256(append.data).hexdigest()


def find_token(connection: sqlite3.Connection, append: Append) -> Receipt | None:
    """Return the receipt of an earlier append under the same token.

    Raises
    ------
    Conflict
        When that append had another body.
    """
    if append.token is None:
        return None
    row = connection.execute(
        "SELECT body_hash, first_seq, rows FROM tokens WHERE table_id = ? AND token = ?",
        (append.table.id, append.token),
    ).fetchone()
    if row is None:
        return None
    if row["body_hash"] != body_hash_of(append):
        raise Conflict(
            f"the idempotency token {append.token!r} was used for other rows of table {append.table.name!r}",
            hint="use a new token for new rows",
        )
    return Receipt(row["rows"], row["first_seq"], row["first_seq"] + row["rows"] - 1, replayed=True)


def note_token(connection: sqlite3.Connection, append: Append, receipt: Receipt) -> None:
    """Remember a token with its receipt."""
    if append.token is not None:
        connection.execute(
            "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?)",
            (
                append.table.id,
                append.token,
                body_hash_of(append),
                receipt.first_seq,
                receipt.accepted,
                clock.time(),
            ),
        )


def expire_tokens(connection: sqlite3.Connection) -> None:
    """Forget tokens that are a week older than the newest: a clock that jumps ahead for a while takes none away."""
    connection.execute(
        "DELETE FROM tokens WHERE created_at <= min(?, (SELECT max(created_at) FROM tokens)) - ?",
        (clock.time(), TOKEN_SECONDS),
    )


def read_records(connection: sqlite3.Connection, table: StoredTable, after: int = 0) -> list[Record]:
    """Return the log records of one table that start after a seq, in the order of seq."""
    rows = connection.execute(
        "SELECT first_seq, data FROM log WHERE table_id = ? AND first_seq > ? ORDER BY first_seq",
        (table.id, after),
    )
    return [decode_record(table, row["first_seq"], row["data"]) for row in rows]
