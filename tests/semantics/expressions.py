"""Draws well-typed scalar expressions with SQL's NULLs in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from .data import WORDS
from .query import Aggregate, Call, Column, Expression, Literal, Now

NUMBERS = ("BIGINT", "INTEGER")
COMPARABLE = ("BIGINT", "INTEGER", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP")
Scope = list[Column]


#: The language's own scalar functions that are drawn, by the type that they give.
OWN = {
    "BIGINT": [
        ("pmod", ("BIGINT", "BIGINT")),
        ("maximum", ("BIGINT", "BIGINT")),
        ("minimum", ("BIGINT", "BIGINT")),
        ("nvl", ("BIGINT", "BIGINT")),
        ("nvl2", ("VARCHAR", "BIGINT", "BIGINT")),
        ("days_between", ("TIMESTAMP", "TIMESTAMP")),
        ("hour_of_week", ("TIMESTAMP",)),
        ("unix_timestamp", ("TIMESTAMP",)),
        ("strcmp", ("VARCHAR", "VARCHAR")),
        ("locate", ("VARCHAR", "VARCHAR")),
    ],
    "BOOLEAN": [("is_weekend", ("TIMESTAMP",)), ("is_null", ("VARCHAR",))],
    "VARCHAR": [("nvl", ("VARCHAR", "VARCHAR")), ("maximum", ("VARCHAR", "VARCHAR"))],
    "DOUBLE": [("minimum", ("DOUBLE", "DOUBLE")), ("nvl2", ("BIGINT", "DOUBLE", "DOUBLE"))],
}


class Expressions:
    """Draws from ``rng``; constants of times lie on a grid of ``step`` from ``start``."""

    def __init__(self, rng: random.Random, start: datetime, step: timedelta) -> None:
        self.rng, self.start, self.step = rng, start, step
        self.own_functions = False  # whether the language's own functions may be drawn
        self.now = True  # whether now() may be drawn
        self.bound, self.bound_probability = 0, 0.0  # constants that are parameters: how many, and how often

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def unit(self) -> Literal:
        return Literal(self.rng.choice(["HOUR", "DAY", "MINUTE"]), "VARCHAR")

    def condition(self, scope: Scope, depth: int) -> Expression:
        return self.expression("BOOLEAN", scope, depth)

    def expression(
        self, type_: str, scope: Scope, depth: int, aggregate: Callable[[str], Aggregate | None] | None = None
    ) -> Expression:
        if aggregate and self.chance(0.3):
            found = aggregate(type_)
            if found:
                return found
        if type_ == "BOOLEAN" and depth <= 0:
            return self._comparison(scope, 0, None)
        if depth <= 0 or self.chance(0.2):
            return self._leaf(type_, scope)

        def sub(kind: str) -> Expression:
            return self.expression(kind, scope, depth - 1, aggregate)

        general = [
            lambda: Call("coalesce", (sub(type_), self.constant(type_)), type_),
            lambda: Call("case", (sub("BOOLEAN"), sub(type_), sub(type_)), type_),
            lambda: Call("nullif", (sub(type_), self.constant(type_)), type_),
            lambda: Call(self.rng.choice(["greatest", "least"]), (sub(type_), sub(type_)), type_),
        ]
        special: dict[str, Sequence[Callable[[], Expression]]] = {
            "BIGINT": self._integer_forms(sub),
            "DOUBLE": self._double_forms(sub),
            "VARCHAR": self._text_forms(sub),
            "BOOLEAN": self._boolean_forms(sub, scope, depth, aggregate),
            "TIMESTAMP": self._time_forms(sub),
            "DATE": [lambda: Call("cast", (sub("TIMESTAMP"),), "DATE")],
        }
        forms = special[type_] if type_ == "BOOLEAN" or self.chance(0.6) else general
        if self.own_functions and type_ in OWN and self.chance(0.15):
            name, kinds = self.rng.choice(OWN[type_])
            return Call(name, tuple(sub(kind) for kind in kinds), type_)
        return self.rng.choice(forms)()

    def _integer_forms(self, sub: Callable[[str], Expression]) -> list[Callable[[], Expression]]:
        small = self.small
        return [
            lambda: Call(self.rng.choice(["+", "-"]), (sub("BIGINT"), sub("BIGINT")), "BIGINT"),
            lambda: Call("*", (sub("BIGINT"), small()), "BIGINT"),
            lambda: Call(self.rng.choice(["//", "%"]), (sub("BIGINT"), small()), "BIGINT"),
            lambda: Call("abs", (sub("BIGINT"),), "BIGINT"),
            lambda: Call("negate", (sub("BIGINT"),), "BIGINT"),
            lambda: Call("length", (sub("VARCHAR"),), "BIGINT"),
            lambda: Call("cast", (sub("BOOLEAN"),), "BIGINT"),
            lambda: Call("date_diff", (self.boundary(), sub("TIMESTAMP"), sub("TIMESTAMP")), "BIGINT"),
            lambda: Call("date_diff", (self.boundary(), sub("TIMESTAMP"), self._now()), "BIGINT"),
            lambda: Call(self.rng.choice(["hour", "dayofweek"]), (sub("TIMESTAMP"),), "BIGINT"),
            lambda: Call("extract", (Literal("day", "VARCHAR"), sub("TIMESTAMP")), "BIGINT"),
            lambda: Call("-", (sub("DATE"), sub("DATE")), "BIGINT"),
        ]

    def _double_forms(self, sub: Callable[[str], Expression]) -> list[Callable[[], Expression]]:
        return [
            lambda: Call(self.rng.choice(["+", "-", "*"]), (sub("DOUBLE"), sub("DOUBLE")), "DOUBLE"),
            lambda: Call(self.rng.choice(["+", "-", "*"]), (sub("DOUBLE"), sub("BIGINT")), "DOUBLE"),
            lambda: Call(
                "/",
                (sub("BIGINT"), Call("nullif", (sub("BIGINT"), Literal(0, "BIGINT")), "BIGINT")),
                "DOUBLE",
            ),
            lambda: Call("/", (sub("DOUBLE"), Literal(self.rng.choice([-4, 2, 8]), "BIGINT")), "DOUBLE"),
            lambda: Call("cast", (sub("BIGINT"),), "DOUBLE"),
            lambda: Call("negate", (sub("DOUBLE"),), "DOUBLE"),
        ]

    def _text_forms(self, sub: Callable[[str], Expression]) -> list[Callable[[], Expression]]:
        return [
            lambda: Call(self.rng.choice(["upper", "lower", "reverse"]), (sub("VARCHAR"),), "VARCHAR"),
            lambda: Call(self.rng.choice(["||", "concat"]), (sub("VARCHAR"), sub("VARCHAR")), "VARCHAR"),
            lambda: Call("substr", (sub("VARCHAR"), Literal(1, "BIGINT"), Literal(2, "BIGINT")), "VARCHAR"),
            lambda: Call("cast", (sub("BIGINT"),), "VARCHAR"),
        ]

    def _time_forms(self, sub: Callable[[str], Expression]) -> list[Callable[[], Expression]]:
        def shifted() -> Expression:
            amount = Literal(self.rng.randint(0, 5), "BIGINT")
            return Call(
                self.rng.choice(["plus interval", "minus interval"]),
                (sub("TIMESTAMP"), amount, self.unit()),
                "TIMESTAMP",
            )

        return [shifted, lambda: Call("date_trunc", (self.boundary(), sub("TIMESTAMP")), "TIMESTAMP")]

    def _boolean_forms(
        self,
        sub: Callable[[str], Expression],
        scope: Scope,
        depth: int,
        aggregate: Callable[[str], Aggregate | None] | None,
    ) -> list[Callable[[], Expression]]:
        def compare() -> Expression:
            return self._comparison(scope, depth - 1, aggregate)

        return [
            compare,
            compare,
            lambda: Call(self.rng.choice(["and", "or"]), (sub("BOOLEAN"), sub("BOOLEAN")), "BOOLEAN"),
            lambda: Call("not", (sub("BOOLEAN"),), "BOOLEAN"),
        ]

    def _comparison(
        self, scope: Scope, depth: int, aggregate: Callable[[str], Aggregate | None] | None
    ) -> Expression:
        columns = [column for column in scope if column.type in (*COMPARABLE, "BOOLEAN")]
        column = self.rng.choice(columns)
        type_ = "BIGINT" if column.type in NUMBERS else column.type
        if type_ == "BOOLEAN":
            return column if self.chance(0.6) else Call("is null", (column,), "BOOLEAN")

        def side() -> Expression:
            # a DOUBLE computed in two ways may differ in its last bit: only columns and constants are compared
            return self.expression(
                type_, scope, 0 if type_ == "DOUBLE" else depth, None if type_ == "DOUBLE" else aggregate
            )

        forms: list[Callable[[], Expression]] = [
            lambda: Call(self.rng.choice(["=", "<>", "<", "<=", ">", ">="]), (column, side()), "BOOLEAN"),
            lambda: Call(self.rng.choice(["=", "<", ">"]), (column, self.constant(type_)), "BOOLEAN"),
            lambda: Call(self.rng.choice(["is null", "is not null"]), (side(),), "BOOLEAN"),
            lambda: Call("is distinct from", (column, side()), "BOOLEAN"),
            lambda: Call("between", (column, self.constant(type_), self.constant(type_)), "BOOLEAN"),
            lambda: Call(
                self.rng.choice(["in", "not in"]),
                (column, self.constant(type_), self.constant(type_)),
                "BOOLEAN",
            ),
        ]
        if type_ == "VARCHAR":
            forms.append(
                lambda: Call(
                    "like", (column, Literal(self.rng.choice(["a%", "Z%", "%"]), "VARCHAR")), "BOOLEAN"
                )
            )
        if type_ == "TIMESTAMP":
            forms.append(lambda: Call("<", (column, self._now()), "BOOLEAN"))
        return self.rng.choice(forms)()

    def _leaf(self, type_: str, scope: Scope) -> Expression:
        fitting = [c for c in scope if c.type == type_ or (type_ == "BIGINT" and c.type == "INTEGER")]
        return self.constant(type_) if not fitting or self.chance(0.1) else self.rng.choice(fitting)

    def _now(self) -> Expression:
        return Now() if self.now else self.constant("TIMESTAMP")

    def small(self) -> Literal:
        return Literal(self.rng.choice([-3, -2, 2, 3, 0, 7]), "BIGINT")

    def boundary(self) -> Literal:
        return Literal(self.rng.choice(["minute", "hour", "day", "second"]), "VARCHAR")

    def constant(self, type_: str) -> Literal:
        rng = self.rng
        values: dict[str, Callable[[], Any]] = {
            "BIGINT": lambda: rng.randint(-2, 8),
            "DOUBLE": lambda: rng.randint(-4, 12) / 4,
            "VARCHAR": lambda: rng.choice(WORDS),
            "BOOLEAN": lambda: rng.random() < 0.5,
            "TIMESTAMP": lambda: self.start + rng.randint(0, 6) * self.step,
            "DATE": lambda: self.start.date() + timedelta(days=rng.randint(0, 4)),
        }
        value = values[type_]()
        if self.bound_probability and rng.random() < self.bound_probability:
            self.bound += 1
            return Literal(value, type_, f"p{self.bound}")
        return Literal(value, type_)
