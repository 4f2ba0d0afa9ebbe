"""How many rows, values, distinct values."""

from __future__ import annotations

from workbench.sql.catalogue.entry import Function, Part

FUNCTIONS = (
    Function(
        "count",
        "x",
        "How many rows have a value; count(*) counts the rows themselves.",
        "count(amount) OVER w",
        4,
        native="count",
        aggregate=True,
        empty="0",
        source="DuckDB",
    ),
    Function(
        "distinct_count",
        "x",
        "How many different values there are; NULL is none.",
        "distinct_count(shop) OVER w",
        2,
        parts={"found": Part("count", ("{x}",), distinct=True)},
        result="{found}",
        empty="0",
        source="count(DISTINCT x)",
    ),
    Function(
        "approx_distinct",
        "x",
        "About how many different values there are (HyperLogLog); cheaper than distinct_count in long windows.",
        "approx_distinct(shop) OVER w",
        2,
        parts={"found": Part("approx_count_distinct", ("{x}",))},
        result="{found}",
        empty="0",
        source="DuckDB's approx_count_distinct",
    ),
    Function(
        "unique_ratio",
        "x",
        "Different values for each row that has one: 1 when no value repeats.",
        "unique_ratio(items) OVER w",
        0.8,
        parts={"unique": Part("count", ("{x}",), distinct=True), "all": Part("count", ("{x}",))},
        result="{unique} / nullif({all}, 0)",
        source="count(DISTINCT x) / count(x)",
    ),
    Function(
        "null_ratio",
        "x",
        "The share of rows without a value.",
        "null_ratio(amount) OVER w",
        0.2,
        parts={"present": Part("count", ("{x}",)), "rows": Part("count")},
        result="1 - {present} / nullif({rows}, 0)",
        source="1 - count(x) / count(*)",
    ),
)
