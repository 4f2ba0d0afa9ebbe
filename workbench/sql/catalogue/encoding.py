"""Numbers as positions on a circle, so that the end of a period lies beside its beginning, or in buckets."""

from __future__ import annotations

import math

from workbench.sql.catalogue.entry import Function

_DAY = "(epoch(CAST({time} AS TIMESTAMP)) % 86400 / 86400)"
_WEEK = f"((isodow({{time}}) - 1 + {_DAY}) / 7)"
_YEAR = f"((dayofyear({{time}}) - 1 + {_DAY}) / (dayofyear(make_date(year({{time}}), 12, 31))))"
_PERIODS = {
    "hour": ("the time of day", _DAY, 0.25),
    "weekday": ("the time of the week, from Monday", _WEEK, 2.25 / 7),
    "yearday": ("the time of the year", _YEAR, 2.25 / 366),
}


def _circle(period: str, function: str) -> Function:
    what, place, example = _PERIODS[period]
    wave = math.sin if function == "sin" else math.cos
    return Function(
        f"{period}_{function}",
        "time: time",
        f"The {'sine' if function == 'sin' else 'cosine'} of {what} as an angle.",
        f"{period}_{function}(at)",
        wave(2 * math.pi * example),
        result=f"{function}(2 * pi() * {place})",
        source=f"{function}(2 pi * part of the period), exact to the microsecond",
    )


FUNCTIONS = (
    *(_circle(period, function) for period in _PERIODS for function in ("sin", "cos")),
    Function(
        "cyclic_sin",
        "x: number, period: number",
        "The sine of a number as an angle, where a period is a full turn.",
        "cyclic_sin(items, 20)",
        1.0,
        result="sin(2 * pi() * {x} / {period})",
        source="sin(2 pi x / period)",
    ),
    Function(
        "cyclic_cos",
        "x: number, period: number",
        "The cosine of a number as an angle, where a period is a full turn.",
        "cyclic_cos(items, 10)",
        -1.0,
        result="cos(2 * pi() * {x} / {period})",
        source="cos(2 pi x / period)",
    ),
    Function(
        "bucket",
        "x: number, edges: list",
        "How many edges of a sorted list a number reaches: 0 below the first.",
        "bucket(amount, [10, 30, 50])",
        2,
        result="CASE WHEN {x} IS NOT NULL THEN len(list_filter({edges}, lambda e: e <= {x})) END",
        source="numpy.digitize(x, edges)",
    ),
)
