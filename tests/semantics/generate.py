"""Seeded random queries: windows whose ends fall exactly on rows, joins and windows over the anchor's own table,
aliases where names would be ambiguous; well-typed, so that no error is expected.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from itertools import count

from .data import Data
from .draw_aggregates import POSITIONAL, Aggregates
from .expressions import Scope
from .query import (
    Aggregate,
    Call,
    Column,
    Expression,
    Join,
    Literal,
    Output,
    PartitionKey,
    Query,
    Source,
    Window,
)
from .text import render

#: Clauses that are drawn by default, and those that are drawn only when asked for.
CLAUSES = frozenset(
    [
        "union",
        "exclude current_time",
        "instance_not_in_window",
        "aggregate order",
        "ignore nulls",
        "nth_value",
        "nested aggregates",
        "joins in history",
        "where on joins",
        "query in FROM",
        "query in LAST JOIN",
        "query in WINDOW",
        "query in UNION",
        "WITH in a query",
        "grouped join",
        "union all",
        "join on aggregate",
        "id",
        "catalogue",
        "views",
        "parameters",
        "having",
        "lag default",
        "scalars",
    ]
)
PENDING: frozenset[str] = frozenset()
OUTPUT_TYPES = (
    ["BIGINT"] * 5
    + ["DOUBLE"] * 4
    + ["VARCHAR"] * 3
    + ["BOOLEAN", "TIMESTAMP", "DATE", "DECIMAL", "LIST", "MAP"]
)
#: Columns of events by the anchor's names, for UNION.
EVENT_NAMES = {"x": "v", "f": "w", "s": "c", "b": "h", "u": "eu"}


def draw_query(
    data: Data,
    seed: int | random.Random,
    *,
    monotone: bool = False,
    clauses: Collection[str] = CLAUSES,
    label: str = "",
) -> Query:
    """A random query; ``monotone`` keeps to windows over the tables' times (for replays in arrival order).

    ``seed`` may be a source of random numbers instead. ``label`` is part of the names of views.
    """
    rng = seed if isinstance(seed, random.Random) else random.Random(f"query {seed}")
    return _Query(data, rng, monotone, clauses, label or str(seed), count(), data.anchor, 0).draw()


class _Query(Aggregates):
    """The state of one draw: a SELECT from ``table``, ``depth`` subqueries down."""

    def __init__(
        self,
        data: Data,
        rng: random.Random,
        monotone: bool,
        clauses: Collection[str],
        label: str,
        numbers: count[int],
        table: str,
        depth: int,
    ) -> None:
        super().__init__(rng, data.start, data.step)
        self.data, self.monotone, self.clauses, self.label = data, monotone, clauses, label
        self.numbers, self.table, self.depth = numbers, table, depth
        self.own = data.tables[table]
        self.time = str(self.own.time)
        self.others = [name for name in data.tables if name != table]
        self.timed = [name for name in self.others if data.tables[name].time]
        values = [v for t in data.tables.values() for row in t.rows for v in row.values.values()]
        huge = any(isinstance(value, int) and abs(value) > 10**6 for value in values)
        self.no_arithmetic = {"k", "g", "m"} if huge else set()  # it would overflow
        self.windows: list[Window] = []
        self.joins: list[Join] = []
        self.inner: Query | None = None
        self.derived: tuple[Output, ...] = ()
        self.exact = depth > 0
        self.own_functions = "scalars" in clauses
        self.bound_probability = 0.1 if "parameters" in clauses and not depth else 0.0

    def may(self, clause: str, probability: float) -> bool:
        """Whether to draw a clause here."""
        return clause in self.clauses and self.chance(probability)

    def draw(self) -> Query:
        rng = self.rng
        joined = [
            self._join_table() for _ in range(rng.choice([0, 0, 1, 1, 2, 3] if not self.depth else [0, 0, 1]))
        ]
        sources = [
            self._window_source()
            for _ in range(rng.choice([0, 1, 1, 2, 2, 3] if not self.depth else [0, 1, 1]))
        ]
        self.where_in = (
            rng.choice(["query", "query", "query", "subquery", "cte"]) if not self.depth else "query"
        )
        self._name_tables(joined, sources)
        if self.where_in == "query" and self.depth < 2 and self.may("query in FROM", 0.2):
            self.inner = self._subquery(self.table)
        self.derived = () if self.where_in == "query" else self._derived(self._anchor_scope(), "y")
        self.windows = [self._window(f"w{number}", source) for number, source in enumerate(sources)]
        for number, table in enumerate(joined):
            self._draw_join(number, table)
        where = (self._where(inside=self.where_in != "query"),) if self.chance(0.25) else ()
        outputs = self._outputs()
        return Query(
            self.table,
            self.alias,
            tuple(outputs),
            tuple(self.joins),
            where,
            tuple(self.windows),
            self.where_in,
            self.derived,
            self.inner,
        )

    def _outputs(self) -> list[Output]:
        if not self.depth:
            outputs = [Output("id", self._anchor_column("id"))]
            return outputs + [Output(f"f{n}", self._output()) for n in range(self.rng.randint(1, 6))]
        outputs = [
            Output(name, Column(self.alias, name, kind.split("(")[0]))
            for name, kind in self.own.columns.items()
        ]
        for _ in range(self.rng.randint(1, 3)):
            type_ = self.rng.choice(["BIGINT", "BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN"])
            outputs.append(Output(f"n{next(self.numbers)}", self._output(type_)))
        return outputs

    # ---- queries inside

    def _subquery(self, table: str) -> Query:
        """A query that passes the columns of its table through and adds some."""
        part = _Query(
            self.data, self.rng, self.monotone, self.clauses, self.label, self.numbers, table, self.depth + 1
        ).draw()
        written = ["subquery"]
        written += ["cte"] if not self.depth or "WITH in a query" in self.clauses else []
        written += ["view"] if "views" in self.clauses else []
        return replace(part, name=f"q{self.label}_{next(self.numbers)}", written=self.rng.choice(written))

    def _added(self, alias: str, inner: Query | None) -> Scope:
        """The columns that a query adds to those of its table."""
        if inner is None:
            return []
        own = self.data.tables[inner.table].columns
        return [
            Column(alias, output.name, output.expression.type)
            for output in inner.outputs
            if output.name not in own
        ]

    def _where(self, inside: bool) -> Expression:
        """Now and then loosened by OR, so that some history is left; ``inside`` a subquery names are plain."""
        over_history = any(window.source is None for window in self.windows)
        circular = any(isinstance(left, Aggregate) for join in self.joins for _, left in join.keys)
        joins = bool(self.joins) and not inside and not circular and self.chance(0.5)
        if over_history:
            joins = joins and "where on joins" in self.clauses
        scope = self._plain(self._anchor_scope()) if inside else self._row_scope(joins=joins)
        condition = self.condition(scope, 2)
        if self.chance(0.6):
            condition = Call("or", (condition, self.condition(scope, 0)), "BOOLEAN")
        return condition

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
        return self.rng.choice([*self.others * 3, self.table])

    def _window_source(self) -> str | None:
        if self.chance(0.5):
            return None
        return self.rng.choice([*self.timed * 3, self.table])

    def _name_tables(self, joined: list[str], sources: list[str | None]) -> None:
        """Aliases where a name would mean two things, and now and then where it would not."""
        used = [self.table, *joined, *{source for source in sources if source}]
        repeated = {name for name in used if used.count(name) > 1}
        self.alias = "r" if self.table in repeated or self.chance(0.4) else self.table
        self.join_aliases = [
            f"j{n}" if name in repeated or self.chance(0.4) else name for n, name in enumerate(joined)
        ]
        names = [column for name in [self.table, *joined] for column in self.data.tables[name].columns]
        self.ambiguous = {name for name in names if names.count(name) > 1}

    def _column(self, alias: str, table: str, name: str) -> Column:
        qualified = name in self.ambiguous or self.chance(0.4)
        return Column(alias, name, self.data.tables[table].columns[name].split("(")[0], qualified)

    def _anchor_column(self, name: str) -> Column:
        return self._column(self.alias, self.table, name)

    def _anchor_scope(self) -> Scope:
        return self._safe([self._anchor_column(name) for name in self.own.columns if name != "id"])

    def _safe(self, scope: Scope) -> Scope:
        return [column for column in scope if column.name not in self.no_arithmetic]

    def _row_scope(self, joins: bool = True) -> Scope:
        """Columns of the anchor and, if wanted, of its joins."""
        scope = self._anchor_scope()
        scope += [Column(self.alias, c.name, c.expression.type, self.chance(0.4)) for c in self.derived]
        scope += self._added(self.alias, self.inner)
        for join in self.joins if joins else []:
            scope += [Column(join.alias, c.name, c.expression.type, self.chance(0.4)) for c in join.derived]
            scope += self._right_scope(join)
        return scope

    def _right_scope(self, join: Join) -> Scope:
        """Columns that a join gives."""
        if join.group:
            return [Column(join.alias, column.name, column.expression.type) for column in join.group]
        return self._safe(self._table_scope(join.alias, join.table)) + self._added(join.alias, join.inner)

    def _table_scope(self, alias: str, table: str) -> Scope:
        return [self._column(alias, table, name) for name in self.data.tables[table].columns]

    def _source_scope(self, source: Source) -> Scope:
        """Columns of a window's own table; unqualified names mean them."""
        types = dict(self.data.tables[source.table].columns)
        types |= {column.name: column.expression.type for column in source.derived}
        scope = [Column(source.alias, n, type_.split("(")[0], self.chance(0.2)) for n, type_ in types.items()]
        return self._safe(scope) + self._added(source.alias, source.inner)

    def _plain(self, scope: Scope) -> Scope:
        return [replace(column, qualified=False) for column in scope]

    def _qualified(self, scope: Scope) -> Scope:
        return [replace(column, qualified=True) for column in scope]

    # ---- joins

    def _draw_join(self, number: int, table: str) -> None:
        alias = self.join_aliases[number]
        right = self._qualified(self._table_scope(alias, table))
        left_scope = self._qualified(self._row_scope())
        by_name = {column.name: column for column in right}
        keys = self._join_keys(by_name)
        right = self._safe(right)
        now, self.now = self.now, self.data.tables[table].time is not None
        where = self.condition(self._plain(right), 1) if self.chance(0.15) else None
        if self.data.tables[table].time and self.may("grouped join", 0.15):
            groups = self._groups(number, alias, right)
            having = None
            if self.may("having", 0.3):
                having = Call(">", (Aggregate("count", (), "BIGINT", ""), Literal(1, "BIGINT")), "BOOLEAN")
            self.joins.append(Join(alias, table, keys, where=where, group=groups, having=having))
            self.now = now
            return
        inner, derived = None, ()
        if self.data.tables[table].time and self.depth < 2 and self.may("query in LAST JOIN", 0.2):
            inner, where = self._subquery(table), None
            right += self._added(alias, inner)
        elif self.chance(0.2):
            derived = self._derived(right, f"z{number}_")
            self.now = now
            right += [Column(alias, column.name, column.expression.type) for column in derived]
        self.now = now
        conditions = []
        if self.chance(0.4):
            anchor = self._qualified([c for c in left_scope if c.source == self.alias])
            scope = right if self.chance(0.5) else [*right, *anchor]
            conditions.append(self.condition(scope, 1))
        time = self.data.tables[table].time
        if time and self.chance(0.15):
            now = replace(self._anchor_column(self.time), qualified=True)
            amount = Literal(self.rng.randint(0, 5), "BIGINT")
            earliest = Call("minus interval", (now, amount, self.unit()), "TIMESTAMP")
            conditions.append(Call(">=", (by_name[time], earliest), "BOOLEAN"))
        orders = [c for c in right if c.name in ("q", "rank", "v", "o", "d", "ts", "at")]
        order = self.rng.choice(orders) if self.chance(0.3) else None
        cte = f"part{next(self.numbers)}" if self.chance(0.5 if derived or where is not None else 0.1) else ""
        if inner or (self.depth and "WITH in a query" not in self.clauses):
            cte = ""
        self.joins.append(Join(alias, table, keys, tuple(conditions), order, where, cte, derived, inner))

    def _join_keys(self, right: dict[str, Column]) -> tuple[tuple[Column, Expression], ...]:
        chained = [
            column
            for join in self.joins
            if not join.group
            for column in self._qualified(self._table_scope(join.alias, join.table))
            if column.name in ("m", "g")
        ]
        keys: list[tuple[Column, Expression]] = []
        if chained and self.chance(0.5):
            keys.append((right["g"], self.rng.choice(chained)))
        elif self.may("join on aggregate", 0.1) and (windows := [w for w in self.windows if not w.source]):
            kept = Aggregate(
                "last_value", (self._anchor_column("g"),), right["g"].type, self.rng.choice(windows).name
            )
            keys.append((right["g"], kept))
        if not keys or self.chance(0.2):
            for name in self.rng.choice([["k"], ["g"], ["k", "g"], ["k"]]):
                keys.append((right[name], replace(self._anchor_column(name), qualified=True)))
        return tuple({column.name: (column, left) for column, left in reversed(keys)}.values())

    def _groups(self, number: int, alias: str, right: Scope) -> tuple[Output, ...]:
        """The columns of a grouped subquery."""
        plain = self._plain(right)
        found = []
        for n in range(self.rng.randint(1, 3)):
            drawn = self._call(self.rng.choice(["BIGINT", "BIGINT", "DOUBLE", "VARCHAR"]), "", plain)
            if drawn and drawn.name not in ("lag", "first_value", "last_value", "nth_value"):
                found.append(Output(f"t{number}_{n}", drawn))
        return tuple(found) or (Output(f"t{number}_0", Aggregate("count", (), "BIGINT", "")),)

    # ---- windows

    def _window(self, name: str, table: str | None) -> Window:
        rng = self.rng
        partition = rng.choice([["k"]] * 6 + [["g"], ["k", "g"], ["g", "k"]] * 2 + [[]])
        order = rng.choice([self.time] if self.monotone or self.chance(0.75) else ["o", "d"])
        source = None
        union: tuple[Source, ...] = ()
        if table is None:
            keys = tuple(PartitionKey(key, self._anchor_column(key)) for key in partition)
            order_column = self._anchor_column(order)
            if self.inner is None and not self.derived and self.timed and self.may("union", 0.3):
                tables = rng.sample(self.timed, rng.randint(1, len(self.timed)))
                union = tuple(self._united(other) for other in tables)
        else:
            source = self._source(name, table)
            time = str(self.data.tables[table].time)
            order = time if order == self.time else order
            keys = tuple(self._source_key(key) for key in partition)
            order_column = Column(
                source.alias, order, self.data.tables[table].columns[order], self.chance(0.5)
            )
        self._limit_frame(table or self.table, order)
        return Window(
            name,
            keys,
            order_column,
            self._frame(order_column.type),
            rng.choice([1, 2, 3, 5]) if self.chance(0.2) else None,
            self.chance(0.25),
            source,
            inline=source is None and self.chance(0.25),
            union=union,
            exclude_current_time=self.may("exclude current_time", 0.2),
            instance_not_in_window=source is None
            and self.may("instance_not_in_window", 0.4 if union else 0.05),
        )

    def _limit_frame(self, table: str, order: str) -> None:
        """Frames over a table's time do not reach beyond its ttl."""
        stored = self.data.tables[table]
        limited = stored.ttl is not None and order == stored.time
        self.longest = stored.ttl // timedelta(microseconds=1) if limited else None

    def _united(self, table: str) -> Source:
        """A table of UNION: as it is where names fit, else a query that gives the anchor's names."""
        other = self.data.tables[table]
        names = {name: name for name in ("k", "g", "o", "d")} | {self.time: str(other.time)}
        same = names[self.time] == self.time
        if same and self.chance(0.5):
            return Source(table)
        anchors_names = {**EVENT_NAMES, **{event: mine for mine, event in EVENT_NAMES.items()}}
        known = [
            name
            for name in self.own.columns
            if name in other.columns or anchors_names.get(name) in other.columns
        ]
        for name in known:
            if name not in names and self.chance(0.7):
                names[name] = name if name in other.columns else anchors_names[name]
        inner = None
        if self.depth < 1 and self.may("query in UNION", 0.4):
            inner = self._subquery(table)
            kept = {output.name: output for output in inner.outputs}
            inner = replace(inner, outputs=tuple(replace(kept[old], name=new) for new, old in names.items()))
        else:
            alias = f"u{next(self.numbers)}"
            columns = [
                Output(new, Column(alias, old, other.columns[old].split("(")[0]))
                for new, old in names.items()
            ]
            where = (
                (self.condition(self._safe(self._table_scope_of(alias, table)), 1),)
                if self.chance(0.4)
                else ()
            )
            inner = Query(table, alias, tuple(columns), (), where, name=f"{alias}_rows")
        return Source(table, name=f"u{next(self.numbers)}", inner=inner)

    def _table_scope_of(self, alias: str, table: str) -> Scope:
        return [Column(alias, n, kind.split("(")[0]) for n, kind in self.data.tables[table].columns.items()]

    def _source(self, window: str, table: str) -> Source:
        if self.depth < 2 and self.may("query in WINDOW", 0.2):
            inner, more = self._subquery(table), ()
            if self.may("union all", 0.3) and not render(inner).startswith("WITH"):
                inner = replace(inner, written="subquery")
                more = self._arms(inner)
            source = Source(table, name=f"s{next(self.numbers)}", inner=inner, more=more)
            if self.chance(0.7):
                return source
            scope = [
                *self._safe(self._table_scope_of(source.alias, table)),
                *self._added(source.alias, inner),
            ]
            return replace(source, where=self.condition(scope, 1))
        if not self.chance(0.35):
            return Source(table)
        named = self.chance(0.4) and (not self.depth or "WITH in a query" in self.clauses)
        source = Source(table, name=f"only_{window}" if named else "")
        scope = self._source_scope(source)
        where = self.condition(self._plain(scope) if source.name else scope, 1)
        return replace(source, where=where, derived=self._derived(scope, "e") if source.name else ())

    def _arms(self, first: Query) -> tuple[Query, ...]:
        """Another query for UNION ALL: the same columns of the same or of an equal table."""
        return (first,) if self.chance(0.3) else (replace(first, where=()),)

    def _source_key(self, name: str) -> PartitionKey:
        explicit = self.chance(0.3)
        anchor: Expression = replace(self._anchor_column(name), qualified=explicit)
        if explicit and self.chance(0.3) and anchor.type == "BIGINT" and not self.no_arithmetic:
            anchor = Call("+", (anchor, Literal(1, "BIGINT")), "BIGINT")
        elif explicit and self.chance(0.3) and anchor.type == "VARCHAR":
            anchor = Call("coalesce", (anchor, Literal("a", "VARCHAR")), "VARCHAR")
        return PartitionKey(name, anchor, explicit)

    # ---- outputs

    def _output(self, type_: str = "") -> Expression:
        type_ = type_ or self.rng.choice(OUTPUT_TYPES)
        if self.windows and self.chance(0.6):
            found = self._aggregate(type_)
            if found:
                return found
        if type_ in ("LIST", "DECIMAL", "MAP"):
            type_ = "BIGINT"
        if type_ == "DOUBLE" and self.chance(0.1):  # division by zero is Infinity or NaN
            scope = self._row_scope()
            sides = (self.expression("BIGINT", scope, 0), self.expression("BIGINT", scope, 0))
            return Call("/", sides, "DOUBLE")
        return self.expression(type_, self._row_scope(), 2, self._aggregate if self.windows else None)

    def _aggregate(self, type_: str) -> Aggregate | None:
        window = self.rng.choice(self.windows)
        if window.source:
            scope = self._source_scope(window.source)
        else:
            scope = self._row_scope(joins=not window.union and self.may("joins in history", 0.4))
        own = self.data.tables[window.source.table if window.source else self.table]
        self.by_time, self.of_history = window.order.name == own.time, window.source is None
        drawn = self.draw_call(type_, window.name, scope)
        if drawn is None or drawn.name == "lag" or drawn.name in POSITIONAL or not self.chance(0.3):
            return drawn
        constants: Scope = []
        if window.source and self.chance(0.5):
            constants = self._qualified(self._row_scope())
        return replace(drawn, where=self.condition([*scope, *constants], 1))
