"""Expressions by the generated function and by DuckDB, over the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from workbench.online.scalars import FAILURES, ScalarFunction, Unsupported, compile_outputs
from workbench.plan.expr import Column, Expr
from workbench.plan.model import Feature, FeaturePlan
from workbench.plan.render import quote, render
from workbench.storage.session import connect
from workbench.values.types import arrow_schema

FAILED = "<fails>"


def lane(value: Any) -> Any:
    """A Python value as it goes into generated functions."""
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    if isinstance(value, Decimal):
        sign, digits, _ = value.as_tuple()
        return int("".join(map(str, digits))) * (-1 if sign else 1)
    if isinstance(value, bool):
        return int(value)
    return [lane(one) for one in value] if isinstance(value, list) else value


class Oracle:
    """Rows of some columns, on which expressions are computed in both ways."""

    def __init__(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        self.columns, self.rows = dict(columns), rows
        self.connection = connect(threads=1, by_row=True)
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(columns))
        numbered = table.append_column("n__", pa.array(range(len(rows)), pa.int64()))
        self.connection.register("rows_arrow", numbered)
        self.connection.execute("CREATE TABLE rows AS SELECT * FROM rows_arrow")
        self.lanes = [[lane(row[name]) for name in columns] for row in rows]

    def column(self, name: str) -> Column:
        return Column("anchor", name, self.columns[name])

    def type_of(self, expr: Expr) -> str:
        """The type that DuckDB gives an expression."""
        return str(self.connection.execute(f"DESCRIBE SELECT {_sql(expr)} FROM rows").fetchall()[0][1])

    def compiled(self, expr: Expr, kind: str) -> ScalarFunction | Unsupported:
        plan = FeaturePlan(
            table="rows",
            time=None,
            anchor_columns=tuple(self.columns.items()),
            where=None,
            lookups=(),
            windows=(),
            aggregates=(),
            outputs=(Feature("x", expr, kind),),
        )
        return compile_outputs(plan)

    def differences(self, expr: Expr) -> list[str]:
        """Rows for which the two differ. Where DuckDB fails for a row, the generated function must as well."""
        function = self.compiled(expr, self.type_of(expr))
        assert isinstance(function, ScalarFunction), function.reason
        expected = self.expected(expr)
        found = []
        for row, lanes, value in zip(self.rows, self.lanes, expected, strict=True):
            got = run(function, lanes)
            if got != FAILED and not same(got, value):
                found.append(f"{_sql(expr)} of {row}: {value!r} in DuckDB, {got!r} here\n{function.source}")
        return found

    def failures(self, expr: Expr) -> int:
        """How many rows the generated function leaves to DuckDB though it can compute them."""
        function = self.compiled(expr, self.type_of(expr))
        assert isinstance(function, ScalarFunction), function.reason
        pairs = zip(self.lanes, self.expected(expr), strict=True)
        return sum(run(function, lanes) == FAILED and value != FAILED for lanes, value in pairs)

    def expected(self, expr: Expr) -> list[Any]:
        """DuckDB's values, row by row where one of them is an error."""
        try:
            rows = self.connection.execute(f"SELECT {_sql(expr)} FROM rows ORDER BY n__").fetchall()
            return [value for (value,) in rows]
        except duckdb.Error:
            return [self._one(expr, number) for number in range(len(self.rows))]

    def _one(self, expr: Expr, number: int) -> Any:
        text = f"SELECT {_sql(expr)} FROM (SELECT * FROM rows LIMIT 1 OFFSET {number})"
        try:
            return self.connection.execute(text).fetchall()[0][0]
        except duckdb.Error:
            return FAILED


def run(function: ScalarFunction, lanes: Sequence[Any]) -> Any:
    try:
        kept, value = function(lanes, (), ())
    except FAILURES:
        return FAILED
    assert kept is True
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are of the same type, bit for bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _sql(expr: Expr) -> str:
    return render(expr, lambda node: quote(node.name))
