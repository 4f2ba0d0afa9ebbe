"""Plan expressions as DuckDB SQL. Both sides render with this module, so a scalar means the same on both."""

from __future__ import annotations

from collections.abc import Callable

from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Call, Column, Expr, Literal, Op, Sql

#: How the operators of :class:`workbench.plan.expr.Op` are written. Every result stands in parentheses.
OPERATORS = {
    "+": "{0} + {1}",
    "-": "{0} - {1}",
    "*": "{0} * {1}",
    "/": "{0} / {1}",
    "//": "{0} // {1}",
    "%": "{0} % {1}",
    "**": "{0} ** {1}",
    "||": "{0} || {1}",
    "&": "{0} & {1}",
    "|": "{0} | {1}",
    "<<": "{0} << {1}",
    ">>": "{0} >> {1}",
    "negate": "- {0}",
    "bitwise not": "~ {0}",
    "and": "{0} AND {1}",
    "or": "{0} OR {1}",
    "not": "NOT {0}",
    "=": "{0} = {1}",
    "<>": "{0} <> {1}",
    "<": "{0} < {1}",
    "<=": "{0} <= {1}",
    ">": "{0} > {1}",
    ">=": "{0} >= {1}",
    "is null": "{0} IS NULL",
    "is true": "{0} IS TRUE",
    "is false": "{0} IS FALSE",
    "is distinct from": "{0} IS DISTINCT FROM {1}",
    "is not distinct from": "{0} IS NOT DISTINCT FROM {1}",
    "between": "{0} BETWEEN {1} AND {2}",
    "like": "{0} LIKE {1}",
    "ilike": "{0} ILIKE {1}",
    "similar to": "{0} SIMILAR TO {1}",
    "glob": "{0} GLOB {1}",
    "index": "{0}[{1}]",
    "->": "{0} -> {1}",
    "->>": "{0} ->> {1}",
}


def quote(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return ``value`` as a string literal."""
    return "'" + value.replace("'", "''") + "'"


def render(expr: Expr, leaf: Callable[[Column | AggregateRef], str]) -> str:
    """Return ``expr`` as DuckDB SQL; ``leaf`` says how columns and aggregate values are written.

    >>> from workbench.plan.expr import Column, Literal, Op
    >>> render(Op("+", (Column("anchor", "a", "BIGINT"), Literal("1", "INTEGER")), "BIGINT"), lambda c: c.name)
    '(a + 1)'
    """
    if isinstance(expr, Column | AggregateRef):
        return leaf(expr)
    if isinstance(expr, Literal):
        return expr.sql
    args = [render(arg, leaf) for arg in expr.args]
    if isinstance(expr, Call):
        return f"{call_name(expr.name)}({', '.join(args)})"
    if isinstance(expr, Sql):
        return f"({expr.template.format(*args)})"
    return f"({_operator(expr, args)})"


def _operator(expr: Op, args: list[str]) -> str:
    if expr.op in ("cast", "try_cast"):
        return f"{expr.op.upper()}({args[0]} AS {expr.type})"
    if expr.op == "case":
        branches = "".join(f" WHEN {args[i]} THEN {args[i + 1]}" for i in range(0, len(args) - 1, 2))
        return f"CASE{branches} ELSE {args[-1]} END"
    if expr.op == "in":
        return f"{args[0]} IN ({', '.join(args[1:])})"
    if expr.op == "list":
        return f"[{', '.join(args)}]"
    return OPERATORS[expr.op].format(*args)


def call_name(name: str) -> str:
    """Return a function's name, quoted when it is not a plain word (DuckDB has functions such as ``||``)."""
    return name if name.replace("_", "a").isalnum() else quote(name)


def plan_sql(expr: Expr) -> str:
    """Return ``expr`` as SQL of the generated queries: the anchor row is ``a``, a row of a window or lookup ``r``."""
    return render(expr, _plan_leaf)


def _plan_leaf(node: Column | AggregateRef) -> str:
    if isinstance(node, AggregateRef):
        return aggregate_name(node.name)
    if node.source == e.ROW:
        return f"r.{quote(node.name)}"
    if node.source == e.ANCHOR:
        return f"a.{quote(node.name)}"
    return f"a.{lookup_name(node.source, node.name)}"


def aggregate_name(name: str) -> str:
    """Return the column name of an aggregate's value; the prefix is reserved, so it meets no user's column."""
    return f"__{name}"


def lookup_name(lookup: str, column: str) -> str:
    """Return the name by which a lookup's column is carried beside the anchor's columns."""
    return f"__{lookup}_{column}"


def order_sql(sql: str, kind: str) -> str:
    """Return an order value as BIGINT: microseconds of times and dates, integers as they are."""
    if kind == "TIMESTAMP":
        return f"epoch_us({sql})"
    if kind == "DATE":
        return f"epoch_us(CAST({sql} AS TIMESTAMP))"
    return f"CAST({sql} AS BIGINT)"
