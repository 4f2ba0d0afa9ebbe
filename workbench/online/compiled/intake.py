"""Request rows as lanes, by a function that is generated for the columns of a view."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

from workbench.online.compiled.lanes import to_lane
from workbench.values.convert import converter
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, parse

#: Takes a row as the user sent it; returns its lanes and its time, or None where the row is anything unusual.
Intake = Callable[[dict[str, Any]], tuple[tuple[Any, ...], dt.datetime] | None]

_EPOCH = dt.datetime(1970, 1, 1)
_MISSING = object()


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
    converters = {name: converter(parse(kind)) for name, kind in columns.items()}
    names: dict[str, Any] = {
        "MISSING": _MISSING,
        "EPOCH": _EPOCH,
        "time_ns": time.time_ns,
        "others": _others(
            {name: convert for name, convert in converters.items() if name not in used}, set(used)
        ),
        "now": lambda: dt.datetime.now(dt.UTC).replace(tzinfo=None),
    }
    lines = ["n = 0", "get = row.get"]
    if time_column not in used:
        lines.append("when = now()")
    for place, (name, kind) in enumerate(used.items()):
        names[f"convert{place}"], names[f"lane{place}"] = converters[name], to_lane(kind)
        lines += _column(place, name, kind, name == time_column)
    if time_column in used:
        place = list(used).index(time_column or "")
        lines.append(
            f"if v{place} > time_ns() // 1000 + {tolerance // dt.timedelta(microseconds=1)}: return None"
        )
    lines.append("if n != len(row) and not others(row): return None")
    lines.append(f"return ({''.join(f'v{place}, ' for place in range(len(used)))}), when")
    source = "def take(row):\n" + "\n".join(f" {line}" for line in lines) + "\n"
    exec(compile(source, "<intake>", "exec"), names)
    return names["take"]


def _column(place: int, name: str, kind: str, is_time: bool) -> list[str]:
    v = f"v{place}"
    if is_time:
        return [
            f"{v} = get({name!r}, MISSING)",
            f"if {v} is None: return None",
            f"if {v} is MISSING: when = now()",
            f"else: n += 1; when = convert{place}({v})",
            "d = when - EPOCH",
            f"{v} = (d.days * 86400 + d.seconds) * 1000000 + d.microseconds",
        ]
    lines = [f"{v} = get({name!r}, MISSING)", f"if {v} is MISSING: return None", "n += 1"]
    if kind in INTEGER_RANGES and kind not in WIDE_INTEGERS:
        low, high = INTEGER_RANGES[kind]
        fits = f"type({v}) is int and {low} <= {v} <= {high}"
        return [*lines, f"if not ({fits}) and {v} is not None: {v} = convert{place}({v})"]
    if kind == "DOUBLE":
        return [*lines, f"if type({v}) is not float and {v} is not None: {v} = convert{place}({v})"]
    made = f"convert{place}({v})"
    if to_lane(kind) is not None:
        made = f"lane{place}({made})"
    return [*lines, f"if {v} is not None: {v} = {made}"]


def _others(
    converters: Mapping[str, Callable[[Any], Any]], used: set[str]
) -> Callable[[dict[str, Any]], bool]:
    """Whether the columns that the view does not read are of the table, and hold what they may."""

    def others(row: dict[str, Any]) -> bool:
        for name, value in row.items():
            if name in used:
                continue
            convert = converters.get(name)
            if convert is None:
                return False
            if value is not None:
                convert(value)
        return True

    return others
