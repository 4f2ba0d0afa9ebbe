"""Housekeeping: the one process of a project that moves rows into files, merges, expires and removes.

Whoever holds the lock ``housekeeping`` keeps house; the kernel frees it when the process dies, and then another may. It
says that it is alive in the database every few seconds. A process that appends leaves flushing to it as long as that
was said lately and the process runs; otherwise it flushes by itself. Both at once cannot be: each change of a table's
files holds the table's lock.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.storage.database import Database
from workbench.storage.log import FLUSH_BYTES, FLUSH_RECORDS, FLUSH_ROWS, expire_tokens

if TYPE_CHECKING:
    from workbench.storage.storage import Storage

LOCK = "housekeeping"
HEARTBEAT_SECONDS = 3.0
LOST_SECONDS = 15.0
LOOK_SECONDS = 1.0
POLL_SECONDS = 0.1
#: Rows do not stay in the log longer than about this.
FLUSH_SECONDS = 600.0
ROUND_SECONDS = 60.0
ORPHAN_SECONDS = 600.0
WAL_BYTES = 64 << 20

Horizons = Callable[[], Mapping[str, int]]

logger = logging.getLogger("workbench.housekeeping")


@dataclass(frozen=True)
class HousekeepingState:
    """The process that keeps house: what it is doing, and the last thing that went wrong."""

    pid: int
    started_at: float
    heartbeat: float
    doing: str
    problem: str | None

    @property
    def lives(self) -> bool:
        """Whether it has said so lately and its process runs."""
        return time.time() - self.heartbeat < LOST_SECONDS and _runs(self.pid)


def read_state(database: Database) -> HousekeepingState | None:
    """Return who keeps house, or did last."""
    rows = database.query("SELECT pid, started_at, heartbeat, doing, problem FROM housekeeping")
    return HousekeepingState(*rows[0]) if rows else None


class Presence:
    """Whether a housekeeping process lives, asked often: looked up once a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked = 0.0
        self._lives = False

    def lives(self) -> bool:
        """Return whether flushing can be left to it."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            state = read_state(self._database)
            self._lives = state is not None and state.lives and state.pid != os.getpid()
            self._looked = now
        return self._lives


class Housekeeper:
    """Keeps house for one project.

    Parameters
    ----------
    storage
        The project's storage.
    horizons
        Returns for each table whose rows expire the time (µs) before which they may go.

    Examples
    --------
    >>> Housekeeper(storage, dict).run(threading.Event(), once=True)               # doctest: +SKIP
    True
    """

    def __init__(self, storage: Storage, horizons: Horizons) -> None:
        self._storage = storage
        self._database = storage.database
        self._horizons = horizons
        self._doing = "looking around"
        self._problem: str | None = None
        self._waiting: dict[int, float] = {}
        self._round = self._orphans = float("-inf")
        self._counter: object = None
        self._version = -1

    def run(self, stop: threading.Event, *, once: bool = False) -> bool:
        """Keep house until told to stop, as soon as nobody else does; with ``once``, do what is due and return.

        Returns
        -------
        bool
            Whether this process kept house: with ``once``, another one may.
        """
        lock = self._storage.files.lock(LOCK)
        while not lock.acquire(wait=False):
            if once or stop.wait(LOOK_SECONDS):
                return False
        try:
            self._say(first=True)
            return self._keep(stop, once)
        finally:
            lock.release()

    def _keep(self, stop: threading.Event, once: bool) -> bool:
        done = threading.Event()
        beating = threading.Thread(target=self._beat, args=(done,), daemon=True)
        beating.start()
        try:
            if once:
                self._all()
                return True
            logger.info("housekeeping by process %s", os.getpid())
            while not stop.is_set():
                self._look()
                stop.wait(POLL_SECONDS)
            return True
        finally:
            done.set()
            beating.join()
            self._leave()

    # -- what is due

    def _look(self) -> None:
        now = time.monotonic()
        counter = self._database.change_counter()
        regular = now - self._round > ROUND_SECONDS
        if counter != self._counter or regular:
            self._counter = counter
            self._tables(now)
        if regular:
            self._round = now
            self._guarded("expiring rows", self._expire)
            self._guarded("tidying", self._tidy)

    def _all(self) -> None:
        for table in self._storage.tables():
            self._guarded(f"flushing {table.name}", self._storage.flush, table.name)
        self._guarded("expiring rows", self._expire)
        self._guarded("tidying", self._tidy)

    def _tables(self, now: float) -> None:
        rows = self._database.query(
            "SELECT id, name, tail_rows, tail_bytes, tail_records, flush_wanted FROM tables"
        )
        version = self._storage.version()
        for row in rows:
            if not row["tail_rows"]:
                self._waiting.pop(row["id"], None)
                due = False
            else:
                since = self._waiting.setdefault(row["id"], now)
                full = (
                    row["tail_rows"] >= FLUSH_ROWS
                    or row["tail_bytes"] >= FLUSH_BYTES
                    or row["tail_records"] >= FLUSH_RECORDS
                )
                due = full or bool(row["flush_wanted"]) or now - since > FLUSH_SECONDS
            if due or (version != self._version and self._storage.mergeable(row["id"])):
                self._waiting.pop(row["id"], None)
                self._guarded(f"flushing {row['name']}", self._storage.flush, row["name"])
        self._version = version

    def _expire(self) -> None:
        for table, before in self._horizons().items():
            gone = self._storage.expire(table, before)
            if gone:
                logger.info("%s rows of %s have expired", gone, table)

    def _tidy(self) -> None:
        with self._database.transaction() as connection:
            expire_tokens(connection)
        self._storage.scrub()
        if time.monotonic() - self._orphans > ORPHAN_SECONDS:
            self._storage.files.remove_orphans()
            self._orphans = time.monotonic()
        wal = self._database.path.with_name(self._database.path.name + "-wal")
        if wal.exists() and wal.stat().st_size > WAL_BYTES:
            self._database.maintain("PRAGMA wal_checkpoint(TRUNCATE)")

    def _guarded(self, what: str, work: Callable[..., object], *arguments: object) -> None:
        """Do one thing; what goes wrong is said and done again later."""
        self._doing = what
        started = time.monotonic()
        try:
            work(*arguments)
        except WorkbenchError as error:
            self._problem = f"{what}: {error}"
            logger.error("%s", self._problem)
        except Exception as error:
            self._problem = f"{what}: {type(error).__name__}: {error}"
            logger.exception("%s failed", what)
        else:
            seconds = time.monotonic() - started
            if seconds > 1:
                logger.info("%s took %.1f s", what, seconds)
        self._doing = "idle"

    # -- being seen

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                self._say()
            except WorkbenchError as error:
                logger.error("the heartbeat cannot be stored: %s", error)

    def _say(self, *, first: bool = False) -> None:
        now = time.time()
        with self._database.transaction() as connection:
            if first:
                connection.execute(
                    "INSERT OR REPLACE INTO housekeeping VALUES (1, ?, ?, ?, ?, NULL)",
                    (os.getpid(), now, now, self._doing),
                )
            else:
                connection.execute(
                    "UPDATE housekeeping SET heartbeat = ?, doing = ?, problem = ?",
                    (now, self._doing, self._problem),
                )

    def _leave(self) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM housekeeping WHERE pid = ?", (os.getpid(),))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
