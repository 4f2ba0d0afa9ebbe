"""One SELECT: its anchor, its names, its windows, its condition and its columns.

Every SELECT has an anchor of its own, the root of its FROM. A SELECT in FROM of another is folded into it: its columns
are values over the same anchor row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import ibis.expr.operations as ops
import ibis.expr.types as ir
from sqlglot import exp

from workbench.errors import did_you_mean
from workbench.plan.tables import SourceTable
from workbench.sql.dialect import FeatureWindowBody
from workbench.sql.froms import Froms
from workbench.sql.joins import Joins
from workbench.sql.outputs import TIMES, refusal
from workbench.sql.query import Named, Query, projection
from workbench.sql.scope import Relation, Scope
from workbench.sql.signatures import inside
from workbench.values.names import unused

_FILTER = (
    "filter the anchor with WHERE; by an aggregate, around a subquery: "
    "SELECT ... FROM (SELECT *, ... OVER w AS c FROM ...) WHERE c > 1"
)
_LIMITED = (
    "remove it; a frame such as ROWS BETWEEN 9 PRECEDING AND CURRENT ROW limits the rows that a window reads"
)

_LATER = {
    "group": (
        "GROUP BY",
        "use aggregates OVER a window; a grouped subquery can be the right side of a LAST JOIN ON its group key",
    ),
    "having": ("HAVING", _FILTER),
    "qualify": ("QUALIFY", _FILTER),
    "distinct": ("DISTINCT", "a feature view gives one row per anchor row"),
    "order": ("ORDER BY", "sort the result: view.offline().to_pandas().sort_values(...)"),
    "limit": ("LIMIT", "use view.preview(n) or view.offline(where=...)"),
    "offset": ("OFFSET", "use view.preview(n) or view.offline(where=...)"),
    "sample": ("USING SAMPLE", "use view.preview(n)"),
    "laterals": ("LATERAL", "use LAST JOIN"),
    "pivots": ("PIVOT", "write one aggregate with FILTER for each value"),
    "connect": ("CONNECT BY", "store the path as a column"),
}

#: What to write instead in a SELECT that another reads.
_INSIDE = {
    "order": "remove it: the window or LAST JOIN that reads these rows says their order with its own ORDER BY",
    "distinct": "remove it, and write count(DISTINCT x) where repeated values must not count",
    "limit": _LIMITED,
    "offset": _LIMITED,
    "sample": "remove it",
}


class Select:
    """A SELECT being translated.

    Parameters
    ----------
    query
        What the SELECTs of the text share.
    node
        The SELECT, or another query expression, which is refused.
    names
        The names of WITH that it sees.
    inside
        Whether another SELECT reads it.
    """

    def __init__(
        self, query: Query, node: exp.Expr, names: Mapping[str, Named], inside: bool = False
    ) -> None:
        self.query = query
        self.inside = inside
        self.x = query.expressions(self._over, lambda: self.time)
        self.node = self._statement(node)
        self.froms = Froms(query, self.x, names, partial(Select, inside=True), self.node)
        self.time: ops.Value | None = None
        self.where: ops.Value | None = None
        self.scope = Scope([])
        self.anchor, joins = self.froms.anchor(self._root())
        self.time = time_of(self.anchor)
        self.froms.reader = self.anchor.table.name
        self.scope.relations.append(self.anchor)
        history = self.anchor.at(query.relation(self.anchor.table, "row"))
        self.windows = query.dialect.windows(
            self.x, self.anchor, history, self.scope, self.froms.rows, self._history_where
        )
        self.aggregates = query.dialect.aggregates(self.x, self.windows)
        self._name_windows()
        self.joined = False
        made = Joins(query, self.x, self.froms, self.scope, self.windows)
        for join in (*joins, *(self.node.args.get("joins") or [])):
            self.scope.relations += made.relations(join)
        self.joined = True
        self.where = self._condition()
        for body in self.windows.named.values():
            self.windows.spec(body)

    @property
    def table(self) -> SourceTable:
        """The table of the anchor."""
        return self.anchor.table

    def expression(self, values: Mapping[str, ops.Value]) -> ir.Table:
        """Return values of the SELECT as an Ibis expression over the rows of its table."""
        return projection(self.anchor.rows, values, self.where)

    # -- the statement

    def _statement(self, node: exp.Expr) -> exp.Select:
        if isinstance(node, exp.SetOperation):
            self.x.fail(
                node,
                f"{node.key.upper()} gives rows of several tables, and a feature row is about one row of one table",
                "UNION ALL stands in sources: LAST JOIN (... UNION ALL ...), WINDOW w AS (UNION t2 ...)",
                word=node.key.upper(),
            )
        if isinstance(node, exp.Subquery):
            self.x.fail(node, "write the SELECT without parentheses around it")
        if not isinstance(node, exp.Select):
            self.x.fail(node, f"a feature view is one SELECT; {node.key.upper()} is not allowed here")
        for key, (words, hint) in _LATER.items():
            found = node.args.get(key)
            if found:
                place = found[0] if isinstance(found, list) else found
                place = place if isinstance(place, exp.Expr) else node
                hint = _INSIDE.get(key, hint) if self.inside else hint
                self.x.fail(place, f"{words} is not available in a feature query", hint, word=words)
        return node

    def _root(self) -> exp.Expr:
        source = self.node.args.get("from_")
        if source is None:
            self.x.fail(
                self.node,
                "a feature query needs FROM",
                "the table after FROM is the anchor: one row in, one feature row out",
                word="SELECT",
            )
        return source.this

    # -- WHERE

    def _condition(self) -> ops.Value | None:
        """The condition on anchor rows: that of the subqueries in FROM, and the SELECT's own."""
        where = self.node.args.get("where")
        if where is None:
            return self.anchor.where
        if (window := where.find(exp.Window)) is not None:
            self.x.fail(
                window,
                "WHERE comes before the windows and cannot use them",
                "filter the result instead, or compute the value in a subquery: "
                "FROM (SELECT *, ... OVER w AS c FROM ...) WHERE c > 1",
            )
        condition = self.x.condition(where.this, self.scope)
        above = self.anchor.where
        return condition if above is None else self.x.bind(where.this, "op", "and", [above, condition])

    def _history_where(self) -> ops.Value | None:
        """The condition on the rows of the anchor's history: WHERE filters history and anchors alike.

        Columns are those of the row, joined ones as of its own place; now() is the time of the row that asks.
        """
        history, where = self.windows.history, self.node.args.get("where")
        if where is None:
            return history.where
        scope = Scope([history], joined=[self.windows.joined(one) for one in self.scope.relations[1:]])
        if not self.joined:
            self._check_circle(where, scope)
        condition = self.x.condition(where.this, scope)
        above = history.where
        return condition if above is None else self.x.bind(where.this, "op", "and", [above, condition])

    def _check_circle(self, where: exp.Expr, scope: Scope) -> None:
        """A window that a join reads holds the rows that pass WHERE, so WHERE cannot read that join or a later one."""
        for column in where.find_all(exp.Column):
            name = column.parts[0].name
            if scope.relation(name) is None and not list(scope.candidates(name)):
                self.x.fail(
                    column,
                    "WHERE reads a join whose condition reads a window that WHERE filters",
                    "compute the window in a subquery: FROM (SELECT *, ... OVER w AS k FROM ...) LAST JOIN ...",
                )

    # -- WINDOW and the SELECT list

    def _name_windows(self) -> None:
        for body in self.node.args.get("windows") or []:
            name = body.this.name
            if name.casefold() in self.windows.named:
                self.x.fail(body.this, f"two windows are named {name!r}")
            if not isinstance(body, FeatureWindowBody):
                self.x.fail(body, "a window is written WINDOW name AS (...)")
            self.windows.named[name.casefold()] = body

    def columns(self) -> dict[str, ops.Value]:
        """Return the columns by their names, in order."""
        values: dict[str, ops.Value] = {}
        for item in self.node.expressions:
            for name, value in self._item(item, values):
                value = self._feature(item, value)
                self._add_column(item, values, name, value)
                self.scope.aliases.setdefault(name.casefold(), value)
        if not values:
            self.x.fail(self.node, "the query selects nothing", "name at least one feature")
        return values

    def _add_column(self, item: exp.Expr, columns: dict[str, ops.Value], name: str, value: ops.Value) -> None:
        if self.query.dialect.repeated_names:
            name = unused(name, set(map(str.casefold, columns)))
        if name.casefold() in (known.casefold() for known in columns):
            self.x.fail(
                item, f"two output columns are named {name!r}", "give one of them another name with AS"
            )
        if name.startswith("__"):
            self.x.fail(
                item, f"names that start with '__' are reserved: {name!r}", "choose another name with AS"
            )
        columns[name] = value

    def _feature(self, item: exp.Expr, value: ops.Value) -> ops.Value:
        """A value as a feature: of a type that both sides carry."""
        kind = self.x.type_of(value)
        if kind in TIMES:
            return self.x.bind(item, "op", "cast", [value], "TIMESTAMP")
        refused = refusal(kind)
        if refused is not None:
            self.x.fail(item, *refused)
        return value

    def _item(self, item: exp.Expr, before: dict[str, ops.Value]) -> list[tuple[str, ops.Value]]:
        if isinstance(item, exp.Star):
            return self._star(item, self.scope.relations)
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            found = self.scope.relation(item.table)
            if found is None:
                self.x.fail(item, f"no table or alias {item.table!r} in this query")
            return self._star(item.this, [found])
        value_node = item.this if isinstance(item, exp.Alias) else item
        value = self.x.translate(value_node, self.scope)
        return [(self._output_name(item, before), value)]

    def _star(self, star: exp.Expr, relations: list[Relation]) -> list[tuple[str, ops.Value]]:
        """``*`` with its EXCLUDE, REPLACE and RENAME."""
        columns = [pair for relation in relations for pair in relation.columns.items()]
        left_out = {self._named(node, columns) for node in star.args.get("except_") or []}
        replaced = {
            self._named(node, columns, node.alias): self.x.translate(node.this, self.scope)
            for node in star.args.get("replace") or []
        }
        renamed = {self._named(node.this, columns): str(node.alias) for node in star.args.get("rename") or []}
        return [
            (renamed.get(name.casefold(), name), replaced.get(name.casefold(), value))
            for name, value in columns
            if name.casefold() not in left_out
        ]

    def _named(self, node: exp.Expr, columns: list[tuple[str, ops.Value]], name: str = "") -> str:
        """The folded name of a column of ``*``, or fail at its place."""
        name = name or node.name
        names = [known for known, _ in columns]
        if name.casefold() not in {known.casefold() for known in names}:
            close = did_you_mean(name, names)
            self.x.fail(node, f"* has no column {name!r}" + (f"; {close}" if close else ""))
        return name.casefold()

    def _output_name(self, item: exp.Expr, before: dict[str, ops.Value]) -> str:
        if isinstance(item, exp.Alias):
            return str(item.alias)
        item = inside(item)
        if isinstance(item, exp.Column):
            return str(item.name)
        call = item.find(exp.Anonymous)
        name = call.name.lower() if call is not None else "feature"
        return unused(name, set(map(str.casefold, before)))

    # -- for the expression translator

    def _over(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """An aggregate: of the SELECT, or inside another, where it is the value for the anchor row."""
        if scope is self.scope or scope.aggregates:
            return self.aggregates.over(node, self.scope)
        if scope.window is None:
            self.x.fail(node, "a window function cannot stand here", "use it in the SELECT list")
        if not isinstance(node, exp.Window):
            node = self.windows.within(node, scope.window)
        return self.aggregates.over(node, self.scope)


def time_of(anchor: Relation) -> ops.Value | None:
    """Return what now means for an anchor row: its time, or None where its table has none."""
    return ops.Field(anchor.rows, anchor.table.time) if anchor.table.time is not None else None
