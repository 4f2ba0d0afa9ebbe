"""Windows of OpenMLDB: plain numbers are milliseconds of a time, units are milliseconds of a whole number."""

from __future__ import annotations

import ibis.expr.operations as ops
from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.plan.model import Frame
from workbench.sql.dialect import UNITS, Bound
from workbench.sql.frames import INTEGERS
from workbench.sql.scope import Relation
from workbench.sql.windows import Windows

MILLISECOND = 1000
#: A value of a column that orders rows which is greater than every other, with room to subtract any from it.
_LATEST = {
    "TIMESTAMP": "TIMESTAMP '9999-12-31 00:00:00'",
    "DATE": "DATE '9999-12-31'",
    "BIGINT": f"CAST({2**62} AS BIGINT)",
    "SMALLINT": f"CAST({2**15 - 1} AS SMALLINT)",
}


class OpenMLDBWindows(Windows):
    """Translates the windows of one OpenMLDB SELECT."""

    ordered_only = False

    def order_anchor(self, node: Node, column: str, rows: Relation) -> ops.Value:
        """Of other tables every row is seen, whatever its time: no anchor's value is later."""
        kind = rows.table.columns[column]
        return self.expressions.constant(node, _LATEST.get(kind, f"CAST({2**31 - 1} AS {kind})"))

    def _frame(self, body: Node, kind: str | None) -> Frame:
        spec = body.args.get("spec")
        if spec is None or spec.args.get("end") is None:
            self.expressions.fail(
                spec or body,
                "an OpenMLDB window has a frame with both bounds",
                "write ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW, or ROWS BETWEEN 10 PRECEDING AND CURRENT ROW",
            )
        ends = [spec.args[key].args["value"] for key in ("start", "end")]
        if kind is None and ends == ["UNBOUNDED", "CURRENT ROW"]:
            return Frame("rows", None, 0)
        return super()._frame(body, kind)

    def _distance(self, bound: Bound, value: Node | None, unit: str, kind: str | None) -> int:
        if isinstance(value, exp.Neg):
            return 0  # a place in the future, of which nothing is known: the frame ends at the request row
        number = isinstance(value, exp.Literal) and not value.is_string and str(value.this).isdigit()
        if unit != "range" or not number or value is None:
            return super()._distance(bound, value, unit, kind)
        micros = UNITS[bound.args["unit"]] if bound.args.get("unit") is not None else MILLISECOND
        if kind in INTEGERS:
            return int(value.this) * micros // MILLISECOND
        return int(value.this) * micros
