"""What rows must fulfil beyond their types: the checks of a pandera schema, kept as JSON and run on Arrow columns.

A schema is read once, where the table is created. What is stored are names and arguments of pandera's own checks, so
neither pandera nor pandas is needed where rows arrive, and nothing that is stored is ever executed. Checks that are
functions cannot be kept that way and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import RowError, WorkbenchError
from workbench.values.convert import Unfit, converter, show
from workbench.values.grammar import parse
from workbench.values.types import arrow_type

ON_INVALID = ("reject", "quarantine")
_NAMED = 5
_NOT_NULL = "not_nullable"
_TEXT = ("pattern", "string")
_LENGTHS = ("min_value", "max_value", "exact_value")

Mask = npt.NDArray[np.bool_]
Evaluate = Callable[[Any, Mapping[str, Any]], Any]


def _in_range(column: Any, given: Mapping[str, Any]) -> Any:
    low = pc.greater_equal if given.get("include_min", True) else pc.greater
    high = pc.less_equal if given.get("include_max", True) else pc.less
    return pc.and_(low(column, given["min_value"]), high(column, given["max_value"]))


def _length(column: Any, given: Mapping[str, Any]) -> Any:
    found = pc.utf8_length(column)
    result = pc.is_valid(column)
    for name, compare in zip(_LENGTHS, (pc.greater_equal, pc.less_equal, pc.equal), strict=True):
        if given.get(name) is not None:
            result = pc.and_(result, compare(found, given[name]))
    return result


_EVALUATE: dict[str, Evaluate] = {
    "equal_to": lambda column, given: pc.equal(column, given["value"]),
    "not_equal_to": lambda column, given: pc.not_equal(column, given["value"]),
    "greater_than": lambda column, given: pc.greater(column, given["min_value"]),
    "greater_than_or_equal_to": lambda column, given: pc.greater_equal(column, given["min_value"]),
    "less_than": lambda column, given: pc.less(column, given["max_value"]),
    "less_than_or_equal_to": lambda column, given: pc.less_equal(column, given["max_value"]),
    "in_range": _in_range,
    "isin": lambda column, given: pc.is_in(column, value_set=given["allowed_values"]),
    "notin": lambda column, given: pc.invert(pc.is_in(column, value_set=given["forbidden_values"])),
    "str_matches": lambda column, given: pc.match_substring_regex(column, f"^(?:{given['pattern']})"),
    "str_contains": lambda column, given: pc.match_substring_regex(column, given["pattern"]),
    "str_startswith": lambda column, given: pc.starts_with(column, given["string"]),
    "str_endswith": lambda column, given: pc.ends_with(column, given["string"]),
    "str_length": _length,
    _NOT_NULL: lambda column, given: pc.is_valid(column),
}


def from_pandera(schema: Any, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the checks of a pandera schema or model (pandas or Polars) as what JSON can hold.

    Parameters
    ----------
    schema
        The schema; its types are those of the table, or the table is refused elsewhere.
    columns
        The table's columns with their DuckDB types.

    Raises
    ------
    WorkbenchError
        For checks that cannot be kept: functions, checks over several columns, uniqueness, parsers.
    """
    if hasattr(schema, "to_schema"):  # a model
        schema = schema.to_schema()
    if not isinstance(getattr(schema, "columns", None), Mapping):
        raise WorkbenchError(
            f"schema= is a {type(schema).__name__}, not a pandera schema",
            hint="install it with: pip install 'feature-workbench[validation]'",
        )
    if getattr(schema, "checks", None):
        raise _refused("of the whole table", _name(schema.checks[0]), "it may look at several columns")
    if getattr(schema, "unique", None):
        raise _refused("of the whole table", "unique", "it needs all stored rows; give the table id=")
    if getattr(schema, "parsers", None):
        raise _refused("of the whole table", "a parser", "rows are stored as they are")
    found: list[dict[str, Any]] = []
    for name, column in schema.columns.items():
        if name not in columns:
            raise WorkbenchError(f"the schema has a column {name!r}, the table has none", field=str(name))
        found += _of_column(name, column, columns[name])
    checks_of(columns, found)
    return found


def _of_column(name: str, column: Any, kind: str) -> list[dict[str, Any]]:
    where = f"of column {name!r}"
    if getattr(column, "unique", False):
        raise _refused(where, "unique", "it needs all stored rows; give the table id=")
    if getattr(column, "regex", False) or getattr(column, "parsers", None):
        raise _refused(where, "a regex name or a parser", "rows are stored as they are")
    found = [] if getattr(column, "nullable", False) else [_rule(name, _NOT_NULL, {}, nulls=True)]
    for check in column.checks or ():
        given = dict(getattr(check, "statistics", None) or {})
        if check.name not in _EVALUATE or not given or getattr(check, "groupby", None):
            raise _refused(where, _name(check), "it is a function, which cannot be stored as JSON")
        if getattr(check, "raise_warning", False):
            raise _refused(where, _name(check), "a warning has nobody to read it")
        plain = {key: _plain(value) for key, value in given.items()}
        found.append(_rule(name, check.name, plain, nulls=not getattr(check, "ignore_na", True)))
    return found


def _rule(column: str, check: str, given: dict[str, Any], *, nulls: bool) -> dict[str, Any]:
    return {"column": column, "check": check, "given": given, "nulls": nulls}


def _name(check: Any) -> str:
    return str(getattr(check, "name", None) or check)


def _refused(where: str, check: str, reason: str) -> WorkbenchError:
    return WorkbenchError(
        f"the check {check} {where} cannot be kept: {reason}",
        hint=f"use pandera's own checks: {', '.join(name for name in _EVALUATE if name != _NOT_NULL)}",
    )


def _plain(value: Any) -> Any:
    """Return a check's argument as JSON has it; the column's converter understands it again."""
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value.item() if hasattr(value, "item") else value


@dataclass(frozen=True)
class Verdict:
    """Which rows fail: their positions, ascending, and why each of them does."""

    rows: npt.NDArray[np.int64]
    reasons: list[str]
    columns: list[str]

    def error(self, first_row: int = 0) -> RowError:
        """Return the error that names the first failures; rows are counted from ``first_row``."""
        shown = zip(self.rows[:_NAMED].tolist(), self.reasons, strict=False)
        named = "; ".join(f"row {first_row + row}, {reason}" for row, reason in shown)
        rest = len(self.rows) - _NAMED
        return RowError(
            named + (f"; and {rest:,} more rows fail" if rest > 0 else ""),
            field=self.columns[0],
            row=first_row + int(self.rows[0]),
            hint="the table's schema refuses them",
        )


class Checks:
    """The checks of one table, ready to run."""

    def __init__(self, columns: Mapping[str, str], rules: list[dict[str, Any]]) -> None:
        self._rules = [_Rule(columns[rule["column"]], rule) for rule in rules]

    def verdict(self, rows: pa.Table) -> Verdict | None:
        """Return which rows fail, None when all are good."""
        failed = [(rule, bad) for rule in self._rules if (bad := rule.failing(rows)) is not None]
        if not failed:
            return None
        positions = np.flatnonzero(np.logical_or.reduce([bad for _, bad in failed]))
        reasons, columns = [], []
        for position in positions.tolist():
            own = [rule for rule, bad in failed if bad[position]]
            reasons.append("; ".join(rule.reason(rows, position) for rule in own))
            columns.append(own[0].column)
        return Verdict(positions, reasons, columns)


@lru_cache(maxsize=128)
def _made(columns: tuple[tuple[str, str], ...], rules: bytes) -> Checks:
    return Checks(dict(columns), msgspec.json.decode(rules))


def checks_of(columns: Mapping[str, str], rules: list[dict[str, Any]]) -> Checks:
    """Return the checks that :func:`from_pandera` described, made once.

    Raises
    ------
    WorkbenchError
        When a check does not fit its column.
    """
    return _made(tuple(columns.items()), msgspec.json.encode(rules))


class _Rule:
    """One check of one column."""

    def __init__(self, kind: str, rule: Mapping[str, Any]) -> None:
        self.column: str = rule["column"]
        self._nulls: bool = rule["nulls"]
        self._text = _shown(rule["check"], rule["given"])
        self._evaluate = _EVALUATE[rule["check"]]
        try:
            self._given = {
                name: _argument(name, value, rule["check"], kind) for name, value in rule["given"].items()
            }
            self._evaluate(pa.nulls(0, arrow_type(kind)), self._given)
        except (Unfit, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise WorkbenchError(
                f"the check {self._text} cannot be used for column {self.column!r} ({kind}): {reason}",
                field=self.column,
            ) from None

    def failing(self, rows: pa.Table) -> Mask | None:
        """Return which rows fail, None when none does."""
        column = rows.column(self.column)
        good = self._evaluate(column, self._given)
        if not self._nulls:
            good = pc.or_kleene(good, pc.is_null(column))
        good = pc.fill_null(good, False)
        if pc.all(good).as_py() is not False:
            return None
        bits = pc.invert(good).cast(pa.uint8())
        parts = [np.frombuffer(c.buffers()[1], np.uint8)[c.offset : c.offset + len(c)] for c in _chunks(bits)]
        return np.concatenate(parts).astype(np.bool_)

    def reason(self, rows: pa.Table, position: int) -> str:
        """Say what is wrong with the row at a position."""
        if self._text == _NOT_NULL:
            return f"column {self.column!r} is NULL"
        return (
            f"column {self.column!r}: {show(rows.column(self.column)[position].as_py())} fails {self._text}"
        )


def _chunks(array: Any) -> list[Any]:
    return list(array.chunks) if isinstance(array, pa.ChunkedArray) else [array]


def _shown(check: str, given: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    return f"{check}({shown})" if shown else check


def _argument(name: str, value: Any, check: str, kind: str) -> Any:
    """Return an argument of a check as Arrow compares it with a column."""
    if (
        value is None
        or isinstance(value, bool)
        or name in _TEXT
        or (check == "str_length" and name in _LENGTHS)
    ):
        return value
    convert = converter(parse(kind))
    if isinstance(value, list):
        return pa.array([None if item is None else convert(item) for item in value], arrow_type(kind))
    try:
        return pa.scalar(convert(value), arrow_type(kind))
    except Unfit:
        # An integer column may be compared with 0.5.
        if isinstance(value, float) and pa.types.is_integer(arrow_type(kind)):
            return pa.scalar(value, pa.float64())
        raise
