"""Aggregates with OpenMLDB's types: a sum has the type of what it sums."""

from __future__ import annotations

import ibis.expr.operations as ops
from sqlglot.expressions.core import Expr as Node

from workbench.plan.ops import FeatureWindow
from workbench.sql.aggregates import Aggregates
from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.expressions import OpenMLDBExpressions
from workbench.sql.scope import Scope


class OpenMLDBAggregates(Aggregates):
    """Translates the aggregates of one OpenMLDB SELECT."""

    def over(self, node: Node, scope: Scope) -> ops.Value:
        """Return the value of an aggregate, a sum in the type of its argument."""
        x = self.expressions
        assert isinstance(x, OpenMLDBExpressions)
        value = super().over(node, scope)
        if isinstance(value, FeatureWindow) and value.args and value.function == "median":
            return x.convert(node, value, "DOUBLE")
        if not isinstance(value, FeatureWindow) or not value.args or value.function != "sum":
            return value
        kind = x.type_of(value.args[0])
        if value.function == "sum" and kind in t.INTEGERS:
            whole = value.copy(duckdb_type="HUGEINT", cast=False)
            return x.sql(node, lambda s: t.wrapped(s, kind), whole)
        if value.function == "sum" and kind == "FLOAT":
            return x.bind(node, "op", "cast", [value], "FLOAT")
        return value
