"""Draws aggregates over the rows of a window."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal

from .catalogue import OF_ANCHOR, OF_TIME, SIGNATURES
from .expressions import COMPARABLE, Scope
from .frames import Frames
from .query import Aggregate, Call, Column, Expression, Literal

#: What IGNORE NULLS may stand in, and what ORDER BY may stand in.
POSITIONAL = ("first_value", "last_value", "nth_value")
ORDERED = ("list", "string_agg", "first", "last", "any_value")


class Aggregates(Frames):
    """Aggregates of every kind; which clauses may be used is in ``clauses``."""

    clauses: Collection[str] = ()
    by_time = of_history = (
        False  # whether the window is ordered by its table's time, and is of the anchor's table
    )
    exact = False  # whether values may come out of division and roots, which two engines round differently

    def draw_call(self, type_: str, window: str, scope: Scope) -> Aggregate | None:
        """An aggregate of a type, with what may stand inside its parentheses; None when there is none."""
        drawn = self._own(type_, window, scope) if "catalogue" in self.clauses and self.chance(0.25) else None
        if drawn:
            return drawn
        drawn = self._call(type_, window, scope)
        if drawn is None:
            return None
        if "nested aggregates" in self.clauses and drawn.args and self.chance(0.12):
            drawn = self._nested(drawn, window, scope)
        if "aggregate order" in self.clauses and drawn.name in ORDERED and self.chance(0.4):
            columns = [self._pick(scope, *COMPARABLE), self._unique(scope)]
            terms = columns if self.chance(0.5) else columns[1:]
            drawn = replace(drawn, order=tuple((column, self.chance(0.5)) for column in terms))
        if "ignore nulls" in self.clauses and drawn.name in (*POSITIONAL, "lag") and self.chance(0.4):
            drawn = replace(drawn, ignore_nulls=True)
        return drawn

    def _own(self, type_: str, window: str, scope: Scope) -> Aggregate | None:
        """An aggregate of the language's own."""
        left_out = (set() if self.by_time else OF_TIME) | (set() if self.of_history else OF_ANCHOR)
        fitting = [
            (name, kinds)
            for name, result, kinds in SIGNATURES
            if result == type_ and name not in left_out and not (self.exact and type_ == "DOUBLE")
        ]
        if not fitting:
            return None
        name, kinds = self.rng.choice(fitting)
        return Aggregate(name, tuple(self._argument(kind, type_, scope) for kind in kinds), type_, window)

    def _argument(self, kind: str, type_: str, scope: Scope) -> Expression:
        rng = self.rng
        made: dict[str, Callable[[], Expression]] = {
            "same": lambda: self.expression(type_, scope, 1),
            "number": lambda: self._pick(scope, "BIGINT", "DOUBLE"),
            "any": lambda: self._pick(scope, *COMPARABLE, "BOOLEAN"),
            "key": lambda: self._pick(scope, "VARCHAR", "BIGINT", "INTEGER"),
            "condition": lambda: self.condition(scope, 1),
            "n": lambda: Literal(rng.randint(1, 3), "BIGINT"),
            "place": lambda: Literal(rng.choice([1, 2, -1, -2]), "BIGINT"),
            "interval": lambda: Literal(rng.randint(1, 4) * self.step, "INTERVAL"),
            "alpha": lambda: Literal(rng.choice([Decimal("0.5"), Decimal("0.25")]), "DECIMAL"),
        }
        return made[kind]()

    def _nested(self, outer: Aggregate, window: str, scope: Scope) -> Aggregate:
        """``sum(x + count(x))``: the inner one is a constant, its value over the same window."""
        first = outer.args[0]
        inner = self._call("BIGINT", window, scope)
        if inner is None or first.type != "BIGINT" or outer.distinct or outer.name in ("lag", *POSITIONAL):
            return outer
        changed = Call(self.rng.choice(["+", "-"]), (first, inner), "BIGINT")
        return replace(outer, args=(changed, *outer.args[1:]))

    def _call(self, type_: str, window: str, scope: Scope) -> Aggregate | None:
        def make(name: str, *args: Expression, distinct: bool = False) -> Aggregate:
            return Aggregate(name, args, type_, window, distinct=distinct)

        rng = self.rng
        if type_ == "LIST":
            types = ("BIGINT", "VARCHAR", "DOUBLE", "BOOLEAN", "TIMESTAMP", "INTEGER")
            return make("list", self._pick(scope, *types))
        if type_ == "MAP":
            return None
        if type_ == "DECIMAL":
            decimals = [column for column in scope if column.type == "DECIMAL"]
            name = rng.choice(["sum", "min", "max", "last_value"])
            return make(name, rng.choice(decimals)) if decimals else None
        if type_ == "BIGINT" and self.chance(0.4):
            if self.chance(0.4):
                return make("count")
            return make("count", self._pick(scope, *COMPARABLE, "BOOLEAN"), distinct=self.chance(0.5))
        if type_ == "DOUBLE" and self.chance(0.7) and not self.exact:
            return self._statistic(make, scope)
        name = rng.choice(self._names(type_))
        argument = self.expression(type_, scope, 1 if name in ("sum", "min", "max", "bool_or") else 0)
        extra = {
            "string_agg": lambda: (Literal(rng.choice([",", "|"]), "VARCHAR"),),
            "lag": lambda: self._lagged(type_),
            "nth_value": lambda: (Literal(rng.randint(1, 4), "BIGINT"),),
            "arg_max": lambda: (self._unique(scope),),
            "arg_min": lambda: (self._unique(scope),),
        }.get(name, lambda: ())()
        return make(name, argument, *extra)

    def _lagged(self, type_: str) -> tuple[Expression, ...]:
        """How many rows before, and now and then what is given where there is none."""
        if self.chance(0.2):
            return ()
        default = (self.constant(type_),) if "lag default" in self.clauses and self.chance(0.3) else ()
        return (Literal(self.rng.randint(1, 4), "BIGINT"), *default)

    def _statistic(self, make: object, scope: Scope) -> Aggregate:
        names = ["avg", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "median", "quantile_cont"]
        name = self.rng.choice(names)
        argument = self.expression(self.rng.choice(["BIGINT", "DOUBLE"]), scope, 1)
        fraction = (Literal(0.25, "DECIMAL"),) if name == "quantile_cont" else ()
        return make(name, argument, *fraction)  # type: ignore[operator,no-any-return]

    def _names(self, type_: str) -> list[str]:
        if type_ == "BOOLEAN":
            return ["bool_or", "bool_and", "first_value", "lag", "last"]
        names = ["min", "max", "first_value", "last_value", "lag", "arg_max", "arg_min", "first", "last"]
        names += ["any_value", *(["nth_value"] if "nth_value" in self.clauses else [])]
        if type_ in ("BIGINT", "DOUBLE"):
            names += ["sum"] * 4
        if type_ == "VARCHAR":
            names += ["string_agg"] * 3 + ["mode"]
        return names

    def _unique(self, scope: Scope) -> Column:
        """A column without ties."""
        return next(column for column in scope if column.name in ("u", "eu"))

    def _pick(self, scope: Scope, *types: str) -> Column:
        return self.rng.choice([column for column in scope if column.type in types])
