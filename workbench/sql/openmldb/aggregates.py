"""Aggregates with OpenMLDB's types: a sum has the type of what it sums, and wraps in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis.expr.operations as ops
from sqlglot.expressions.core import Expr as Node

from workbench.plan.ops import FeatureWindow, WindowSpec
from workbench.sql.aggregates import Aggregates
from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.expressions import OpenMLDBExpressions
from workbench.sql.scope import Scope


class OpenMLDBAggregates(Aggregates):
    """Translates the aggregates of one OpenMLDB SELECT."""

    expressions: OpenMLDBExpressions

    def over(self, node: Node, scope: Scope) -> ops.Value:
        """Return the value of an aggregate in the type that OpenMLDB gives it."""
        x = self.expressions
        value = super().over(node, scope)
        if not isinstance(value, FeatureWindow) or not value.args:
            return value
        kind = x.type_of(value.args[0])
        if value.function == "sum" and kind in t.INTEGERS:
            whole = value.copy(duckdb_type="HUGEINT", cast=False)
            found = x.sql(node, lambda s: t.wrapped(s, kind), whole)
            return x.convert(node, found, "TIMESTAMP") if value in self._times else found
        if value.function == "sum" and kind == "FLOAT":
            return x.bind(node, "op", "cast", [value], "FLOAT")
        return x.convert(node, value, "DOUBLE") if value.function == "median" else value

    def aggregate(
        self, node: Node, name: str, args: Sequence[ops.Value], spec: WindowSpec, *more: Any, **named: Any
    ) -> FeatureWindow:
        """Return a DuckDB aggregate over a window; times are summed as milliseconds."""
        times = name == "sum" and bool(args) and self.expressions.type_of(args[0]) == "TIMESTAMP"
        if times:
            args = [self.expressions.convert(node, args[0], "BIGINT")]
        value = super().aggregate(node, name, args, spec, *more, **named)
        if times:
            self._times.add(value)
        return value

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._times: set[ops.Value] = set()
