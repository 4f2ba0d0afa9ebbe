"""The functions by name, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import ibis.expr.operations as ops
from sqlglot import exp

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions

#: Given the translator, the call and its arguments, returns the value.
OpenMLDBFunction: TypeAlias = "Callable[[OpenMLDBExpressions, exp.Anonymous, list[ops.Value]], ops.Value]"
FUNCTIONS: dict[str, OpenMLDBFunction] = {}


def named(*names: str) -> Callable[[OpenMLDBFunction], OpenMLDBFunction]:
    """Register a function under its names."""

    def register(function: OpenMLDBFunction) -> OpenMLDBFunction:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return register


def arity(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value], low: int, high: int) -> None:
    """Check the number of arguments of a call."""
    if not low <= len(args) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        x.fail(node, f"{node.name}() takes {wanted} arguments, not {len(args)}")


def as_texts(x: OpenMLDBExpressions, node: exp.Expr, args: list[ops.Value]) -> list[ops.Value]:
    """Return arguments converted to text."""
    return [x.convert(node, argument, "VARCHAR") for argument in args]
