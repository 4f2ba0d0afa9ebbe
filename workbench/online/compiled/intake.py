"""Request rows as lanes, by a function that is generated for the columns of a view."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

from workbench.online.scalars.requests import compile_request

#: Takes a row as the user sent it; returns its lanes and its time, or None where the row is anything unusual.
Intake = Callable[[dict[str, Any]], tuple[tuple[Any, ...], dt.datetime] | None]

_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)


def intake(
    columns: Mapping[str, str], used: Mapping[str, str], time_column: str | None, tolerance: dt.timedelta
) -> Intake:
    """Return the function for a table with these columns and a view that uses some of them.

    What it does not take is not wrong: whoever asks then goes the way that says what is.

    Parameters
    ----------
    columns
        The columns of the anchor's table with their types.
    used
        Those that the view reads, in the order of the lanes.
    time_column
        The one that may be left out and then is now.
    tolerance
        How far ahead of the clock it may be.
    """
    lanes = compile_request(columns, tuple(used), time_column)
    ahead, names, time_ns, delta = tolerance // _MICROSECOND, list(used), time.time_ns, dt.timedelta
    if time_column is None or time_column not in used:

        def timeless(row: dict[str, Any]) -> tuple[tuple[Any, ...], dt.datetime] | None:
            found = lanes(row)
            return None if found is None else (found, _EPOCH + delta(0, 0, time_ns() // 1000))

        return timeless
    place = names.index(time_column)

    def take(row: dict[str, Any]) -> tuple[tuple[Any, ...], dt.datetime] | None:
        found = lanes(row)
        if found is None:
            return None
        micros, now = found[place], time_ns() // 1000
        if micros is None:
            micros = now
            found = (*found[:place], now, *found[place + 1 :])
        elif micros > now + ahead:
            return None
        return found, _EPOCH + delta(0, 0, micros)

    return take
