"""What operators, functions and aggregates mean, in plain Python: NULL is None, times are naive UTC datetimes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any


def typed(value: Any, type_: str) -> Any:
    return float(value) if type_ == "DOUBLE" and value is not None else value


def cast(value: Any, type_: str) -> Any:
    if type_ == "VARCHAR":
        if isinstance(value, bool):
            return "true" if value else "false"
        assert isinstance(value, int | str)
        return str(value)
    if type_ in ("BIGINT", "INTEGER"):
        if isinstance(value, str):
            return int(value) if value.strip().lstrip("+-").isdigit() else None
        return round(value)  # half to even
    if type_ == "DOUBLE":
        return float(value)
    if type_ == "DATE":
        return value.date() if isinstance(value, datetime) else value
    if type_ == "TIMESTAMP":
        return value if isinstance(value, datetime) else datetime.combine(value, time())
    assert type_ == "BOOLEAN"
    return bool(value)


def _and(*values: bool | None) -> bool | None:
    return False if False in values else None if None in values else True


def _or(*values: bool | None) -> bool | None:
    return True if True in values else None if None in values else False


def _in(value: Any, *choices: Any) -> bool | None:
    if value is None:
        return None
    return True if value in [c for c in choices if c is not None] else None if None in choices else False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _truncated_divide(a: int, b: int) -> int | None:
    return None if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int | None:
    return None if b == 0 else int(math.fmod(a, b))


def _divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _case(parts: Sequence[Callable[[], Any]]) -> Any:
    for condition, value in zip(parts[0:-1:2], parts[1:-1:2], strict=True):
        if condition() is True:
            return value()
    return parts[-1]()


def _coalesce(parts: Sequence[Callable[[], Any]]) -> Any:
    return next((value for part in parts if (value := part()) is not None), None)


EPOCH = datetime(1970, 1, 1)
UNITS = {
    "microsecond": timedelta(microseconds=1),
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def _date_diff(unit: str, start: date, end: date) -> int:
    """Boundaries crossed from start to end."""
    return (_moment(end) - EPOCH) // UNITS[unit] - (_moment(start) - EPOCH) // UNITS[unit]


def _date_trunc(unit: str, value: date) -> datetime:
    return EPOCH + (_moment(value) - EPOCH) // UNITS[unit] * UNITS[unit]


def _like(text: str, pattern: str) -> bool:
    assert pattern.endswith("%") and "%" not in pattern[:-1] and "_" not in pattern
    return text.startswith(pattern[:-1])


LAZY: dict[str, Callable[[Sequence[Callable[[], Any]]], Any]] = {"case": _case, "coalesce": _coalesce}
NULL_AWARE: dict[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "in": _in,
    "not in": lambda *values: _not(_in(*values)),
    "is null": lambda a: a is None,
    "is not null": lambda a: a is not None,
    "is distinct from": lambda a, b: (a is None) != (b is None) or (a is not None and a != b),
    "nvl": lambda a, b: b if a is None else a,
    "nvl2": lambda a, b, c: c if a is None else b,
    "is_null": lambda a: a is None,
    "nullif": lambda a, b: None if a is not None and b is not None and a == b else a,
    "greatest": lambda *values: max((v for v in values if v is not None), default=None),
    "least": lambda *values: min((v for v in values if v is not None), default=None),
    "concat": lambda *values: "".join(v for v in values if v is not None),
    "between": lambda a, low, high: _and(
        None if a is None or low is None else a >= low, None if a is None or high is None else a <= high
    ),
}
STRICT: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: (a - b).days if isinstance(a, date) and not isinstance(a, datetime) else a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: _divide(a, b),
    "//": _truncated_divide,
    "%": _remainder,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "||": lambda a, b: a + b,
    "pmod": lambda a, b: a % b if b else None,
    "maximum": max,
    "minimum": min,
    "days_between": lambda later, earlier: (later.date() - earlier.date()).days,
    "hour_of_week": lambda a: a.weekday() * 24 + a.hour,
    "unix_timestamp": lambda a: (_moment(a) - EPOCH) // timedelta(seconds=1),
    "is_weekend": lambda a: a.weekday() >= 5,
    "strcmp": lambda a, b: (a.encode() > b.encode()) - (a.encode() < b.encode()),
    "locate": lambda part, text: text.find(part) + 1,
    "negate": lambda a: -a,
    "like": _like,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "upper": str.upper,
    "lower": str.lower,
    "length": len,
    "reverse": lambda a: a[::-1],
    "substr": lambda a, start, size: a[start - 1 : start - 1 + size],
    "date_diff": _date_diff,
    "date_trunc": _date_trunc,
    "extract": lambda unit, a: getattr(_moment(a), unit),
    "hour": lambda a: _moment(a).hour,
    "dayofweek": lambda a: (a.weekday() + 1) % 7,
    "plus interval": lambda a, n, unit: _moment(a) + n * UNITS[unit.lower()],
    "minus interval": lambda a, n, unit: _moment(a) - n * UNITS[unit.lower()],
    "epoch": lambda a: (_moment(a) - EPOCH) / timedelta(seconds=1),
}
