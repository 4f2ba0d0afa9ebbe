"""What a row may not learn of its own table through rows of another.

A row sees rows of its own table that come before it in (time, arrival). A row of another table that it reads may itself
read that table, and sees rows of equal times whatever their arrival: through it, a stored row would see itself and
those after it, which no request can. So what another table's row reads of the asking row's table is older than it.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Lookup, Source, Union, Window
from workbench.plan.prune import changed_below

T = TypeVar("T", bound=msgspec.Struct)


def older(plan: FeaturePlan, table: str) -> FeaturePlan:
    """Return the plan of another table's rows in which rows of a table are strictly older than the row that reads them.

    Parameters
    ----------
    plan
        The plan of a source.
    table
        The table of the rows that read the source.
    """
    if plan.table == table:
        return plan
    plan = changed_below(plan, {below: older(below, table) for below in plan.derived()})
    return _with(
        plan,
        lookups=tuple(_lookup(plan, lookup, table) for lookup in plan.lookups),
        windows=tuple(_window(window, table) for window in plan.windows),
    )


def _lookup(plan: FeaturePlan, lookup: Lookup, table: str) -> Lookup:
    source = lookup.source
    if source.table != table or not lookup.timed or source.time is None or plan.time is None:
        return lookup
    row, anchor = e.Column(e.ROW, source.time, "TIMESTAMP"), e.Column(e.ANCHOR, plan.time, "TIMESTAMP")
    return _with(lookup, source=_before(source, row, anchor))


def _window(window: Window, table: str) -> Window:
    union = tuple(_union(window, union, table) for union in window.union)
    if window.source.table != table or window.order is None:
        return _with(window, union=union)
    return _with(window, union=union, exclude_current_time=True)


def _union(window: Window, union: Union, table: str) -> Union:
    if union.source.table != table or window.order is None or window.order_anchor is None:
        return union
    order = e.Column(e.ROW, union.stored(window.order), window.order_anchor.type)
    return _with(union, source=_before(union.source, order, window.order_anchor))


def _before(source: Source, row: e.Expr, anchor: e.Expr) -> Source:
    older = e.Op("<", (row, anchor), "BOOLEAN")
    if older in e.conjuncts(source.where):
        return source
    return _with(source, where=e.conjunction(source.where, older))


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
