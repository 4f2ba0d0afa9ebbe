"""Windows and joins of one SELECT of a plan's text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import msgspec

from workbench.plan import expr as e
from workbench.plan.availability import without_availability
from workbench.plan.expr import Column, Expr, Op
from workbench.plan.model import FeaturePlan, Frame, Lookup, Source, Union, Window
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import Leaf, expression, name
from workbench.plan.text_names import Names, is_anchors, only_elsewhere, row_name
from workbench.plan.words import duration


class Windows(Names):
    """Writes the windows and joins of one plan."""

    @abstractmethod
    def below(self, plan: FeaturePlan) -> str:
        """Return a plan as a subquery."""

    def relation(self, source: Source, alias: str) -> str:
        """Return a source in FROM."""
        if source.rows is not None:
            return f"{self.below(source.rows)} AS {name(alias)}"
        table = self.tables[source.table]
        if table.time is not None and source.time is None:
            raise only_elsewhere(f"{table.name} is read without regard to its time")
        return name(table.name) if alias == table.name else f"{name(table.name)} AS {name(alias)}"

    def where_of(self, source: Source, order: str | None) -> Expr | None:
        """Return the query's own condition on the rows of a source."""
        return without_availability(source.where, self._table(source), order, self.plan.time)

    def _table(self, source: Source) -> SourceTable:
        """The table as the source shows it: under the names of its subquery."""
        table, rows = self.tables[source.table], source.rows
        if rows is None:
            return table
        known = next(
            (o.name for o in rows.outputs if table.known and rows.passed(o.name) == table.known), None
        )
        return SourceTable(table.name, rows.features, source.time, table.delay, known, table.ttl)

    # -- LAST JOIN

    def join(self, lookup: Lookup) -> str:
        """Return a LAST JOIN."""
        alias, source = self.aliases[lookup.name], lookup.source
        if lookup.null_keys:
            raise only_elsewhere(f"NULL keys match in the join of {source.table}")
        if not lookup.timed:
            raise only_elsewhere(f"{source.table} is joined without regard to its time")
        relation = self.relation(source, alias)
        if computed := self.computed[lookup.name]:
            row = self.row_leaf(source, "")
            extra = "".join(f", {expression(value, row)} AS {name(new)}" for new, value in computed.values())
            table = relation if source.rows is not None else name(source.table)
            relation = f"(SELECT *{extra} FROM {table}) AS {name(alias)}"
        order = ""
        if lookup.order != source.time:
            if lookup.order is None:
                raise only_elsewhere(f"the newest arrival of {source.table}, not its newest time, is joined")
            order = f" ORDER BY {name(alias)}.{_stored(source, lookup.order)}"
        leaf = self.constant_leaf(source, alias)
        on = [
            f"{self.constant(key.anchor)} = {name(alias)}.{_stored(source, key.row)}" for key in lookup.keys
        ]
        where = self.where_of(source, lookup.order)
        on += [condition(part, self._never_a_key(part, leaf)) for part in e.conjuncts(where)]
        return f"LAST JOIN {relation}{order} ON {' AND '.join(on)}"

    def _never_a_key(self, part: Expr, leaf: Leaf) -> Leaf:
        """The names of a condition; where it compares a column with the time it would be read as a key."""
        compares = isinstance(part, Op) and part.op == "="
        if not compares or e.columns(part, e.ANCHOR) != {self.plan.time}:
            return leaf
        return lambda node, full: "now()" if is_anchors(node, self.plan.time) else leaf(node, full)

    # -- windows

    def window(self, window: Window) -> str:
        """Return the body of a window."""
        if window.order is None:
            raise only_elsewhere(f"window {window.name} has no ORDER BY")
        source, alias = window.source, ""
        parts: list[str] = []
        if window.history:
            if window.union:
                parts.append(
                    "UNION " + ", ".join(self._mixed(window, group) for group in _groups(window.union))
                )
        else:
            alias = self.window_alias(source.table)
            parts.append(f"FROM {self._other(window, alias)}")
        if window.keys:
            parts.append("PARTITION BY " + ", ".join(self._keys(window, alias)))
        parts += [f"ORDER BY {_stored(source, window.order)}", self._frame(window)]
        parts += [
            words
            for words, said in (
                ("EXCLUDE CURRENT_ROW", window.exclude_current_row),
                ("EXCLUDE CURRENT_TIME", window.exclude_current_time),
                ("INSTANCE_NOT_IN_WINDOW", window.instance_not_in_window),
                (f"MAXSIZE {window.maxsize}", window.maxsize is not None),
            )
            if said
        ]
        return " ".join(parts)

    def _keys(self, window: Window, alias: str) -> Iterator[str]:
        for key in window.keys:
            row, anchor = _stored(window.source, key.row), key.anchor
            same = (
                isinstance(anchor, Column) and anchor.source == e.ANCHOR and name(self.column(anchor)) == row
            )
            yield row if window.history or same else f"{name(alias)}.{row} = {self.constant(anchor)}"

    def _other(self, window: Window, alias: str) -> str:
        """The rows of a window FROM another table, or FROM several: ``(SELECT ... UNION ALL SELECT ...)``."""
        source = window.source
        if window.union:
            columns = window.union[0].columns
            own = Union(
                source, tuple((column, Column(e.ROW, column, value.type)) for column, value in columns)
            )
            return self._mixed(window, [own, *window.union], alias)
        where = self.where_of(source, window.order)
        relation = self.relation(source, alias)
        if where is None:
            return relation
        return f"{relation} WHERE {expression(where, self.constant_leaf(source, alias, plain=True))}"

    def _mixed(self, window: Window, group: Sequence[Union], alias: str = "") -> str:
        """One item of a UNION: a table as it stands, or the SELECTs that give it the window's names."""
        (first, *others) = group
        source = first.source
        if not others and self._stands(window, first):
            return name(source.table)
        names = [column for column, _ in first.columns]
        selects = " UNION ALL ".join(self._renamed(window, union, names) for union in group)
        return f"({selects}) AS {name(alias or self.window_alias(source.table))}"

    def _stands(self, window: Window, union: Union) -> bool:
        """Whether a table of a UNION needs no SELECT: its columns have the names, and no others would match."""
        if (
            union.source.rows is not None
            or self.where_of(union.source, union.stored(str(window.order))) is not None
        ):
            return False
        table = self.tables[union.source.table]
        plain = all(isinstance(value, Column) and value.name == column for column, value in union.columns)
        matching = set(table.columns) & {column for column, _ in self.plan.anchor_columns}
        return plain and matching <= dict(union.columns).keys() | {table.time}

    def _renamed(self, window: Window, union: Union, names: Sequence[str]) -> str:
        """The SELECT of one table of a UNION; what it lacks is NULL."""
        source, values = union.source, dict(union.columns)
        where = self.where_of(source, union.stored(str(window.order)))
        if e.columns(where, e.ANCHOR):
            raise only_elsewhere(f"a condition of the anchor is on the rows of a UNION with {source.table}")
        row = self.row_leaf(source, "")
        columns = ", ".join(_named(values.get(column), column, source, row) for column in names)
        suffix = f" WHERE {expression(where, row)}" if where is not None else ""
        return f"SELECT {columns} FROM {self.relation(source, source.table)}{suffix}"

    def _frame(self, window: Window) -> str:
        frame = window.frame
        assert window.order_anchor is not None
        timed = frame.unit == "range" and window.order_anchor.type in ("TIMESTAMP", "DATE")
        unit = "ROWS" if frame.unit == "rows" else "ROWS_RANGE" if timed else "RANGE"
        side = "FOLLOWING" if frame.ahead else "PRECEDING"
        start, end = _bounds(frame) if timed else (frame.start, frame.end or None)
        far = f"{'UNBOUNDED' if start is None else start} {side}"
        near = "CURRENT ROW" if end is None else f"{end} {side}"
        return f"{unit} BETWEEN {near} AND {far}" if frame.ahead else f"{unit} BETWEEN {far} AND {near}"


def _groups(unions: Sequence[Union]) -> list[list[Union]]:
    """The items of a UNION: those beside the one before it are one item."""
    groups: list[list[Union]] = []
    for union in unions:
        if union.beside and groups:
            groups[-1].append(union)
        else:
            groups.append([msgspec.structs.replace(union, beside=False)])
    return groups


def _named(value: Expr | None, called: str, source: Source, row: Leaf) -> str:
    if value is None:
        return f"NULL AS {name(called)}"
    text = expression(value, row)
    same = isinstance(value, Column) and row_name(source, value.name) == called
    return text if same else f"{text} AS {name(called)}"


def _stored(source: Source, column: str) -> str:
    return name(row_name(source, column))


def _bounds(frame: Frame) -> tuple[str | None, str | None]:
    """A frame of time as durations, far end first: one that a microsecond more makes round was OPEN."""
    start = None if frame.start is None else _open(frame.start, 1)
    return start, None if frame.end == 0 else _open(frame.end, -1)


def _open(distance: int, shift: int) -> str:
    if distance % 1_000 and (distance + shift) % 1_000 == 0:
        return f"{duration(distance + shift)} OPEN"
    return duration(distance)


def condition(part: Expr, leaf: Leaf) -> str:
    """Return a condition as one of several that AND joins."""
    both = expression(Op("and", (e.Literal("", "BOOLEAN"), part), "BOOLEAN"), leaf)
    return both.removeprefix(" AND ")
