"""Seeded tables of some ten thousand rows for kernels: all lanes, NULLs, ties, late rows, keys rare and hot.

They are stored in several parts with rows left in the log, so that requests read other pieces than offline work does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: No row is later than some days before now.
END = dt.datetime(2026, 3, 1)
WORDS = ["a", "b", "ab", "B", "", "Zürich", "x y", "東京", "🙂" * 9]
STEPS = ["1s", "60s", "900s", "6h"]
SECONDS = {"1s": 1, "60s": 60, "900s": 900, "6h": 21_600}
#: The columns of all tables with a time but the keys; ``ev2`` has only some of them.
COLUMNS = {
    "id": "BIGINT",
    "ts": "TIMESTAMP",
    "x": "BIGINT",
    "y": "BIGINT",
    "i": "INTEGER",
    "t": "TINYINT",
    "f": "DOUBLE",
    "h": "DOUBLE",
    "e": "FLOAT",
    "p": "DECIMAL(9,2)",
    "q": "DECIMAL(18,4)",
    "s": "VARCHAR",
    "c": "VARCHAR",
    "b": "BOOLEAN",
    "d": "DATE",
    "u": "TIMESTAMP",
    "o": "BIGINT",
    "kn": "TIMESTAMP",
}
OF_EV2 = ["ts", "x", "f", "p", "s", "b", "o", "kn"]
OF_DIM = ["x", "f", "q", "s", "b", "d"]


@dataclass
class Tables:
    """Tables as they are created, the rows of each, and what views are drawn with."""

    rows: dict[str, pa.Table]
    options: dict[str, dict[str, Any]]
    #: How many seconds lie between neighbouring times.
    step: int
    #: How many rows of a table arrive in each append; the rest of them is stored before a flush.
    pieces: dict[str, list[int]]
    late: str
    nulls: float
    #: Rows that are asked anew, in no table.
    new: pa.Table
    notes: list[str] = field(default_factory=list)


def draw_tables(seed: int, least: int = 10_000, most: int = 60_000) -> Tables:
    """Draw an anchor table ``tx``, two tables of events and one without a time."""
    random = np.random.default_rng([seed, 7])
    step = SECONDS[str(random.choice(STEPS))]
    nulls = float(random.choice([0.0, 0.05, 0.3]))
    late = str(random.choice(["in order", "some late", "some late", "random"]))
    counts = {name: int(random.integers(least, most)) for name in ("tx", "ev", "ev2")}
    places = max(10, int(max(counts.values()) * float(random.choice([0.02, 0.3, 2.0]))))
    draw = _Columns(random, step, places, nulls)
    rows, options, pieces = {}, {}, {}
    for name, count in counts.items():
        columns = OF_EV2 if name == "ev2" else list(COLUMNS)
        rows[name] = _arrival(random, draw.table(count, columns), late)
        options[name] = {"time": "ts"} | _availability(random, step, places)
        pieces[name] = _pieces(random, count)
    rows["dim"] = draw.table(max(200, least // 10), OF_DIM)
    options["dim"] = {"time": None}
    pieces["dim"] = [rows["dim"].num_rows // 2]
    new = draw.table(2000, list(COLUMNS), later=places // 10 + 2)
    return Tables(rows, options, step, pieces, late, nulls, new)


def store(project: Any, tables: Tables) -> None:
    """Create the tables and append their rows in turns; files are written in between, the last rows stay in the log."""
    turns = max(len(pieces) for pieces in tables.pieces.values()) + 1
    done = dict.fromkeys(tables.rows, 0)
    for turn in range(turns):
        for name, rows in tables.rows.items():
            pieces = tables.pieces[name]
            count = (
                pieces[turn]
                if turn < len(pieces)
                else rows.num_rows - done[name]
                if turn == len(pieces)
                else 0
            )
            part = rows.slice(done[name], count)
            done[name] += count
            if turn == 0:
                project.create_table(name, part, **tables.options[name])
            elif count:
                project.table(name).append(part)
        if turn < turns - 1:
            project.storage.flush()


def _pieces(random: np.random.Generator, count: int) -> list[int]:
    """How many rows come in one piece, newest last; some are left for the log."""
    log = int(random.choice([3, 50, 1500]))
    cuts = np.sort(random.integers(1, max(2, count - log), int(random.integers(1, 4))))
    return [int(size) for size in np.diff([0, *cuts, max(2, count - log)])]


def _availability(random: np.random.Generator, step: int, places: int) -> dict[str, Any]:
    kind = str(random.choice(["", "", "", "", "delay", "known", "ttl", "delay and ttl"]))
    found: dict[str, Any] = {}
    if "delay" in kind:
        found["delay"] = f"{int(random.integers(1, 20)) * step}s"
    if "ttl" in kind:
        found["ttl"] = f"{max(2, places // int(random.integers(2, 9))) * step}s"
    if kind == "known":
        found["known"] = "kn"
    return found


def _arrival(random: np.random.Generator, rows: pa.Table, late: str) -> pa.Table:
    order = np.argsort(rows.column("ts").to_numpy(), kind="stable")
    if late == "random":
        random.shuffle(order)
    if late == "some late":
        moved = random.random(len(order)) < 0.02
        place = np.arange(len(order)) + np.where(moved, random.integers(0, len(order), len(order)), 0)
        order = order[np.argsort(place, kind="stable")]
    return rows.take(pa.array(order))


class _Columns:
    """Draws columns; every value but times and ids may be NULL."""

    def __init__(self, random: np.random.Generator, step: int, places: int, nulls: float) -> None:
        self.random, self.step, self.places, self.nulls = random, step, places, nulls
        self.start = np.datetime64(END, "us").astype(np.int64) - int(places * 1.2 + 40) * step * 1_000_000
        self.key = str(random.choice(["BIGINT", "VARCHAR", "INTEGER"]))
        self.keys = int(random.choice([40, 2000, 20_000]))
        self.hot = float(random.choice([0.0, 0.02, 0.1]))
        self.scale = float(random.choice([0, 3, 9]))

    def table(self, count: int, names: Sequence[str], later: int = 0) -> pa.Table:
        random = self.random
        place = random.integers(0, self.places, count) + later
        times = (self.start + place * self.step * 1_000_000).astype(np.int64)
        columns = {"k": self._keys(count), "g": self._words(count, 5)}
        for name in names:
            columns[name] = self._column(name, count, times)
        return pa.table(columns)

    def _some(self, values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, mask=self.random.random(len(values)) < self.nulls).cast(kind)

    def _keys(self, count: int) -> pa.Array:
        drawn = (self.keys * self.random.random(count) ** 3).astype(np.int64)
        drawn[self.random.random(count) < self.hot] = 3
        if self.key == "VARCHAR":
            return self._some(np.char.add("k", drawn.astype(str)).astype(object), pa.string())
        return self._some(drawn * 7 - 50, pa.int64() if self.key == "BIGINT" else pa.int32())

    def _words(self, count: int, few: int) -> pa.Array:
        return self._some(
            np.array(WORDS[:few], dtype=object)[self.random.integers(0, few, count)], pa.string()
        )

    def _column(self, name: str, count: int, times: npt.NDArray[np.int64]) -> pa.Array:
        random, some = self.random, self._some
        match name:
            case "id":
                return pa.array(range(count), pa.int64())
            case "ts":
                return pa.array(times, pa.timestamp("us"))
            case "x":
                return some(random.integers(-3, 10, count), pa.int64())
            case "y":
                return some(random.integers(-(10**12), 10**12, count), pa.int64())
            case "i":
                return some(random.integers(-1000, 1000, count), pa.int32())
            case "t":
                return some(random.integers(-4, 5, count), pa.int8())
            case "f":
                return some(
                    random.normal(size=count) * 10.0 ** random.uniform(-self.scale, self.scale, count),
                    pa.float64(),
                )
            case "h":
                return some(random.integers(-8, 17, count) / 4, pa.float64())
            case "e":
                return some(random.normal(size=count).astype(np.float32), pa.float32())
            case "p":
                return self._decimal(random.integers(-50_000, 90_000, count), pa.decimal128(9, 2))
            case "q":
                return self._decimal(random.integers(-(10**12), 10**12, count), pa.decimal128(18, 4))
            case "s":
                return self._words(count, len(WORDS))
            case "c":
                return some(np.char.mod("w%d", random.integers(0, 3000, count)).astype(object), pa.string())
            case "b":
                return some(random.random(count) < 0.5, pa.bool_())
            case "d":
                return some(random.integers(19_000, 19_400, count).astype(np.int32), pa.date32())
            case "o":
                return some(random.integers(0, max(5, count // 20), count), pa.int64())
            case _:
                late = random.integers(0, 30, count) * self.step * 1_000_000
                return some(times + late, pa.timestamp("us"))

    def _decimal(self, unscaled: npt.NDArray[np.int64], kind: pa.DataType) -> pa.Array:
        """Decimals by their unscaled values."""
        wide = np.zeros((len(unscaled), 2), np.int64)
        wide[:, 0], wide[:, 1] = unscaled, unscaled >> 63
        valid = self.random.random(len(unscaled)) >= self.nulls
        bits = np.packbits(valid, bitorder="little")
        return pa.Array.from_buffers(kind, len(unscaled), [pa.py_buffer(bits), pa.py_buffer(wide)])
