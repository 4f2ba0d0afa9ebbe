"""Feature signatures: functions around an output that say what it is to a model, and leave its value as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.kinds import KINDS, Kind, misfit
from workbench.plan.ops import Native
from workbench.sql.binding import Binding
from workbench.sql.outputs import TIMES


def is_signature(node: exp.Expr) -> bool:
    """Whether a node is a call of a signature function."""
    return isinstance(node, exp.Anonymous) and node.name.casefold() in KINDS


def inside(item: exp.Expr) -> exp.Expr:
    """Return what a signature stands around, or the node itself where it is none."""
    node = item.unnest()
    return node.expressions[0] if is_signature(node) and node.expressions else item


def unmarked(columns: Mapping[str, ops.Value]) -> dict[str, ops.Value]:
    """Return the columns of a subquery without their kinds: what an output is to a model, its own SELECT says."""
    return {
        name: value.args[0] if isinstance(value, Native) and value.kind == "signature" else value
        for name, value in columns.items()
    }


def signature(x: Binding, node: exp.Anonymous, translate: Callable[[exp.Expr], ops.Value]) -> Native:
    """Return the value inside a signature around an output, marked with its kind: see :func:`marked`."""
    if not _is_output(node):
        name = node.name.casefold()
        x.fail(
            node,
            f"{name}() says what an output is to a model, and stands around the whole of it",
            f"write {name}(<expression>) AS name in the SELECT list",
        )
    return marked(x, node, translate)


def marked(x: Binding, node: exp.Anonymous, translate: Callable[[exp.Expr], ops.Value]) -> Native:
    """Return the value inside a signature, marked with its kind.

    Parameters
    ----------
    x
        Fails at a node, and makes typed values.
    node
        The call, ``discrete(x, 100)``.
    translate
        Returns the value of an argument.
    """
    name = node.name.casefold()
    most = 2 if name == "discrete" else 1
    if not 1 <= len(node.expressions) <= most:
        takes = "one value, and the number of buckets" if most == 2 else "one value"
        x.fail(node, f"{name}() takes {takes}")
    buckets = None
    if len(node.expressions) == 2:
        count = node.expressions[1]
        if not (isinstance(count, exp.Literal) and count.this.isdigit() and int(count.this) > 0):
            x.fail(count, "the number of buckets is a constant whole number >= 1")
        buckets = int(count.this)
    value = translate(node.expressions[0])
    if x.type_of(value) in TIMES:
        value = x.bind(node, "op", "cast", [value], "TIMESTAMP")
    kind, type_ = Kind(name, buckets), x.type_of(value)
    problem = misfit(kind, type_)
    if problem is not None:
        x.fail(node.expressions[0], problem)
    return Native("signature", str(kind), (value,), type_)


def _is_output(node: exp.Expr) -> bool:
    """Whether a node is an item of the SELECT list, with or without parentheses and an alias."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, exp.Alias):
        parent = parent.parent
    return isinstance(parent, exp.Select)
