"""Feature queries as Ibis expressions: SELECT, FROM, LAST JOIN, WHERE, WINDOW and WITH."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.collections import FrozenOrderedDict
from sqlglot import exp

from workbench.errors import did_you_mean
from workbench.plan.ops import FeatureWindow, LookupSpec, relation
from workbench.plan.tables import SourceTable
from workbench.sql.aggregates import Aggregates
from workbench.sql.dialect import FeatureWindowBody, LastJoin
from workbench.sql.dialects import WORKBENCH, Dialect
from workbench.sql.functions import Functions
from workbench.sql.outputs import TIMES, refusal
from workbench.sql.scope import Relation, Scope
from workbench.sql.signatures import inside
from workbench.sql.sources import row_source
from workbench.sql.windows import ORDERED, Windows

_LATER = {
    "group": ("GROUP BY", "a feature view gives one row per anchor row; use aggregates OVER a window"),
    "having": ("HAVING", "filter the anchor with WHERE"),
    "qualify": ("QUALIFY", "filter the anchor with WHERE"),
    "distinct": ("DISTINCT", "a feature view gives one row per anchor row"),
    "order": ("ORDER BY", "sort the result: view.offline().to_pandas().sort_values(...)"),
    "limit": ("LIMIT", "use view.preview(n) or view.offline(where=...)"),
    "offset": ("OFFSET", "use view.preview(n) or view.offline(where=...)"),
    "sample": ("USING SAMPLE", "use view.preview(n)"),
    "laterals": ("LATERAL", "use LAST JOIN"),
    "pivots": ("PIVOT", "write one aggregate with FILTER for each value"),
    "connect": ("CONNECT BY", "store the path as a column"),
}


def translate(
    text: str, tables: Mapping[str, SourceTable], functions: Functions, dialect: Dialect = WORKBENCH
) -> ir.Table:
    """Return a feature query as an Ibis expression.

    Parameters
    ----------
    text
        One SELECT of the dialect.
    tables
        The project's tables by name.
    functions
        DuckDB's functions.
    dialect
        The text's dialect.

    Raises
    ------
    DefinitionError
        With line, column and a hint, for anything that is wrong or not available.
    """
    return _Select(text, tables, functions, dialect).translate()


class _Select:
    """One query being translated."""

    def __init__(
        self, text: str, tables: Mapping[str, SourceTable], functions: Functions, dialect: Dialect
    ) -> None:
        self.text = text
        self.dialect = dialect
        self.tables = {name.casefold(): table for name, table in tables.items()}
        self.x = dialect.expressions(text, functions, self._over, self._now)
        self.x.ahead = dialect.ahead
        self.ctes: dict[str, exp.Expr] = {}
        self.windows: Windows | None = None
        self.aggregates: Aggregates | None = None
        self.anchor: Relation
        self.anchor_time: ops.Value | None = None
        self.scope = Scope([])
        self.where_node: exp.Expr | None = None

    def translate(self) -> ir.Table:
        query = self.dialect.prepare(self.dialect.parse(self.text), self.tables, self.text)
        select = self._select_statement(query)
        for cte in query.args["with_"].expressions if query.args.get("with_") else []:
            self.ctes[cte.alias.casefold()] = cte.this
        if query.args.get("with_") and query.args["with_"].args.get("recursive"):
            self.x.fail(query.args["with_"], "recursive queries are not available in a feature query")
        root = self._root(select)
        self.anchor = self._relation(root, "anchor")
        history = self._relation(root, "row")
        self.scope = Scope([self.anchor])
        self.windows = self.dialect.windows(
            self.x, self.anchor, history, self.scope, self._relation, lambda: self._history_where(history)
        )
        self.aggregates = self.dialect.aggregates(self.x, self.windows)
        for join in select.args.get("joins") or []:
            self.scope.relations.append(self._last_join(join))
        where = select.args.get("where")
        self.where_node = where.this if where is not None else None
        if where is not None and (window := where.find(exp.Window)) is not None:
            self.x.fail(
                window, "WHERE comes before the windows and cannot use them", "filter the result instead"
            )
        self._name_windows(select)
        condition = self._anchor_where()
        values = self._outputs(select)
        parent: ops.Relation = self.anchor.rows
        if condition is not None:
            parent = ops.Filter(parent, (condition,))
        return ops.Project(parent, FrozenOrderedDict(_reparent(values, self.anchor.rows, parent))).to_expr()

    # -- the statement

    def _select_statement(self, query: exp.Expr) -> exp.Select:
        if isinstance(query, exp.SetOperation):
            self.x.fail(
                query,
                f"{query.key.upper()} is not available in this version",
                "define one view for each SELECT",
                word=query.key.upper(),
            )
        if isinstance(query, exp.Subquery):
            self.x.fail(query, "write the SELECT without parentheses around it")
        if not isinstance(query, exp.Select):
            self.x.fail(query, f"a feature view is one SELECT; {query.key.upper()} is not allowed here")
        self._refuse(query)
        return query

    def _refuse(self, select: exp.Select) -> None:
        for key, (words, hint) in _LATER.items():
            node = select.args.get(key)
            if node:
                place = node[0] if isinstance(node, list) else node
                self.x.fail(
                    place if isinstance(place, exp.Expr) else select,
                    f"{words} is not available in a feature query",
                    hint,
                    word=words,
                )

    def _root(self, select: exp.Select) -> exp.Expr:
        source = select.args.get("from_")
        if source is None:
            self.x.fail(
                select,
                "a feature query needs FROM",
                "the table after FROM is the anchor: one row in, one feature row out",
                word="SELECT",
            )
        return source.this

    # -- FROM items

    def _relation(self, node: exp.Expr, role: str) -> Relation:
        """Return a table, a name of WITH or a subquery as a relation."""
        alias = node.alias_or_name
        if isinstance(node, exp.Subquery):
            return self._projection(node.this, alias or "subquery", role)
        if not isinstance(node, exp.Table):
            self.x.fail(
                node,
                f"{node.key.upper()} cannot stand in FROM",
                "name a table of the project, or a subquery of one",
            )
        if node.args.get("joins"):
            self.x.fail(node.args["joins"][0], "nested joins are not available in this version")
        for key in ("pivots", "sample", "when", "version", "ordinality", "laterals"):
            if node.args.get(key):
                self.x.fail(node, f"{key.upper()} is not available in a feature query")
        if not isinstance(node.this, exp.Identifier):
            name = node.this.name or node.this.key
            self.x.fail(
                node,
                f"{name}() cannot stand in FROM: a feature query reads the project's tables only",
                "load the data first: project.create_table(name, path, time=...)",
            )
        if node.args.get("db") is None and node.name.casefold() in self.ctes:
            return self._projection(self.ctes[node.name.casefold()], alias, role)
        table = self._table(node)
        rows = relation(table, role)
        self.x.tables[rows] = table.columns
        if role == "anchor" and table.time is not None:
            self.anchor_time = ops.Field(rows, table.time)
        return Relation(alias, table, rows, {name: ops.Field(rows, name) for name in table.columns})

    def _table(self, node: exp.Table) -> SourceTable:
        name = node.name
        table = self.tables.get(name.casefold())
        if table is not None and node.args.get("db") is None:
            return table
        full = ".".join(part.name for part in node.parts)
        if any(mark in full for mark in "/.:*\\"):
            self.x.fail(
                node,
                f"{full!r} is not a table: a feature query reads the project's tables only",
                "load files first: project.create_table(name, path, time=...)",
            )
        close = did_you_mean(name, [table.name for table in self.tables.values()])
        known = ", ".join(sorted(table.name for table in self.tables.values())) or "none yet"
        self.x.fail(
            node, f"no table {name!r} in this project" + (f"; {close}" if close else ""), f"tables: {known}"
        )

    def _projection(self, select: exp.Expr, alias: str, role: str) -> Relation:
        """A subquery of one table that only projects and filters, folded into its table."""
        if not isinstance(select, exp.Select):
            self.x.fail(select, f"{select.key.upper()} in a subquery is not available in this version")
        self._refuse(select)
        for key, words in (
            ("joins", "a join in a subquery"),
            ("windows", "a window in a subquery"),
            ("with_", "WITH in a subquery"),
        ):
            if select.args.get(key):
                node = select.args[key]
                self.x.fail(
                    node[0] if isinstance(node, list) else node, f"{words} is not available in this version"
                )
        if (window := select.find(exp.Window)) is not None:
            self.x.fail(window, "a window in a subquery is not available in this version")
        inner = self._relation(self._root(select), role)
        scope = Scope([inner])
        columns: dict[str, ops.Value] = {}
        for item in select.expressions:
            for name, value in self._select_item(item, scope, columns):
                self._add_column(item, columns, name, value)
        where = inner.where
        if select.args.get("where") is not None:
            extra = self.x.condition(select.args["where"].this, scope)
            where = extra if where is None else self.x.bind(select, "op", "and", [where, extra])
        return Relation(alias, inner.table, inner.rows, columns, where)

    def _add_column(self, item: exp.Expr, columns: dict[str, ops.Value], name: str, value: ops.Value) -> None:
        if self.dialect.repeated_names:
            name = _numbered(name, columns)
        if name.casefold() in (known.casefold() for known in columns):
            self.x.fail(
                item, f"two output columns are named {name!r}", "give one of them another name with AS"
            )
        if name.startswith("__"):
            self.x.fail(
                item, f"names that start with '__' are reserved: {name!r}", "choose another name with AS"
            )
        columns[name] = value

    # -- LAST JOIN

    def _last_join(self, join: exp.Join) -> Relation:
        if not isinstance(join, LastJoin):
            words = " ".join(str(part) for part in (join.method, join.side, join.kind) if part) or "plain"
            self.x.fail(
                join,
                f"a {words} JOIN may give several rows for one anchor row",
                "write LAST JOIN ... ON ...: the newest matching row as of the anchor's time",
            )
        right = self._relation(join.this, "row")
        if self.scope.relation(right.alias) is not None:
            self.x.fail(
                join.this, f"two tables of this query are named {right.alias!r}", "give one another alias"
            )
        timed = self.dialect.timed_joins
        if timed and self.anchor.table.time is None and right.table.time is not None:
            # Stored rows would find nothing and requests, answered as of now, would find the newest row.
            self.x.fail(
                join.this,
                f"{right.table.name} is joined as of the anchor's time, and {self.anchor.table.name} has no time "
                "column",
                f"create {self.anchor.table.name} with time=",
            )
        scope = Scope([*self.scope.relations, right])
        keys, where = self._join_condition(join, right, scope)
        order = self._join_order(join, right)
        source = row_source(self.x, join.this, self.anchor, right, where, order)
        spec = LookupSpec(right.alias, source, tuple(keys), order, timed, self.dialect.null_keys)
        columns: dict[str, ops.Value] = {
            name: FeatureWindow("", (value,), spec, self.anchor.rows, self.x.type_of(value))
            for name, value in right.columns.items()
        }
        return Relation(right.alias, right.table, right.rows, columns)

    def _join_order(self, join: LastJoin, right: Relation) -> str | None:
        order = join.args.get("order")
        if order is None:
            return right.table.time
        item = order.expressions[0]
        if len(order.expressions) > 1 or item.args.get("desc"):
            self.x.fail(
                order, "LAST JOIN takes the greatest of one column", "ORDER BY one column, without DESC"
            )
        value = self.x.translate(item.this, Scope([right]))
        if not (isinstance(value, ops.Field) and value.rel == right.rows):
            self.x.fail(item, f"ORDER BY of a LAST JOIN needs a stored column of {right.table.name}")
        return self._orderable(item, str(value.name), right)

    def _orderable(self, node: exp.Expr, column: str, right: Relation) -> str:
        kind = right.table.columns[column]
        if kind not in ORDERED:
            self.x.fail(node, f"LAST JOIN is ordered by a time, date or integer column; {column} is {kind}")
        return column

    def _join_condition(
        self, join: LastJoin, right: Relation, scope: Scope
    ) -> tuple[list[tuple[str, ops.Value]], ops.Value | None]:
        assert self.windows is not None
        keys: list[tuple[str, ops.Value]] = []
        where = right.where
        on = join.args["on"]
        for part in on.flatten() if isinstance(on, exp.And) else [on]:
            part = part.unnest()
            key = self._join_key(part, right)
            if key is not None:
                keys.append(key)
                continue
            extra = self.x.condition(part, scope)
            where = extra if where is None else self.x.bind(part, "op", "and", [where, extra])
        if not keys:
            self.x.fail(
                on,
                "LAST JOIN needs an equality of a column of each side",
                f"ON {self.anchor.alias}.key = {right.alias}.key",
            )
        return keys, where

    def _join_key(self, part: exp.Expr, right: Relation) -> tuple[str, ops.Value] | None:
        """``left expression = right column``: a key, when the left side reads the anchor or an earlier join."""
        assert self.windows is not None
        if not isinstance(part, exp.EQ):
            return None
        for mine, other in ((part.this, part.expression), (part.expression, part.this)):
            if not self._is_column_of(mine, right):
                continue
            if not any(True for _ in other.find_all(exp.Column)) or self._reads(other, right):
                continue
            value = self.x.translate(mine, Scope([right]))
            if not (isinstance(value, ops.Field) and value.rel == right.rows):
                continue
            anchor = self.x.translate(other, self.scope)
            self.windows.check_key_types(part, right.table.columns[str(value.name)], self.x.type_of(anchor))
            return str(value.name), anchor
        return None

    def _is_column_of(self, node: exp.Expr, right: Relation) -> bool:
        if not isinstance(node, exp.Column):
            return False
        if node.table:
            return node.table.casefold() == right.alias.casefold()
        return right.find(node.name) is not None and not list(self.scope.candidates(node.name))

    def _reads(self, node: exp.Expr, right: Relation) -> bool:
        return any(self._is_column_of(column, right) for column in node.find_all(exp.Column))

    # -- WHERE

    def _anchor_where(self) -> ops.Value | None:
        where = self.anchor.where
        if self.where_node is None:
            return where
        condition = self.x.condition(self.where_node, self.scope)
        return condition if where is None else self.x.bind(self.where_node, "op", "and", [where, condition])

    def _history_where(self, history: Relation) -> ops.Value | None:
        """WHERE on the rows of the anchor's history: it filters history and anchors alike."""
        if self.where_node is None:
            return history.where
        for column in self.where_node.find_all(exp.Column):
            found = self.scope.relation(column.table) if column.table else None
            names = [found] if found else [relation for relation, _ in self.scope.candidates(column.name)]
            if any(relation is not self.anchor for relation in names):
                self.x.fail(
                    column,
                    "WHERE on a joined column beside history windows is not available in this version",
                    "filter inside the aggregates with FILTER (WHERE ...)",
                )
        condition = self.x.condition(self.where_node, Scope([history]))
        if history.where is None:
            return condition
        return self.x.bind(self.where_node, "op", "and", [history.where, condition])

    # -- WINDOW and the SELECT list

    def _name_windows(self, select: exp.Select) -> None:
        assert self.windows is not None
        for body in select.args.get("windows") or []:
            name = body.this.name
            if name.casefold() in self.windows.named:
                self.x.fail(body.this, f"two windows are named {name!r}")
            if not isinstance(body, FeatureWindowBody):
                self.x.fail(body, "a window is written WINDOW name AS (...)")
            self.windows.named[name.casefold()] = body
        for body in self.windows.named.values():
            self.windows.spec(body)

    def _outputs(self, select: exp.Select) -> dict[str, ops.Value]:
        values: dict[str, ops.Value] = {}
        for item in select.expressions:
            for name, value in self._select_item(item, self.scope, values):
                value = self._feature(item, value)
                self._add_column(item, values, name, value)
                self.scope.aliases.setdefault(name.casefold(), value)
        if not values:
            self.x.fail(select, "the query selects nothing", "name at least one feature")
        return values

    def _feature(self, item: exp.Expr, value: ops.Value) -> ops.Value:
        """A value as a feature: of a type that both sides carry."""
        kind = self.x.type_of(value)
        if kind in TIMES:
            return self.x.bind(item, "op", "cast", [value], "TIMESTAMP")
        refused = refusal(kind)
        if refused is not None:
            self.x.fail(item, *refused)
        return value

    def _select_item(
        self, item: exp.Expr, scope: Scope, before: dict[str, ops.Value]
    ) -> list[tuple[str, ops.Value]]:
        if isinstance(item, exp.Star):
            self._plain_star(item)
            return [pair for relation in scope.relations for pair in relation.columns.items()]
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            self._plain_star(item.this)
            found = scope.relation(item.table)
            if found is None:
                self.x.fail(item, f"no table or alias {item.table!r} in this query")
            return list(found.columns.items())
        value_node = item.this if isinstance(item, exp.Alias) else item
        value = self.x.translate(value_node, scope)
        return [(self._output_name(item, before), value)]

    def _plain_star(self, star: exp.Expr) -> None:
        if any(star.args.get(key) for key in ("except_", "except", "replace", "rename")):
            self.x.fail(
                star, "* EXCLUDE, REPLACE and RENAME are not available in this version", "name the columns"
            )

    def _output_name(self, item: exp.Expr, before: dict[str, ops.Value]) -> str:
        if isinstance(item, exp.Alias):
            return str(item.alias)
        item = inside(item)
        if isinstance(item, exp.Column):
            return str(item.name)
        call = item.find(exp.Anonymous)
        return _numbered(call.name.lower() if call is not None else "feature", before)

    # -- for the expression translator

    def _over(self, node: exp.Expr, scope: Scope) -> ops.Value:
        if self.aggregates is None or scope is not self.scope:
            self.x.fail(node, "a window function cannot stand here", "use it in the SELECT list")
        return self.aggregates.over(node, scope)

    def _now(self) -> ops.Value | None:
        return self.anchor_time


def _reparent(
    values: dict[str, ops.Value], rows: ops.UnboundTable, parent: ops.Relation
) -> dict[str, ops.Value]:
    """Values over the anchor as values over the filtered anchor."""
    if parent is rows:
        return values
    return {name: value.replace({rows: parent}) for name, value in values.items()}


def _numbered(name: str, before: Mapping[str, ops.Value]) -> str:
    """A name, with a number where it is taken."""
    taken = {known.casefold() for known in before}
    unique, number = name, 1
    while unique.casefold() in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique
