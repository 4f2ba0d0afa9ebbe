"""Plans as values: what a view computes, over the anchor row of a query that stands on it."""

from __future__ import annotations

from dataclasses import replace

import ibis.expr.operations as ops

from workbench.plan import expr as e
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Source, Union, Window
from workbench.plan.ops import FeatureWindow, LookupSpec, Native, RowSource, Staged, UnionSpec, WindowSpec
from workbench.plan.tables import SourceTable
from workbench.sql.query import Query
from workbench.sql.scope import Relation, at_row


def inlined(query: Query, alias: str, plan: FeaturePlan, base: SourceTable) -> Relation:
    """Return the output of a plan as a relation over the anchor rows of its table.

    Parameters
    ----------
    query
        The query that stands on the plan.
    alias
        Its name there.
    plan
        The plan.
    base
        The table of its anchor rows.
    """
    tree = _Tree(query, plan, base)
    return Relation(alias, base, tree.anchor, tree.outputs(), tree.where())


class _Tree:
    """The values of a plan: what :mod:`workbench.plan.analyze` makes it of."""

    def __init__(self, query: Query, plan: FeaturePlan, base: SourceTable) -> None:
        self.query = query
        self.plan = plan
        self.base = base
        self.anchor = query.relation(base, "anchor")
        self.history = query.relation(base, "row")
        self.below = None if plan.rows is None else _Tree(query, plan.rows, base)
        self.lookups = {lookup.name: lookup for lookup in plan.lookups}
        self.windows = {window.name: window for window in plan.windows}
        self.aggregates = {aggregate.name: aggregate for aggregate in plan.aggregates}
        self.specs: dict[str, WindowSpec | LookupSpec] = {}

    def outputs(self) -> dict[str, ops.Value]:
        return {output.name: self.value(output.expr) for output in self.plan.outputs}

    def where(self) -> ops.Value | None:
        """The condition on anchor rows: the plan's, and that of the plan below."""
        mine = None if self.plan.where is None else self.value(self.plan.where)
        below = None if self.below is None else self.below.where()
        if mine is None or below is None or mine == below:
            return below if mine is None else mine
        return Native("op", "and", (below, mine), "BOOLEAN")

    # -- values

    def value(self, expr: e.Expr, source: RowSource | None = None) -> ops.Value:
        """A plan expression as a value; columns of a row are those of ``source``."""
        if isinstance(expr, e.Literal):
            return Native("literal", expr.sql, (), expr.type)
        if isinstance(expr, e.AggregateRef):
            return self._aggregate(self.aggregates[expr.name])
        if isinstance(expr, e.Column):
            return self._column(expr, source)
        args = tuple(self.value(arg, source) for arg in expr.args)
        if isinstance(expr, e.Call):
            return Native("call", expr.name, args, expr.type)
        if isinstance(expr, e.Sql):
            return Native("sql", expr.template, args, expr.type)
        return Native("op", expr.op, args, expr.type)

    def _column(self, column: e.Column, source: RowSource | None) -> ops.Value:
        if column.source == e.ANCHOR:
            return self._of_anchor(column.name)
        if column.source == e.ROW:
            assert source is not None
            return self._of_row(column, source)
        lookup = self.lookups[column.source]
        spec = self._lookup(lookup)
        value = self.value(dict(lookup.columns)[column.name], spec.source)
        return FeatureWindow("", (value,), spec, self.anchor, column.type)

    def _of_anchor(self, name: str) -> ops.Value:
        if self.below is None:
            return ops.Field(self.anchor, name)
        output = next(output for output in self.below.plan.outputs if output.name == name)
        return self.below.value(output.expr)

    def _of_row(self, column: e.Column, source: RowSource) -> ops.Value:
        """A column of a row: of the history, where the plan below computes what its table does not have."""
        if source.rows != self.history or source.plan is not None:
            return ops.Field(source.rows, column.name)
        value = at_row(self._of_anchor(column.name), self.anchor, self.history)
        if isinstance(value, ops.Field | Staged):
            return value
        return Staged(self._of_anchor(column.name), self.history, column.type)

    def _aggregate(self, aggregate: Aggregate) -> FeatureWindow:
        spec = self._window(self.windows[aggregate.window])
        return FeatureWindow(
            function=aggregate.function,
            args=tuple(self.value(arg, spec.source) for arg in aggregate.args),
            spec=spec,
            anchor=self.anchor,
            duckdb_type=aggregate.type,
            distinct=aggregate.distinct,
            where=None if aggregate.where is None else self.value(aggregate.where, spec.source),
            cast=aggregate.cast,
            order=tuple(self.value(key.value, spec.source) for key in aggregate.order),
            directions=tuple((key.descending, key.nulls_first) for key in aggregate.order),
        )

    # -- sources

    def _source(self, source: Source, history: bool = False) -> RowSource:
        """The rows of a source. A history is that of this query's anchor, whatever plan computes columns of it."""
        table = self.query.tables[source.table.casefold()]
        rows = self.history
        if source.rows is not None and not history:
            described = SourceTable(f"{table.name} {source.rows.hash}", source.rows.features)
            rows = self.query.relation(described, "row")
        elif not history:
            rows = self.query.relation(table, "source")
        plan = None if history else source.rows
        made = RowSource(table.name, source.time, source.own, rows, None, source.delay, source.ttl, plan)
        where = None if source.where is None else self.value(source.where, made)
        return replace(made, where=where)

    def _lookup(self, lookup: Lookup) -> LookupSpec:
        if lookup.name not in self.specs:
            keys = tuple((key.row, self.value(key.anchor)) for key in lookup.keys)
            source = self._source(lookup.source)
            self.specs[lookup.name] = LookupSpec(
                lookup.name, source, keys, lookup.order, lookup.timed, lookup.null_keys
            )
        spec = self.specs[lookup.name]
        assert isinstance(spec, LookupSpec)
        return spec

    def _window(self, window: Window) -> WindowSpec:
        if window.name not in self.specs:
            source = self._source(window.source, window.history)
            self.specs[window.name] = WindowSpec(
                source,
                window.history,
                tuple((key.row, self.value(key.anchor)) for key in window.keys),
                window.order,
                None if window.order_anchor is None else self.value(window.order_anchor),
                window.frame,
                window.maxsize,
                window.exclude_current_row,
                window.exclude_current_time,
                window.instance_not_in_window,
                tuple(self._union(union, source) for union in window.union),
            )
        spec = self.specs[window.name]
        assert isinstance(spec, WindowSpec)
        return spec

    def _union(self, union: Union, window: RowSource) -> UnionSpec:
        source = self._source(union.source)
        columns = []
        for name, value in union.columns:
            column = self._of_row(e.Column(e.ROW, name, self._type(name)), window)
            columns.append((column, self.value(value, source)))
        return UnionSpec(source, tuple(columns), union.beside)

    def _type(self, name: str) -> str:
        return dict(self.plan.anchor_columns).get(name, "")
