"""Segment files are compared with their checksums in the background, and built again where they are damaged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from workbench.errors import WorkbenchError
from workbench.storage.database import Database
from workbench.storage.files import Files
from workbench.storage.index import Indexes
from workbench.storage.layout import CorruptFile, MappedFile
from workbench.storage.manifest import read_manifest
from workbench.storage.model import IndexSpec, Segment

IDLE_SECONDS = 20.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Damage:
    """A file that is not what its commit recorded."""

    path: str
    reason: str


class Upkeep:
    """Checks and rebuilds the segments of one project in a background thread that ends when idle.

    What every file holds is read once in the life of a process that reads indexes, by one process at a time; it costs
    about a second for every few GB. A segment that turns out to be damaged is dropped at once, so that nobody reads it
    any more, and built again from the lake.
    """

    def __init__(self, database: Database, files: Files, indexes: Indexes) -> None:
        self._database = database
        self._files = files
        self._indexes = indexes
        self._condition = threading.Condition()
        self._lost: set[IndexSpec] = set()
        self._unseen = False
        self._verified: set[str] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    def verify_soon(self) -> None:
        """Have files that were not looked at yet compared with their checksums."""
        self._wake(lambda: setattr(self, "_unseen", True))

    def lost(self, spec: IndexSpec, segment: Segment) -> None:
        """Drop a segment that cannot be read and have it built again."""
        self._indexes.report_lost(segment)
        self.rebuild_soon(spec)

    def rebuild_soon(self, spec: IndexSpec) -> None:
        """Have the segments built that an index lacks: whoever was at it before failed or ended."""
        self._wake(lambda: self._lost.add(spec))

    def _wake(self, note: Callable[[], object]) -> None:
        with self._condition:
            if self._closed:
                return
            note()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workbench-upkeep", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self) -> None:
        """Let what runs finish and start nothing else."""
        with self._condition:
            self._closed = True
            thread = self._thread
            self._condition.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._lost or self._unseen or self._closed, IDLE_SECONDS)
                if self._closed or not (self._lost or self._unseen):
                    self._thread = None
                    return
                lost, self._lost = self._lost, set()
                unseen, self._unseen = self._unseen, False
            try:
                for spec in lost:
                    self._rebuild(spec)
                if unseen:
                    self._verify_unseen()
            except WorkbenchError as error:
                logger.error("an index could not be looked after: %s", error)
            except Exception:
                logger.exception("an index could not be looked after")

    def _rebuild(self, spec: IndexSpec) -> None:
        index = next((index for index in self._indexes.stored() if index.spec == spec), None)
        if index is not None:
            self._indexes.ensure(spec, index.needs, live=index.live)
            logger.warning("the index %s was built again", spec)

    def _verify_unseen(self) -> None:
        lock = self._files.lock("verify")
        if not lock.acquire(wait=False):
            return  # another process is at it
        try:
            for spec, segment, damage in self._damaged(lambda: self._closed):
                logger.error("%s; the segment is built again", damage.reason)
                self.lost(spec, segment)
        finally:
            lock.release()

    def _damaged(self, stop: Callable[[], bool]) -> Iterator[tuple[IndexSpec, Segment, Damage]]:
        """Yield segments with a file that is not what it was written as."""
        stored = self._indexes.stored()
        named = {
            file.path for index in stored for segment in index.segments for file in segment.files.values()
        }
        self._verified &= named
        for index in stored:
            for segment in index.segments:
                for file in segment.files.values():
                    if stop():
                        return
                    if file.path in self._verified:
                        continue
                    try:
                        MappedFile(self._files.root / file.path, file).verify()
                        self._verified.add(file.path)
                    except FileNotFoundError:
                        if not self._is_named(file.path):
                            continue
                        reason = f"the index file {file.path} is gone"
                        yield index.spec, segment, Damage(file.path, reason)
                        break
                    except CorruptFile as error:
                        yield index.spec, segment, Damage(file.path, str(error))
                        break

    def _is_named(self, path: str) -> bool:
        return bool(self._database.query("SELECT 1 FROM segment_files WHERE path = ?", (path,)))

    def verify(self, progress: Callable[[float], None] | None = None) -> list[Damage]:
        """Read every file of the project and return those that are damaged; segments among them are built again.

        Files of the lake are the rows themselves: nothing can build them again.
        """
        self._verified.clear()
        found = []
        for spec, segment, damage in self._damaged(lambda: False):
            found.append(damage)
            self._indexes.report_lost(segment)
            self._rebuild(spec)
        with self._database.reading() as connection:
            parts = [part for entry in read_manifest(connection).tables.values() for part in entry.parts]
        for number, part in enumerate(parts):
            if progress is not None:
                progress(number / len(parts))
            reason = _lake_damage(self._files.root / part.path)
            if reason is not None:
                found.append(Damage(part.path, reason))
        return found


def _lake_damage(path: Path) -> str | None:
    try:
        with pq.ParquetFile(str(path), page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
    except (OSError, ValueError) as error:
        return f"the file {path.name} of the lake cannot be read: {error}"
    return None
