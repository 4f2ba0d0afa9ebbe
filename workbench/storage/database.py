"""The project's SQLite database: a connection per thread, transactions, and survival of fork.

SQLite forbids carrying a connection across ``fork``: the child would believe it holds locks that it does not. So all
connections of the process are closed right before a fork and reopened by whoever needs one next, in both processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import Conflict, StorageError
from workbench.storage.watch import ChangeCounter, Watch

BUSY_SECONDS = 60.0


class _Handle:
    """One connection and the lock that its user, or a fork, holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.in_transaction = False
        self.lost = False

    def __del__(self) -> None:
        if self.connection is not None:
            self.connection.close()


class Database:
    """The database file of one project.

    Parameters
    ----------
    path
        The file; created when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._start()
        _databases.add(self)

    def _start(self) -> None:
        self._local = threading.local()
        self._handles: weakref.WeakSet[_Handle] = weakref.WeakSet()
        self._handles_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._poll = self._new_handle()
        self._watch = Watch()
        self._watched = 0
        self._schemas: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside ``BEGIN IMMEDIATE`` … ``COMMIT``; an exception rolls everything back.

        Raises
        ------
        StorageError
            When the database cannot be written (disk full, input/output error, locked for too long), or when this
            thread is already inside a transaction.
        """
        handle = self._handle()
        if handle.in_transaction:
            raise StorageError(
                "this thread is already inside a transaction", hint="pass its connection along"
            )
        with self._write_lock, handle.lock, translated():
            connection = self._connection(handle)
            _begin_immediate(connection)
            handle.in_transaction = True
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already; then there is nothing left to undo.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                handle.in_transaction = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose reads all see one committed state."""
        handle = self._handle()
        with handle.lock, translated():
            connection = self._connection(handle)
            if handle.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def watching(self) -> Iterator[sqlite3.Connection]:
        """Like :meth:`reading`, but never sees what this thread's own open transaction has changed."""
        handle = self._poll
        with handle.lock, translated():
            connection = self._connection(handle)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def query(self, sql: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run one reading statement on this thread's connection."""
        handle = self._handle()
        with handle.lock, translated():
            return self._connection(handle).execute(sql, params).fetchall()

    def maintain(self, statement: str) -> list[sqlite3.Row]:
        """Run a statement that must stand outside of transactions, such as VACUUM; appends wait for it."""
        handle = self._handle()
        with self._write_lock, handle.lock, translated():
            return self._connection(handle).execute(statement).fetchall()

    def change_counter(self) -> ChangeCounter:
        """Return a value that differs whenever any process or thread has committed since (about 0.3 µs)."""
        return self._watch.read() or self._look_again()

    def _look_again(self) -> ChangeCounter:
        handle = self._poll
        with handle.lock, translated():
            opened = handle.connection is None
            # In WAL mode, reading maps the log's index and finishes its recovery after a crash.
            version: int = self._connection(handle).execute("PRAGMA data_version").fetchone()[0]
            if opened or not self._watched:
                self._connection(handle).execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
                self._watched = self._watch.begin(self.path)
            return self._watch.read() or (self._watched, version)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside :meth:`transaction`."""
        return self._handle().in_transaction

    def ensure_schema(self, name: str, ddl: str) -> None:
        """Create the tables of one room once; the statements and the note that they ran are one transaction.

        Raises
        ------
        Conflict
            When another version of the package has created that schema differently.
        """
        digest = hashlib.sha256(ddl.encode()).hexdigest()
        if (name, digest) in self._schemas:
            return
        with self.transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schemas (name TEXT PRIMARY KEY, digest TEXT NOT NULL)"
            )
            known = connection.execute("SELECT digest FROM schemas WHERE name = ?", (name,)).fetchone()
            if known is None:
                for statement in _statements(ddl):
                    connection.execute(statement)
                connection.execute("INSERT INTO schemas VALUES (?, ?)", (name, digest))
            elif known["digest"] != digest:
                raise Conflict(
                    f"the {name!r} part of {self.path} was made by another version of the workbench",
                    hint="open the project with the version that made it, or start a new project",
                )
        self._schemas.add((name, digest))

    def close(self) -> None:
        """Close every connection; later use raises StorageError."""
        self._closed = True
        for handle in self._all_handles():
            with handle.lock:
                self._disconnect(handle)

    def _handle(self) -> _Handle:
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._local.handle = self._new_handle()
        return handle

    def _new_handle(self) -> _Handle:
        handle = _Handle()
        with self._handles_lock:
            self._handles.add(handle)
        return handle

    def _all_handles(self) -> list[_Handle]:
        with self._handles_lock:
            return list(self._handles)

    def _connection(self, handle: _Handle) -> sqlite3.Connection:
        if handle.connection is not None:
            return handle.connection
        if self._closed:
            raise StorageError(f"the project at {self.path.parent} is closed", hint="open it again")
        if handle.lost:
            raise StorageError(
                "the process was forked inside a transaction", hint="fork outside of transactions"
            )
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        handle.connection = connection
        return connection

    def _disconnect(self, handle: _Handle) -> None:
        if handle is self._poll:
            self._watch.end()
            self._watched = 0
        if handle.connection is not None:
            handle.connection.close()
            handle.connection = None

    def _before_fork(self) -> None:
        self._write_lock.acquire()
        self._forking = self._all_handles()
        for handle in self._forking:
            handle.lock.acquire()
            if not handle.in_transaction:
                self._disconnect(handle)

    def _after_fork_in_parent(self) -> None:
        for handle in self._forking:
            handle.lock.release()
        self._forking = []
        self._write_lock.release()

    def _after_fork_in_child(self) -> None:
        inside = [handle for handle in self._forking if handle.connection is not None]
        self._forking = []
        self._start()
        if inside:
            # Only the forking thread can be inside a transaction. Its connection must be neither used nor closed here.
            _unusable.extend(inside)
            self._handle().lost = True
            self._poll.lost = True


def _begin_immediate(connection: sqlite3.Connection) -> None:
    """Take the project's write lock.

    SQLite's own waiting sleeps up to 100 ms at a time, which lets one busy process starve the others for seconds.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.0002, 0.001))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors about the file into StorageError; programming errors pass."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError)):
            raise
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith("SQLITE_FULL"):
            hint = "free some disk space and try again; nothing of this change was stored"
        elif code.startswith("SQLITE_BUSY"):
            hint = "another process holds the project's write lock; try again"
        elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            hint = "the database file is damaged; restore it from a copy"
        elif code.startswith("SQLITE_ERROR"):
            raise
        else:
            hint = "check the disk and its permissions; nothing of this change was stored"
        raise StorageError(f"the project's database failed: {error}", hint=hint) from error


def _statements(ddl: str) -> Iterator[str]:
    statement = ""
    for line in ddl.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_forking: list[Database] = []
_unusable: list[_Handle] = []


def _before_fork() -> None:
    _forking.extend(sorted(_databases, key=id))
    for database in _forking:
        database._before_fork()


def _after_fork_in_parent() -> None:
    for database in _forking:
        database._after_fork_in_parent()
    _forking.clear()


def _after_fork_in_child() -> None:
    for database in _forking:
        database._after_fork_in_child()
    _forking.clear()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
