"""Aggregates with OpenMLDB's types: a sum has the type of what it sums, and wraps in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis.expr.operations as ops
from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.plan.ops import FeatureWindow, WindowSpec
from workbench.sql.aggregates import Aggregates
from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.expressions import OpenMLDBExpressions
from workbench.sql.openmldb.functions import OF_PARTS
from workbench.sql.scope import Scope

#: What NULL is counted as.
_ZEROS = {
    **dict.fromkeys(("SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"), "0"),
    "BOOLEAN": "false",
    "VARCHAR": "''",
    "DATE": "DATE '0001-01-01'",
    "TIMESTAMP": "TIMESTAMP '1970-01-01 00:00:00'",
}


class OpenMLDBAggregates(Aggregates):
    """Translates the aggregates of one OpenMLDB SELECT."""

    expressions: OpenMLDBExpressions

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._times: set[ops.Value] = set()

    def over(self, node: Node, scope: Scope) -> ops.Value:
        """Return the value of an aggregate in the type that OpenMLDB gives it."""
        x = self.expressions
        call = node.this if isinstance(node, exp.Window) else None
        if isinstance(call, exp.Anonymous) and call.name.casefold() in OF_PARTS and _is_split(call):
            return self._of_parts(node, call, scope)
        value = super().over(node, scope)
        if not isinstance(value, FeatureWindow) or not value.args:
            return value
        kind = x.type_of(value.args[0])
        if value.function == "sum" and kind in t.INTEGERS:
            whole = value.copy(duckdb_type="HUGEINT", cast=False)
            found = x.sql(node, lambda s: t.wrapped(s, kind), whole)
            return x.convert(node, found, "TIMESTAMP") if value in self._times else found
        if value.function == "sum" and kind == "FLOAT":
            return x.convert(node, value, "FLOAT")
        return x.convert(node, value, "DOUBLE") if value.function == "median" else value

    def aggregate(
        self, node: Node, name: str, args: Sequence[ops.Value], spec: WindowSpec, *more: Any, **named: Any
    ) -> FeatureWindow:
        """Return a DuckDB aggregate over a window.

        Times are summed as milliseconds. Distinct values are counted with NULL as the zero of its type, as OpenMLDB's
        own suite has it.
        """
        times = name == "sum" and bool(args) and self.expressions.type_of(args[0]) == "TIMESTAMP"
        if name == "count" and named.get("distinct") and args:
            zero = _ZEROS.get(self.expressions.type_of(args[0]))
            if zero is not None:
                args = [self.expressions.sql(node, lambda x: f"coalesce({x}, {zero})", args[0])]
        if times:
            args = [self.expressions.convert(node, args[0], "BIGINT")]
        value = super().aggregate(node, name, args, spec, *more, **named)
        if times:
            self._times.add(value)
        return value

    def _of_parts(self, node: Node, call: exp.Anonymous, scope: Scope) -> ops.Value:
        """An aggregate of the parts of all texts of a window: of the list that window_split() is."""
        x = self.expressions
        split, *rest = call.expressions
        window = node.copy()
        window.set("this", split.copy())
        parts = super().over(window, scope)
        texts = [x.translate(item, scope) for item in rest]
        template = OF_PARTS[call.name.casefold()]
        return x.sql(node, lambda p, n="1": template.format(parts=p, n=n), parts, *texts)


def _is_split(call: exp.Anonymous) -> bool:
    first = call.expressions[0] if call.expressions else None
    return isinstance(first, exp.Anonymous) and first.name.casefold().startswith("window_split")
