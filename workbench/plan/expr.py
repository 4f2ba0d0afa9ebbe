"""The scalar tree of a plan: values computed from columns, literals and aggregates.

Types are DuckDB's, as text; rendering to SQL is in :mod:`workbench.plan.render`. The nodes carry no Ibis and no
sqlglot, so a serving worker reads a plan without importing either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

ANCHOR = "anchor"
ROW = "row"


class Column(msgspec.Struct, frozen=True, tag_field="node", tag="column"):
    """A column of ``source``: the anchor row, a row of the window or lookup at hand (``row``), or a lookup by name."""

    source: str
    name: str
    type: str


class Literal(msgspec.Struct, frozen=True, tag_field="node", tag="literal"):
    """A constant, as DuckDB text (``'food'``, ``1.5``, ``INTERVAL '3 days'``, ``NULL``)."""

    sql: str
    type: str


class Call(msgspec.Struct, frozen=True, tag_field="node", tag="call"):
    """A DuckDB scalar function by name."""

    name: str
    args: tuple[Expr, ...]
    type: str


class Op(msgspec.Struct, frozen=True, tag_field="node", tag="op"):
    """An operator of :data:`workbench.plan.render.OPERATORS` (``+``, ``and``, ``case``, ``cast`` ...)."""

    op: str
    args: tuple[Expr, ...]
    type: str


class Sql(msgspec.Struct, frozen=True, tag_field="node", tag="sql"):
    """DuckDB text with ``{0}``, ``{1}`` ... for the arguments: what the other nodes cannot say, such as lambdas."""

    template: str
    args: tuple[Expr, ...]
    type: str


class AggregateRef(msgspec.Struct, frozen=True, tag_field="node", tag="aggregate"):
    """The value of an aggregate of the plan, by its name."""

    name: str
    type: str


Expr: TypeAlias = Column | Literal | Call | Op | Sql | AggregateRef


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the direct arguments of ``expr``."""
    return expr.args if isinstance(expr, Call | Op | Sql) else ()


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield ``expr`` and everything below it."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def transform(expr: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Rebuild ``expr`` from the top down; where ``change`` returns a node, that node stands instead."""
    changed = change(expr)
    if changed is not None:
        return changed
    if isinstance(expr, Call | Op | Sql):
        return msgspec.structs.replace(expr, args=tuple(transform(arg, change) for arg in expr.args))
    return expr


def columns(expr: Expr | None, source: str) -> set[str]:
    """Return the names of the columns of ``source`` that ``expr`` reads."""
    if expr is None:
        return set()
    return {node.name for node in walk(expr) if isinstance(node, Column) and node.source == source}


def sources(expr: Expr | None) -> set[str]:
    """Return the sources of every column that ``expr`` reads."""
    return set() if expr is None else {node.source for node in walk(expr) if isinstance(node, Column)}


def conjunction(*conditions: Expr | None) -> Expr | None:
    """Return the AND of the conditions that are there, or None."""
    present = [condition for condition in conditions if condition is not None]
    if not present:
        return None
    result = present[0]
    for condition in present[1:]:
        result = Op("and", (result, condition), "BOOLEAN")
    return result


def conjuncts(where: Expr | None) -> list[Expr]:
    """Return the conditions that :func:`conjunction` joined, from left to right."""
    if isinstance(where, Op) and where.op == "and":
        return [*conjuncts(where.args[0]), where.args[1]]
    return [] if where is None else [where]
