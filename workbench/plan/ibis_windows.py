"""Windows of an Ibis expression: keys, order and frame, or why they cannot be."""

from __future__ import annotations

import ibis.expr.operations as ops

from workbench.errors import DefinitionError
from workbench.plan.ibis_api import FrameTerms
from workbench.plan.ibis_bounds import interval_micros

#: What ignores the frame, so that a window without one is no look into the future.
_FRAMELESS = (ops.Lag,)
_FIX = (
    "say where it ends: ibis.window(group_by=..., order_by=..., preceding=ibis.interval(days=7), following=0), or "
    'wb.window(partition_by=..., order_by=..., rows_range="7d")'
)


def keys_of(window: ops.WindowFunction) -> tuple[list[ops.Value], FrameTerms | None]:
    """Return the keys of a window, and the terms of a feature window among them."""
    keys = [key for key in window.group_by if not isinstance(key, FrameTerms)]
    terms = [key for key in window.group_by if isinstance(key, FrameTerms)]
    if len(terms) > 1 or (terms and (window.start is not None or window.end is not None)):
        raise DefinitionError(
            "Ibis merged two windows into one, because one stands inside of the other",
            hint="compute the inner one before: t.mutate(before=t.x.lag(1).over(w1)), then aggregate that column",
        )
    return keys, terms[0] if terms else None


def order_of(window: ops.WindowFunction) -> ops.Value:
    """Return the column that orders a window.

    Raises
    ------
    DefinitionError
        There is none, or several, or it is descending.
    """
    called = type(window.func).__name__
    if not window.order_by:
        raise DefinitionError(
            f"{called}() has no order, so it would see the rows of the future",
            hint="order_by= the time column; " + _FIX,
        )
    if len(window.order_by) > 1:
        raise DefinitionError("a window is ordered by one column; arrival breaks ties")
    (key,) = window.order_by
    if not key.ascending:
        raise DefinitionError(
            "a window is ordered ascending: the newest row is the nearest", hint="remove ibis.desc()"
        )
    return key.arg


def frame_of(window: ops.WindowFunction) -> str:
    """Return the frame of a plain Ibis window as text of our dialect.

    Raises
    ------
    DefinitionError
        It has none, or reaches into the future.
    """
    start, end = window.start, window.end
    if isinstance(window.func, _FRAMELESS):
        return ""
    called = type(window.func).__name__
    if start is None and end is None:
        raise DefinitionError(
            f"{called}() is over an Ibis window without a frame, which is the whole partition: it sees the future",
            hint=_FIX,
        )
    if end is None:
        raise DefinitionError(f"the window of {called}() ends at the last row: it sees the future", hint=_FIX)
    first, last = _distance(start, window.how), _distance(end, window.how)
    timed = window.how == "range" and any(b is not None and b.dtype.is_interval() for b in (start, end))
    unit = "ROWS" if window.how == "rows" else "ROWS_RANGE" if timed else "RANGE"
    suffix = "us" if timed else ""
    begin = "UNBOUNDED" if first is None else f"{first}{suffix}"
    return f"{unit} BETWEEN {begin} PRECEDING AND {f'{last}{suffix} PRECEDING' if last else 'CURRENT ROW'}"


def _distance(bound: ops.WindowBoundary | None, how: str) -> int | None:
    """How far before the request row a bound is; None is unbounded."""
    if bound is None:
        return None
    value = bound.value
    if isinstance(value, ops.Cast):
        value = value.arg
    if not isinstance(value, ops.Literal | ops.IntervalAdd):
        raise DefinitionError("a bound of a window is a constant", hint="such as ibis.interval(days=7)")
    distance = interval_micros(value)
    if isinstance(value, ops.Literal) and value.dtype.is_floating():
        raise DefinitionError("a bound of a window is a whole number or an interval")
    if not bound.preceding and distance:
        raise DefinitionError(
            "following= looks at rows of the future, which a request cannot have seen", hint="following=0"
        )
    return distance
