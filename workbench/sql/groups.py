"""Grouped subqueries as the right side of a LAST JOIN: aggregates over the visible rows with the anchor's key."""

from __future__ import annotations

from dataclasses import dataclass, replace

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.model import Frame
from workbench.plan.ops import FeatureWindow, WindowSpec
from workbench.sql.expressions import Expressions
from workbench.sql.froms import Froms, alias_of
from workbench.sql.scope import Relation, Scope
from workbench.sql.sources import row_source
from workbench.sql.windows import Windows


@dataclass(frozen=True)
class Group:
    """A grouped subquery, before it is known what it is joined on.

    ``rows`` are the rows that are grouped, ``keys`` the outputs that are group keys, as stored columns of them;
    ``inner`` is the name of the rows inside the subquery.
    """

    expressions: Expressions
    select: exp.Select
    alias: str
    inner: str
    rows: Relation
    grouped_by: tuple[str, ...]
    keys: dict[str, ops.Value]

    def columns(self, windows: Windows, keys: tuple[tuple[str, ops.Value], ...]) -> dict[str, ops.Value]:
        """Return the outputs for an anchor row with these keys, NULL where no row has them or HAVING does not hold."""
        x = self.expressions
        body = exp.Window()
        rows, order = self.rows, self.rows.table.time
        anchor_order = windows.order_anchor(self.select, order, rows) if order is not None else None
        source = row_source(x, self.select, windows.anchor, rows, rows.where, order)
        frame = Frame("range" if order is not None else "rows", None, 0)
        spec = WindowSpec(source, False, keys, order, anchor_order, frame)
        windows.adopt(body, spec, Scope([self._named(rows)], [*windows.constants.relations], window=body))

        def over(function: str, kind: str, *args: ops.Value) -> FeatureWindow:
            return FeatureWindow(function, args, spec, windows.anchor.rows, kind)

        by = {
            name: over("first", x.type_of(rows.columns[name]), rows.columns[name]) for name in self.grouped_by
        }
        scope = Scope([replace(self._named(rows), columns=dict(by), hidden=self._many())], window=body)
        count = over("count_star", "BIGINT")
        exists: ops.Value = x.bind(self.select, "op", ">", [count, x.constant(self.select, "0")])
        if self.select.args.get("having") is not None:
            having = self.select.args["having"].this
            exists = x.bind(having, "op", "and", [exists, x.condition(having, scope)])
        values = {}
        for item in self.select.expressions:
            value = x.translate(item.this if isinstance(item, exp.Alias) else item, scope)
            values[_name(x, item)] = kept(x, item, value, exists)
        return values

    def _many(self) -> dict[str, tuple[str, str]]:
        """The columns of the rows that are no group keys: a group has many values of each."""
        keys = ", ".join(self.grouped_by)
        return {
            name: (
                f"{name!r} is not a group key: a group has many values of it",
                f"aggregate it, such as max({name}), or write GROUP BY {keys}, {name} and join on {name} too",
            )
            for name in self.rows.columns
            if name not in self.grouped_by
        }

    def _named(self, rows: Relation) -> Relation:
        return Relation(self.inner, rows.table, rows.rows, rows.columns, rows.where, rows.plan)


def grouped(x: Expressions, froms: Froms, node: exp.Expr) -> Group | None:
    """Return a FROM item as a grouped subquery, or None where it is something else."""
    named = froms.query_of(node)
    if named is None or not isinstance(named.node, exp.Select) or not named.node.args.get("group"):
        return None
    select = named.node
    group = select.args["group"]
    if any(group.args.get(key) for key in ("grouping_sets", "cube", "rollup", "totals", "all")):
        x.fail(group, "a feature query groups by columns", "GROUP BY column", word="GROUP")
    for call in select.find_all(exp.Anonymous):
        if call.name.casefold() == "lag" and call.find_ancestor(exp.Window) is None:
            x.fail(
                call, "lag() needs a window: a group has no row that it counts back from", "lag(x, 1) OVER w"
            )
    plain = select.copy()
    plain.set("expressions", [exp.Star()])
    plain.set("group", None)
    plain.set("having", None)
    rows = froms.subquery(plain, named.names, "")
    root = select.args["from_"].this
    inner = alias_of(root)
    scope = Scope([Relation(inner, rows.table, rows.rows, rows.columns)])
    by: dict[str, str] = {}
    for item in group.expressions:
        if not isinstance(item, exp.Column):
            x.fail(item, "a feature query groups by columns", "name a column of the subquery's table")
        column = rows.stored(x.translate(item, scope))
        if column is None:
            x.fail(
                item,
                f"GROUP BY needs a stored column of {rows.table.name}",
                "store the value as a column of it",
            )
        by[item.name.casefold()] = next(n for n in rows.columns if n.casefold() == item.name.casefold())
    keys = {
        _name(x, item): rows.columns[by[value.name.casefold()]]
        for item in select.expressions
        if isinstance(value := item.this if isinstance(item, exp.Alias) else item, exp.Column)
        and value.name.casefold() in by
    }
    return Group(x, select, alias_of(node), inner, rows, tuple(by.values()), keys)


def kept(x: Expressions, node: exp.Expr, value: ops.Value, condition: ops.Value) -> ops.Value:
    """Return a value where a condition holds, else NULL."""
    return x.bind(node, "op", "case", [condition, value, x.node_null(exp.Null(), Scope([]))])


def _name(x: Expressions, item: exp.Expr) -> str:
    if isinstance(item, exp.Alias | exp.Column) and not isinstance(item.this, exp.Star):
        return str(item.alias_or_name)
    x.fail(item, "a computed column of a grouped subquery needs a name", "write AS name behind it")
