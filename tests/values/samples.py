"""Random values of every column type, ends of ranges included."""

from __future__ import annotations

import math
import random
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from workbench.values import grammar
from workbench.values.types import INTEGER_RANGES, parse

STORED_TYPES = [
    *INTEGER_RANGES, "FLOAT", "DOUBLE", "DECIMAL(4,1)", "DECIMAL(18,3)", "DECIMAL(38,10)", "VARCHAR", "BLOB",
    "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "UUID", "BIGINT[]", "VARCHAR[][]", "TIMESTAMP[]",
    "STRUCT(a INTEGER, b VARCHAR[])", "MAP(VARCHAR, DECIMAL(18,3))", "MAP(INTEGER, STRUCT(x DOUBLE))",
]  # fmt: skip
WIRE_TYPES = [*STORED_TYPES, "JSON", "INTERVAL", "ENUM('a', 'b')", "FLOAT[2]"]

TEXTS = [
    "",
    "a",
    "it's",
    'quote"',
    "Köln",
    "日本",
    "🙂",
    "line\nbreak",
    "\x00nul",
    "  spaces  ",
    "null",
    "NaN",
    "1.5",
]


def seed() -> int:
    """Return a seed and print it, so that a failure can be repeated."""
    number = random.SystemRandom().randrange(2**32)
    print(f"seed {number}")
    return number


def values(kind: str, rng: random.Random, count: int) -> list[Any]:
    """Return plain Python values of a type, about one in ten of them None."""
    one = _maker(parse(kind), rng)
    return [None if rng.random() < 0.1 else one() for _ in range(count)]


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal to the last bit; NaN equals NaN, 1 does not equal 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right) or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    return bool(left == right)


def _maker(node: grammar.Type, rng: random.Random) -> Callable[[], Any]:
    if isinstance(node, grammar.Decimal):
        largest = 10**node.precision - 1
        return lambda: Decimal(
            f"{rng.choice([largest, -largest, rng.randint(-largest, largest)])}E-{node.scale}"
        )
    if isinstance(node, grammar.Enum):
        return lambda: rng.choice(node.labels)
    if isinstance(node, grammar.List):
        item = _maker(node.item, rng)
        return lambda: [item() for _ in range(rng.randrange(4) if node.size is None else node.size)]
    if isinstance(node, grammar.Struct):
        fields = {name: _maker(item, rng) for name, item in node.fields}
        return lambda: {name: field() if rng.random() < 0.8 else None for name, field in fields.items()}
    if isinstance(node, grammar.Map):
        key, value = _maker(node.key, rng), _maker(node.value, rng)
        return lambda: {key(): value() for _ in range(rng.randrange(4))}
    return _scalar(node.name, rng)


def _scalar(name: str, rng: random.Random) -> Callable[[], Any]:
    if name in INTEGER_RANGES:
        low, high = INTEGER_RANGES[name]
        return lambda: rng.choice([low, high, 0, rng.randint(low, high)])
    return {
        "FLOAT": lambda: struct.unpack("<f", struct.pack("<f", _double(rng, 1e38)))[0],
        "DOUBLE": lambda: _double(rng, 1e308),
        "VARCHAR": lambda: rng.choice(TEXTS) * rng.randrange(3),
        "JSON": lambda: '{"a": 1}',
        "BLOB": lambda: rng.randbytes(rng.randrange(9)),
        "BOOLEAN": lambda: rng.random() < 0.5,
        "DATE": lambda: date.fromordinal(rng.choice([1, 3_652_059, rng.randint(1, 3_652_059)])),
        "TIME": lambda: rng.choice([time.min, time.max, _moment(rng).time()]),
        "TIMESTAMP": lambda: rng.choice([datetime.min, datetime.max, datetime(1970, 1, 1), _moment(rng)]),
        "UUID": lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        "INTERVAL": lambda: timedelta(microseconds=rng.randint(-(10**15), 10**15)),
    }[name]


def _double(rng: random.Random, largest: float) -> float:
    special = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, largest, 0.1, 1.0]
    return rng.choice([*special, rng.gauss(0, 1e6), rng.uniform(-largest, largest)])


def _moment(rng: random.Random) -> datetime:
    moment = datetime.fromtimestamp(rng.randint(-(10**10), 10**10), UTC).replace(tzinfo=None)
    return moment.replace(microsecond=rng.choice([0, 1, 500_000, 999_999]))
