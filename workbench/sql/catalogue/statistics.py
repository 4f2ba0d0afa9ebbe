"""Spread, trend, and the anchor row against its window."""

from __future__ import annotations

from typing import Any

from workbench.sql.catalogue.entry import Function, Part

#: Time and value of the rows that have one; time in seconds from the oldest of them, so that no digits are lost.
_POINTS = {
    "rows": Part("list", ("struct_pack(t := {time}, x := CAST({x} AS DOUBLE))",), where="{x} IS NOT NULL")
}
_MEANS = (
    "list_transform([{rows}[1].t], lambda z: struct_pack(t0 := z, "
    "t := list_avg(list_transform({rows}, lambda e: e.t - z)) / 1000000, "
    "x := list_avg(list_transform({rows}, lambda e: e.x))))"
)
_T = "((e.t - m.t0) / 1000000 - m.t)"
_SLOPE = (
    f"list_transform({_MEANS}, lambda m: list_sum(list_transform({{rows}}, lambda e: {_T} * (e.x - m.x))) "
    f"/ nullif(list_sum(list_transform({{rows}}, lambda e: pow({_T}, 2))), 0))[1] * epoch({{per}})"
)
_VALUES = {"values": Part("list", ("CAST({x} AS DOUBLE)",), where="{x} IS NOT NULL")}


def _native(name: str, parameters: str, what: str, example: str, gives: Any, **more: Any) -> Function:
    return Function(
        name, parameters, what, example, gives, native=name, aggregate=True, source="DuckDB", **more
    )


FUNCTIONS = (
    _native(
        "median", "x", "The middle value, or the mean of the two middle ones.", "median(amount) OVER w", 25.0
    ),
    _native(
        "quantile_cont",
        "x, q: constant",
        "The value below which the share q of the values lies, interpolated; also "
        "quantile_cont(q) WITHIN GROUP (ORDER BY x).",
        "quantile_cont(amount, 0.75) OVER w",
        32.5,
    ),
    _native(
        "quantile_disc",
        "x, q: constant",
        "The same, as one of the values.",
        "quantile_disc(amount, 0.75) OVER w",
        30.0,
    ),
    _native("mode", "x", "The most frequent value, the oldest among equals.", "mode(shop) OVER w", "food"),
    _native(
        "stddev",
        "x: number",
        "The standard deviation of a sample; NULL for fewer than two values. Also stddev_pop, var_samp, var_pop.",
        "stddev(amount) OVER w",
        12.909944487358056,
        aliases=("std",),
    ),
    _native(
        "entropy",
        "x",
        "Shannon's entropy of the values in bits.",
        "entropy(shop) OVER w",
        0.8112781244591328,
        empty="0",
    ),
    Function(
        "cv",
        "x: number",
        "The coefficient of variation: standard deviation for each unit of the mean.",
        "cv(amount) OVER w",
        0.5163977794943222,
        parts={"std": Part("stddev_samp", ("{x}",)), "mean": Part("avg", ("{x}",))},
        result="{std} / nullif({mean}, 0)",
        source="stddev(x) / avg(x)",
    ),
    Function(
        "zscore",
        "x: number",
        "How many standard deviations the anchor row's value lies above the window's mean.",
        "zscore(amount) OVER w",
        0.3872983346207417,
        parts={"std": Part("stddev_samp", ("{x}",)), "mean": Part("avg", ("{x}",))},
        result="({anchor_x} - {mean}) / nullif({std}, 0)",
        source="(x - avg(x)) / stddev(x)",
    ),
    Function(
        "ratio_to_window",
        "x: number",
        "The anchor row's value as a share of the window's sum.",
        "ratio_to_window(amount) OVER w",
        0.3,
        parts={"sum": Part("sum", ("{x}",))},
        result="{anchor_x} / nullif({sum}, 0)",
        source="x / sum(x)",
    ),
    Function(
        "percentile_rank",
        "x: number",
        "The share of the window's values that are not above the anchor row's value.",
        "percentile_rank(amount) OVER w",
        0.75,
        parts=_VALUES,
        result=(
            "CASE WHEN {anchor_x} IS NOT NULL THEN "
            "len(list_filter({values}, lambda v: v <= {anchor_x})) / len({values}) END"
        ),
        source="count(x <= anchor's x) / count(x)",
    ),
    Function(
        "slope",
        "x: number, per: interval = INTERVAL 1 SECOND",
        "The slope of the least-squares line of x over time, for each second or each interval given; NULL where all "
        "rows are of one time.",
        "slope(amount, INTERVAL 1 DAY) OVER w",
        11.555555555555555,
        parts=_POINTS,
        result=_SLOPE,
        source="cov(t, x) / var(t)",
    ),
    Function(
        "ew_avg",
        "x: number, alpha: constant",
        "The exponentially weighted mean: the newest value weighs 1, each one before it (1 - alpha) of the next; alpha "
        "NULL or 0 is the plain mean.",
        "ew_avg(amount, 0.5) OVER w",
        30.0,
        parts=_VALUES,
        result=(
            "list_sum(list_transform(list_reverse({values}), "
            "lambda v, i: v * pow(1 - coalesce({alpha}, 0), i - 1))) "
            "/ list_sum(list_transform({values}, lambda v, i: pow(1 - coalesce({alpha}, 0), i - 1)))"
        ),
        source="OpenMLDB; pandas ewm(adjust=True, ignore_na=True)",
    ),
    Function(
        "drawdown",
        "x: number",
        "The deepest fall from a peak to a later value, as a share of the peak.",
        "drawdown(amount) OVER w",
        0.25,
        parts=_VALUES,
        result=(
            "list_reduce(list_transform({values}, lambda v: struct_pack(p := v, x := v, f := 0.0::DOUBLE)), "
            "lambda a, e: struct_pack(p := greatest(a.p, e.x), x := e.x, "
            "f := greatest(a.f, coalesce((greatest(a.p, e.x) - e.x) / nullif(greatest(a.p, e.x), 0), 0)))).f"
        ),
        source="OpenMLDB",
    ),
)
