"""The file protocol: how data files come, are protected while read, and go.

A file is written under a temporary name that says who writes it, forced to disk, renamed, and only then named by a
commit. A file that a commit no longer names is removed later, when no reader's lease is older than that commit. Who is
alive is told by a lock that each process holds on its own file under ``locks/``: the kernel frees it even after a
``kill -9``.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import StorageError
from workbench.storage.database import Database
from workbench.storage.filesystem import sync_directory, sync_file

SCHEMA = """
CREATE TABLE removals (path TEXT PRIMARY KEY, version INTEGER NOT NULL);
"""

DIRECTORIES = ("lake", "segments", "locks", "leases", "tmp")


class FileLock:
    """An exclusive lock on a small file, between threads and between processes.

    >>> with FileLock(project / "locks" / "table-1.lock"):                         # doctest: +SKIP
    ...     pass
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = True) -> bool:
        """Take the lock; with ``wait=False`` return False at once when somebody has it."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            if _same_file(descriptor, self.path):
                self._descriptor = descriptor
                _held.add(self)
                return True
            # Somebody removed the file between our open and our lock: that lock would exclude nobody.
            os.close(descriptor)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        _held.discard(self)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Files:
    """The data files of one project, as seen by one process.

    Parameters
    ----------
    root
        The project folder.
    database
        Where commits name the files.
    """

    def __init__(self, root: Path, database: Database) -> None:
        self.root = root
        self._database = database
        self._presence: FileLock | None = None
        self._presence_lock = threading.Lock()
        self._numbers = itertools.count(1)
        for directory in DIRECTORIES:
            (root / directory).mkdir(exist_ok=True)
        _instances.add(self)

    @property
    def writer(self) -> str:
        """The name under which this process writes; its lock is held from first use to the end of the process."""
        with self._presence_lock:
            if self._presence is None:
                presence = FileLock(self.root / "locks" / f"{secrets.token_hex(6)}.alive")
                presence.acquire()
                self._presence = presence
            return self._presence.path.stem

    def new_path(self, directory: str, suffix: str) -> str:
        """Return an unused path, relative to the project, that carries this writer's name."""
        return f"{directory}/{self.writer}-{next(self._numbers)}{suffix}"

    def temporary(self, path: str) -> Path:
        """Return where to write ``path`` until :meth:`publish`."""
        return self.root / f"{path}.tmp"

    def publish(self, *paths: str) -> None:
        """Make files that were written to :meth:`temporary` durable under their names.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        try:
            for path in paths:
                sync_file(self.temporary(path))
                os.rename(self.temporary(path), self.root / path)
            for directory in {path.split("/")[0] for path in paths}:
                sync_directory(self.root / directory)
        except OSError as error:
            raise disk_error(error) from error

    def discard(self, *paths: str) -> None:
        """Remove files of this writer that no commit names."""
        for path in paths:
            self.temporary(path).unlink(missing_ok=True)
            (self.root / path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def spill_directory(self) -> Iterator[Path]:
        """Yield a directory for temporary data of one job."""
        directory = self.root / self.new_path("tmp", "")
        directory.mkdir()
        try:
            yield directory
        finally:
            _remove_tree(directory)

    def lock(self, name: str) -> FileLock:
        """Return a lock that all processes of the project share."""
        return FileLock(self.root / "locks" / f"{name}.lock")

    def take_lease(self, version: int) -> Path:
        """Protect every file that manifest ``version`` or a later one names, until :meth:`end_lease`."""
        lease = self.root / "leases" / f"{version}.{self.writer}.{next(self._numbers)}"
        lease.touch()
        return lease

    def end_lease(self, lease: Path) -> None:
        """Give up a lease; in a forked child those of the parent stay."""
        if self._presence is not None and lease.name.split(".")[1] == self._presence.path.stem:
            lease.unlink(missing_ok=True)

    def collect(self) -> int:
        """Remove files that no commit names any more and no lease protects; return how many."""
        rows = self._database.query("SELECT path, version FROM removals")
        if not rows:
            return 0
        # Leases are listed after the removals were committed: whoever took one later sees the newer manifest.
        oldest = min(self._live_leases(), default=None)
        gone = [row["path"] for row in rows if oldest is None or oldest >= row["version"]]
        for path in gone:
            (self.root / path).unlink(missing_ok=True)
        if gone:
            with self._database.transaction() as connection:
                connection.executemany("DELETE FROM removals WHERE path = ?", [(path,) for path in gone])
        return len(gone)

    def remove_orphans(self) -> int:
        """Remove what dead writers left: files that no commit names, spilled data, locks, leases."""
        found = [
            f"{directory}/{name}"
            for directory in ("lake", "segments", "tmp")
            for name in os.listdir(self.root / directory)
        ]
        dead = {writer for writer in map(_writer_of, found) if not self._alive(writer)}
        # A dead writer commits nothing more, so what the manifest says from here on about its files is final.
        named = self._named()
        orphans = [path for path in found if _writer_of(path) in dead and path not in named]
        for path in orphans:
            _remove_tree(self.root / path)
        self._live_leases()
        for name in os.listdir(self.root / "locks"):
            if name.endswith(".alive"):
                self._alive(name.removesuffix(".alive"))
        return len(orphans)

    def close(self) -> None:
        """End this process's presence."""
        if self._presence is not None:
            self._presence.path.unlink(missing_ok=True)
            self._presence.release()
            self._presence = None

    def _named(self) -> set[str]:
        rows = self._database.query(
            "SELECT path FROM parts UNION ALL SELECT path FROM segment_files UNION ALL SELECT path FROM removals"
        )
        return {row["path"] for row in rows}

    def _live_leases(self) -> list[int]:
        versions = []
        for name in os.listdir(self.root / "leases"):
            version, writer, _ = name.split(".")
            if self._alive(writer):
                versions.append(int(version))
            else:
                (self.root / "leases" / name).unlink(missing_ok=True)
        return versions

    def _alive(self, writer: str) -> bool:
        """Whether the writer's process lives; the lock file of a dead one is removed."""
        if self._presence is not None and writer == self._presence.path.stem:
            return True
        path = self.root / "locks" / f"{writer}.alive"
        if not path.exists():
            return False
        probe = FileLock(path)
        if not probe.acquire(wait=False):
            return True
        path.unlink(missing_ok=True)
        probe.release()
        return False

    def _forget(self) -> None:
        """In a forked child: the presence is the parent's."""
        self._presence = None
        self._presence_lock = threading.Lock()


def disk_error(error: OSError) -> StorageError:
    """Return what to tell users about a failed write."""
    return StorageError(
        f"a data file could not be written: {error.strerror or error}",
        hint="check the free space and the permissions of the disk; nothing of this change was stored",
    )


def _writer_of(path: str) -> str:
    return path.split("/")[-1].split("-")[0]


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        named, opened = os.stat(path), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def _remove_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _remove_tree(child)
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()
_instances: weakref.WeakSet[Files] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    # The locks belong to the parent; closing our copies keeps them from outliving it.
    for lock in list(_held):
        lock.release()
    for files in list(_instances):
        files._forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
