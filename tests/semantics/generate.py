"""Seeded random queries: windows whose ends fall exactly on rows, joins and windows over the anchor's own table,
aliases where names would be ambiguous; well-typed, so that no error is expected.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from .data import Data
from .expressions import COMPARABLE, Expressions, Scope
from .query import (
    Aggregate,
    Bound,
    Call,
    Column,
    Expression,
    Frame,
    Join,
    Literal,
    Output,
    PartitionKey,
    Query,
    Source,
    Window,
)


def draw_query(data: Data, seed: int, *, monotone: bool = False) -> Query:
    """A random query; ``monotone`` keeps to windows over the tables' times (for replays in arrival order)."""
    return _Query(data, random.Random(f"query {seed}"), monotone).draw()


OUTPUT_TYPES = (
    ["BIGINT"] * 5 + ["DOUBLE"] * 4 + ["VARCHAR"] * 3 + ["BOOLEAN", "TIMESTAMP", "DATE", "DECIMAL", "LIST"]
)
INTERVALS = [
    ("s", "SECOND", 10**6),
    ("m", "MINUTE", 60 * 10**6),
    ("h", "HOUR", 3600 * 10**6),
    ("d", "DAY", 86400 * 10**6),
]


class _Query(Expressions):
    """The state of one draw."""

    def __init__(self, data: Data, rng: random.Random, monotone: bool) -> None:
        super().__init__(rng, data.start, data.step)
        self.data, self.monotone = data, monotone
        self.own = data.tables[data.anchor]
        self.others = [name for name in data.tables if name != data.anchor]
        self.timed = [name for name in self.others if data.tables[name].time]
        values = [
            value for table in data.tables.values() for row in table.rows for value in row.values.values()
        ]
        huge = any(isinstance(value, int) and abs(value) > 10**6 for value in values)
        self.no_arithmetic = {"k", "g", "m"} if huge else set()  # it would overflow
        self.windows: list[Window] = []
        self.joins: list[Join] = []

    def draw(self) -> Query:
        joined = [self._join_table() for _ in range(self.rng.choice([0, 0, 1, 1, 2, 3]))]
        sources = [self._window_source() for _ in range(self.rng.choice([0, 1, 1, 2, 2, 3]))]
        self.where_in = self.rng.choice(["query", "query", "query", "subquery", "cte"])
        self._name_tables(joined, sources)
        self.derived = () if self.where_in == "query" else self._derived(self._anchor_scope(), "y")
        for number, table in enumerate(joined):
            self._draw_join(number, table)
        self.windows = [self._window(f"w{number}", source) for number, source in enumerate(sources)]
        where = (self._where(inside=self.where_in != "query"),) if self.chance(0.25) else ()
        outputs = [Output("id", self._anchor_column("id"))]
        for number in range(self.rng.randint(1, 6)):
            outputs.append(Output(f"f{number}", self._output()))
        return Query(
            self.data.anchor,
            self.alias,
            tuple(outputs),
            tuple(self.joins),
            where,
            tuple(self.windows),
            self.where_in,
            self.derived,
        )

    def _where(self, inside: bool) -> Expression:
        """Now and then loosened by OR, so that some history is left; ``inside`` a subquery names are plain."""
        over_history = any(window.source is None for window in self.windows)
        if inside:
            scope = self._plain(self._anchor_scope())
        else:
            scope = self._row_scope(joins=not over_history and self.chance(0.5))
        condition = self.condition(scope, 2)
        if self.chance(0.4):
            return condition
        return Call("or", (condition, self.condition(scope, 0)), "BOOLEAN")

    def _derived(self, scope: Scope, prefix: str) -> tuple[Output, ...]:
        """Columns that a subquery adds, made of plain columns of its table."""
        if self.chance(0.5):
            return ()
        types = [
            self.rng.choice(["BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN"]) for _ in range(self.rng.randint(1, 2))
        ]
        plain = self._plain(scope)
        return tuple(
            Output(f"{prefix}{n}", self.expression(type_, plain, 1)) for n, type_ in enumerate(types)
        )

    # ---- names

    def _join_table(self) -> str:
        return self.rng.choice([*self.others * 3, self.data.anchor])

    def _window_source(self) -> str | None:
        if self.chance(0.5):
            return None
        return self.rng.choice([*self.timed * 3, self.data.anchor])

    def _name_tables(self, joined: list[str], sources: list[str | None]) -> None:
        """Aliases where a name would mean two things, and now and then where it would not."""
        used = [self.data.anchor, *joined, *{source for source in sources if source}]
        repeated = {name for name in used if used.count(name) > 1}
        self.alias = "r" if self.data.anchor in repeated or self.chance(0.4) else self.data.anchor
        self.join_aliases = [
            f"j{n}" if name in repeated or self.chance(0.4) else name for n, name in enumerate(joined)
        ]
        names = [column for name in [self.data.anchor, *joined] for column in self.data.tables[name].columns]
        self.ambiguous = {name for name in names if names.count(name) > 1}

    def _column(self, alias: str, table: str, name: str) -> Column:
        qualified = name in self.ambiguous or self.chance(0.4)
        return Column(alias, name, self.data.tables[table].columns[name].split("(")[0], qualified)

    def _anchor_column(self, name: str) -> Column:
        return self._column(self.alias, self.data.anchor, name)

    def _anchor_scope(self) -> Scope:
        return self._safe([self._anchor_column(name) for name in self.own.columns if name != "id"])

    def _safe(self, scope: Scope) -> Scope:
        return [column for column in scope if column.name not in self.no_arithmetic]

    def _row_scope(self, joins: bool = True) -> Scope:
        """Columns of the anchor and, if wanted, of its joins."""
        scope = self._anchor_scope()
        scope += [Column(self.alias, c.name, c.expression.type, self.chance(0.4)) for c in self.derived]
        for join in self.joins if joins else []:
            scope += [Column(join.alias, c.name, c.expression.type, self.chance(0.4)) for c in join.derived]
            scope += self._safe(self._table_scope(join.alias, join.table))
        return scope

    def _table_scope(self, alias: str, table: str) -> Scope:
        return [self._column(alias, table, name) for name in self.data.tables[table].columns]

    def _source_scope(self, source: Source) -> Scope:
        """Columns of a window's own table; unqualified names mean them."""
        types = dict(self.data.tables[source.table].columns)
        types |= {column.name: column.expression.type for column in source.derived}
        scope = [Column(source.alias, n, type_.split("(")[0], self.chance(0.2)) for n, type_ in types.items()]
        return self._safe(scope)

    def _plain(self, scope: Scope) -> Scope:
        return [replace(column, qualified=False) for column in scope]

    def _qualified(self, scope: Scope) -> Scope:
        return [replace(column, qualified=True) for column in scope]

    # ---- joins

    def _draw_join(self, number: int, table: str) -> None:
        alias = self.join_aliases[number]
        right = self._qualified(self._table_scope(alias, table))
        left_scope = self._qualified(self._row_scope())
        chained = [
            column
            for join in self.joins
            for column in self._qualified(self._table_scope(join.alias, join.table))
            if column.name in ("m", "g")
        ]
        by_name = {column.name: column for column in right}
        keys = []
        if chained and self.chance(0.5):
            keys.append((by_name["g"], self.rng.choice(chained)))
        for name in (
            self.rng.choice([["k"], ["g"], ["k", "g"], ["k"]]) if not keys or self.chance(0.2) else []
        ):
            keys.append((by_name[name], replace(self._anchor_column(name), qualified=True)))
        if len(keys) > 1 and keys[0][0] == keys[1][0]:
            keys = keys[:1]
        right = self._safe(right)
        where = self.condition(self._plain(right), 1) if self.chance(0.15) else None
        derived = self._derived(right, f"z{number}_") if self.chance(0.2) else ()
        right += [Column(alias, column.name, column.expression.type) for column in derived]
        conditions = []
        if self.chance(0.4):
            anchor = self._qualified([c for c in left_scope if c.source == self.alias])
            scope = right if self.chance(0.5) else [*right, *anchor]
            conditions.append(self.condition(scope, 1))
        time = self.data.tables[table].time
        if time and self.chance(0.15):
            now = replace(self._anchor_column("ts"), qualified=True)
            earliest = Call(
                "minus interval", (now, Literal(self.rng.randint(0, 5), "BIGINT"), self.unit()), "TIMESTAMP"
            )
            conditions.append(Call(">=", (by_name[time], earliest), "BOOLEAN"))
        orders = [c for c in right if c.name in ("q", "rank", "v", "o", "d", "ts", "at")]
        order = self.rng.choice(orders) if self.chance(0.3) else None
        cte = f"part{number}" if self.chance(0.5 if derived or where is not None else 0.1) else ""
        self.joins.append(Join(alias, table, tuple(keys), tuple(conditions), order, where, cte, derived))

    # ---- windows

    def _window(self, name: str, table: str | None) -> Window:
        partition = self.rng.choice([["k"]] * 6 + [["g"], ["k", "g"], ["g", "k"]] * 2 + [[]])
        order_names = ["ts"] if self.monotone or self.chance(0.75) else ["o", "d"]
        order = self.rng.choice(order_names)
        source = None
        if table is None:
            keys = tuple(PartitionKey(key, self._anchor_column(key)) for key in partition)
            order_column = self._anchor_column(order)
        else:
            source = self._source(name, table)
            time = str(self.data.tables[table].time)
            order = time if order == "ts" else order
            keys = tuple(self._source_key(key) for key in partition)
            type_ = self.data.tables[table].columns[order]
            order_column = Column(source.alias, order, type_, self.chance(0.5))
        return Window(
            name,
            keys,
            order_column,
            self._frame(order_column.type),
            self.rng.choice([1, 2, 3, 5]) if self.chance(0.2) else None,
            self.chance(0.25),
            source,
            inline=source is None and self.chance(0.25),
        )

    def _source(self, window: str, table: str) -> Source:
        if not self.chance(0.35):
            return Source(table)
        source = Source(table, name=f"only_{window}" if self.chance(0.4) else "")
        scope = self._source_scope(source)
        where = self.condition(self._plain(scope) if source.name else scope, 1)
        return replace(source, where=where, derived=self._derived(scope, "e") if source.name else ())

    def _source_key(self, name: str) -> PartitionKey:
        explicit = self.chance(0.3)
        anchor: Expression = replace(self._anchor_column(name), qualified=explicit)
        if explicit and self.chance(0.3) and anchor.type == "BIGINT" and not self.no_arithmetic:
            anchor = Call("+", (anchor, Literal(1, "BIGINT")), "BIGINT")
        elif explicit and self.chance(0.3) and anchor.type == "VARCHAR":
            anchor = Call("coalesce", (anchor, Literal("a", "VARCHAR")), "VARCHAR")
        return PartitionKey(name, anchor, explicit)

    def _frame(self, order_type: str) -> Frame | None:
        if self.chance(0.15):
            return None
        if self.chance(0.35):
            return self._rows_frame()
        return self._range_frame(order_type)

    def _rows_frame(self) -> Frame:
        low, high = sorted(self.rng.sample(range(8), 2))
        start = self._start(high, self.chance(0.25), str(high))
        open_end = self.chance(0.25) and high - low >= 2 + int(start.open)
        end = Bound("offset", low, open_end, str(low)) if low or open_end else Bound("current")
        return Frame("ROWS", start, end)

    def _range_frame(self, order_type: str) -> Frame:
        unit = self.rng.choice(["ROWS_RANGE", "RANGE"])
        if order_type == "BIGINT":
            low, high = sorted(
                self.rng.sample(range(0, 7, 2), 2)
            )  # two apart: OPEN at both ends leaves something
            texts = (str(low), str(high))
            amounts = (low, high)
        else:
            step = timedelta(days=1) if order_type == "DATE" else self.step
            step_us = step // timedelta(microseconds=1)
            near, far = sorted(self.rng.sample(range(6), 2))
            amounts = (near * step_us, far * step_us)
            if self.chance(0.15):
                amounts = (amounts[0], amounts[1] + 10**6)  # an end between two places of the grid
            texts = (self._duration(amounts[0]), self._duration(amounts[1]))
        start = self._start(amounts[1], self.chance(0.25), texts[1])
        if amounts[0] == 0 and self.chance(0.7):
            return Frame(unit, start, Bound("current"))
        return Frame(unit, start, Bound("offset", amounts[0], self.chance(0.3), texts[0]))

    def _start(self, offset: int, open_: bool, text: str) -> Bound:
        return Bound("unbounded") if self.chance(0.15) else Bound("offset", offset, open_, text)

    def _duration(self, microseconds: int) -> str:
        fitting = [unit for unit in INTERVALS if microseconds % unit[2] == 0]
        short, long, size = self.rng.choice(fitting)
        amount = microseconds // size
        forms = [f"{amount}{short}"] * 3 + [
            f"INTERVAL {amount} {long}",
            f"INTERVAL '{amount} {long.lower()}'",
        ]
        return self.rng.choice(forms)

    # ---- outputs

    def _output(self) -> Expression:
        type_ = self.rng.choice(OUTPUT_TYPES)
        if self.windows and self.chance(0.6):
            found = self._aggregate(type_)
            if found:
                return found
        if type_ in ("LIST", "DECIMAL"):
            type_ = "BIGINT"
        if type_ == "DOUBLE" and self.chance(0.1):  # division by zero is Infinity or NaN
            scope = self._row_scope()
            return Call(
                "/", (self.expression("BIGINT", scope, 0), self.expression("BIGINT", scope, 0)), "DOUBLE"
            )
        return self.expression(type_, self._row_scope(), 2, self._aggregate if self.windows else None)

    def _aggregate(self, type_: str) -> Aggregate | None:
        window = self.rng.choice(self.windows)
        if window.source:
            scope = self._source_scope(window.source)
        else:
            scope = self._row_scope(joins=False)
        drawn = self._draw_aggregate(type_, window, scope)
        if drawn is None or drawn.name in ("lag", "first_value", "last_value") or not self.chance(0.3):
            return drawn
        constants: Scope = []
        if window.source and self.chance(0.5):
            constants = self._qualified(self._row_scope())
        return replace(drawn, where=self.condition([*scope, *constants], 1))

    def _draw_aggregate(self, type_: str, window: Window, scope: Scope) -> Aggregate | None:
        def make(name: str, *args: Expression, distinct: bool = False) -> Aggregate:
            return Aggregate(name, args, type_, window.name, distinct=distinct)

        rng = self.rng
        if type_ == "LIST":
            return make(
                "list", self._pick(scope, "BIGINT", "VARCHAR", "DOUBLE", "BOOLEAN", "TIMESTAMP", "INTEGER")
            )
        if type_ == "DECIMAL":
            decimals = [column for column in scope if column.type == "DECIMAL"]
            return (
                make(rng.choice(["sum", "min", "max", "last_value"]), rng.choice(decimals))
                if decimals
                else None
            )
        if type_ == "BIGINT" and self.chance(0.4):
            if self.chance(0.4):
                return make("count")
            return make("count", self._pick(scope, *COMPARABLE, "BOOLEAN"), distinct=self.chance(0.5))
        if type_ == "DOUBLE" and self.chance(0.7):
            name = rng.choice(
                ["avg", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "median", "quantile_cont"]
            )
            argument = self.expression(rng.choice(["BIGINT", "DOUBLE"]), scope, 1)
            fraction = (Literal(0.25, "DECIMAL"),) if name == "quantile_cont" else ()
            return make(name, argument, *fraction)
        names = [
            "min",
            "max",
            "first_value",
            "last_value",
            "lag",
            "arg_max",
            "arg_min",
            "first",
            "last",
            "any_value",
        ]
        if type_ in ("BIGINT", "DOUBLE"):
            names += ["sum"] * 4
        if type_ == "VARCHAR":
            names += ["string_agg"] * 3 + ["mode"]
        if type_ == "BOOLEAN":
            names = ["bool_or", "bool_and", "first_value", "lag", "last"]
        name = rng.choice(names)
        argument = self.expression(type_, scope, 1 if name in ("sum", "min", "max", "bool_or") else 0)
        extra = {
            "string_agg": lambda: (Literal(rng.choice([",", "|"]), "VARCHAR"),),
            "lag": lambda: (Literal(rng.randint(1, 4), "BIGINT"),) if self.chance(0.8) else (),
            "arg_max": lambda: (self._unique(scope),),
            "arg_min": lambda: (self._unique(scope),),
        }.get(name, lambda: ())()
        return make(name, argument, *extra)

    def _unique(self, scope: Scope) -> Column:
        """A column without ties."""
        return next(column for column in scope if column.name in ("u", "eu"))

    def _pick(self, scope: Scope, *types: str) -> Column:
        return self.rng.choice([column for column in scope if column.type in types])
