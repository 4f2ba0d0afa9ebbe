"""Seeded random tables.

The data is made to hurt: times on a coarse grid (many ties), NULLs in keys, values and order columns, rows that arrive
late.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .brute_force import Stored, Table
from .evaluation import Row

STARTS = [datetime(2024, 2, 28), datetime(1969, 12, 31, 18)]  # a leap day is crossed, and the epoch
STEPS = [
    timedelta(seconds=10),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
]
KEYS: dict[str, list[list[Any]]] = {
    "VARCHAR": [["a", "b", "", "ä"], ["A", "a", "a ", "🙂" * 9], ["NULL", "null", "'", '"']],
    "BIGINT": [[1, 2, -7, 0], [2**63 - 1, -(2**63), 2**53, 2**53 + 1]],
    "INTEGER": [[1, 2, 3], [2**31 - 1, -(2**31), 0]],
    "DATE": [[date(2024, 1, 1), date(2024, 1, 2), date(1969, 12, 31)]],
    "BOOLEAN": [[True, False]],
    "TIMESTAMP": [[datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1), datetime(1900, 1, 1)]],
    "DECIMAL(9,2)": [[Decimal("1.00"), Decimal("-0.01"), Decimal("9999999.99")]],
}
WORDS = ["a", "b", "ab", "B", "", "Zürich", "x y"]


@dataclass(frozen=True)
class Batch:
    """Rows of one table that arrive together."""

    table: str
    rows: tuple[Stored, ...]


@dataclass
class Data:
    """Tables by name, the order in which their rows arrive, and the roles that queries draw from."""

    tables: dict[str, Table]
    batches: list[Batch]
    anchor: str
    start: datetime
    step: timedelta
    spine: list[Row]


# ---- tables


def draw_data(seed: int, name: str = "") -> Data:
    """One to three tables, 5 to 40 rows each; ``name`` is appended to the table names."""
    rng = random.Random(f"data {seed}")
    start, step = rng.choice(STARTS), rng.choice(STEPS)
    places = rng.choice([2, 4, 7, 12])
    key = rng.choice(["VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "INTEGER", "DATE"])
    second = rng.choice([*KEYS])
    cardinality = rng.choice([1, 2, 3, 4])
    nulls = rng.choice([0.05, 0.2, 0.4])
    rows = _Rows(rng, start, step, places, key, second, cardinality, nulls)
    event_time = rng.choice(["ts", "at"])
    anchor = f"tx{name}"
    tables = {anchor: Table(_anchor_columns(key, second), "ts")}
    pending = {anchor: _arrival(rng, rows.many(rows.anchor), "ts")}
    for other in rng.sample(["ev", "ev2", "dim"], rng.choice([0, 1, 1, 2, 2, 2])):
        table = f"{other}{name}"
        if other == "dim":
            tables[table] = Table(_static_columns(key, second), None)
            pending[table] = rows.many(rows.static)
        else:
            tables[table] = Table(_event_columns(event_time, key, second), event_time)
            pending[table] = _arrival(rng, rows.many(lambda: rows.event(event_time)), event_time)
    for table in tables.values():
        if table.time:
            _draw_availability(rng, table, step)
    batches = _batches(rng, pending)
    for batch in batches:
        tables[batch.table].rows.extend(batch.rows)
    spine = [{**rows.anchor(places + 2), "id": 1000 + n} for n in range(6)]
    return Data(tables, batches, anchor, start, step, spine)


def _draw_availability(rng: random.Random, table: Table, step: timedelta) -> None:
    """When rows of a table become known, and how long they count."""
    kind = rng.choice(["", "", "", "", "delay", "known", "ttl", "delay and ttl"])
    table.known = "kn" if kind == "known" else None
    table.delay = rng.randint(1, 3) * step if "delay" in kind else timedelta(0)
    table.ttl = rng.randint(3, 8) * step if "ttl" in kind else None


def _anchor_columns(key: str, second: str) -> dict[str, str]:
    return {
        "id": "BIGINT",
        "ts": "TIMESTAMP",
        "k": key,
        "g": second,
        "x": "BIGINT",
        "i": "INTEGER",
        "f": "DOUBLE",
        "s": "VARCHAR",
        "b": "BOOLEAN",
        "d": "DATE",
        "o": "BIGINT",
        "u": "BIGINT",
        "p": "DECIMAL(9,2)",
        "kn": "TIMESTAMP",
    }


def _event_columns(time: str, key: str, second: str) -> dict[str, str]:
    return {
        time: "TIMESTAMP",
        "k": key,
        "g": second,
        "m": second,
        "v": "BIGINT",
        "w": "DOUBLE",
        "c": "VARCHAR",
        "h": "BOOLEAN",
        "q": "BIGINT",
        "d": "DATE",
        "o": "BIGINT",
        "eu": "BIGINT",
        "kn": "TIMESTAMP",
    }


def _static_columns(key: str, second: str) -> dict[str, str]:
    return {"k": key, "g": second, "label": "VARCHAR", "rate": "DOUBLE", "rank": "BIGINT", "z": "BOOLEAN"}


class _Rows:
    """Draws rows; every value but times and ids may be NULL."""

    def __init__(
        self,
        rng: random.Random,
        start: datetime,
        step: timedelta,
        places: int,
        key: str,
        second: str,
        cardinality: int,
        nulls: float,
    ) -> None:
        self.rng, self.start, self.step, self.places, self.nulls = rng, start, step, places, nulls
        self.keys = rng.choice(KEYS[key])[:cardinality]
        self.seconds = rng.choice(KEYS[second])[: cardinality + 1]
        self.unique = iter(rng.sample(range(10_000), 1_000))
        self.ids = iter(range(1_000))

    def many(self, draw: Callable[[], Row]) -> list[Row]:
        return [draw() for _ in range(self.rng.randint(5, 40))]

    def anchor(self, places: int | None = None) -> Row:
        rng, time = self.rng, self._time(places)
        return {
            "id": next(self.ids),
            "ts": time,
            "k": self._maybe(rng.choice(self.keys)),
            "g": self._maybe(rng.choice(self.seconds)),
            "x": self._maybe(rng.randint(-3, 9)),
            "i": self._maybe(rng.randint(-2, 4)),
            "f": self._maybe(rng.randint(-8, 16) / 4),
            "s": self._maybe(rng.choice(WORDS)),
            "b": self._maybe(rng.random() < 0.5),
            "d": self._maybe(self.start.date() + timedelta(days=rng.randint(0, 4))),
            "o": self._maybe(rng.randint(0, 6)),
            "u": next(self.unique),
            "p": self._maybe(Decimal(rng.randint(-500, 900)) / 100),
            "kn": self._maybe(time + rng.randint(0, 3) * self.step),
        }

    def event(self, name: str) -> Row:
        rng, time = self.rng, self._time()
        return {
            name: time,
            "k": self._maybe(rng.choice(self.keys)),
            "g": self._maybe(rng.choice(self.seconds)),
            "m": self._maybe(rng.choice(self.seconds)),
            "v": self._maybe(rng.randint(-3, 9)),
            "w": self._maybe(rng.randint(-8, 16) / 4),
            "c": self._maybe(rng.choice(WORDS)),
            "h": self._maybe(rng.random() < 0.5),
            "q": self._maybe(rng.randint(0, 3)),
            "d": self._maybe(self.start.date() + timedelta(days=rng.randint(0, 4))),
            "o": self._maybe(rng.randint(0, 6)),
            "eu": next(self.unique),
            "kn": self._maybe(time + rng.randint(0, 3) * self.step),
        }

    def static(self) -> Row:
        rng = self.rng
        return {
            "k": self._maybe(rng.choice(self.keys)),
            "g": self._maybe(rng.choice(self.seconds)),
            "label": self._maybe(rng.choice(WORDS)),
            "rate": self._maybe(rng.randint(-8, 16) / 4),
            "rank": self._maybe(rng.randint(0, 3)),
            "z": self._maybe(rng.random() < 0.5),
        }

    def _time(self, places: int | None = None) -> datetime:
        return self.start + self.rng.randrange(places or self.places) * self.step

    def _maybe(self, value: Any) -> Any:
        return None if self.rng.random() < self.nulls else value


def _arrival(rng: random.Random, rows: list[Row], time: str) -> list[Row]:
    """In time order, mostly in time order, or at random (late rows)."""
    mode = rng.choice(["in order", "some late", "random"])
    rng.shuffle(rows)
    if mode == "random":
        return rows
    rows.sort(key=lambda row: row[time])
    if mode == "some late":
        for _ in range(3):
            rows.append(rows.pop(rng.randrange(len(rows))))
    return rows


def _batches(rng: random.Random, pending: dict[str, list[Row]]) -> list[Batch]:
    """Interleave the tables in batches and number the rows as they arrive."""
    batches, seq = [], 0
    left = {name: list(rows) for name, rows in pending.items()}
    while left:
        name = rng.choice(sorted(left))
        size = rng.choice([1, 3, 8, 40])
        arriving, left[name] = left[name][:size], left[name][size:]
        batches.append(Batch(name, tuple(Stored(seq + n, row) for n, row in enumerate(arriving))))
        seq += len(arriving)
        if not left[name]:
            del left[name]
    return batches
