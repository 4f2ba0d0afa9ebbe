"""Ibis's own scalar operations as plan expressions, for views that are written in Ibis."""

from __future__ import annotations

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
            f"{type(value).__name__} of a plain Ibis expression has no online form in this version",
            hint="write the aggregate in feature SQL: sum(x) OVER (PARTITION BY key ORDER BY time ...)",
        )
    if isinstance(value, ops.ScalarUDF):
        if value.__input_type__ != InputType.BUILTIN:
            raise DefinitionError(
                f"the Python function {value.__func_name__}() has no online form in this version",
                hint="write it with DuckDB's functions, or compute it before the row is stored, as a column",
            )
    elif isinstance(value, ops.Impure):
        raise DefinitionError(
            f"{type(value).__name__} gives another value at every call, so training and serving would differ",
            hint="compute it before the row is stored, as a column",
        )
    if isinstance(value, ops.Alias):
        return expr(value.arg)
    kind = duckdb_type(value.dtype)
    if isinstance(value, ops.Literal) and value.dtype.is_integer() and value.value is not None:
        return e.Literal(str(value.value), _integer_type(value.value))
    if isinstance(value, ops.NotNull):
        return e.Op("not", (e.Op("is null", (expr(value.arg),), "BOOLEAN"),), "BOOLEAN")
    if isinstance(value, ops.InValues):
        return e.Op("in", (expr(value.value), *(expr(option) for option in value.options)), "BOOLEAN")
    if type(value) in _OPERATORS:
        args = tuple(expr(arg) for arg in value.args if isinstance(arg, ops.Value))
        return e.Op(_OPERATORS[type(value)], args, kind)
    return _compiled(value, expr, kind)


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
