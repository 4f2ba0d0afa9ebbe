"""Frames of windows: from what a query writes to closed bounds."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.errors import WorkbenchError
from workbench.plan.model import Frame
from workbench.sql.dialect import UNITS, Bound
from workbench.sql.expressions import Expressions
from workbench.sql.nodes import interval_sql

INTEGERS = frozenset(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"]
)
LABEL_HINT = "what lies ahead is a label: project.define_label(name, sql)"


class Frames:
    """Translates frames and sizes of windows."""

    expressions: Expressions

    def _maxsize(self, body: Node) -> int | None:
        value = body.args.get("maxsize")
        if value is None:
            return None
        if not (isinstance(value, exp.Literal) and value.this.isdigit() and int(value.this) >= 1):
            self.expressions.fail(
                body, f"MAXSIZE needs a whole number of rows >= 1, not {value.sql('duckdb')}", word="MAXSIZE"
            )
        return int(value.this)

    def _frame(self, body: Node, kind: str | None) -> Frame:
        """The frame of a window that is ordered by a column of a type, or by arrival."""
        x = self.expressions
        spec = body.args.get("spec")
        if spec is None:
            return Frame("range" if kind is not None else "rows", None, 0)
        if spec.args["kind"] == "GROUPS":
            x.fail(spec, "GROUPS frames are not available", "use ROWS or RANGE")
        unit = "rows" if spec.args["kind"] == "ROWS" else "range"
        if unit == "range" and kind is None:
            x.fail(spec, "a window without ORDER BY has no distances", "use ROWS, or ORDER BY a time column")
        start_node, end_node = spec.args["start"], spec.args.get("end")
        if any(
            bound is not None and bound.args.get("side") == "FOLLOWING" for bound in (start_node, end_node)
        ):
            return self._frame_ahead(spec, unit, kind)
        start = self._bound(start_node, unit, kind, -1, is_end=False)
        end = self._bound(end_node, unit, kind, 1, is_end=True) if end_node is not None else 0
        if start is not None and end is not None and start < end:
            x.fail(
                spec,
                "the frame is empty: its start lies after its end",
                "the older bound comes first: BETWEEN 7d PRECEDING AND 1d PRECEDING",
            )
        return Frame(unit, start, end or 0)  # type: ignore[arg-type]

    def _frame_ahead(self, spec: exp.WindowSpec, unit: str, kind: str | None) -> Frame:
        """``BETWEEN <near> FOLLOWING AND <far> FOLLOWING``, in labels."""
        x = self.expressions
        near, far = spec.args["start"], spec.args.get("end")
        if not x.ahead:
            bound = near if far is None or near.args.get("side") == "FOLLOWING" else far
            x.fail(
                bound, "FOLLOWING looks at rows of the future, which a request cannot have seen", LABEL_HINT
            )
        if near.args.get("side") == "PRECEDING":
            x.fail(
                spec,
                "a frame looks back or ahead, not both",
                "use two windows, one that ends at CURRENT ROW and one that begins there",
            )
        if far is None or far.args.get("side") != "FOLLOWING":
            x.fail(
                spec,
                "a frame that looks ahead has two bounds, the nearer first",
                "write BETWEEN CURRENT ROW AND 7d FOLLOWING",
            )
        if far.args["value"] == "UNBOUNDED":
            x.fail(
                far,
                "a label needs a horizon: with UNBOUNDED FOLLOWING every new row would change it",
                "say how far it looks: 30d FOLLOWING",
            )
        start = self._bound(far, unit, kind, -1, is_end=True)
        end = self._bound(near, unit, kind, 1, is_end=True)
        assert start is not None and end is not None
        if start < end:
            x.fail(
                spec,
                "the frame is empty: its start lies after its end",
                "the nearer bound comes first: BETWEEN 1d FOLLOWING AND 7d FOLLOWING",
            )
        return Frame(unit, start, end, ahead=True)  # type: ignore[arg-type]

    def _bound(self, bound: Bound, unit: str, kind: str | None, open_shift: int, is_end: bool) -> int | None:
        """Return the distance of a bound before the anchor row, closed; None is unbounded."""
        x = self.expressions
        value, side = bound.args["value"], bound.args.get("side")
        if value == "UNBOUNDED":
            if is_end:
                x.fail(bound, f"a frame cannot end at UNBOUNDED {side}")
            return None
        if value == "CURRENT ROW":
            if bound.args.get("open"):
                x.fail(bound, "CURRENT ROW cannot be OPEN", "write 0s OPEN PRECEDING, or EXCLUDE CURRENT_ROW")
            return 0
        if side is None:
            x.fail(bound, "a bound is written <n> PRECEDING, UNBOUNDED PRECEDING or CURRENT ROW")
        distance = self._distance(bound, value, unit, kind)
        return distance + open_shift if bound.args.get("open") else distance

    def _distance(self, bound: Bound, value: Node | None, unit: str, kind: str | None) -> int:
        x = self.expressions
        time_unit = bound.args.get("unit")
        if isinstance(value, exp.Interval):
            if unit == "rows" or kind in INTEGERS:
                x.fail(
                    bound,
                    "a time distance needs RANGE and a window ordered by a time",
                    "write ROWS_RANGE BETWEEN ... over a time column, or a plain number",
                )
            return self._interval(bound, value)
        if not (isinstance(value, exp.Literal) and not value.is_string):
            x.fail(bound, "a bound is a constant such as 10, 3d or INTERVAL 3 DAY, and not negative")
        if not value.this.isdigit():
            x.fail(bound, f"a bound is a whole number >= 0, not {value.this}")
        if time_unit is not None:
            if unit == "rows" or kind in INTEGERS:
                where = "ROWS counts rows" if unit == "rows" else f"the order column is {kind}"
                x.fail(
                    bound,
                    f"a time unit needs RANGE and a window ordered by a time; {where}",
                    "write ROWS_RANGE BETWEEN 3d PRECEDING AND CURRENT ROW, or a plain number",
                )
            return int(value.this) * UNITS[time_unit]
        if unit == "range" and kind not in INTEGERS:
            x.fail(
                bound,
                "a RANGE bound over a time needs a unit",
                f"write {value.this}d, {value.this}h or INTERVAL ...",
            )
        return int(value.this)

    def _interval(self, bound: Bound, value: exp.Interval) -> int:
        x = self.expressions
        try:
            months, micros = x.functions.interval(interval_sql(value))
        except WorkbenchError as error:
            x.fail(bound, error.message)
        if months:
            x.fail(bound, "months and years have no fixed length", "write days: INTERVAL 30 DAY or 30d")
        if micros < 0:
            x.fail(bound, "a bound is not negative")
        return micros
