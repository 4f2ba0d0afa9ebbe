"""Random expressions over random values, NULL, NaN and extremes among them, bit for bit as DuckDB computes them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from workbench.online.scalars import Unsupported
from workbench.plan.expr import Call, Expr, Literal, Op, Sql

from .oracle import Oracle

COLUMNS = {
    "i": "BIGINT",
    "j": "BIGINT",
    "k": "INTEGER",
    "s": "SMALLINT",
    "x": "DOUBLE",
    "y": "DOUBLE",
    "f": "FLOAT",
    "d": "DECIMAL(10,2)",
    "e": "DECIMAL(18,4)",
    "t": "VARCHAR",
    "u": "VARCHAR",
    "b": "BOOLEAN",
    "c": "BOOLEAN",
    "p": "TIMESTAMP",
    "q": "TIMESTAMP",
    "m": "DATE",
    "n": "DATE",
}
INTEGERS = [0, 1, -1, 2, 3, 7, 10, 100, -13, 2**31 - 1, -(2**31), 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    0.5,
    1e-5,
    1e16,
    1e300,
    -1e-300,
    5e-324,
    float("inf"),
    -float("inf"),
    float("nan"),
]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "B",
    "Zürich",
    "x y",
    "ÄÖ",
    "12",
    "-7",
    "1.5",
    "a%b_c",
    "🙂a",
    "2024-02-29",
    "true",
    "abcabc",
]


def value(rng: random.Random, kind: str) -> Any:
    if rng.random() < 0.15:
        return None
    if kind in ("BIGINT", "INTEGER", "SMALLINT"):
        bits = {"BIGINT": 63, "INTEGER": 31, "SMALLINT": 15}[kind]
        found = rng.choice([*INTEGERS, rng.randint(-20, 20), rng.getrandbits(bits)])
        return found if -(2**bits) <= found < 2**bits else rng.randint(-9, 9)
    if kind == "DOUBLE":
        return rng.choice([*FLOATS, rng.uniform(-10, 10), rng.randint(-8, 8) / 4, rng.gauss(0, 1e6)])
    if kind == "FLOAT":
        return rng.choice([0.0, -0.0, 1.5, -2.25, 1e10, float("inf"), float("nan"), rng.randint(-99, 99) / 8])
    if kind == "DECIMAL(10,2)":
        return Decimal(rng.choice([0, 1, -150, 10**10 - 1, rng.randint(-9999, 9999)])).scaleb(-2)
    if kind == "DECIMAL(18,4)":
        return Decimal(rng.choice([0, 5000, -15000, 10**18 - 1, rng.randint(-(10**9), 10**9)])).scaleb(-4)
    if kind == "VARCHAR":
        return rng.choice(TEXTS)
    if kind == "BOOLEAN":
        return rng.random() < 0.5
    moment = rng.choice(
        [
            datetime(1970, 1, 1),
            datetime(2024, 2, 29, 23, 59, 59, 999999),
            datetime(1969, 12, 31, 18, 0, 0, 1),
            datetime(2024, 1, 1) + timedelta(seconds=rng.randint(0, 10**8)),
            datetime(1900, 3, 1) + timedelta(microseconds=rng.randint(0, 10**15)),
            datetime(1, 1, 1),
            datetime(9999, 12, 30, 1, 2, 3),
        ]
    )
    return moment if kind == "TIMESTAMP" else moment.date()


def rows(rng: random.Random, count: int) -> list[dict[str, Any]]:
    return [{name: value(rng, kind) for name, kind in COLUMNS.items()} for _ in range(count)]


def literal(rng: random.Random, kind: str) -> Expr:
    if kind in ("BIGINT", "INTEGER", "SMALLINT"):
        number = rng.choice([0, 1, 2, -3, 7, 40000])
        return Literal(str(number), "INTEGER")
    if kind == "DOUBLE":
        number = rng.choice(["0.5", "1.25", "-2.0", "0.0"])
        return Op(
            "cast",
            (Literal(number, f"DECIMAL({len(number.strip('-')) - 1},{len(number.split('.')[1])})"),),
            "DOUBLE",
        )
    if kind == "VARCHAR":
        return Literal("'" + rng.choice(["a", "", "b%", "ab", "Zürich"]) + "'", "VARCHAR")
    if kind == "BOOLEAN":
        return Literal(rng.choice(["true", "false"]), "BOOLEAN")
    if kind == "TIMESTAMP":
        return Op("cast", (Literal("'2024-02-29 12:00:00'", "VARCHAR"),), "TIMESTAMP")
    if kind == "DATE":
        return Op("cast", (Literal("'2024-02-29'", "VARCHAR"),), "DATE")
    return Literal("1.5", "DECIMAL(2,1)")


class Draw:
    """Draws expressions of a type; those that DuckDB does not bind, or that are not compiled, are drawn again."""

    def __init__(self, rng: random.Random, oracle: Oracle) -> None:
        self.rng, self.oracle = rng, oracle

    def leaf(self, kind: str) -> Expr:
        names = [name for name, own in COLUMNS.items() if own == kind]
        if not names or self.rng.random() < 0.15:
            return literal(self.rng, kind)
        return self.oracle.column(self.rng.choice(names))

    def expression(self, kind: str, depth: int) -> Expr:
        if depth <= 0:
            return self.leaf(kind)
        for _ in range(20):
            found = self.rng.choice(forms(kind))(self, depth - 1)
            if found is not None:
                typed = self.typed(found)
                if typed is not None:
                    return typed
        return self.leaf(kind)

    def typed(self, expr: Expr) -> Expr | None:
        """The expression with the type that DuckDB gives it; None where it gives none."""
        if not isinstance(expr, Call | Op | Sql) or (isinstance(expr, Op) and expr.op == "cast"):
            return expr
        try:
            kind = self.oracle.type_of(expr)
        except duckdb.Error:
            return None
        return type(expr)(_head(expr), expr.args, kind)

    def some(self, *kinds: str) -> str:
        return self.rng.choice(kinds)


def _head(expr: Call | Op | Sql) -> str:
    return expr.name if isinstance(expr, Call) else expr.op if isinstance(expr, Op) else expr.template


NUMBERS = (
    "BIGINT",
    "BIGINT",
    "DOUBLE",
    "DOUBLE",
    "INTEGER",
    "SMALLINT",
    "FLOAT",
    "DECIMAL(10,2)",
    "DECIMAL(18,4)",
)
ANY = ("BIGINT", "INTEGER", "DOUBLE", "VARCHAR", "BOOLEAN", "TIMESTAMP", "DATE", "DECIMAL(10,2)")
Form = Callable[[Draw, int], Expr | None]


def _operator(names: tuple[str, ...], *kinds: str) -> Form:
    def form(draw: Draw, depth: int) -> Expr:
        return Op(draw.rng.choice(names), tuple(draw.expression(kind, depth) for kind in kinds), "")

    return form


def _call(names: tuple[str, ...], *kinds: str) -> Form:
    def form(draw: Draw, depth: int) -> Expr:
        return Call(draw.rng.choice(names), tuple(draw.expression(kind, depth) for kind in kinds), "")

    return form


def _text(template: str, *kinds: str) -> Form:
    return lambda draw, depth: Sql(template, tuple(draw.expression(kind, depth) for kind in kinds), "")


def _cast(source: str, kind: str) -> Form:
    return lambda draw, depth: Op("cast", (draw.expression(source, depth),), kind)


def _shared(kind: str) -> list[Form]:
    return [
        lambda draw, depth: Op(
            "case",
            (draw.expression("BOOLEAN", depth), draw.expression(kind, depth), draw.expression(kind, depth)),
            "",
        ),
        lambda draw, depth: Op(
            "case",
            (draw.expression("BOOLEAN", depth), draw.expression(kind, depth), Literal("NULL", "INTEGER")),
            "",
        ),
        _call(("coalesce",), kind, kind),
        _call(("coalesce",), kind, kind, kind),
        _call(("nullif",), kind, kind),
        _call(("greatest", "least"), kind, kind),
        _text("CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END", "BIGINT", kind, kind),
        lambda draw, depth: draw.leaf(kind),
    ]


def _comparisons(draw: Draw, depth: int) -> Expr:
    kind = draw.rng.choice(ANY)
    other = draw.rng.choice(NUMBERS) if kind in NUMBERS else kind
    args = (draw.expression(kind, depth), draw.expression(other, depth), draw.expression(other, depth))
    op = draw.rng.choice(
        [
            "=",
            "<>",
            "<",
            "<=",
            ">",
            ">=",
            "is distinct from",
            "is not distinct from",
            "is null",
            "between",
            "in",
            "in",
        ]
    )
    if op == "is null":
        return Op(op, args[:1], "")
    if op == "in" and draw.rng.random() < 0.5:
        return Op(op, (args[0], literal(draw.rng, kind), literal(draw.rng, kind)), "")
    return Op(op, args if op in ("between", "in") else args[:2], "")


PARTS = (
    *("hour", "minute", "second", "millisecond", "microsecond", "isodow", "year", "month", "day", "quarter"),
    *("dayofweek", "weekday", "dayofmonth", "dayofyear", "week", "weekofyear", "isoyear"),
)
FORMS: dict[str, list[Form]] = {
    "BIGINT": [
        _operator(("+", "-", "*", "//", "%"), "BIGINT", "BIGINT"),
        _operator(("+", "-", "*"), "INTEGER", "BIGINT"),
        _operator(("negate",), "BIGINT"),
        _call(("abs",), "BIGINT"),
        _cast("DOUBLE", "BIGINT"),
        _cast("BOOLEAN", "BIGINT"),
        _cast("INTEGER", "BIGINT"),
        _cast("DECIMAL(10,2)", "BIGINT"),
        _cast("VARCHAR", "BIGINT"),
        _call(("length",), "VARCHAR"),
        _operator(("-",), "DATE", "DATE"),
        _call(("epoch_us", "epoch_ms"), "TIMESTAMP"),
        *(
            _text(f"date_diff('{unit}', {{0}}, {{1}})", "TIMESTAMP", "TIMESTAMP")
            for unit in ("microsecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
        ),
        _text("date_diff('day', CAST({0} AS DATE), CAST({1} AS DATE))", "DATE", "TIMESTAMP"),
        _call(PARTS, "TIMESTAMP"),
        _call(PARTS, "DATE"),
        _text("date_part('doy', {0}) + date_part('minute', {0}) * 1000", "TIMESTAMP"),
        _call(("strpos", "instr"), "VARCHAR", "VARCHAR"),
    ],
    "INTEGER": [
        _operator(("+", "-", "*", "//", "%"), "INTEGER", "SMALLINT"),
        _cast("BIGINT", "INTEGER"),
        _cast("FLOAT", "INTEGER"),
    ],
    "SMALLINT": [_cast("INTEGER", "SMALLINT"), _operator(("+", "-"), "SMALLINT", "SMALLINT")],
    "DOUBLE": [
        _operator(("+", "-", "*", "/", "%"), "DOUBLE", "DOUBLE"),
        _operator(("+", "-", "*", "/"), "DOUBLE", "BIGINT"),
        _operator(("/",), "BIGINT", "INTEGER"),
        _operator(("/",), "DECIMAL(10,2)", "INTEGER"),
        _operator(("*", "+"), "DOUBLE", "DECIMAL(10,2)"),
        _operator(("**",), "DOUBLE", "DOUBLE"),
        _operator(("negate",), "DOUBLE"),
        _call(("abs", "round", "floor", "ceil"), "DOUBLE"),
        _call(("ln", "log10", "log", "log2", "exp", "sqrt", "cbrt"), "DOUBLE"),
        _call(("sin", "cos", "tan", "asin", "acos", "atan", "degrees", "radians"), "DOUBLE"),
        _call(("pow", "atan2", "log"), "DOUBLE", "DOUBLE"),
        _text("round({0}, 2)", "DOUBLE"),
        _text("round({0}, -1)", "DOUBLE"),
        _text("{0} / nullif({1}, 0)", "BIGINT", "BIGINT"),
        _cast("BIGINT", "DOUBLE"),
        _cast("FLOAT", "DOUBLE"),
        _cast("DECIMAL(18,4)", "DOUBLE"),
        _cast("VARCHAR", "DOUBLE"),
        _call(("epoch",), "TIMESTAMP"),
    ],
    "FLOAT": [
        _operator(("+", "-", "*"), "FLOAT", "FLOAT"),
        _cast("DOUBLE", "FLOAT"),
        _cast("INTEGER", "FLOAT"),
    ],
    "DECIMAL(10,2)": [_cast("BIGINT", "DECIMAL(10,2)"), _cast("DECIMAL(18,4)", "DECIMAL(10,2)")],
    "DECIMAL(18,4)": [_cast("DECIMAL(10,2)", "DECIMAL(18,4)"), _operator(("negate",), "DECIMAL(18,4)")],
    "VARCHAR": [
        _operator(("||",), "VARCHAR", "VARCHAR"),
        _call(("upper", "lower", "reverse", "md5", "trim", "ltrim", "rtrim"), "VARCHAR"),
        _call(("concat", "concat", "trim"), "VARCHAR", "VARCHAR"),
        _call(("replace",), "VARCHAR", "VARCHAR", "VARCHAR"),
        _call(("substr", "left", "right", "repeat"), "VARCHAR", "SMALLINT"),
        _call(("substr",), "VARCHAR", "BIGINT", "SMALLINT"),
        _call(("lpad", "rpad"), "VARCHAR", "SMALLINT", "VARCHAR"),
        _text("substr({0}, 1, 2) || left({1}, -1) || right({1}, 2)", "VARCHAR", "VARCHAR"),
        _text("split_part({0}, 'b', {1})", "VARCHAR", "SMALLINT"),
        _text("strftime({0}, '%Y-%m-%d %H:%M:%S')", "TIMESTAMP"),
        _text("strftime({0}, 'x%y%j_%f')", "DATE"),
        _cast("BIGINT", "VARCHAR"),
        _cast("BOOLEAN", "VARCHAR"),
        _cast("DOUBLE", "VARCHAR"),
        _cast("DECIMAL(10,2)", "VARCHAR"),
        _cast("DATE", "VARCHAR"),
        _cast("TIMESTAMP", "VARCHAR"),
    ],
    "BOOLEAN": [
        _comparisons,
        _comparisons,
        _comparisons,
        _operator(("and", "or"), "BOOLEAN", "BOOLEAN"),
        _operator(("not", "is true", "is false"), "BOOLEAN"),
        _call(("starts_with", "prefix", "suffix", "ends_with", "contains"), "VARCHAR", "VARCHAR"),
        *(
            _text(f"{{0}} LIKE '{like}'", "VARCHAR")
            for like in ("a%", "%b", "%b%", "ab", "_b%", "a%_c", "%", "Z%rich")
        ),
        _text("isodow({0}) >= 6", "TIMESTAMP"),
        _cast("BIGINT", "BOOLEAN"),
    ],
    "TIMESTAMP": [
        _cast("DATE", "TIMESTAMP"),
        _text("{0} + INTERVAL '3 hours'", "TIMESTAMP"),
        _text("{0} - INTERVAL '1 month'", "TIMESTAMP"),
        _text("{0} + INTERVAL '13 months'", "DATE"),
        *(
            _text(f"date_trunc('{unit}', {{0}})", "TIMESTAMP")
            for unit in (
                "microseconds",
                "second",
                "minute",
                "hour",
                "day",
                "week",
                "month",
                "quarter",
                "year",
            )
        ),
        _text("date_trunc('month', {0})", "DATE"),
        _text("make_timestamp({0})", "BIGINT"),
        _text("{0} + to_months({1})", "TIMESTAMP", "SMALLINT"),
        _text("{0} - to_days({1})", "DATE", "SMALLINT"),
    ],
    "DATE": [
        _cast("TIMESTAMP", "DATE"),
        _call(("last_day",), "TIMESTAMP"),
        _call(("make_date",), "SMALLINT", "SMALLINT", "SMALLINT"),
        _operator(("+", "-"), "DATE", "SMALLINT"),
    ],
}
OTHERS: list[Form] = [
    _operator(("+", "-", "*"), "DECIMAL(10,2)", "DECIMAL(18,4)"),
    _operator(("+", "-", "*"), "DECIMAL(10,2)", "INTEGER"),
    _operator(("+", "*"), "DECIMAL(10,2)", "BIGINT"),
    _call(("round", "floor", "ceil", "abs"), "DECIMAL(10,2)"),
    _text("round({0}, 1)", "DECIMAL(10,2)"),
    _operator(("-",), "TIMESTAMP", "TIMESTAMP"),
    _call(("sign",), "DOUBLE"),
    _operator(("=", "<", ">="), "DECIMAL(10,2)", "DECIMAL(18,4)"),
    _operator(("=", "<", ">="), "FLOAT", "BIGINT"),
    _operator(("=", "<", ">="), "DATE", "TIMESTAMP"),
]


def forms(kind: str) -> list[Form]:
    return [*FORMS.get(kind, []) * 2, *_shared(kind)]


@pytest.mark.parametrize("number", range(int(os.environ.get("SCALAR_RUNS", "2"))))
def test_random_expressions(number: int) -> None:
    seed = int(os.environ.get("SCALAR_SEED", "0")) * 1000 + number
    print(f"seed {seed}")
    rng = random.Random(f"scalars {seed}")
    oracle = Oracle(COLUMNS, rows(rng, 60))
    draw = Draw(rng, oracle)
    compiled, refused = 0, []
    for _ in range(90):
        if rng.random() < 0.15:
            expr = draw.typed(rng.choice(OTHERS)(draw, rng.randint(0, 2)))
            if expr is None:
                continue
        else:
            expr = draw.expression(rng.choice(list(FORMS)), rng.randint(1, 3))
        function = oracle.compiled(expr, oracle.type_of(expr))
        if isinstance(function, Unsupported):
            refused.append(function.reason)
            continue
        compiled += 1
        found = oracle.differences(expr)
        assert not found, found[0]
    print(compiled, refused)
    assert compiled > 3 * len(refused)
