"""The column type that Python values ask for."""

from __future__ import annotations

import decimal
import itertools
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from workbench.errors import WorkbenchError
from workbench.values.grammar import Decimal, List, Scalar, Struct, Type
from workbench.values.scalars import plain

#: Kinds of values in the order in which they are recognised: a bool is an int and a datetime a date for Python, too.
_KINDS: tuple[tuple[str, Any], ...] = (
    ("BOOLEAN", bool),
    ("integer", int),
    ("DOUBLE", float),
    ("decimal", decimal.Decimal),
    ("VARCHAR", str),
    ("BLOB", bytes | bytearray | memoryview),
    ("TIMESTAMP", datetime),
    ("DATE", date),
    ("TIME", time),
    ("UUID", UUID),
    ("duration", timedelta),
    ("list", list | tuple),
    ("struct", Mapping),
)
_NO_TYPE = "all values are NULL, so there is no type"
_GIVE_TYPE = "create the table from {column: type} and append the rows"


def type_of(values: list[Any]) -> Type:
    """Return the type that holds all the values: the smallest usual one, with room for values like them.

    Integers are BIGINT, or wider when they need it; decimals get room beyond the digits that happen to be there.
    None says nothing, nor does NaN among values that are not numbers.

    Raises
    ------
    WorkbenchError
        There is no such type.

    >>> str(type_of([1, 2.5])), str(type_of([[1], [None]])), str(type_of([{"a": "x"}, None]))
    ('DOUBLE', 'BIGINT[]', 'STRUCT(a VARCHAR)')
    """
    present = _present(values)
    by_kind: dict[str, list[Any]] = {}
    kinds = {python_type: _kind(python_type) for python_type in set(map(type, present))}
    for value in present:
        by_kind.setdefault(kinds[type(value)], []).append(value)
    if "DOUBLE" in by_kind and not by_kind.keys() <= {"DOUBLE", "integer"}:
        by_kind["DOUBLE"] = [value for value in by_kind["DOUBLE"] if not math.isnan(value)]
        by_kind = {kind: found for kind, found in by_kind.items() if found}
    if not by_kind:
        raise WorkbenchError(_NO_TYPE, hint=_GIVE_TYPE)
    names = set(by_kind)
    if len(names) == 1:
        (kind,) = names
        return _of_one_kind(kind, by_kind[kind])
    if names == {"integer", "DOUBLE"}:
        return Scalar("DOUBLE")
    if names == {"integer", "decimal"}:
        return _decimal([*map(decimal.Decimal, by_kind["integer"]), *by_kind["decimal"]])
    raise _no_common_type(present)


def _present(values: list[Any]) -> list[Any]:
    foreign = {
        kind for kind in set(map(type, values)) if _kind(kind) == "unknown" or kind.__module__ != "builtins"
    }
    if foreign:
        values = [_familiar(value) if type(value) in foreign else value for value in values]
    return [value for value in values if value is not None]


def _familiar(value: Any) -> Any:
    if (
        isinstance(value, datetime) and value == value
    ):  # pandas times as they are: how fine they are is checked later
        return value
    value = plain(value)
    return value.tolist() if hasattr(value, "tolist") else value


def _kind(python_type: type) -> str:
    return next((kind for kind, base in _KINDS if issubclass(python_type, base)), "unknown")


def _of_one_kind(kind: str, values: list[Any]) -> Type:
    if kind == "integer":
        return _integer(min(values), max(values))
    if kind == "decimal":
        return _decimal(values)
    if kind == "list":
        return List(type_of(list(itertools.chain.from_iterable(values))))
    if kind == "struct":
        return _struct(values)
    if kind == "duration":
        hint = "store the duration as BIGINT seconds or microseconds"
        raise WorkbenchError("a table column cannot be an INTERVAL", hint=hint)
    if kind == "unknown":
        raise _no_common_type(values)
    return Scalar(kind)


def _integer(low: int, high: int) -> Type:
    if low >= -(2**63) and high < 2**63:
        return Scalar("BIGINT")
    return Scalar("UBIGINT" if low >= 0 and high < 2**64 else "HUGEINT")


def _decimal(values: list[decimal.Decimal]) -> Type:
    parts = [value.as_tuple() for value in values if value.is_finite()]
    scale = max((-int(part.exponent) for part in parts), default=0)
    whole = max((len(part.digits) + int(part.exponent) for part in parts), default=0)
    scale = max(scale, 0)
    return Decimal(18 if max(whole, 0) + scale <= 18 else 38, min(scale, 38))


def _struct(values: list[Mapping[Any, Any]]) -> Type:
    names = dict.fromkeys(itertools.chain.from_iterable(values))
    folded = {str(name).casefold() for name in names}
    if not names or len(folded) < len(names) or not all(isinstance(name, str) for name in names):
        raise WorkbenchError("the keys of its objects cannot be field names", hint=_GIVE_TYPE)
    return Struct(tuple((name, type_of([value.get(name) for value in values])) for name in names))


def _no_common_type(values: list[Any]) -> WorkbenchError:
    named = ", ".join(sorted({type(value).__name__ for value in values}))
    return WorkbenchError(
        f"its values have no common type ({named})", hint=f"make them one type first, or {_GIVE_TYPE}"
    )
