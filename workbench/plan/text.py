"""A plan as a query of the workbench's dialect: what :meth:`workbench.project.Project.define` reads again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import indent

from workbench.errors import DefinitionError
from workbench.plan import expr as e
from workbench.plan.availability import without_availability
from workbench.plan.expr import AggregateRef, Column, Expr, Op
from workbench.plan.kinds import parse_kind
from workbench.plan.model import (
    Aggregate,
    Feature,
    FeaturePlan,
    Frame,
    Lookup,
    SortKey,
    Source,
    Union,
    Window,
)
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import Leaf, expression, name
from workbench.plan.words import duration


def text_of(plan: FeaturePlan, tables: Mapping[str, SourceTable]) -> str:
    """Return a plan as text, from which ``define`` makes the plan again.

    Names that do not count (of windows, aliases and subqueries) are given anew.

    Parameters
    ----------
    plan
        The plan, of whatever text, dialect or Ibis expression.
    tables
        The project's tables by name.

    Raises
    ------
    DefinitionError
        The plan holds something that only another dialect can say.
    """
    return _Query(plan, {table.name: table for table in tables.values()}).text() + "\n"


class _Query:
    """One SELECT: a plan, or the plan under it."""

    def __init__(self, plan: FeaturePlan, tables: Mapping[str, SourceTable]) -> None:
        self.plan = plan
        self.tables = tables
        self.taken: set[str] = set()
        self.anchor = self._alias(plan.table)
        self.columns = printed_outputs(plan.rows) if plan.rows is not None else {}
        self.aliases = {lookup.name: self._alias(lookup.source.table) for lookup in plan.lookups}
        self.computed = {lookup.name: _computed(lookup, tables) for lookup in plan.lookups}
        self.aggregates = {aggregate.name: aggregate for aggregate in plan.aggregates}

    def text(self) -> str:
        """The SELECT, one clause a line."""
        plan = self.plan
        outputs = [name_ for name_ in printed_outputs(plan).items() if name_[1] is not None]
        features = {output.name: output for output in plan.outputs}
        items = [self._item(features[old], str(new)) for old, new in outputs]
        lines = ["SELECT", indent(",\n".join(items), "  "), f"FROM {self._from()}"]
        lines += [self._join(lookup) for lookup in plan.lookups]
        if plan.where is not None:
            lines.append(f"WHERE {self._where(plan.where)}")
        if plan.windows:
            windows = [f"{name(window.name)} AS ({self._window(window)})" for window in plan.windows]
            lines += ["WINDOW", indent(",\n".join(windows), "  ")]
        return "\n".join(lines)

    def _item(self, feature: Feature, output: str) -> str:
        value = feature.expr
        text = self._in_select(value)
        if feature.kind is not None:
            kind = parse_kind(feature.kind)
            text = f"{kind.name}({text}{f', {kind.buckets}' if kind.buckets is not None else ''})"
        if isinstance(value, Column) and self._column(value) == output:
            return text
        return f"{text} AS {name(output)}"

    # -- relations

    def _alias(self, table: str) -> str:
        alias, number = table, 1
        while alias.casefold() in self.taken:
            number += 1
            alias = f"{table}_{number}"
        self.taken.add(alias.casefold())
        return alias

    def _from(self) -> str:
        if self.plan.rows is None:
            return name(self.plan.table)
        return f"{self._below(self.plan.rows)} AS {name(self.anchor)}"

    def _below(self, plan: FeaturePlan) -> str:
        return "(\n" + indent(_Query(plan, self.tables).text(), "  ") + "\n)"

    def _relation(self, source: Source, alias: str) -> str:
        if source.rows is not None:
            return f"{self._below(source.rows)} AS {name(alias)}"
        table = self.tables[source.table]
        if table.time is not None and source.time is None:
            raise _only_elsewhere(f"{table.name} is read without regard to its time")
        return name(table.name) if alias == table.name else f"{name(table.name)} AS {name(alias)}"

    def _time(self, source: Source) -> str | None:
        return source.time if source.rows is not None else self.tables[source.table].time

    # -- LAST JOIN

    def _join(self, lookup: Lookup) -> str:
        alias, source = self.aliases[lookup.name], lookup.source
        if lookup.null_keys:
            raise _only_elsewhere(f"NULL keys match in the join of {source.table}")
        if not lookup.timed:
            raise _only_elsewhere(f"{source.table} is joined without regard to its time")
        relation = self._relation(source, alias)
        if computed := self.computed[lookup.name]:
            row = self._row_leaf(source, "")
            extra = "".join(f", {expression(value, row)} AS {name(new)}" for new, value in computed.values())
            table = relation if source.rows is not None else name(source.table)
            relation = f"(SELECT *{extra} FROM {table}) AS {name(alias)}"
        order = ""
        if lookup.order != self._time(source):
            if lookup.order is None:
                raise _only_elsewhere(f"the newest arrival of {source.table}, not its newest time, is joined")
            order = f" ORDER BY {name(alias)}.{self._stored(source, lookup.order)}"
        leaf = self._constant_leaf(source, alias)
        conditions = [
            f"{self._constant(key.anchor)} = {name(alias)}.{self._stored(source, key.row)}"
            for key in lookup.keys
        ]
        where = without_availability(source.where, self._table(source), lookup.order, self.plan.time)
        conditions += [_condition(part, self._never_a_key(part, leaf)) for part in _conjuncts(where)]
        return f"LAST JOIN {relation}{order} ON {' AND '.join(conditions)}"

    def _never_a_key(self, condition: Expr, leaf: Leaf) -> Leaf:
        """The names of a condition; where it compares a column with the time it would be read as a key."""
        compares = isinstance(condition, Op) and condition.op == "="
        if not compares or e.columns(condition, e.ANCHOR) != {self.plan.time}:
            return leaf
        return lambda node, qualified: "now()" if _is_anchors(node, self.plan.time) else leaf(node, qualified)

    # -- windows

    def _window(self, window: Window) -> str:
        if window.order is None:
            raise _only_elsewhere(f"window {window.name} has no ORDER BY")
        source = window.source
        parts: list[str] = []
        alias = ""
        if window.history:
            if self.plan.where is None and self._history_where(window) is not None:
                raise _only_elsewhere(
                    f"the history of window {window.name} is filtered, and the anchor is not"
                )
            if window.union:
                parts.append("UNION " + ", ".join(self._union(window, union) for union in window.union))
        else:
            alias = self._window_alias(source.table)
            parts.append(f"FROM {self._relation(source, alias)}")
            where = without_availability(source.where, self._table(source), window.order, self.plan.time)
            if where is not None:
                parts.append(f"WHERE {expression(where, self._constant_leaf(source, alias, plain=True))}")
        if window.keys:
            parts.append("PARTITION BY " + ", ".join(self._keys(window, alias)))
        parts.append(f"ORDER BY {self._stored(source, window.order)}")
        parts.append(self._frame(window))
        parts += [
            words
            for words, set_ in (
                ("EXCLUDE CURRENT_ROW", window.exclude_current_row),
                ("EXCLUDE CURRENT_TIME", window.exclude_current_time),
                ("INSTANCE_NOT_IN_WINDOW", window.instance_not_in_window),
                (f"MAXSIZE {window.maxsize}", window.maxsize is not None),
            )
            if set_
        ]
        return " ".join(parts)

    def _window_alias(self, table: str) -> str:
        """Windows name their table for themselves, but not as anything around them is named."""
        alias = self._alias(table)
        self.taken.discard(alias.casefold())
        return alias

    def _where(self, where: Expr) -> str:
        """WHERE, which is that of the history windows too: only there now() and the time are told apart."""
        for window in self.plan.windows:
            if window.history:
                history = self._history_where(window)
                if history is None or e.transform(history, _of_the_anchor) != where:
                    raise _only_elsewhere(f"WHERE is another for the history of window {window.name}")
                return expression(
                    history, self._row_leaf(window.source, self.anchor, bool(self.plan.lookups))
                )
        return self._in_select(where)

    def _history_where(self, window: Window) -> Expr | None:
        source = window.source
        return without_availability(source.where, self._table(source), window.order, self.plan.time)

    def _keys(self, window: Window, alias: str) -> Iterator[str]:
        for key in window.keys:
            row, anchor = self._stored(window.source, key.row), key.anchor
            same = isinstance(anchor, Column) and anchor.source == e.ANCHOR and self._column(anchor) == row
            if window.history or same:
                yield row
            else:
                yield f"{name(alias)}.{row} = {self._constant(anchor)}"

    def _union(self, window: Window, union: Union) -> str:
        source = union.source
        table = self.tables[source.table]
        plain = all(isinstance(value, Column) and value.name == column for column, value in union.columns)
        where = without_availability(source.where, table, union.stored(str(window.order)), self.plan.time)
        stored = set(table.columns) & self._anchor_names()
        if (
            source.rows is None
            and plain
            and where is None
            and stored <= dict(union.columns).keys() | {table.time}
        ):
            return name(source.table)
        row = self._row_leaf(source, "")
        columns = ", ".join(
            expression(value, row)
            if isinstance(value, Column) and value.name == column
            else f"{expression(value, row)} AS {name(column)}"
            for column, value in union.columns
        )
        condition = f" WHERE {expression(where, row)}" if where is not None else ""
        alias = self._window_alias(source.table)
        return f"(SELECT {columns} FROM {self._relation(source, source.table)}{condition}) AS {name(alias)}"

    def _anchor_names(self) -> set[str]:
        """Names by which a union's columns would be matched, of those that the plan reads."""
        return {column for column, _ in self.plan.anchor_columns}

    def _frame(self, window: Window) -> str:
        frame = window.frame
        assert window.order_anchor is not None
        timed = frame.unit == "range" and window.order_anchor.type in ("TIMESTAMP", "DATE")
        unit = "ROWS" if frame.unit == "rows" else "ROWS_RANGE" if timed else "RANGE"
        start, end = _bounds(frame) if timed else (frame.start, frame.end or "CURRENT ROW")
        first = "UNBOUNDED" if start is None else start
        last = end if end == "CURRENT ROW" else f"{end} PRECEDING"
        return f"{unit} BETWEEN {first} PRECEDING AND {last}"

    # -- names

    def _in_select(self, value: Expr) -> str:
        """A value in the SELECT list or WHERE."""
        return expression(
            value, lambda node, qualified: self._name(node, qualified or bool(self.plan.lookups))
        )

    def _constant(self, value: Expr) -> str:
        """A value of the anchor row or an earlier join, with qualified names."""
        return expression(value, lambda node, qualified: self._name(node, True))

    def _name(self, node: Column | AggregateRef, qualified: bool) -> str:
        if isinstance(node, AggregateRef):
            return self._over(self.aggregates[node.name])
        if node.source == e.ANCHOR:
            if self.columns.get(node.name, node.name) is None:
                return "now()"
            return self._qualified(self.anchor, self._column(node), qualified)
        return self._qualified(self.aliases[node.source], self._column(node), True)

    def _qualified(self, alias: str, column: str, qualified: bool) -> str:
        return f"{name(alias)}.{name(column)}" if qualified else name(column)

    def _column(self, node: Column) -> str:
        """The name by which the query reads a column of the anchor or of a join."""
        if node.source == e.ANCHOR:
            return self.columns.get(node.name) or node.name
        lookup = next(lookup for lookup in self.plan.lookups if lookup.name == node.source)
        computed = self.computed[node.source].get(node.name)
        if computed is not None:
            return computed[0]
        value = dict(lookup.columns)[node.name]
        assert isinstance(value, Column)
        return self._row_name(lookup.source, value.name)

    def _row_name(self, source: Source, column: str) -> str:
        """The name of a source's column, which a subquery may have had to rename."""
        names = printed_outputs(source.rows) if source.rows is not None else {}
        return names.get(column) or column

    def _stored(self, source: Source, column: str) -> str:
        return name(self._row_name(source, column))

    def _row_leaf(self, source: Source, alias: str, full: bool = False) -> Leaf:
        """Names of a row's columns, where nothing else has names; of the anchor there is the time."""

        def leaf(node: Column | AggregateRef, qualified: bool) -> str:
            assert isinstance(node, Column)
            if _is_anchors(node, self.plan.time):
                return "now()"
            if node.source != e.ROW:
                raise _only_elsewhere(f"{node.name} of the anchor is read in an aggregate of its history")
            return self._qualified(
                alias, self._row_name(source, node.name), (full or qualified) and bool(alias)
            )

        return leaf

    def _constant_leaf(self, source: Source, alias: str, plain: bool = False) -> Leaf:
        """Names of a row's columns (``plain`` ones where they may be), and qualified names of the anchor."""

        def leaf(node: Column | AggregateRef, qualified: bool) -> str:
            if isinstance(node, Column) and node.source == e.ROW:
                return self._qualified(alias, self._row_name(source, node.name), qualified or not plain)
            return self._name(node, True)

        return leaf

    def _table(self, source: Source) -> SourceTable | None:
        return self.tables[source.table] if source.rows is None else None

    # -- aggregates

    def _over(self, aggregate: Aggregate) -> str:
        window = self.plan.window(aggregate.window)
        if window.history:
            leaf = self._row_leaf(window.source, self.anchor)
        else:
            leaf = self._constant_leaf(window.source, self._window_alias(window.source.table), plain=True)
        distinct = "DISTINCT " if aggregate.distinct else ""
        args = ", ".join(expression(arg, leaf) for arg in aggregate.args)
        if aggregate.order:
            args += f" ORDER BY {', '.join(_sorted(key, leaf) for key in aggregate.order)}"
        call = "count(*)" if aggregate.function == "count_star" else f"{aggregate.function}({distinct}{args})"
        if aggregate.where is not None:
            call += f" FILTER (WHERE {expression(aggregate.where, leaf)})"
        return f"{call} OVER {name(window.name)}"


def printed_outputs(plan: FeaturePlan) -> dict[str, str | None]:
    """Return the names of a subquery's outputs in its text: hidden ones are left out or get a name that shows."""
    names: dict[str, str | None] = {}
    taken = {output.name.casefold() for output in plan.outputs}
    for output in plan.outputs:
        if not output.name.startswith("__"):
            names[output.name] = output.name
        elif output.expr == Column(e.ANCHOR, str(plan.time), output.type):
            names[output.name] = None
        else:
            visible = output.name.strip("_")
            while visible.casefold() in taken:
                visible += "_"
            taken.add(visible.casefold())
            names[output.name] = visible
    return names


def _computed(lookup: Lookup, tables: Mapping[str, SourceTable]) -> dict[str, tuple[str, Expr]]:
    """What is joined and is not a column of the table: the name that a subquery gives it, by the plan's name."""
    taken = {column.casefold() for column in tables[lookup.source.table].columns}
    if lookup.source.rows is not None:
        taken = {output.name.casefold() for output in lookup.source.rows.outputs}
    found: dict[str, tuple[str, Expr]] = {}
    for column, value in lookup.columns:
        if not (isinstance(value, Column) and value.source == e.ROW):
            visible = column
            while visible.casefold() in taken:
                visible += "_"
            taken.add(visible.casefold())
            found[column] = (visible, value)
    return found


def _bounds(frame: Frame) -> tuple[str | None, str]:
    """A frame of time as durations: one that a microsecond more makes round was OPEN."""
    start = None if frame.start is None else _open(frame.start, 1)
    return start, "CURRENT ROW" if frame.end == 0 else _open(frame.end, -1)


def _open(distance: int, shift: int) -> str:
    if distance % 1_000 and (distance + shift) % 1_000 == 0:
        return f"{duration(distance + shift)} OPEN"
    return duration(distance)


def _conjuncts(where: Expr | None) -> list[Expr]:
    """The conditions that AND joins from left to right."""
    if isinstance(where, Op) and where.op == "and":
        return [*_conjuncts(where.args[0]), where.args[1]]
    return [] if where is None else [where]


def _condition(part: Expr, leaf: Leaf) -> str:
    """A condition of ON beside the keys, which binds its sides as AND does."""
    return expression(Op("and", (e.Literal("", "BOOLEAN"), part), "BOOLEAN"), leaf).removeprefix(" AND ")


def _sorted(key: SortKey, leaf: Leaf) -> str:
    directions = (" DESC" if key.descending else "") + (" NULLS FIRST" if key.nulls_first else "")
    return expression(key.value, leaf) + directions


def _is_anchors(node: Expr, column: str | None) -> bool:
    return isinstance(node, Column) and node.source == e.ANCHOR and node.name == column


def _of_the_anchor(node: Expr) -> Expr | None:
    """A column of a row of the history as that of the anchor."""
    if isinstance(node, Column) and node.source == e.ROW:
        return Column(e.ANCHOR, node.name, node.type)
    return None


def _only_elsewhere(reason: str) -> DefinitionError:
    return DefinitionError(
        f"the workbench's dialect cannot say this: {reason}", hint="keep the text in its own dialect"
    )
