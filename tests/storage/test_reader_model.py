"""IndexReader against a plain-Python model, over random tables, key types, late rows, flushes, loads and cuts."""

import datetime as dt
import math
import random
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.storage.support import START, table_of
from workbench.storage import IndexSpec, Storage

KEYS: dict[str, list[Any]] = {
    "BIGINT": [0, 1, -1, 2**63 - 1, -(2**63), 7],
    "TINYINT": [0, 1, -128, 127],
    "UBIGINT": [0, 1, 2**64 - 1, 2**63],
    "DOUBLE": [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.5, -1.5, 5e-324],
    "FLOAT": [0.0, -0.0, float("nan"), 0.5, -2.25],
    "BOOLEAN": [True, False],
    "VARCHAR": ["", "a", "ab", "b", "ä", "z\0z", "z", "日本", "a" * 300],
    "BLOB": [b"", b"\x00", b"\xff", b"a"],
    "UUID": [str(uuid.UUID(int=n)) for n in (0, 1, 2**127, 2**128 - 1)],
    "DATE": [dt.date(1970, 1, 1), dt.date(1969, 12, 31), dt.date(2026, 2, 3)],
    "TIMESTAMP": [START, START - dt.timedelta(microseconds=1), dt.datetime(1960, 1, 1)],
    "TIME": [dt.time(0), dt.time(23, 59, 59, 999999)],
    "DECIMAL(9,2)": [Decimal("0.00"), Decimal("-1.25"), Decimal("9999999.99")],
    "DECIMAL(38,4)": [Decimal(n).scaleb(-4) for n in (0, -15000, 10**37 + 1, -(10**37) - 1, 2**64)],
    "HUGEINT": [0, -(10**37), 10**37, 2**64],
}
ORDERS = {"TIMESTAMP": 1_000_000, "DATE": 86_400_000_000, "INTEGER": 1, None: 0}


def same_key(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return bool(one == other)


def sort_key(row: dict[str, Any]) -> tuple[bool, int, int]:
    return row["__ord"] is not None, row["__ord"] or 0, row["__seq"]


def expected(
    rows: list[dict[str, Any]],
    names: list[str],
    key: tuple[Any, ...],
    upto: Any,
    since: Any,
    limit: Any,
    cut: Any,
) -> list[dict[str, Any]]:
    found = [row for row in rows if all(same_key(row[n], v) for n, v in zip(names, key, strict=True))]
    if cut is not None:
        found = [row for row in found if row["__seq"] <= cut]
    if upto is not None or since is not None:
        found = [row for row in found if row["__ord"] is not None]
    if upto is not None:
        order, seq = upto
        found = [
            row
            for row in found
            if (row["__ord"] <= order if seq is None else (row["__ord"], row["__seq"]) < (order, seq))
        ]
    if since is not None:
        found = [row for row in found if row["__ord"] >= since]
    return sorted(found, key=sort_key, reverse=True)[:limit]


class Game:
    """A random table with one index, and the model beside it."""

    def __init__(self, storage: Storage, rng: random.Random, key_types: list[str], order: str | None) -> None:
        self.storage, self.rng, self.order = storage, rng, order
        self.names = [f"k{number}" for number in range(len(key_types))]
        self.types = key_types
        self.columns = dict(zip(self.names, key_types, strict=True))
        self.columns |= {"o": order or "BIGINT", "v": "INTEGER", "tags": "VARCHAR[]", "s": "VARCHAR"}
        self.rows: list[dict[str, Any]] = []
        self.spec = IndexSpec("t", tuple(self.names), "o" if order else None)
        with storage.transaction() as tx:
            storage.create_table(tx, "t", self.columns, None)
        self.made_index = False

    def order_value(self) -> tuple[Any, int | None]:
        number = self.rng.randrange(6)
        if self.rng.random() < 0.1 and self.order is not None:
            return None, None
        step = ORDERS[self.order]
        base = (START - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
        match self.order:
            case "TIMESTAMP":
                return START + dt.timedelta(seconds=number), base + number * step
            case "DATE":
                return START.date() + dt.timedelta(days=number), base + number * step
            case "INTEGER":
                return number - 3, number - 3
        return number, 0

    def key(self) -> tuple[Any, ...]:
        return tuple(None if self.rng.random() < 0.15 else self.rng.choice(KEYS[kind]) for kind in self.types)

    def add(self, count: int, *, bulk: bool) -> None:
        fresh = []
        for _ in range(count):
            value, order = self.order_value()
            n = self.rng.randrange(1000)
            tags = None if n % 7 == 0 else ["t"] * (n % 3)
            row = dict(zip(self.names, self.key(), strict=True))
            fresh.append(
                {
                    **row,
                    "o": value,
                    "v": n,
                    "tags": tags,
                    "s": None if n % 5 == 0 else f"s{n}",
                    "__ord": order,
                }
            )
        rows = table_of(self.columns, [tuple(row[name] for name in self.columns) for row in fresh])
        receipt = self.storage.bulk_load("t", rows.to_reader()) if bulk else self.storage.append("t", rows)
        for seq, row in enumerate(fresh, receipt.first_seq):
            self.rows.append({**row, "__seq": seq})

    def step(self) -> None:
        roll = self.rng.random()
        if roll < 0.5:
            self.add(self.rng.randrange(1, 12), bulk=False)
        elif roll < 0.6:
            self.add(self.rng.randrange(1, 30), bulk=True)
        elif roll < 0.75:
            self.storage.flush("t")
        else:
            columns = self.rng.sample(["v", "tags", "s"], self.rng.randrange(4))
            self.storage.ensure_index(self.spec, columns, live=self.rng.random() < 0.5)
            self.made_index = True
        if self.made_index:
            for _ in range(3):
                self.compare()

    def compare(self) -> None:
        last = self.storage.last_seq()
        orders = [row["__ord"] for row in self.rows if row["__ord"] is not None] or [0]
        pick = self.rng.choice
        upto = pick([None, (pick(orders), None), (pick(orders), self.rng.randrange(last + 2))])
        since = pick([None, pick(orders)])
        limit = pick([None, 1, 3, 100])
        cut = pick([None, last, self.rng.randrange(last + 1)])
        key = self.key()
        known = next(info for info in self.storage.indexes() if info.spec == self.spec).columns
        answer = self.storage.reader(self.spec).read(key, known, upto=upto, since=since, limit=limit, cut=cut)
        wanted = expected(self.rows, self.names, key, upto, since, limit, cut)
        shown = [*known, "__ord", "__seq"]
        assert answer.schema.names == shown
        assert answer.to_pylist() == [{name: row[name] for name in shown} for row in wanted], (
            f"key={key} upto={upto} since={since} limit={limit} cut={cut}"
        )


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "key_types",
    [[kind] for kind in KEYS] + [["VARCHAR", "BIGINT"], ["DOUBLE", "BOOLEAN", "DECIMAL(38,4)"], []],
    ids=lambda kinds: "+".join(kinds) or "no key",
)
def test_reads_equal_a_plain_model(tmp_path: Path, key_types: list[str], order: str | None) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    storage = Storage.open(tmp_path / "project")
    game = Game(storage, random.Random(seed), key_types, order)
    for _ in range(14):
        game.step()
    storage.close()
