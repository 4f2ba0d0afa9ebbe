"""What the compiler knows of one computed value: the Python text of it, its DuckDB type, and what it cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from workbench.values.types import INTEGER_RANGES

#: How many decimal digits the integers of a type have, as DuckDB counts them when it makes a DECIMAL of them.
INTEGER_DIGITS = {
    "TINYINT": 3,
    "SMALLINT": 5,
    "INTEGER": 10,
    "BIGINT": 19,
    "UTINYINT": 3,
    "USMALLINT": 5,
    "UINTEGER": 10,
    "UBIGINT": 20,
    "HUGEINT": 38,
    "UHUGEINT": 38,
}
FLOATS = ("FLOAT", "DOUBLE")
TEMPORAL = ("DATE", "TIMESTAMP", "TIME")
SCALARS = frozenset({*INTEGER_DIGITS, *FLOATS, *TEMPORAL, "BOOLEAN", "VARCHAR", "INTERVAL"})
#: The type of an untyped NULL.
NULL = "NULL"

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


class Unsupported(Exception):
    """An expression that cannot be computed exactly here; ``reason`` says which and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Missing:
    """No constant."""


MISSING = _Missing()


@dataclass(frozen=True)
class Value:
    """A value in generated code.

    Parameters
    ----------
    code
        Python text: an expression without side effects.
    type
        DuckDB's type.
    null
        Whether it may be NULL (None).
    atom
        Whether ``code`` is a name or a constant, so that it can stand in several places.
    fails
        Whether computing ``code`` may raise.
    low, high
        Bounds of an integer (of the unscaled integer of a DECIMAL); None where only the type bounds it.
    nan
        Whether a float may be NaN.
    nonzero
        Whether it is never 0 where it is not NULL.
    raw
        Whether a BOOLEAN may be 0 or 1 instead of False or True.
    literal
        Whether it is a constant of the query's text, which adapts to the type beside it.
    const
        The value where it is a constant.
    """

    code: str
    type: str
    null: bool = True
    atom: bool = False
    fails: bool = False
    low: int | None = None
    high: int | None = None
    nan: bool = True
    nonzero: bool = False
    raw: bool = False
    literal: bool = False
    const: Any = MISSING

    @property
    def is_const(self) -> bool:
        """Whether the value is known when the function is made."""
        return self.const is not MISSING

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value of an integer, where it is not NULL."""
        low, high = INTEGER_RANGES[self.type]
        return (low if self.low is None else self.low, high if self.high is None else self.high)


def is_integer(kind: str) -> bool:
    """Whether a type is one of the integers, of any width.

    >>> is_integer("UTINYINT"), is_integer("DOUBLE")
    (True, False)
    """
    return kind in INTEGER_DIGITS


def is_decimal(kind: str) -> bool:
    """Whether a type is a DECIMAL."""
    return kind.startswith("DECIMAL(")


def is_number(kind: str) -> bool:
    """Whether a type is an integer, a float or a DECIMAL."""
    return is_integer(kind) or kind in FLOATS or is_decimal(kind)


def decimal_parts(kind: str) -> tuple[int, int]:
    """Return the precision and the scale of a DECIMAL, or of the DECIMAL that an integer type becomes.

    >>> decimal_parts("DECIMAL(18,3)"), decimal_parts("BIGINT")
    ((18, 3), (19, 0))
    """
    found = _DECIMAL.fullmatch(kind)
    if found:
        return int(found[1]), int(found[2])
    return INTEGER_DIGITS[kind], 0


def list_item(kind: str) -> str | None:
    """Return the type of the elements of a LIST, None for any other type.

    >>> list_item("BIGINT[]"), list_item("BIGINT")
    ('BIGINT', None)
    """
    return kind[:-2] if kind.endswith("[]") else None


def constant(value: Any, kind: str, literal: bool = False) -> Value:
    """Return a constant in its internal form (times are microseconds, dates days, decimals unscaled) as a value."""
    whole = type(value) is int
    return Value(
        code=_written(value),
        type=kind if value is not None else NULL if literal else kind,
        null=value is None,
        atom=True,
        low=value if whole else None,
        high=value if whole else None,
        nan=value != value,
        nonzero=value is not None and value != 0,
        literal=literal,
        const=value,
    )


def _written(value: Any) -> str:
    if isinstance(value, float):
        if value != value:
            return "NAN"
        if value in (float("inf"), float("-inf")):
            return "INF" if value > 0 else "-INF"
    text = repr(value)
    return f"({text})" if text.startswith("-") else text
