"""Decay, gaps between rows, sessions, time since. They need a window that is ordered by a time or date.

A row's age is counted from the anchor's time. Seconds are DOUBLE, to the microsecond.
"""

from __future__ import annotations

from typing import Any

from workbench.sql.catalogue.entry import Function, Part

_TIMES = {"times": Part("list", ("{time}",))}


#: Seconds between each row and the one before it.
_GAPS = "list_transform(list_zip({times}[2:], {times}, true), lambda e: (e[1] - e[2]) / 1000000)"
_WEIGHT = "pow(0.5, ({now} - e.t) / 1000000 / epoch({half_life}))"
_DECAYED = {
    "rows": Part("list", ("struct_pack(t := {time}, x := CAST({x} AS DOUBLE))",), where="{x} IS NOT NULL")
}
_HALF_LIFE_6H = [0.5 ** (hours / 6) for hours in (44, 42, 18, 6, 0)]
_AMOUNTS = [10.0, 20.0, None, 40.0, 30.0]
_DECAYED_SUM = sum(w * x for w, x in zip(_HALF_LIFE_6H, _AMOUNTS, strict=True) if x is not None)
_DECAYED_WEIGHT = sum(w for w, x in zip(_HALF_LIFE_6H, _AMOUNTS, strict=True) if x is not None)


def _gap(name: str, what: str, result: str, gives: float) -> Function:
    return Function(
        f"gap_{name}",
        "",
        f"{what} time between a row and the one before it, in seconds; NULL for fewer than two rows.",
        f"gap_{name}() OVER w",
        gives,
        parts=_TIMES,
        result=result,
        source="inter-event time",
    )


def _since(name: str, which: str, function: str, example: str, gives: Any) -> Function:
    return Function(
        f"seconds_since_{name}",
        "condition = true",
        f"Seconds from the {which} row, or the {which} that satisfies a condition, to the anchor's time.",
        example,
        gives,
        parts={"found": Part(function, ("{time}",), where="{condition}")},
        result="({now} - {found}) / 1000000",
        source="now - time",
    )


FUNCTIONS = (
    Function(
        "decayed_sum",
        "x: number, half_life: interval",
        "The sum in which a row counts half for each half_life of its age.",
        "decayed_sum(amount, INTERVAL 6 HOURS) OVER w",
        _DECAYED_SUM,
        parts=_DECAYED,
        result=f"list_sum(list_transform({{rows}}, lambda e: e.x * {_WEIGHT}))",
        source="sum of x * 0.5^(age / half_life)",
    ),
    Function(
        "decayed_count",
        "half_life: interval",
        "The number of rows, each counting half for each half_life of its age.",
        "decayed_count(INTERVAL 6 HOURS) OVER w",
        sum(_HALF_LIFE_6H),
        parts={"rows": Part("list", ("struct_pack(t := {time})",))},
        result=f"coalesce(list_sum(list_transform({{rows}}, lambda e: {_WEIGHT})), 0)",
        empty="0",
        source="sum of 0.5^(age / half_life)",
    ),
    Function(
        "decayed_avg",
        "x: number, half_life: interval",
        "The mean in which a row weighs half for each half_life of its age.",
        "decayed_avg(amount, INTERVAL 6 HOURS) OVER w",
        _DECAYED_SUM / _DECAYED_WEIGHT,
        parts=_DECAYED,
        result=(
            f"list_sum(list_transform({{rows}}, lambda e: e.x * {_WEIGHT})) "
            f"/ nullif(list_sum(list_transform({{rows}}, lambda e: {_WEIGHT})), 0)"
        ),
        source="decayed sum / decayed count of the same rows",
    ),
    Function(
        "gap_avg",
        "",
        "The mean time between a row and the one before it, in seconds; NULL for fewer than two rows.",
        "gap_avg() OVER w",
        44 * 3600 / 4,
        parts={
            "first": Part("min", ("{time}",)),
            "last": Part("max", ("{time}",)),
            "rows": Part("count", ("{time}",)),
        },
        result="({last} - {first}) / 1000000 / nullif({rows} - 1, 0)",
        source="inter-event time",
    ),
    _gap("min", "The shortest", f"list_min({_GAPS})", 7200.0),
    _gap("max", "The longest", f"list_max({_GAPS})", 86400.0),
    _gap(
        "std", "The standard deviation (of a sample) of the", f"list_stddev_samp({_GAPS})", 34529.98696785158
    ),
    Function(
        "session_count",
        "gap: interval",
        "How many sessions there are, when one ends where the next row comes more than gap later.",
        "session_count(INTERVAL 6 HOURS) OVER w",
        3,
        parts=_TIMES,
        result=(
            "CASE WHEN {times} IS NULL THEN 0 "
            f"ELSE 1 + len(list_filter({_GAPS}, lambda g: g > epoch({{gap}}))) END"
        ),
        empty="0",
        source="1 + number of gaps > gap",
    ),
    _since("last", "newest", "max", "seconds_since_last(shop = 'fuel') OVER w", 42 * 3600.0),
    _since("first", "oldest", "min", "seconds_since_first() OVER w", 44 * 3600.0),
)
