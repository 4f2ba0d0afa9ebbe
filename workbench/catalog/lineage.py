"""Where features come from: which tables and columns a plan reads for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from workbench.plan import expr as e
from workbench.plan.expr import Expr
from workbench.plan.model import FeaturePlan


@dataclass(frozen=True, order=True)
class ColumnRef:
    """A column of a table."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class FeatureLineage:
    """What one feature reads, whether for its value, to find rows, to order them or to filter."""

    feature: str
    type: str
    columns: tuple[ColumnRef, ...]


def features(plan_json: str) -> Sequence[FeatureLineage]:
    """Return the lineage of every feature of a plan, in the plan's order."""
    tracer = _Tracer(_plan(plan_json))
    return [
        FeatureLineage(output.name, output.type, tuple(sorted(set(tracer.feature(output.expr)))))
        for output in tracer.plan.outputs
    ]


def tables(plan_json: str) -> Sequence[str]:
    """Return the tables that a plan reads, the anchor's first."""
    return _plan(plan_json).tables()


@lru_cache(maxsize=256)
def _plan(plan_json: str) -> FeaturePlan:
    return FeaturePlan.from_json(plan_json)


class _Tracer:
    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self.lookups = {lookup.name: lookup for lookup in plan.lookups}
        self.windows = {window.name: window for window in plan.windows}
        self.aggregates = {aggregate.name: aggregate for aggregate in plan.aggregates}

    def feature(self, expr: Expr) -> Iterator[ColumnRef]:
        yield from self._expr(expr, row_table=None)
        yield from self._expr(self.plan.where, row_table=None)

    def _expr(self, expr: Expr | None, row_table: str | None) -> Iterator[ColumnRef]:
        if expr is None:
            return
        for node in e.walk(expr):
            if isinstance(node, e.AggregateRef):
                yield from self._aggregate(node.name)
            elif isinstance(node, e.Column) and node.source == e.ANCHOR:
                yield ColumnRef(self.plan.table, node.name)
            elif isinstance(node, e.Column) and node.source == e.ROW and row_table is not None:
                yield ColumnRef(row_table, node.name)
            elif isinstance(node, e.Column) and node.source in self.lookups:
                yield from self._lookup(node.source, node.name)

    def _aggregate(self, name: str) -> Iterator[ColumnRef]:
        aggregate = self.aggregates[name]
        window = self.windows[aggregate.window]
        table = window.source.table
        for expr in (*aggregate.inputs, window.source.where):
            yield from self._expr(expr, table)
        if window.order is not None:
            yield ColumnRef(table, window.order)
        yield from self._expr(window.order_anchor, table)
        for key in window.keys:
            yield ColumnRef(table, key.row)
            yield from self._expr(key.anchor, table)

    def _lookup(self, name: str, column: str) -> Iterator[ColumnRef]:
        lookup = self.lookups[name]
        table = lookup.source.table
        yield from self._expr(dict(lookup.columns).get(column), table)
        yield from self._expr(lookup.source.where, table)
        for order in (lookup.order, lookup.source.time):
            if order is not None:
                yield ColumnRef(table, order)
        for key in lookup.keys:
            yield ColumnRef(table, key.row)
            yield from self._expr(key.anchor, table)
