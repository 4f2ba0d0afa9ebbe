"""Constants of a query: simple ones are read here, DuckDB evaluates the others."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from workbench.online.scalars.value import (
    FLOATS,
    SCALARS,
    Unsupported,
    Value,
    constant,
    decimal_parts,
    is_decimal,
    is_integer,
    list_item,
)
from workbench.plan import expr as e
from workbench.plan.expr import Expr, Literal, Op
from workbench.plan.render import render
from workbench.storage.session import connect

_EPOCH = datetime(1970, 1, 1)
_DAY = date(1970, 1, 1)
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_FRACTION = re.compile(r"-?([0-9]*)\.([0-9]+)")
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_INTERVAL = re.compile(r"INTERVAL '(-?[0-9]{1,6}) (second|minute|hour|day|week|month|year)s?'", re.IGNORECASE)
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?)?")
_UNITS = {
    "second": (0, 0, 1_000_000),
    "minute": (0, 0, 60_000_000),
    "hour": (0, 0, 3_600_000_000),
    "day": (0, 1, 0),
    "week": (0, 7, 0),
    "month": (1, 0, 0),
    "year": (12, 0, 0),
}
_MICROSECOND = timedelta(microseconds=1)


class Constants:
    """Evaluates constant expressions; a session is opened when one is needed, and closed by :meth:`close`."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._found: dict[str, Value | Unsupported] = {}

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def literal(self, literal: Literal) -> Value:
        """Return a constant of the query's text."""
        sql = literal.sql
        if sql == "NULL":
            return constant(None, literal.type, literal=True)
        if sql in ("true", "false") and literal.type == "BOOLEAN":
            return constant(sql == "true", "BOOLEAN", literal=True)
        if is_integer(literal.type) and _WHOLE.fullmatch(sql):
            return constant(int(sql), literal.type, literal=True)
        text = _TEXT.fullmatch(sql)
        if text and literal.type == "VARCHAR":
            return constant(text[1].replace("''", "'"), "VARCHAR", literal=True)
        found = _FRACTION.fullmatch(sql)
        if found and is_decimal(literal.type) and decimal_parts(literal.type)[1] == len(found[2]):
            return constant(int(sql.replace(".", "")), literal.type, literal=True)
        step = _INTERVAL.fullmatch(sql)
        if step and literal.type == "INTERVAL":
            months, days, micros = (int(step[1]) * part for part in _UNITS[step[2].lower()])
            return constant((months, days, micros), "INTERVAL", literal=True)
        return self._evaluated(sql, literal=True)

    def folded(self, expr: Expr) -> Value | None:
        """Return the value of an expression without columns, None where it has some."""
        if not isinstance(expr, e.Call | Op) or not expr.args:
            return None
        if any(isinstance(node, e.Column | e.AggregateRef) for node in e.walk(expr)):
            return None
        return _cast(expr) or self._evaluated(render(expr, _no_leaf))

    def cast(self, value: Value, kind: str) -> Value:
        """Return a constant cast to a type."""
        return self._evaluated(f"CAST({sql_of(value)} AS {kind})")

    def _evaluated(self, sql: str, literal: bool = False) -> Value:
        found = self._found.get(sql)
        if found is None:
            try:
                found = self._asked(sql, literal)
            except (duckdb.Error, Unsupported) as error:
                found = Unsupported(f"the constant {sql}: {str(error).splitlines()[0]}")
            self._found[sql] = found
        if isinstance(found, Unsupported):
            raise found
        return found

    def _asked(self, sql: str, literal: bool) -> Value:
        if self._connection is None:
            self._connection = connect(threads=1, by_row=True)
        found = self._connection.execute(f"SELECT typeof(x), x FROM (SELECT {sql} AS x)").fetchone()
        assert found is not None
        kind, value = found
        if kind == '"NULL"':
            return constant(None, "NULL", literal=True)
        if kind == "INTERVAL" and value is not None:
            value = self._connection.execute(
                "SELECT datepart('year', x) * 12 + datepart('month', x), datepart('day', x), "
                "datepart('hour', x) * 3600000000 + datepart('minute', x) * 60000000 "
                f"+ datepart('microseconds', x) FROM (SELECT {sql} AS x)"
            ).fetchone()
        return constant(inner(value, kind), kind, literal)


def inner(value: Any, kind: str) -> Any:
    """Return a Python value of DuckDB in its internal form: times and DECIMALs as integers.

    >>> inner(datetime(1970, 1, 2), "TIMESTAMP"), inner(Decimal("1.50"), "DECIMAL(9,2)")
    (86400000000, 150)
    """
    if value is None:
        return None
    if kind == "TIMESTAMP":
        if not isinstance(value, datetime) or value == datetime.max:
            raise Unsupported(f"{value} is not a time that Python can hold")
        return (value - _EPOCH) // _MICROSECOND
    if kind == "DATE":
        if not isinstance(value, date) or value == date.max:
            raise Unsupported(f"{value} is not a date that Python can hold")
        return (value - _DAY).days
    if kind == "TIME":
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    if is_decimal(kind):
        sign, digits, exponent = value.as_tuple()
        number = int("".join(map(str, digits))) * 10 ** (decimal_parts(kind)[1] + exponent)
        return -number if sign else number
    item = list_item(kind)
    if item is not None and isinstance(value, list):
        return [inner(one, item) for one in value]
    if kind not in SCALARS:
        raise Unsupported(f"{kind} constants are not compiled")
    return value


def sql_of(value: Value) -> str:
    """Return a constant as SQL."""
    const = value.const
    if const is None:
        return "NULL"
    if value.type == "VARCHAR":
        return "'" + const.replace("'", "''") + "'"
    if value.type == "BOOLEAN":
        return "true" if const else "false"
    if is_decimal(value.type):
        precision, scale = decimal_parts(value.type)
        return f"CAST('{Decimal(const).scaleb(-scale)}' AS DECIMAL({precision},{scale}))"
    if value.type in FLOATS:
        return f"CAST('{const!r}' AS {value.type})"
    if value.type == "DATE":
        return f"(DATE '1970-01-01' + {const})"
    if value.type == "TIMESTAMP":
        return f"make_timestamp({const})"
    if is_integer(value.type):
        return f"CAST({const} AS {value.type})"
    raise Unsupported(f"{value.type} constants are not cast here")


def _no_leaf(node: e.Column | e.AggregateRef) -> str:
    raise Unsupported(f"{node.name} is not a constant")


def _cast(expr: Expr) -> Value | None:
    """The casts that stand in most queries, without asking DuckDB."""
    if not isinstance(expr, Op) or expr.op != "cast" or not isinstance(expr.args[0], Literal):
        return None
    sql = expr.args[0].sql
    text = _TEXT.fullmatch(sql)
    if text and expr.type in ("TIMESTAMP", "DATE") and _STAMP.fullmatch(text[1]):
        try:
            moment = datetime.fromisoformat(text[1])
        except ValueError:
            return None
        if expr.type == "TIMESTAMP":
            return constant(inner(moment, "TIMESTAMP"), "TIMESTAMP")
        return constant(inner(moment.date(), "DATE"), "DATE") if len(text[1]) == 10 else None
    if expr.type == "DOUBLE" and len(sql) <= 16 and (_FRACTION.fullmatch(sql) or _WHOLE.fullmatch(sql)):
        return constant(float(sql), "DOUBLE")
    return None
