"""Where features come from: which tables and columns a plan reads for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from workbench.functions import is_full_name
from workbench.plan import expr as e
from workbench.plan.expr import Expr
from workbench.plan.model import FeaturePlan, Lookup, Source, Window


@dataclass(frozen=True, order=True)
class ColumnRef:
    """A column of a table."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, order=True)
class FunctionRef:
    """A version of a Python function."""

    function: str
    version: str

    def __str__(self) -> str:
        return f"{self.function}@{self.version}"


@dataclass(frozen=True)
class FeatureLineage:
    """What one feature reads, whether for its value, to find rows, to order them or to filter.

    ``functions`` are the Python functions that it is computed with.
    """

    feature: str
    type: str
    columns: tuple[ColumnRef, ...]
    functions: tuple[FunctionRef, ...] = ()


def features(plan_json: str) -> Sequence[FeatureLineage]:
    """Return the lineage of every feature of a plan, in the plan's order."""
    tracer = _Tracer(_plan(plan_json))
    found = []
    for output in tracer.plan.outputs:
        read = set(tracer.feature(output.expr))
        columns = tuple(sorted(ref for ref in read if isinstance(ref, ColumnRef)))
        called = tuple(sorted(ref for ref in read if isinstance(ref, FunctionRef)))
        found.append(FeatureLineage(output.name, output.type, columns, called))
    return found


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

    def feature(self, expr: Expr) -> Iterator[ColumnRef | FunctionRef]:
        yield from self._expr(expr, None)
        yield from self._filters()

    def _filters(self) -> Iterator[ColumnRef | FunctionRef]:
        """What decides whether there is a row at all."""
        yield from self._expr(self.plan.where, None)
        if self.plan.rows is not None:
            yield from _Tracer(self.plan.rows)._filters()

    def _expr(self, expr: Expr | None, source: Source | None) -> Iterator[ColumnRef | FunctionRef]:
        """The columns behind an expression; ``source`` is where its rows come from."""
        for node in e.walk(expr) if expr is not None else ():
            if isinstance(node, e.Call) and is_full_name(node.name):
                function, _, version = node.name.rpartition("@")
                yield FunctionRef(function, version)
            elif isinstance(node, e.AggregateRef):
                yield from self._aggregate(node.name)
            elif isinstance(node, e.Column) and node.source == e.ANCHOR:
                yield from _column(self.plan.table, self.plan.rows, node.name)
            elif isinstance(node, e.Column) and node.source == e.ROW and source is not None:
                yield from _column(source.table, source.rows, node.name)
            elif isinstance(node, e.Column) and node.source in self.lookups:
                yield from self._lookup(node.source, node.name)

    def _aggregate(self, name: str) -> Iterator[ColumnRef | FunctionRef]:
        aggregate = self.aggregates[name]
        window = self.windows[aggregate.window]
        read = set()
        for expr in (*aggregate.inputs, window.source.where):
            yield from self._expr(expr, window.source)
            read |= e.columns(expr, e.ROW)
        yield from self._found(window)
        yield from self._expr(window.order_anchor, None)
        for union in window.union:
            read |= {key.row for key in window.keys} | ({window.order} if window.order is not None else set())
            for column, expr in union.columns:
                if column in read:
                    yield from self._expr(expr, union.source)
            yield from self._rows(union.source)

    def _lookup(self, name: str, column: str) -> Iterator[ColumnRef | FunctionRef]:
        lookup = self.lookups[name]
        yield from self._expr(dict(lookup.columns).get(column), lookup.source)
        yield from self._found(lookup)
        if lookup.timed and lookup.source.time is not None:
            yield from _column(lookup.source.table, lookup.source.rows, lookup.source.time)

    def _found(self, part: Window | Lookup) -> Iterator[ColumnRef | FunctionRef]:
        """How the rows of a window or lookup are found."""
        source = part.source
        if part.order is not None:
            yield from _column(source.table, source.rows, part.order)
        for key in part.keys:
            yield from _column(source.table, source.rows, key.row)
            yield from self._expr(key.anchor, None)
        yield from self._rows(source)

    def _rows(self, source: Source) -> Iterator[ColumnRef | FunctionRef]:
        """What decides which rows of a source there are."""
        yield from self._expr(source.where, source)
        if source.rows is not None:
            yield from _Tracer(source.rows)._filters()


def _column(table: str, rows: FeaturePlan | None, name: str) -> Iterator[ColumnRef | FunctionRef]:
    """A column of a table, or what is behind it where a plan computes the rows."""
    if rows is None:
        yield ColumnRef(table, name)
    else:
        expr = next(output.expr for output in rows.outputs if output.name == name)
        yield from _Tracer(rows)._expr(expr, None)
