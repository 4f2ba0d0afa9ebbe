"""One family of functions after the other, NULL, NaN and extremes among the values, bit for bit as in DuckDB."""

from __future__ import annotations

import random

import pytest

from workbench.online.scalars import FAILURES, ScalarFunction, Unsupported, compile_row
from workbench.plan.expr import Sql

from .oracle import Oracle
from .test_random import COLUMNS, rows

FAMILIES = {
    "integers": [
        "{i} + {j}",
        "{i} - {k}",
        "{i} * 3",
        "{s} + {s}",
        "{i} // {j}",
        "{i} % {k}",
        "{k} // 0",
        "-{i}",
    ],
    "floats": [
        "{x} + {y}",
        "{x} / {y}",
        "{x} // 2",
        "{x} % {y}",
        "{i} / {j}",
        "{x} * 0.1",
        "{f} + {f}",
        "-{x}",
    ],
    "decimals": [
        "{d} + {e}",
        "{d} * {e}",
        "{d} - {k}",
        "{d} / 3",
        "round({d}, 1)",
        "floor({d})",
        "ceil({e})",
        "-{d}",
    ],
    "rounding": [
        "round({x})",
        "round({x}, 2)",
        "round({x}, -1)",
        "floor({x})",
        "ceil({x})",
        "round({i})",
        "floor({i})",
    ],
    "magnitude": ["abs({i})", "abs({x})", "abs({d})", "sign({x})", "sign({i})", "sign({d})"],
    "logarithms": ["ln({x})", "log({x})", "log10({x})", "log2({x})", "exp({x})", "log(2, {x})", "ln({i})"],
    "powers": ["pow({x}, {y})", "{x} ** 2", "sqrt({x})", "cbrt({x})", "pow(0.5, {x})", "sqrt({i})"],
    "trigonometry": [
        "sin({x})",
        "cos({x})",
        "tan({x})",
        "asin({x})",
        "atan2({x}, {y})",
        "radians({x})",
        "degrees({y})",
    ],
    "haversine": [
        "2 * 6371.0088 * asin(sqrt(least(pow(sin((radians({y}) - radians({x})) / 2), 2) + cos(radians({x})) "
        "* cos(radians({y})) * pow(sin((radians({x}) - radians({y})) / 2), 2), 1)))"
    ],
    "comparisons": [
        "{x} = {y}",
        "{x} < {y}",
        "{x} >= 1",
        "{i} = {x}",
        "{d} = {e}",
        "{d} > 1.5",
        "{t} < {u}",
        "{m} < {p}",
    ],
    "floats compared": [
        "{x} > {y}",
        "{x} <= {y}",
        "{x} <> {y}",
        "{f} = {x}",
        "{f} > 1",
        "{x} > 'nan'::DOUBLE",
    ],
    "logic": [
        "{b} AND {c}",
        "{b} OR {c}",
        "NOT {b}",
        "NOT ({b} OR {c}) AND {x} > 0",
        "{b} IS NULL",
        "{b} = {c}",
    ],
    "ranges": [
        "{i} BETWEEN 0 AND {j}",
        "{x} BETWEEN {y} AND 2",
        "{t} BETWEEN 'a' AND {u}",
        "{i} BETWEEN NULL AND 3",
    ],
    "lists of values": [
        "{i} IN (1, 2, 3)",
        "{i} IN (1, NULL)",
        "{t} IN ('a', {u})",
        "{x} IN (0, {y})",
        "{k} IN ({i}, 7)",
    ],
    "choices": [
        "CASE WHEN {b} THEN {i} WHEN {c} THEN {k} END",
        "CASE WHEN {x} > 0 THEN ln({x}) ELSE 0 END",
        "CASE WHEN {b} THEN {d} ELSE {e} END",
        "coalesce({i}, {k}, 0)",
        "coalesce({x}, {i})",
        "nullif({i}, 0)",
        "nullif({x}, {y})",
        "nullif({t}, 'a')",
    ],
    "extremes": [
        "greatest({x}, {y})",
        "least({i}, {k})",
        "greatest({t}, {u})",
        "least({p}, {q})",
        "least({x}, {y}, 1)",
    ],
    "casts": [
        "CAST({x} AS BIGINT)",
        "CAST({x} AS INTEGER)",
        "CAST({i} AS SMALLINT)",
        "CAST({d} AS INTEGER)",
        "CAST({x} AS VARCHAR)",
        "CAST({e} AS VARCHAR)",
        "CAST({p} AS VARCHAR)",
        "CAST({m} AS VARCHAR)",
        "CAST({t} AS BIGINT)",
        "CAST({t} AS DOUBLE)",
        "TRY_CAST({t} AS DATE)",
        "CAST({b} AS DOUBLE)",
        "CAST({p} AS DATE)",
        "CAST({p} AS TIME)",
        "CAST({e} AS DECIMAL(10,2))",
        "CAST({x} AS FLOAT)",
    ],
    "parts of times": [
        f"{part}({{p}})" for part in ("hour", "isodow", "dayofweek", "week", "year", "quarter", "dayofyear")
    ],
    "date_part": [
        f"date_part('{part}', {{q}})" for part in ("epoch", "day", "month", "doy", "dow", "microseconds")
    ],
    "date_diff": [
        f"date_diff('{unit}', {{p}}, {{q}})" for unit in ("day", "hour", "week", "month", "year", "second")
    ],
    "date_trunc": [
        f"date_trunc('{unit}', {{p}})" for unit in ("day", "hour", "week", "month", "year", "minute")
    ],
    "intervals": [
        "{p} + INTERVAL '1 month'",
        "{p} - INTERVAL '90 minutes'",
        "{m} + INTERVAL '1 day'",
        "{p} - {q}",
        "epoch({p} - {q})",
        "{m} + 7",
        "{m} - {n}",
        "CAST({m} + to_months({s}) AS DATE)",
    ],
    "epochs": [
        "epoch({p})",
        "epoch_ms({p})",
        "epoch_us({m})",
        "make_timestamp({i})",
        "epoch({p}) % 86400 / 86400",
    ],
    "formats": ["strftime({p}, '%Y-%m-%d %H:%M:%S')", "strftime({m}, '%d.%m.%y')"],
    "cases of letters": ["upper({t})", "lower({t})", "reverse({t})", "length({t})"],
    "parts of texts": [
        "substr({t}, 1, 2)",
        "substr({t}, {s}, 3)",
        "substr({t}, 2)",
        "left({t}, 2)",
        "right({t}, {s})",
        "split_part({t}, 'b', 1)",
        "strpos({t}, {u})",
        "trim({t})",
        "ltrim({t}, 'ab')",
    ],
    "made texts": [
        "{t} || {u}",
        "concat({t}, {i}, {b})",
        "replace({t}, 'a', {u})",
        "lpad({t}, 7, 'xy')",
        "rpad({t}, {s}, '.')",
        "repeat({t}, 3)",
        "md5({t})",
    ],
    "patterns": [
        "{t} LIKE 'a%'",
        "{t} LIKE '%b%'",
        "{t} LIKE '_b%'",
        "starts_with({t}, {u})",
        "contains({t}, {u})",
    ],
    "the language's own": [
        "CASE WHEN {t} = {u} THEN 0 WHEN {t} < {u} THEN -1 WHEN {t} > {u} THEN 1 END",
        "(({i} % nullif({k}, 0)) + {k}) % nullif({k}, 0)",
        "sin(2 * pi() * (epoch(CAST({p} AS TIMESTAMP)) % 86400 / 86400))",
        "cos(2 * pi() * ((isodow({m}) - 1 + (epoch(CAST({m} AS TIMESTAMP)) % 86400 / 86400)) / 7))",
        "sin(2 * pi() * ((dayofyear({p}) - 1 + (epoch(CAST({p} AS TIMESTAMP)) % 86400 / 86400)) "
        "/ (dayofyear(make_date(year({p}), 12, 31)))))",
        "CAST(floor(epoch({p})) AS BIGINT)",
        "CASE WHEN {x} IS NOT NULL THEN least(greatest({x}, {y}), 3) END",
        "({x} - {y}) / nullif({f}, 0)",
    ],
}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(COLUMNS, rows(random.Random("families"), 150))


def _expression(oracle: Oracle, text: str) -> Sql:
    names = [name for name in COLUMNS if f"{{{name}}}" in text]
    for number, name in enumerate(names):
        text = text.replace(f"{{{name}}}", f"{{{number}}}")
    return Sql(text, tuple(oracle.column(name) for name in names), "")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_duckdbs_values(oracle: Oracle, family: str) -> None:
    for text in FAMILIES[family]:
        expr = _expression(oracle, text)
        found = oracle.differences(expr)
        assert not found, found[0]


@pytest.mark.parametrize(
    "text", ["{i} + 1", "{x} / {y}", "hour({q})", "{t} || 'x'", "round({x}, 2)", "ln(1 + abs({k}))"]
)
def test_few_rows_are_left_to_duckdb(oracle: Oracle, text: str) -> None:
    assert oracle.failures(_expression(oracle, text)) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{i} + 1", 2**63 - 1),
        ("{i} * 2", 2**62),
        ("abs({i})", -(2**63)),
        ("-{i}", -(2**63)),
        ("{i} // -1", -(2**63)),
        ("ln({i})", 0),
        ("sqrt({i})", -1),
        ("CAST({i} AS INTEGER)", 2**31),
        ("make_timestamp({i})", 2**62),
    ],
)
def test_what_duckdb_refuses_fails(text: str, value: int) -> None:
    expr = Sql(text.replace("{i}", "{0}"), (Oracle({"i": "BIGINT"}, []).column("i"),), "")
    function = compile_row([expr], {"i": "BIGINT"})
    assert isinstance(function, ScalarFunction)
    with pytest.raises(FAILURES):
        function([value])
    assert function([None]) == (None,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sha1({0})", "sha1() is not compiled"),
        ("{0} > 1", "VARCHAR beside INTEGER"),
        ("list_transform([1], lambda x: x)", "is not compiled"),
        ("CAST({0} AS UUID)", "a cast of VARCHAR to UUID"),
        ("strftime({1}, '%c')", "strftime() with '%c'"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_its_reason(text: str, reason: str) -> None:
    columns = {"t": "VARCHAR", "p": "TIMESTAMP"}
    oracle = Oracle(columns, [])
    refused = compile_row([Sql(text, (oracle.column("t"), oracle.column("p")), "")], columns)
    assert isinstance(refused, Unsupported)
    assert reason in refused.reason
