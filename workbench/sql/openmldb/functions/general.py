"""Casts, and functions of NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.functions.registry import arity, named

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions


@named(*t.TYPES)
def _cast(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.convert(node, args[0], t.TYPES[node.name.casefold()])


@named("ifnull", "if_null", "nvl")
def _ifnull(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    return x.bind(node, "call", "coalesce", x.unified(node, args))


@named("nvl2")
def _nvl2(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 3, 3)
    there = x.bind(node, "op", "not", [x.bind(node, "op", "is null", [args[0]])])
    return x.bind(node, "op", "case", [there, *x.unified(node, args[1:])])


@named("isnull", "is_null")
def _isnull(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.bind(node, "op", "is null", args)


@named("identity")
def _identity(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return args[0]
