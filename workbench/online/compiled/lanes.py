"""Values of request rows as lanes, the form in which kernels and generated functions take them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Context
from decimal import Decimal as Number
from typing import Any

from workbench.values.grammar import Decimal, List, Scalar, parse
from workbench.values.lanes import lane_of

ToLane = Callable[[Any], Any]

_EPOCH = dt.datetime(1970, 1, 1)
_DAY_ZERO = _EPOCH.toordinal()
_EXACT = Context(prec=60)
#: Types whose values Arrow, DuckDB and generated functions hold as the same Python values.
_SAME = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
    | {"BOOLEAN", "FLOAT", "DOUBLE", "VARCHAR", "BLOB"}
)


def carried(kind: str) -> bool:
    """Whether values of a type, a lane or not, can be passed from a row to a generated function."""
    if lane_of(kind) != "o":
        return True
    node = parse(kind)
    while isinstance(node, List):
        node = node.item
    return isinstance(node, Decimal) or (isinstance(node, Scalar) and node.name in _SAME)


def to_lane(kind: str) -> ToLane | None:
    """Return what makes a lane of a Python value that is not None; None where it is one already."""
    if kind == "TIMESTAMP":
        return microseconds
    if kind == "DATE":
        return days
    if kind == "TIME":
        return _time
    node = parse(kind)
    if isinstance(node, Decimal) and lane_of(kind) == "i":
        scale = node.scale
        return lambda value: int(Number(value).scaleb(scale, _EXACT))
    return None


def microseconds(value: dt.datetime) -> int:
    """Return a naive time as microseconds since 1970."""
    span = value - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def days(value: dt.date) -> int:
    """Return a date as days since 1970."""
    return value.toordinal() - _DAY_ZERO


def _time(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def decimal(value: int | None, scale: int) -> Number | None:
    """Return an unscaled integer as the DECIMAL that it stands for."""
    return None if value is None else Number(value).scaleb(-scale, _EXACT)
