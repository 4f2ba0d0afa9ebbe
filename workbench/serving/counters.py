"""What one worker counts, in memory that the other workers can read: a number more costs no lock and no system call.

A map has a page of gauges, then cells of one size: each the requests of one route, target, version and status. A cell
is written by its worker alone; readers may see a request in one of its numbers and not yet in another.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import add
from pathlib import Path

import orjson

MILLISECONDS = (
    *(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500),
    *(1_000, 2_500, 5_000, 10_000),
)
SECONDS = tuple(ms / 1000 for ms in MILLISECONDS)

_CELL_BYTES = 1024
_CELL_SLOTS = _CELL_BYTES // 8
_MAX_CELLS = 4095
_SIZE = (_MAX_CELLS + 1) * _CELL_BYTES
_CELLS, _IN_FLIGHT, _GENERATION = 0, 1, 2
_LABEL_BYTES, _COUNT, _ROWS, _NANOSECONDS, _BUCKETS, _LABEL = 0, 1, 2, 3, 4, 40
_LIVE, _ENDED = "live-{}.counters", "ended-{}.counters"

Label = tuple[str, str, str, int]


@dataclass(frozen=True)
class Counted:
    """The requests of one label; ``buckets[i]`` took at most ``SECONDS[i]``, the last one longer than all of them."""

    route: str
    target: str
    version: str
    status: int
    requests: int
    rows: int
    seconds: float
    buckets: tuple[int, ...]

    def plus(self, other: Counted) -> Counted:
        """Return the sums of both; the labels are this one's."""
        return replace(
            self,
            requests=self.requests + other.requests,
            rows=self.rows + other.rows,
            seconds=self.seconds + other.seconds,
            buckets=tuple(map(add, self.buckets, other.buckets)),
        )


class Cell:
    """Where requests of one label are counted."""

    __slots__ = ("_at", "_slots")

    def __init__(self, slots: memoryview, at: int) -> None:
        self._slots = slots
        self._at = at

    def add(self, seconds: float, rows: int) -> None:
        """Count one request."""
        slots, at = self._slots, self._at
        slots[at + _COUNT] += 1
        slots[at + _ROWS] += rows
        slots[at + _NANOSECONDS] += int(seconds * 1e9)
        slots[at + _BUCKETS + bisect_left(SECONDS, seconds)] += 1


class Counters:
    """The cells of this worker.

    Parameters
    ----------
    folder
        Where the workers of a server share their counters; None keeps them to this process.
    """

    def __init__(self, folder: Path | None) -> None:
        self._map = mmap.mmap(-1, _SIZE) if folder is None else _create(folder / _LIVE.format(os.getpid()))
        self._slots = memoryview(self._map).cast("q")
        self._cells: dict[Label, Cell] = {}

    def cell(self, route: str, target: str, version: str, status: int) -> Cell:
        """Return the cell of a label, made when there is none; labels beyond the last cell share that one."""
        label = (route, target, version, status)
        cell = self._cells.get(label)
        if cell is None:
            cell = self._cells[label] = self._new(label)
        return cell

    def in_flight(self, number: int) -> None:
        """Note how many requests are being worked on."""
        self._slots[_IN_FLIGHT] = number

    def generation(self, number: int) -> None:
        """Note which generation of the catalog is served."""
        self._slots[_GENERATION] = number

    def raw(self) -> bytes:
        """Return the bytes of the map, for :func:`counted` and :func:`gauges`."""
        return bytes(self._map[: (self._slots[_CELLS] + 1) * _CELL_BYTES])

    def _new(self, label: Label) -> Cell:
        text = orjson.dumps(label)
        number = int(self._slots[_CELLS])
        if number == _MAX_CELLS - 1 or len(text) > _CELL_BYTES - 8 * _LABEL:
            label = ("other", "", "", label[3])
            if label in self._cells:
                return self._cells[label]
            text = orjson.dumps(label)
        if number == _MAX_CELLS:
            return next(reversed(self._cells.values()))
        at = (number + 1) * _CELL_SLOTS
        start = at * 8 + 8 * _LABEL
        self._map[start : start + len(text)] = text
        self._slots[at + _LABEL_BYTES] = len(text)
        self._slots[_CELLS] = number + 1
        return self._cells.setdefault(label, Cell(self._slots, at))


def counted(raw: bytes) -> Iterator[Counted]:
    """Return what a map counted."""
    slots = memoryview(raw[: len(raw) // 8 * 8]).cast("q")
    for number in range(min(slots[_CELLS], len(slots) // _CELL_SLOTS - 1)):
        at = (number + 1) * _CELL_SLOTS
        start = at * 8 + 8 * _LABEL
        route, target, version, status = orjson.loads(raw[start : start + slots[at + _LABEL_BYTES]])
        buckets = tuple(slots[at + _BUCKETS : at + _BUCKETS + len(SECONDS) + 1])
        seconds = slots[at + _NANOSECONDS] / 1e9
        yield Counted(route, target, version, status, slots[at + _COUNT], slots[at + _ROWS], seconds, buckets)


def gauges(raw: bytes) -> tuple[int, int]:
    """Return how many requests a map's worker works on, and the generation that it serves."""
    slots = memoryview(raw[:_CELL_BYTES]).cast("q")
    return slots[_IN_FLIGHT], slots[_GENERATION]


def read_folder(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the maps of the workers that live, and of those that ended."""
    return _read(folder, _LIVE), _read(folder, _ENDED)


def end_worker(folder: Path, pid: int) -> None:
    """Note that a worker is dead: what it counted stays, what it worked on does not."""
    live = folder / _LIVE.format(pid)
    if live.exists():
        live.replace(folder / _ENDED.format(pid))


def _read(folder: Path, name: str) -> list[bytes]:
    found = []
    for file in sorted(folder.glob(name.format("*"))):
        with file.open("rb") as stream:
            cells = int.from_bytes(stream.read(8), "little")
            stream.seek(0)
            found.append(stream.read((cells + 1) * _CELL_BYTES))
    return found


def _create(file: Path) -> mmap.mmap:
    with file.open("w+b") as stream:
        stream.truncate(_SIZE)
        return mmap.mmap(stream.fileno(), _SIZE)
