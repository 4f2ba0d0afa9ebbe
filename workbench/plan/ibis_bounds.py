"""Bounds of windows: numbers, durations and Ibis's intervals, as our dialect writes them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir

from workbench.errors import DefinitionError

_BOUND = re.compile(r"(\d+(?:us|ms|s|m|h|d|w)?)(\s+OPEN)?", re.IGNORECASE)


def frame_text(rows: Any, rows_range: Any) -> str:
    """Return the frame of ``workbench.window`` as text: empty without bounds, all rows up to the request row."""
    if rows is not None:
        start, end = _pair(rows)
        for bound in (start, end):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int) or bound < 0):
                raise DefinitionError(
                    f"rows counts rows before the request row, not {bound!r}", hint="rows=(10, 1)"
                )
        return f"ROWS BETWEEN {_side(start)} AND {_side(end) if end else 'CURRENT ROW'}"
    if rows_range is None:
        return ""
    start, end = (None if bound is None else _distance(bound) for bound in _pair(rows_range))
    unit = (
        "RANGE"
        if all(bound is None or bound.split()[0].isdigit() for bound in (start, end))
        else "ROWS_RANGE"
    )
    return f"{unit} BETWEEN {_side(start)} AND {'CURRENT ROW' if end in (None, '0') else _side(end)}"


def _pair(bound: Any) -> tuple[Any, Any]:
    """Both ends; one bound reaches up to the request row."""
    if not isinstance(bound, tuple | list):
        return bound, 0
    if len(bound) != 2:
        raise DefinitionError(f"a frame has two ends, not {len(bound)}", hint='such as ("7d", "1h")')
    if bound[1] is None:
        raise DefinitionError(
            "a frame that ends at None would reach into the future", hint="0 ends it at the request row"
        )
    return bound[0], bound[1]


def _side(distance: Any) -> str:
    return "UNBOUNDED PRECEDING" if distance is None else f"{distance} PRECEDING"


def _distance(bound: Any) -> str:
    """A bound of time or of a number, as our dialect writes it."""
    if isinstance(bound, ir.Value):
        return f"{interval_micros(bound.op())}us"
    if isinstance(bound, timedelta):
        micros = bound // timedelta(microseconds=1)
        if micros < 0:
            raise DefinitionError("a bound is not negative: it counts back from the request row")
        return f"{micros}us"
    if isinstance(bound, int) and not isinstance(bound, bool) and bound >= 0:
        return str(bound)
    found = _BOUND.fullmatch(bound) if isinstance(bound, str) else None
    if found is None:
        raise DefinitionError(
            f"{bound!r} is no bound of a window",
            hint='write "7d", "90m", "0s OPEN", an interval or a whole number',
        )
    return found[1].lower() + (" OPEN" if found[2] else "")


_MICROS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "D": 86_400_000_000}
_MICROS["W"] = 7 * _MICROS["D"]


def interval_micros(value: ops.Value) -> int:
    """Return the microseconds of a constant interval of Ibis."""
    if isinstance(value, ops.Cast):
        return interval_micros(value.arg)
    if isinstance(value, ops.IntervalAdd):
        return interval_micros(value.left) + interval_micros(value.right)
    if not isinstance(value, ops.Literal) or value.value is None:
        raise DefinitionError(
            "a bound of a window is a constant", hint='such as ibis.interval(days=7), or "7d"'
        )
    if isinstance(value.value, timedelta):
        return value.value // timedelta(microseconds=1)
    if not value.dtype.is_interval():
        return int(value.value)
    unit = value.dtype.unit.value
    if unit == "ns":
        raise DefinitionError("times are in microseconds", hint="ibis.interval(microseconds=...)")
    if unit not in _MICROS:
        raise DefinitionError("months and years have no fixed length", hint="ibis.interval(days=30)")
    return int(value.value) * _MICROS[unit]
