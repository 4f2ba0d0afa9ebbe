"""Arithmetic that says what it does with NULL, and choices between values."""

from __future__ import annotations

from workbench.sql.catalogue.entry import Function

FUNCTIONS = (
    Function(
        "pmod",
        "a: number, b: number",
        "The remainder that has the divisor's sign; NULL where the divisor is 0.",
        "pmod(-7, 3)",
        2,
        result="(({a} % nullif({b}, 0)) + {b}) % nullif({b}, 0)",
        source="OpenMLDB",
    ),
    Function(
        "maximum",
        "a, b",
        "The greater of two values; NULL where one is NULL.",
        "maximum(items, 7)",
        7,
        result="CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN greatest({a}, {b}) END",
        source="OpenMLDB",
    ),
    Function(
        "minimum",
        "a, b",
        "The smaller of two values; NULL where one is NULL.",
        "minimum(items, 7)",
        5,
        result="CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN least({a}, {b}) END",
        source="OpenMLDB",
    ),
    Function(
        "truncate", "x: number", "The number without its fraction.", "truncate(-2.7)", -2, native="trunc"
    ),
    Function("inc", "x: number", "x + 1.", "inc(items)", 6, result="{x} + 1", source="OpenMLDB"),
    Function("identity", "x", "x itself.", "identity(items)", 5, result="{x}", source="OpenMLDB"),
    Function(
        "clip",
        "x: number, low: number, high: number",
        "The number, or the nearer end where it lies outside of a range.",
        "clip(amount, 0, 25)",
        25.0,
        result="CASE WHEN {x} IS NOT NULL THEN least(greatest({x}, {low}), {high}) END",
        source="min(max(x, low), high)",
    ),
    Function(
        "nvl",
        "x, otherwise",
        "The value, or another one where it is NULL.",
        "nvl(tags, '')",
        "c:2",
        result="coalesce({x}, {otherwise})",
        aliases=("if_null", "ifnull"),
        source="coalesce(x, otherwise)",
    ),
    Function(
        "nvl2",
        "x, present, absent",
        "The second value where the first is there, the third where it is NULL.",
        "nvl2(tags, 'tagged', 'plain')",
        "tagged",
        result="CASE WHEN {x} IS NOT NULL THEN {present} ELSE {absent} END",
        source="OpenMLDB",
    ),
    Function(
        "is_null",
        "x",
        "Whether a value is NULL.",
        "is_null(tags)",
        False,
        result="{x} IS NULL",
        aliases=("isnull",),
        source="x IS NULL",
    ),
)
