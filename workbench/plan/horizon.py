"""How far a label looks ahead, and whether that much is known already for an anchor row."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from workbench.plan import expr as e
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Source, Union, Window
from workbench.plan.prune import anchor_expressions
from workbench.plan.render import order_sql, quote, text

#: The output that says that the horizon of every window has passed.
COMPLETE = "__complete"


def ahead_windows(plan: FeaturePlan) -> list[Window]:
    """Return the windows that look ahead."""
    return [window for window in plan.windows if window.frame.ahead]


def looks_ahead(plan: FeaturePlan) -> bool:
    """Whether a plan, or one below it, looks ahead: it is a label's, and no request can answer it."""
    return bool(ahead_windows(plan)) or any(looks_ahead(below) for below in plan.derived())


def anchor_needs(plan: FeaturePlan) -> set[str]:
    """Return the columns that a label reads of the anchor row itself; of others only rows ahead are read."""
    if plan.rows is not None:
        return set(plan.request_columns)
    needs = {plan.time} if plan.time else set()
    for value in anchor_expressions(plan):
        needs |= e.columns(value, e.ANCHOR)
    for window in plan.windows:
        if window.history and not (window.frame.ahead and window.frame.end > 0):
            needs |= plan.columns_of(window)
        elif window.history:
            needs |= {key.row for key in window.keys} | ({window.order} if window.order else set())
    return needs


def window_sources(window: Window) -> list[tuple[Source, str]]:
    """Return the sources whose rows a window reads, each with its order column."""
    assert window.order is not None
    found = [] if window.instance_not_in_window else [(window.source, window.order)]
    return found + [(union.source, union.stored(window.order)) for union in window.union]


def latest_sql(source: Source, order: str, kind: str, relation: str, as_of: str | None) -> str:
    """Return the query of the greatest order value of a source that is known.

    Parameters
    ----------
    source, order
        A source and its order column.
    kind
        The column's type.
    relation
        FROM text of the source's table.
    as_of
        The latest time that counts as known (``2026-01-31 00:00:00``), where that is not the table's newest.
    """
    if as_of is not None and order == source.time:
        return f"SELECT epoch_us(TIMESTAMP {text(as_of)})"
    where = ""
    if as_of is not None and source.time is not None:
        where = f" WHERE r.{quote(source.stored(source.time))} <= TIMESTAMP {text(as_of)}"
    value = order_sql(f"r.{quote(source.stored(order))}", kind)
    return f"SELECT max({value}) FROM {relation} r{where}"


def with_horizon(plan: FeaturePlan, latest: Mapping[str, int | None], as_of: str | None) -> FeaturePlan:
    """Return a label's plan with one more output, :data:`COMPLETE`.

    A frame of ages is complete when the order value of the anchor plus the frame's far end is known; a frame of
    positions when that many rows follow. Later rows than ``as_of`` are not seen.

    Parameters
    ----------
    plan
        The label's plan.
    latest
        The greatest known order value of each window that looks ahead, by its name.
    as_of
        The latest time that counts as known, or None.
    """
    windows, counts, conditions = list(plan.windows), [], []
    for place, window in enumerate(plan.windows):
        if not window.frame.ahead:
            continue
        windows[place] = window = _until(window, as_of)
        if window.frame.unit == "range":
            conditions.append(_passed(window, latest[window.name]))
        elif window.frame.start:
            counted = _at(window, window.frame.start)
            count = Aggregate(f"n_{window.name}", counted.name, "count_star", (), "BIGINT")
            windows.append(counted)
            counts.append(count)
            conditions.append(
                e.Op(">", (e.AggregateRef(count.name, "BIGINT"), e.Literal("0", "INTEGER")), "BOOLEAN")
            )
    complete = e.conjunction(*conditions) or e.Literal("true", "BOOLEAN")
    return msgspec.structs.replace(
        plan,
        windows=tuple(windows),
        aggregates=(*plan.aggregates, *counts),
        outputs=(*plan.outputs, Feature(COMPLETE, complete, "BOOLEAN")),
    )


def _passed(window: Window, latest: int | None) -> e.Expr:
    """Whether the far end of a frame of ages is known for the anchor."""
    assert window.order_anchor is not None
    if latest is None:
        return e.Literal("false", "BOOLEAN")
    order = order_sql("{0}", window.order_anchor.type)
    return e.Sql(f"{order} + {window.frame.start} <= {latest}", (window.order_anchor,), "BOOLEAN")


def _at(window: Window, position: int) -> Window:
    """The window of the one row at a position ahead."""
    frame = msgspec.structs.replace(window.frame, start=position, end=position)
    return msgspec.structs.replace(
        window, name=f"{window.name}_n", frame=frame, maxsize=None, exclude_current_row=False
    )


def _until(window: Window, as_of: str | None) -> Window:
    if as_of is None:
        return window
    union = tuple(Union(_known(u.source, as_of), u.columns, u.beside) for u in window.union)
    return msgspec.structs.replace(window, source=_known(window.source, as_of), union=union)


def _known(source: Source, as_of: str) -> Source:
    if source.time is None:
        return source
    time, until = (
        e.Column(e.ROW, source.time, "TIMESTAMP"),
        e.Literal(f"TIMESTAMP {text(as_of)}", "TIMESTAMP"),
    )
    known = e.Op("<=", (time, until), "BOOLEAN")
    return msgspec.structs.replace(source, where=e.conjunction(source.where, known))
