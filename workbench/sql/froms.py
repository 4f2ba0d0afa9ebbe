"""What stands in FROM: tables, names of WITH, subqueries, joins in parentheses, UNION ALL of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import ibis.expr.operations as ops
import msgspec
from sqlglot import exp

from workbench.errors import WorkbenchError, did_you_mean
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.sql.derived import derived
from workbench.sql.expressions import Expressions
from workbench.sql.inlined import inlined
from workbench.sql.query import Named, Query
from workbench.sql.scope import Relation, is_windowed
from workbench.sql.signatures import unmarked

if TYPE_CHECKING:
    from workbench.sql.selects import Select

_TABLE_ONLY = ("pivots", "sample", "when", "version", "ordinality", "laterals")


class Froms:
    """Translates the sources of one SELECT.

    Parameters
    ----------
    query
        What the SELECTs of the text share.
    expressions
        The SELECT's expression translator.
    names
        The names of WITH that it sees.
    select
        Translates a SELECT inside it.
    node
        The SELECT, which may bring a WITH of its own.
    """

    def __init__(
        self,
        query: Query,
        expressions: Expressions,
        names: Mapping[str, Named],
        select: Callable[[Query, exp.Expr, Mapping[str, Named]], Select],
        node: exp.Expr,
    ) -> None:
        self.query = query
        self.x = expressions
        self.names = self._with(node, names)
        #: Translates a SELECT inside it.
        self.select = select
        #: The table of the SELECT's anchor, once it is known.
        self.reader = ""

    # -- the anchor

    def anchor(self, node: exp.Expr) -> tuple[Relation, list[exp.Expr]]:
        """Return the root of FROM as the anchor row, and the joins in its parentheses."""
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table) and not node.alias:
            self._check(node, node.this.args)
            return self.anchor(node.this)
        joins = list(node.args.get("joins") or []) if isinstance(node, exp.Table) else []
        query = self.query_of(node)
        if query is None and (view := self._view(node)) is not None:
            return inlined(self.query, alias_of(node), view, self._base(node, view)), joins
        if query is not None:
            select = self.select(self.query, query.node, query.names)
            return replace(
                select.anchor, alias=alias_of(node), columns=unmarked(select.columns()), where=select.where
            ), joins
        return self._table(node, "anchor"), joins

    # -- sources of rows

    def rows(self, node: exp.Expr) -> list[Relation]:
        """Return a source of rows: one relation, or one for each branch of a UNION ALL."""
        query = self.query_of(node)
        if query is None and (view := self._view(node)) is not None:
            return [self._rows_of(view, alias_of(node), self._base(node, view))]
        if query is None:
            return [self._table(node, "row")]
        names = query.names
        if isinstance(query.node, exp.SetOperation):
            names = self._with(query.node, names)
        branches = self._branches(query.node)
        merged = len(branches) > 1
        found = [self.subquery(branch, names, alias_of(node), merged) for branch in branches]
        for branch, relation in zip(branches[1:], found[1:], strict=True):
            if [n.casefold() for n in relation.columns] != [n.casefold() for n in found[0].columns]:
                self.x.fail(
                    branch,
                    f"the SELECTs of a UNION ALL need the same column names, in order: {', '.join(found[0].columns)}",
                    f"here they are {', '.join(relation.columns)}; rename them with AS",
                )
        return found

    def joined(self, node: exp.Subquery) -> list[Relation]:
        """Return the tables of joins in parentheses as relations over one source of rows."""
        select = self.select(self.query, _star(node.this), self.names)
        places = [
            (relation, column, column if number == 0 else f"__{number}_{column}", value)
            for number, relation in enumerate(select.scope.relations)
            for column, value in relation.columns.items()
        ]
        plan = self.query.plan_of(select.expression({name: value for _, _, name, value in places}))
        whole = derived(self.query, "", plan, select.table, self.reader)
        return [
            replace(
                whole,
                alias=relation.alias,
                columns={c: whole.columns[name] for of, c, name, _ in places if of is relation},
            )
            for relation in select.scope.relations
        ]

    def subquery(
        self, node: exp.Expr, names: Mapping[str, Named], alias: str, merged: bool = False
    ) -> Relation:
        """Return a SELECT as a source of rows: folded into its table, or as rows of a plan of its own.

        What other tables are ``merged`` with needs a column for each of its values.
        """
        select = self.select(self.query, node, names)
        columns = unmarked(select.columns())
        computed = merged and not all(isinstance(v, ops.Field) and v.name == n for n, v in columns.items())
        values = [*columns.values(), *([select.where] if select.where is not None else [])]
        if computed or any(is_windowed(value) for value in values):
            plan = self.query.plan_of(select.expression(columns))
            return replace(derived(self.query, alias, plan, select.table, self.reader), select=node)
        folded = replace(select.anchor, alias=alias, columns=columns, where=select.where, select=node)
        return folded.at(self.query.relation(select.table, "row"))

    def _rows_of(self, view: FeaturePlan, alias: str, base: SourceTable) -> Relation:
        """A view as a source of rows: folded into its table, or as rows of its plan."""
        folded = inlined(self.query, alias, view, base)
        values = [*folded.columns.values(), *([folded.where] if folded.where is not None else [])]
        if any(is_windowed(value) for value in values):
            return derived(self.query, alias, view, base, self.reader)
        return folded.at(self.query.relation(base, "row"))

    def _branches(self, node: exp.Expr) -> list[exp.Expr]:
        """The SELECTs of a UNION ALL, or the one that there is."""
        if isinstance(node, exp.Subquery):
            return self._branches(node.this)
        if not isinstance(node, exp.SetOperation):
            return [node]
        if not isinstance(node, exp.Union) or node.args.get("distinct"):
            self.x.fail(
                node,
                f"{node.key.upper()} of sources would compare rows with each other",
                "write UNION ALL, and count(DISTINCT x) where repeated rows must not count",
                word=node.key.upper(),
            )
        for key in ("order", "limit", "offset", "by_name"):
            if node.args.get(key):
                self.x.fail(node, f"{key.upper()} is not available with UNION ALL of sources", "remove it")
        return [*self._branches(node.this), *self._branches(node.expression)]

    # -- tables and names

    def _with(self, node: exp.Expr, names: Mapping[str, Named]) -> Mapping[str, Named]:
        """The names that the parts of a query see, with those of its WITH."""
        clause = node.args.get("with_")
        if clause is None:
            return names
        if clause.args.get("recursive"):
            self.x.fail(clause, "recursive queries are not available in a feature query")
        seen = dict(names)
        own: set[str] = set()
        for cte in clause.expressions:
            if cte.alias.casefold() in own:
                self.x.fail(
                    cte.args["alias"], f"two parts of WITH are named {cte.alias!r}", "rename one of them"
                )
            own.add(cte.alias.casefold())
            seen = {**seen, cte.alias.casefold(): Named(cte.this, seen)}
        return seen

    def query_of(self, node: exp.Expr) -> Named | None:
        """Return the query that a FROM item stands for, or None for a table."""
        self._check(node, node.args)
        if isinstance(node, exp.Subquery):
            if isinstance(node.this, exp.Table):
                return Named(_star(node.this), self.names)
            return Named(node.this, self.names)
        if not isinstance(node, exp.Table):
            self.x.fail(
                node,
                f"{node.key.upper()} cannot stand in FROM",
                "name a table of the project, or a subquery of one",
            )
        if not isinstance(node.this, exp.Identifier):
            name = node.this.name or node.this.key
            self.x.fail(
                node,
                f"{name}() cannot stand in FROM: a feature query reads the project's tables only",
                "load the data first: project.create_table(name, path, time=...)",
            )
        return self.names.get(node.name.casefold()) if node.args.get("db") is None else None

    def _check(self, node: exp.Expr, args: Mapping[str, object]) -> None:
        for key in _TABLE_ONLY:
            if args.get(key):
                self.x.fail(node, f"{key.upper()} is not available in a feature query")
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
            self.x.fail(alias, "columns are renamed in the SELECT list", "write AS name behind each of them")

    def _view(self, node: exp.Expr) -> FeaturePlan | None:
        """The plan of the view that a name stands for, or None for a table."""
        version = node.meta.get("version")
        if not isinstance(node, exp.Table) or node.args.get("db") is not None:
            return None
        if node.name.casefold() in self.query.tables:
            if version is not None:
                self.x.fail(
                    node, f"{node.name} is a table, and only views have versions", f"write {node.name}"
                )
            return None
        try:
            found = self.query.views.find(node.name, version)
        except WorkbenchError as error:
            self.x.fail(node, error.message, error.hint)
        if found is None:
            return None
        return msgspec.structs.replace(found[1], views=(), params=())

    def _base(self, node: exp.Expr, view: FeaturePlan) -> SourceTable:
        missing = [name for name in view.tables() if name.casefold() not in self.query.tables]
        if missing:
            self.x.fail(
                node, f"the view {node.name} reads the table {missing[0]}, which is not there any more"
            )
        return self.query.tables[view.table.casefold()]

    def _table(self, node: exp.Expr, role: str) -> Relation:
        table = self._source_table(node)
        rows = self.query.relation(table, role)
        return Relation(alias_of(node), table, rows, {name: ops.Field(rows, name) for name in table.columns})

    def _source_table(self, node: exp.Expr) -> SourceTable:
        name = node.name
        table = self.query.tables.get(name.casefold())
        if table is not None and node.args.get("db") is None:
            return table
        full = ".".join(part.name for part in node.parts) if isinstance(node, exp.Table) else name
        if any(mark in full for mark in "/.:*\\"):
            self.x.fail(
                node,
                f"{full!r} is not a table: a feature query reads the project's tables only",
                "load files first: project.create_table(name, path, time=...)",
            )
        part, clause = node.find_ancestor(exp.CTE), node.find_ancestor(exp.With)
        later = {cte.alias.casefold() for cte in clause.expressions} if clause is not None else set()
        if part is not None and name.casefold() in later:
            self.x.fail(
                node,
                f"{name!r} is a part of WITH that is not made yet: a part sees those before it",
                f"name a table of the project, or write {name} AS (...) before {part.alias}",
            )
        names = [table.name for table in self.query.tables.values()]
        views = self.query.views.names()
        close = did_you_mean(name, [*names, *views])
        known = ", ".join(sorted(names)) or "none yet"
        self.x.fail(
            node,
            f"no table or view {name!r} in this project" + (f"; {close}" if close else ""),
            f"tables: {known}" + (f"; views: {', '.join(views)}" if views else ""),
        )


def alias_of(node: exp.Expr) -> str:
    """Return the name of a FROM item in its query."""
    return str(node.alias_or_name) or "subquery"


def _star(table: exp.Expr) -> exp.Select:
    """Joins in parentheses as a SELECT of all their columns."""
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=table))
