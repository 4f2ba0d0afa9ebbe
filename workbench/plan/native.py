"""Ibis's own scalar operations as plan expressions, for views that are written in Ibis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler

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
}
_NO_ONLINE_FORM = (ops.WindowFunction, ops.Reduction, ops.Analytic, ops.Subquery)


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
    if isinstance(value, ops.Alias):
        return expr(value.arg)
    kind = duckdb_type(value.dtype)
    if type(value) in _OPERATORS:
        args = tuple(expr(arg) for arg in value.args if isinstance(arg, ops.Value))
        return e.Op(_OPERATORS[type(value)], args, kind)
    return _compiled(value, expr, kind)


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
    sql = DuckDBCompiler().visit_node(value, **kwargs).sql("duckdb").replace("{", "{{").replace("}", "}}")
    if not args:
        return e.Literal(sql, kind)
    for index in reversed(range(len(args))):
        sql = sql.replace(f"$wb{index}", f"{{{index}}}")
    return e.Sql(sql, tuple(args), kind)
