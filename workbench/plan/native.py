"""Ibis's own scalar operations as plan expressions, for views that are written in Ibis."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler
from ibis.expr.operations.udf import InputType

from workbench.errors import DefinitionError
from workbench.plan import expr as e
from workbench.plan.ops import duckdb_type
from workbench.plan.render import text

#: Operations that our SQL has as operators too, so that both spellings of a view give equal plans.
_OPERATORS: dict[type[ops.Value], str] = {
    ops.Add: "+",
    ops.Subtract: "-",
    ops.Multiply: "*",
    ops.Divide: "/",
    ops.And: "and",
    ops.Or: "or",
    ops.Not: "not",
    ops.Equals: "=",
    ops.NotEquals: "<>",
    ops.Less: "<",
    ops.LessEqual: "<=",
    ops.Greater: ">",
    ops.GreaterEqual: ">=",
    ops.IsNull: "is null",
    ops.Between: "between",
    ops.Negate: "negate",
    ops.Cast: "cast",
    ops.TryCast: "try_cast",
}
_NO_ONLINE_FORM = (ops.WindowFunction, ops.Reduction, ops.Analytic, ops.Subquery)
_SUMS: dict[type[ops.Value], str] = {
    ops.TimestampAdd: "+",
    ops.TimestampSub: "-",
    ops.TimestampDiff: "-",
    ops.IntervalAdd: "+",
    ops.IntervalSubtract: "-",
}
_UNITS = {
    "Y": "year",
    "Q": "quarter",
    "M": "month",
    "W": "week",
    "D": "day",
    "h": "hour",
    "m": "minute",
    "s": "second",
}
_UNITS |= {"ms": "millisecond", "us": "microsecond"}
#: A compiled call of nothing but arguments in their order.
_PLAIN_CALL = re.compile(r"(\w+)\((\$wb\d+(?:, \$wb\d+)*)?\)")


def native(value: ops.Value, expr: Callable[[ops.Value], e.Expr]) -> e.Expr:
    """Return an Ibis operation as a plan expression; ``expr`` does the same for its arguments.

    Raises
    ------
    DefinitionError
        For operations that have no online form.
    """
    if isinstance(value, _NO_ONLINE_FORM):
        raise DefinitionError(
            f"{type(value).__name__} has no online form here",
            hint=".over(wb.window(partition_by=..., order_by=..., rows_range=...)) makes a feature of an aggregate",
        )
    if isinstance(value, ops.ScalarUDF):
        if value.__input_type__ != InputType.BUILTIN:
            raise DefinitionError(
                f"the Python function {value.__func_name__}() has no online form here",
                hint="use @project.function, or write it with DuckDB's functions",
            )
    elif isinstance(value, ops.Impure):
        raise DefinitionError(
            f"{type(value).__name__} gives another value at every call, so training and serving would differ",
            hint="compute it before the row is stored, as a column",
        )
    if isinstance(value, ops.Alias):
        return expr(value.arg)
    return _syntax(value, expr) or _compiled(value, expr, duckdb_type(value.dtype))


def _syntax(value: ops.Value, expr: Callable[[ops.Value], e.Expr]) -> e.Expr | None:
    """What has syntax of its own in SQL; None is a function, or something that the compiler knows to write."""
    kind = duckdb_type(value.dtype)
    if isinstance(value, ops.Literal):
        return _literal(value, kind)
    if isinstance(value, ops.NotNull):
        return e.Op("not", (e.Op("is null", (expr(value.arg),), "BOOLEAN"),), "BOOLEAN")
    if isinstance(value, ops.InValues):
        return e.Op("in", (expr(value.value), *(expr(option) for option in value.options)), "BOOLEAN")
    if isinstance(value, ops.SearchedCase | ops.SimpleCase | ops.IfElse):
        return _case(value, expr, kind)
    if isinstance(value, ops.StringConcat):
        first, *rest = map(expr, value.arg)
        return functools.reduce(lambda left, right: e.Op("||", (left, right), kind), rest, first)
    if type(value) in _OPERATORS:
        operands = tuple(arg for arg in value.args if isinstance(arg, ops.Value))
        floating = any(arg.dtype.is_floating() and not isinstance(arg, ops.Literal) for arg in operands)
        args = tuple(_number(arg) if floating and _is_float(arg) else expr(arg) for arg in operands)
        return e.Op(_OPERATORS[type(value)], args, kind)
    if type(value) in _SUMS:
        return e.Op(_SUMS[type(value)], (expr(value.left), expr(value.right)), kind)
    return None


def _case(
    value: ops.SearchedCase | ops.SimpleCase | ops.IfElse, expr: Callable[[ops.Value], e.Expr], kind: str
) -> e.Expr:
    if isinstance(value, ops.IfElse):
        pairs, default = [(expr(value.bool_expr), expr(value.true_expr))], value.false_null_expr
    else:
        conditions = [expr(case) for case in value.cases]
        if isinstance(value, ops.SimpleCase):
            conditions = [e.Op("=", (expr(value.base), case), "BOOLEAN") for case in conditions]
        pairs, default = list(zip(conditions, map(expr, value.results), strict=True)), value.default
    # NULL of any type is plain NULL in a CASE.
    null = (
        isinstance(default, ops.Cast) and isinstance(default.arg, ops.Literal) and default.arg.value is None
    )
    null = null or (isinstance(default, ops.Literal) and default.value is None)
    last: e.Expr = e.Literal("NULL", "INTEGER") if null else expr(default)
    return e.Op("case", (*(part for pair in pairs for part in pair), last), kind)


def _literal(value: ops.Literal, kind: str) -> e.Expr | None:
    """A constant as one would write it; None where only the compiler knows how."""
    dtype, constant = value.dtype, value.value
    if constant is None:
        null = e.Literal("NULL", "INTEGER")
        return null if dtype.is_null() else e.Op("cast", (null,), kind)
    if dtype.is_boolean():
        return e.Literal("true" if constant else "false", "BOOLEAN")
    if dtype.is_integer():
        return e.Literal(str(constant), _integer_type(constant))
    if dtype.is_string():
        return e.Literal(text(constant), "VARCHAR")
    if dtype.is_floating():
        return e.Op("cast", (_number(value),), kind) if _is_float(value) else None
    if dtype.is_date():
        return e.Op("cast", (e.Literal(text(constant.isoformat()), "VARCHAR"),), "DATE")
    if dtype.is_timestamp() and constant.tzinfo is None:
        return e.Op("cast", (e.Literal(text(constant.isoformat(" ")), "VARCHAR"),), "TIMESTAMP")
    if dtype.is_interval() and dtype.unit.value in _UNITS and isinstance(constant, int):
        return e.Literal(f"INTERVAL '{constant} {_UNITS[dtype.unit.value]}'", "INTERVAL")
    return None


def _is_float(value: ops.Value) -> bool:
    return isinstance(value, ops.Literal) and value.dtype.is_floating() and math.isfinite(value.value)


def _number(value: ops.Value) -> e.Literal:
    """A floating constant as digits: beside a floating value no more needs to be said."""
    return e.Literal(repr(float(value.value)), "")


def _integer_type(value: int) -> str:
    """The type that DuckDB gives an integer constant (Ibis would take the narrowest)."""
    return next(
        (kind for kind, bits in (("INTEGER", 31), ("BIGINT", 63)) if -(2**bits) <= value < 2**bits), "HUGEINT"
    )


def _compiled(value: ops.Value, expr: Callable[[ops.Value], e.Expr], kind: str) -> e.Expr:
    """What Ibis's compiler makes of one operation, with placeholders where its arguments stand."""
    args: list[e.Expr] = []

    def placeholder(argument: Any) -> Any:
        if isinstance(argument, ops.Value):
            args.append(expr(argument))
            return sge.Placeholder(this=f"wb{len(args) - 1}")
        if isinstance(argument, tuple):
            return tuple(placeholder(item) for item in argument)
        return argument

    kwargs = {name: placeholder(argument) for name, argument in zip(value.argnames, value.args, strict=True)}
    sql = DuckDBCompiler().visit_node(value, **kwargs).sql("duckdb")
    call = _PLAIN_CALL.fullmatch(sql)
    if call and re.findall(r"\d+", call[2] or "") == [str(index) for index in range(len(args))]:
        return e.Call(call[1].lower(), tuple(args), kind)
    if not args:
        return e.Literal(sql, kind)
    sql = sql.replace("{", "{{").replace("}", "}}")
    for index in reversed(range(len(args))):
        sql = sql.replace(f"$wb{index}", f"{{{index}}}")
    return e.Sql(sql, tuple(args), kind)
