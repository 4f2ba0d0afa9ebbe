"""LAST JOIN: the newest visible row of another table for each anchor row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.model import Frame
from workbench.plan.ops import FeatureWindow, LookupSpec, Native, WindowSpec
from workbench.sql.dialect import LastJoin
from workbench.sql.expressions import Expressions
from workbench.sql.froms import Froms
from workbench.sql.groups import Group, grouped, kept
from workbench.sql.query import Query
from workbench.sql.scope import Relation, Scope
from workbench.sql.sources import row_source
from workbench.sql.windows import ORDERED, Windows


@dataclass(frozen=True)
class On:
    """The condition of a join: keys as (stored column of the right side, anchor value), and the rest of it."""

    keys: tuple[tuple[str, ops.Value], ...]
    where: ops.Value | None


class Joins:
    """Translates the joins of one SELECT.

    Parameters
    ----------
    query
        What the SELECTs of the text share.
    expressions
        The SELECT's expression translator.
    froms
        Its sources.
    scope
        The anchor and the joins so far.
    windows
        Its windows.
    """

    def __init__(
        self, query: Query, expressions: Expressions, froms: Froms, scope: Scope, windows: Windows
    ) -> None:
        self.query = query
        self.x = expressions
        self.froms = froms
        self.scope = scope
        self.windows = windows

    @property
    def anchor(self) -> Relation:
        """The anchor of the SELECT."""
        return self.windows.anchor

    def relations(self, join: exp.Expr) -> list[Relation]:
        """Return what a join adds to the names of its SELECT: a relation, or several for joins in parentheses."""
        if not isinstance(join, LastJoin):
            words = " ".join(str(part) for key in ("method", "side", "kind") if (part := join.args.get(key)))
            self.x.fail(
                join,
                f"a {words or 'plain'} JOIN may give several rows for one anchor row",
                "write LAST JOIN ... ON ...: the newest matching row as of the anchor's time",
            )
        group = grouped(self.x, self.froms, join.this)
        if group is not None:
            return [self._named(join, self._grouped(join, group))]
        right = join.this
        if self.query.dialect.same_row_joins and self._is_same_row(right):
            return [self._named(join, self._same_row(join))]
        if isinstance(right, exp.Subquery) and isinstance(right.this, exp.Table) and not right.alias:
            return self._lookup(join, self.froms.joined(right))
        branches = self.froms.rows(right)
        if len(branches) > 1:
            return [self._named(join, self._newest(join, branches))]
        return self._lookup(join, branches)

    # -- the kinds of joins

    def _lookup(self, join: LastJoin, rights: list[Relation]) -> list[Relation]:
        """A join with one source of rows, whose columns stand under one name or several."""
        right = rights[0]
        for one in rights:
            self._named(join, one)
            self._check_times(join, one)
        on = self._on(join, rights)
        order = self._order(join, rights)
        dialect = self.query.dialect
        timed, where = dialect.timed_joins, on.where
        if not timed and order == right.table.time and right.table.name != self.anchor.table.name:
            timed, where = self._as_of(join, right, where)
        source = row_source(self.x, join.this, self.anchor, right, where, order)
        spec = LookupSpec(right.alias, source, on.keys, order, timed, dialect.null_keys)
        return [
            replace(
                one,
                columns={
                    name: FeatureWindow("", (value,), spec, self.anchor.rows, self.x.type_of(value))
                    for name, value in one.columns.items()
                },
            )
            for one in rights
        ]

    def _as_of(
        self, join: LastJoin, right: Relation, where: ops.Value | None
    ) -> tuple[bool, ops.Value | None]:
        """Whether a condition bounds the right side's time by the anchor's, and what else it asks for."""
        times = right.table.time, self.anchor.table.time
        if None in times or where is None:
            return False, where
        row, now = ops.Field(right.rows, times[0]), ops.Field(self.anchor.rows, times[1])
        bounds = {("<=", (row, now)), (">=", (now, row))}
        parts = _parts(where)
        rest = [p for p in parts if not (isinstance(p, Native) and (p.name, tuple(p.args)) in bounds)]
        if len(rest) == len(parts):
            return False, where
        left = None
        for part in rest:
            left = part if left is None else self.x.bind(join, "op", "and", [left, part])
        return True, left

    def _is_same_row(self, right: exp.Expr) -> bool:
        """Whether the right side is a subquery of the anchor's own table."""
        named = self.froms.query_of(right)
        while named is not None and isinstance(named.node, exp.Select):
            root = named.node.args["from_"].this
            if isinstance(root, exp.Table) and root.name.casefold() not in named.names:
                return root.name.casefold() == self.anchor.table.name.casefold()
            named = Froms(self.query, self.x, named.names, self.froms.select, named.node).query_of(root)
        return False

    def _same_row(self, join: LastJoin) -> Relation:
        """A join of two sets of features of one row: those of the right side where the condition holds."""
        relation, _ = self.froms.anchor(join.this)
        scope = Scope([*self.scope.relations, relation])
        conditions = [self.x.condition(_null_safe(part), scope) for part in conjuncts(join.args["on"])]
        if relation.where is not None:
            conditions.append(relation.where)
        condition = conditions[0]
        for part in conditions[1:]:
            condition = self.x.bind(join, "op", "and", [condition, part])
        columns = {name: kept(self.x, join, value, condition) for name, value in relation.columns.items()}
        return replace(relation, columns=columns, where=None)

    def _newest(self, join: LastJoin, branches: list[Relation]) -> Relation:
        """A join with a UNION ALL: the newest row of a window over all its branches."""
        made = []
        for right in branches:
            self._check_times(join, right)
            on, order = self._on(join, [right]), self._order(join, [right])
            made.append((right, on, order))
        first, on, order = made[0]
        source = row_source(self.x, join.this, self.anchor, first, on.where, order)
        if order is None and self.query.dialect.timed_joins:
            self.x.fail(
                join.this, f"{first.table.name} has no time to order a UNION ALL by", "ORDER BY a column"
            )
        stored = [row for row, _ in on.keys]
        union = tuple(
            self.windows.merged(join.this, first, right, stored, order, on.where, True)
            for right, on, _ in made[1:]
        )
        anchor_order = self.windows.order_anchor(join.this, order, first) if order is not None else None
        newest = WindowSpec(source, False, on.keys, order, anchor_order, Frame("rows", 1, 1), union=union)
        columns: dict[str, ops.Value] = {
            name: FeatureWindow("first", (value,), newest, self.anchor.rows, self.x.type_of(value))
            for name, value in first.columns.items()
        }
        return replace(first, columns=columns)

    def _grouped(self, join: LastJoin, group: Group) -> Relation:
        """A join with a grouped subquery: aggregates over the visible rows with that key, NULL where there is none."""
        if join.args.get("order") is not None:
            self.x.fail(join.args["order"], "a grouped subquery has one row for each key", "remove ORDER BY")
        self._check_times(join, group.rows)
        keyed = replace(group.rows, alias=group.alias, columns=group.keys)
        found = [(part, self._key(part, [keyed])) for part in conjuncts(join.args["on"])]
        keys = tuple(key for _, key in found if key is not None)
        missing = set(group.grouped_by) - {row for row, _ in keys}
        if missing:
            selected = [n for n, v in group.keys.items() if group.rows.stored(v) in missing]
            name = selected[0] if selected else min(missing)
            self.x.fail(
                join.args["on"],
                f"a grouped subquery is joined on all its group keys; {name!r} is not among them",
                f"ON {self.anchor.alias}.{name} = {group.alias}.{name}"
                + ("" if selected else f", and {name} in its SELECT list"),
            )
        relation = replace(keyed, columns=group.columns(self.windows, keys))
        scope = Scope([*self.scope.relations, relation], aggregates=True)
        for part, key in found:
            if key is None:
                condition = self.x.condition(part, scope)
                columns = {n: kept(self.x, part, v, condition) for n, v in relation.columns.items()}
                relation = replace(relation, columns=columns)
        return relation

    # -- checks

    def _named(self, join: LastJoin, right: Relation) -> Relation:
        if self.scope.relation(right.alias) is not None:
            self.x.fail(
                join.this, f"two tables of this query are named {right.alias!r}", "give one another alias"
            )
        return right

    def _check_times(self, join: LastJoin, right: Relation) -> None:
        """Stored rows would find nothing and requests, answered as of now, would find the newest row."""
        timed = self.query.dialect.timed_joins
        if timed and self.anchor.table.time is None and right.table.time is not None:
            self.x.fail(
                join.this,
                f"{right.table.name} is joined as of the anchor's time, and {self.anchor.table.name} has no time "
                "column",
                f"create {self.anchor.table.name} with time=",
            )

    # -- ORDER BY and ON

    def _order(self, join: LastJoin, rights: list[Relation]) -> str | None:
        right, order = rights[0], join.args.get("order")
        if order is None:
            return right.table.time
        item = order.expressions[0]
        if len(order.expressions) > 1 or item.args.get("desc"):
            self.x.fail(
                order, "LAST JOIN takes the greatest of one column", "ORDER BY one column, without DESC"
            )
        column = right.stored(self.x.translate(item.this, Scope(rights)))
        if column is None:
            self.x.fail(item, f"ORDER BY of a LAST JOIN needs a stored column of {right.table.name}")
        kind = right.table.columns[column]
        if kind not in ORDERED:
            self.x.fail(item, f"LAST JOIN is ordered by a time, date or integer column; {column} is {kind}")
        return column

    def _on(self, join: LastJoin, rights: list[Relation]) -> On:
        right = rights[0]
        scope = Scope([*self.scope.relations, *rights], aggregates=True)
        keys: list[tuple[str, ops.Value]] = []
        where = right.where
        for part in conjuncts(join.args["on"]):
            key = self._key(part, rights)
            if key is not None:
                keys.append(key)
                continue
            extra = self.x.condition(part, scope)
            where = extra if where is None else self.x.bind(part, "op", "and", [where, extra])
        if not keys:
            self.x.fail(
                join.args["on"],
                f"LAST JOIN needs an equality with a stored column of {right.alias}",
                f"ON {self.anchor.alias}.key = {right.alias}.key, where the right one is stored in "
                f"{right.table.name}, not computed",
            )
        return On(tuple(keys), where)

    def _key(self, part: exp.Expr, rights: list[Relation]) -> tuple[str, ops.Value] | None:
        """``left expression = right column``: a key, when the left side reads the anchor or an earlier join."""
        if not isinstance(part, exp.EQ):
            return None
        right = rights[0]
        for mine, other in ((part.this, part.expression), (part.expression, part.this)):
            if not (self._is_column_of(mine, rights) and any(r.find(mine.name) is not None for r in rights)):
                continue
            # What a subquery inside a window reads is not the join's.
            columns = [
                c
                for c in other.find_all(exp.Column)
                if c.find_ancestor(exp.Query) is part.find_ancestor(exp.Query)
            ]
            constant = not columns and other.find(exp.Window) is None
            if constant or any(self._is_column_of(column, rights) for column in columns):
                continue
            column = right.stored(self.x.translate(mine, Scope(rights)))
            if column is None:
                continue
            anchor = self.x.translate(other, self.scope)
            self.windows.check_key_types(part, right.table.columns[column], self.x.type_of(anchor))
            return column, anchor
        return None

    def _is_column_of(self, node: exp.Expr, rights: list[Relation]) -> bool:
        if not isinstance(node, exp.Column):
            return False
        if node.table:
            return node.table.casefold() in {right.alias.casefold() for right in rights}
        named = any(right.find(node.name) is not None for right in rights)
        return named and not list(self.scope.candidates(node.name))


def conjuncts(on: exp.Expr) -> list[exp.Expr]:
    """Return the parts of a condition that must all hold."""
    if isinstance(on, exp.Paren):
        return conjuncts(on.this)
    if isinstance(on, exp.And):
        return [*conjuncts(on.this), *conjuncts(on.expression)]
    return [on]


def _null_safe(part: exp.Expr) -> exp.Expr:
    """An equality as one of which NULL equals NULL."""
    return exp.NullSafeEQ(**part.args) if isinstance(part, exp.EQ) else part


def _parts(where: ops.Value) -> list[ops.Value]:
    """The conditions that a condition is the conjunction of."""
    if isinstance(where, Native) and (where.kind, where.name) == ("op", "and"):
        return [part for side in where.args for part in _parts(side)]
    return [where]
