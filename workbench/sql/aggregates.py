"""Aggregates OVER a window: the call, its arguments, and what stands around it."""

from __future__ import annotations

from dataclasses import replace

import ibis.expr.operations as ops
from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.errors import WorkbenchError
from workbench.plan.aggregates import ORDER_FREE
from workbench.plan.model import Frame
from workbench.plan.ops import FeatureWindow, WindowSpec
from workbench.sql.expressions import Expressions
from workbench.sql.scope import Scope
from workbench.sql.windows import Windows

_POSITIONAL = {
    "lead": "lead() looks at rows of the future, which a request cannot have seen",
    "row_number": "row_number() numbers the rows of a result; a feature is one value of one request",
    "rank": "rank() compares rows of a result; a feature is one value of one request",
    "dense_rank": "dense_rank() compares rows of a result; a feature is one value of one request",
    "percent_rank": "percent_rank() compares rows of a result; a feature is one value of one request",
    "cume_dist": "cume_dist() compares rows of a result; a feature is one value of one request",
    "ntile": "ntile() compares rows of a result; a feature is one value of one request",
    "nth_value": "nth_value() is not available in this version",
}


class Aggregates:
    """Translates the aggregates of one SELECT.

    Parameters
    ----------
    expressions
        The query's expression translator.
    windows
        The query's windows.
    """

    def __init__(self, expressions: Expressions, windows: Windows) -> None:
        self.expressions = expressions
        self.windows = windows

    def over(self, node: Node, scope: Scope) -> ops.Value:
        """Return the value of ``function(...) [FILTER (...)] OVER window``."""
        x = self.expressions
        if not isinstance(node, exp.Window):
            x.fail(node, "an aggregate needs a window", "write ... OVER w")
        call, where_node, distinct = self._call(node.this)
        spec, rows = self.windows.spec_of(node)
        name = call.name.casefold()
        if name in _POSITIONAL:
            x.fail(call, _POSITIONAL[name])
        args = self._arguments(call, rows)
        if name == "lag":
            name, spec, args = self._lag(call, spec, args)
        elif name in ("first_value", "last_value"):
            name = name.removesuffix("_value")
        where = x.condition(where_node, rows) if where_node is not None else None
        return self._aggregate(node, call, name, args, spec, distinct, where)

    def _call(self, node: Node) -> tuple[exp.Anonymous, Node | None, bool]:
        x = self.expressions
        where = None
        if isinstance(node, exp.Filter):
            where, node = node.expression.this, node.this
        if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
            x.fail(
                node,
                "IGNORE NULLS and RESPECT NULLS are not available in this version",
                "use FILTER (WHERE x IS NOT NULL)",
            )
        if isinstance(node, exp.WithinGroup):
            x.fail(node, "WITHIN GROUP is not available here", "write quantile_cont(x, 0.5) OVER w")
        if not isinstance(node, exp.Anonymous):
            x.fail(node, "only a function can be computed OVER a window")
        distinct = bool(node.expressions) and isinstance(node.expressions[0], exp.Distinct)
        return node, where, distinct

    def _arguments(self, call: exp.Anonymous, rows: Scope) -> list[ops.Value]:
        x = self.expressions
        items = list(call.expressions)
        if items and isinstance(items[0], exp.Distinct):
            items = [*items[0].expressions, *items[1:]]
        if len(items) == 1 and isinstance(items[0], exp.Star):
            return []
        for item in items:
            if isinstance(item, exp.Order) or item.find(exp.Order):
                x.fail(
                    call,
                    "ORDER BY inside an aggregate is not available in this version",
                    "rows are fed in the window's order",
                )
            if (inner := item.find(exp.Window)) is not None:
                x.fail(
                    inner,
                    "a window function inside an aggregate is not available in this version",
                    "compute the inner value as a column of the table",
                )
        return [x.translate(item, rows) for item in items]

    def _lag(
        self, call: exp.Anonymous, spec: WindowSpec, args: list[ops.Value]
    ) -> tuple[str, WindowSpec, list[ops.Value]]:
        """lag(x, n) is the value of x at position n, whatever the frame, MAXSIZE and EXCLUDE CURRENT_ROW say."""
        x = self.expressions
        offset = call.expressions[1] if len(call.expressions) > 1 else exp.Literal.number(1)
        if len(call.expressions) > 2:
            x.fail(call, "lag(x, n, default) is not available", "write coalesce(lag(x, n) OVER w, default)")
        if not (isinstance(offset, exp.Literal) and offset.this.isdigit()):
            x.fail(offset, "the offset of lag() is a constant whole number >= 0")
        position = int(offset.this)
        frame = Frame("rows", position, position)
        lagged = replace(spec, frame=frame, maxsize=None, exclude_current_row=False)
        return "first", lagged, args[:1]

    def _aggregate(
        self,
        node: Node,
        call: exp.Anonymous,
        name: str,
        args: list[ops.Value],
        spec: WindowSpec,
        distinct: bool,
        where: ops.Value | None,
    ) -> FeatureWindow:
        x = self.expressions
        try:
            if name != "first" and name != "last" and not x.functions.is_aggregate(name):
                x.fail(call, f"{name}() is not an aggregate", "only aggregates are computed OVER a window")
        except WorkbenchError as error:
            if error.position is not None:
                raise
            x.fail(call, error.message, error.hint)
        if distinct and name not in ORDER_FREE:
            x.fail(
                call,
                f"{name}(DISTINCT ...) depends on the order of its values, and DISTINCT leaves none",
                "write list_sort(list_distinct(list(x) OVER w)), and array_to_string(..., ',') around it for text",
            )
        if not args and name != "count":
            x.fail(call, f"{name}(*) is not available; only count(*) is")
        if not args:
            kind = "BIGINT"
            name = "count_star"
        else:
            kind = x.bind(call, "call", name, args).duckdb_type
        # A sum of integers is BIGINT on both sides; what does not fit is an error of that row.
        cast = kind == "HUGEINT" and name in ("sum", "sum_no_overflow")
        return FeatureWindow(
            function=name,
            args=tuple(args),
            spec=spec,
            anchor=self.windows.anchor.rows,
            duckdb_type="BIGINT" if cast else kind,
            distinct=distinct,
            where=where,
            cast=cast,
        )
