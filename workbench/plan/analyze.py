"""From the Ibis tree of a view to its :class:`~workbench.plan.model.FeaturePlan`.

What a plan cannot say by itself is computed by a plan below it (``rows``): joined columns and aggregates that a history
window reads from its rows, and aggregates that a key, a condition or another aggregate reads of the anchor row. Such
values are *staged*: they become columns of the plan below, which is analysed in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import ibis.expr.operations as ops
import ibis.expr.types as ir
import msgspec

from workbench.errors import DefinitionError, did_you_mean
from workbench.plan import expr as e
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Key, Lookup, SortKey, Source, Union, Window
from workbench.plan.native import native
from workbench.plan.ops import (
    FeatureWindow,
    LookupSpec,
    Native,
    RowSource,
    Staged,
    UnionSpec,
    WindowSpec,
    relation,
)
from workbench.plan.prune import anchor_expressions, pruned
from workbench.plan.tables import SourceTable
from workbench.plan.unfold import Unfolded, unfold

T = TypeVar("T", bound=msgspec.Struct)
Staging = dict[ops.Value, tuple[str, str]]


def analyze(
    expression: ir.Table,
    tables: Mapping[str, SourceTable],
    type_of: Callable[[FeaturePlan], dict[str, str]] | None = None,
    dialect: str = "workbench",
) -> FeaturePlan:
    """Return the plan of a feature view.

    Parameters
    ----------
    expression
        The view as an Ibis expression: projections and filters of one table, with feature windows.
    tables
        The project's tables by name.
    type_of
        Returns the exact DuckDB types of a plan's outputs; without it the types of the tree stand.
    dialect
        Recorded in the plan: the same text means other things in another dialect.

    Raises
    ------
    DefinitionError
        When the tree holds something that has no online form.
    """
    by_name = {name.casefold(): table for name, table in tables.items()}
    plan = pruned(_plan(unfold(expression.op(), by_name), by_name, dialect))
    if type_of is None:
        return plan
    types = type_of(plan)
    return _with(plan, outputs=tuple(_with(output, type=types[output.name]) for output in plan.outputs))


def _plan(view: Unfolded, tables: Mapping[str, SourceTable], dialect: str) -> FeaturePlan:
    """The plan of a view, over one of staged values where it needs them."""
    staged: Staging = {}
    while True:
        analysis = _Analysis(view, tables, dialect, staged)
        plan = analysis.plan()
        if not analysis.missing:
            return plan
        staged = staged | analysis.missing


class _Analysis:
    """One plan: values over its anchor rows, of which those in ``staged`` are columns of the plan below."""

    def __init__(
        self, view: Unfolded, tables: Mapping[str, SourceTable], dialect: str, staged: Staging
    ) -> None:
        self.view = view
        self.anchor = view.anchor
        self.tables = tables
        self.dialect = dialect
        self.staged = staged
        self.missing: Staging = {}
        self.windows: dict[Window, Window] = {}
        self.lookups: dict[LookupSpec, str] = {}
        self.lookup_columns: dict[LookupSpec, dict[e.Expr, str]] = {}
        self.built: list[Lookup] = []
        self.aggregates: dict[Aggregate, Aggregate] = {}

    def plan(self) -> FeaturePlan:
        """Return the plan; where ``missing`` is not empty then, it is to be made again with that staged too."""
        where = e.conjunction(*[self.expr(value) for value in self.view.filters])
        outputs = []
        for name, value in self.view.outputs.items():
            rendered = self.expr(value)
            outputs.append(Feature(name, rendered, rendered.type, _kind(value)))
        plan = FeaturePlan(
            table=self.anchor.name,
            time=self.anchor.time,
            anchor_columns=(),
            where=where,
            lookups=tuple(self._finished_lookups()),
            windows=tuple(self._finished_windows()),
            aggregates=tuple(self.aggregates.values()),
            outputs=tuple(outputs),
            dialect=self.dialect,
        )
        plan = _with(plan, anchor_columns=self._anchor_columns(plan))
        return plan if self.missing or not self.staged else self._over(plan, self._below(plan))

    def _anchor_columns(self, plan: FeaturePlan) -> tuple[tuple[str, str], ...]:
        used = {plan.time} if plan.time else set()
        for value in anchor_expressions(plan):
            used |= e.columns(value, e.ANCHOR)
        for window in plan.windows:
            if window.history:
                used |= plan.columns_of(window)
        columns = self.anchor.columns | dict(self.staged.values())
        return tuple((name, kind) for name, kind in columns.items() if name in used)

    # -- the plan below

    def _below(self, plan: FeaturePlan) -> FeaturePlan:
        """The plan of the staged values, with the columns of the table that this one reads."""
        staged = {name: value for value, (name, _) in self.staged.items()}
        root = relation(self.anchor, "anchor")
        read: dict[str, ops.Value] = {
            name: ops.Field(root, name) for name, _ in plan.anchor_columns if name not in staged
        }
        filters = self.view.filters if self._is_filtered_below(plan) else []
        return _plan(Unfolded(self.anchor, read | staged, filters), self.tables, self.dialect)

    def _is_filtered_below(self, plan: FeaturePlan) -> bool:
        """Whether the rows that WHERE leaves out may be left out below: the history is without the same ones.

        It is not where WHERE reads now(), which is the asking row's time, or what only the plan above knows.
        """
        if any(value.find((FeatureWindow, Staged)) for value in self.view.filters):
            return False
        of_row = None if plan.where is None else e.transform(plan.where, _as_row)
        return all(window.source.where == of_row for window in plan.windows if window.history)

    def _over(self, plan: FeaturePlan, below: FeaturePlan) -> FeaturePlan:
        """This plan over the one below: history windows that read staged columns read its rows."""
        staged = {name for name, _ in self.staged.values()}
        windows = []
        for window in plan.windows:
            if window.history and plan.columns_of(window) & staged:
                window = _with(window, source=_with(window.source, rows=below))
            windows.append(window)
        return _with(plan, windows=tuple(windows), rows=below)

    def _stage(self, value: ops.Value, kind: str, source: str) -> e.Column:
        """A value of an anchor row as a column of the plan below: of the anchor, or of a row of its history."""
        if value not in self.staged and value not in self.missing:
            self.missing[value] = (f"__v{len(self.staged) + len(self.missing)}", kind)
        name, _ = self.staged.get(value) or self.missing[value]
        return e.Column(source, name, kind)

    # -- values

    def expr(self, value: ops.Value, source: RowSource | None = None, early: bool = False) -> e.Expr:
        """Return a value as a plan expression.

        Parameters
        ----------
        value
            The value.
        source
            The rows at hand: their fields are columns of a window's row.
        early
            Whether it is read before the aggregates are there, as in a key.
        """
        if isinstance(value, ops.Field):
            return self._field(value, source)
        if isinstance(value, Staged):
            row = source is not None and value.rows == source.rows
            return self._stage(value.value, value.duckdb_type, e.ROW if row else e.ANCHOR)
        if isinstance(value, FeatureWindow):
            aggregate = not isinstance(value.spec, LookupSpec)
            if value in self.staged or (aggregate and (early or source is not None)):
                return self._stage(value, value.duckdb_type, e.ANCHOR)
            return self._feature_window(value)
        if isinstance(value, ops.TimestampNow | ops.DateNow):
            return self._now(isinstance(value, ops.DateNow))
        if isinstance(value, Native) and value.kind == "signature":
            return self.expr(value.args[0], source, early)
        if isinstance(value, Native):
            args = tuple(self.expr(arg, source, early) for arg in value.args)
            return _native(value, args)
        return native(value, lambda child: self.expr(child, source, early))

    def _early(self, value: ops.Value) -> e.Expr:
        return self.expr(value, early=True)

    def _field(self, field: ops.Field, source: RowSource | None) -> e.Column:
        name = str(field.name)
        if source is not None and field.rel == source.rows:
            columns = (
                self.tables[source.table.casefold()].columns if source.plan is None else source.plan.features
            )
            return e.Column(e.ROW, name, columns[name])
        if name not in self.anchor.columns:
            close = did_you_mean(name, self.anchor.columns)
            raise DefinitionError(
                f"no column {name!r} in {self.anchor.name}" + (f"; {close}" if close else ""),
                hint=f"its columns are {', '.join(self.anchor.columns)}",
            )
        return e.Column(e.ANCHOR, name, self.anchor.columns[name])

    def _now(self, date: bool) -> e.Expr:
        """ibis.now() and ibis.today(): the time of the anchor row, on both sides."""
        if self.anchor.time is None:
            raise DefinitionError("now() is the anchor row's time, and the anchor table has no time column")
        time = e.Column(e.ANCHOR, self.anchor.time, "TIMESTAMP")
        return e.Op("cast", (time,), "DATE") if date else time

    def _feature_window(self, value: FeatureWindow) -> e.Expr:
        if isinstance(value.spec, LookupSpec):
            return self._lookup_column(value.spec, value.args[0], value.duckdb_type)
        window = self._window(value.spec)
        source = value.spec.source
        aggregate = Aggregate(
            name="",
            window=window.name,
            function=value.function,
            args=tuple(self.expr(arg, source) for arg in value.args),
            type=value.duckdb_type,
            distinct=value.distinct,
            where=self.expr(value.where, source) if value.where is not None else None,
            cast=value.cast,
            order=tuple(
                SortKey(self.expr(key, source), descending, nulls_first)
                for key, (descending, nulls_first) in zip(value.order, value.directions, strict=True)
            ),
        )
        if aggregate not in self.aggregates:
            name = f"a{len(self.aggregates)}"
            self.aggregates[aggregate] = _with(aggregate, name=name, written=value.written)
        return e.AggregateRef(self.aggregates[aggregate].name, value.duckdb_type)

    # -- windows and lookups

    def _source(self, source: RowSource) -> Source:
        where = self.expr(source.where, source) if source.where is not None else None
        return Source(source.table, source.time, source.own, where, source.delay, source.ttl, source.plan)

    def _window(self, spec: WindowSpec) -> Window:
        window = Window(
            name="",
            source=self._source(spec.source),
            history=spec.history,
            keys=tuple(Key(row, self._early(anchor)) for row, anchor in spec.keys),
            order=spec.order,
            order_anchor=self._early(spec.order_anchor) if spec.order_anchor is not None else None,
            frame=spec.frame,
            maxsize=spec.maxsize,
            exclude_current_row=spec.exclude_current_row,
            exclude_current_time=spec.exclude_current_time,
            instance_not_in_window=spec.instance_not_in_window,
            union=tuple(self._union(union, spec.source) for union in spec.union),
        )
        if window not in self.windows:
            self.windows[window] = _with(window, name=f"w{len(self.windows)}")
        return self.windows[window]

    def _union(self, spec: UnionSpec, window: RowSource) -> Union:
        """A source of a merged window; staged columns that nothing reads are not staged for it."""
        columns = []
        for column, value in spec.columns:
            if isinstance(column, Staged) and column.value not in self.staged:
                continue
            name = self.expr(column, window)
            assert isinstance(name, e.Column)
            columns.append((name.name, self.expr(value, spec.source)))
        return Union(self._source(spec.source), tuple(columns), spec.beside)

    def _lookup_column(self, spec: LookupSpec, value: ops.Value, kind: str) -> e.Column:
        if spec not in self.lookups:
            # Keys and conditions may read earlier lookups, which get their names (and places) first.
            keys = tuple(Key(row, self._early(anchor)) for row, anchor in spec.keys)
            source = self._source(spec.source)
            name = self.lookups[spec] = f"j{len(self.lookups)}"
            self.lookup_columns[spec] = {}
            self.built.append(Lookup(name, source, keys, spec.order, (), spec.timed, spec.null_keys))
        columns = self.lookup_columns[spec]
        row_value = self.expr(value, spec.source)
        if row_value not in columns:
            columns[row_value] = f"c{len(columns)}"
        return e.Column(self.lookups[spec], columns[row_value], kind)

    def _finished_windows(self) -> list[Window]:
        """The windows, with those columns of their unions that anything reads."""
        finished = []
        for window in self.windows.values():
            read = {key.row for key in window.keys} | e.columns(window.source.where, e.ROW)
            read |= {window.order} if window.order is not None else set()
            for aggregate in self.aggregates.values():
                if aggregate.window == window.name:
                    read = read.union(*(e.columns(v, e.ROW) for v in aggregate.inputs))
            union = tuple(
                _with(u, columns=tuple((name, value) for name, value in u.columns if name in read))
                for u in window.union
            )
            finished.append(_with(window, union=union))
        return finished

    def _finished_lookups(self) -> list[Lookup]:
        by_name = {name: spec for spec, name in self.lookups.items()}
        finished = []
        for lookup in self.built:
            columns = self.lookup_columns[by_name[lookup.name]]
            finished.append(_with(lookup, columns=tuple((name, value) for value, name in columns.items())))
        return finished


def _as_row(expr: e.Expr) -> e.Expr | None:
    """A column of the anchor row as that of a row of its history."""
    if isinstance(expr, e.Column) and expr.source == e.ANCHOR:
        return e.Column(e.ROW, expr.name, expr.type)
    return None


def _kind(value: ops.Value) -> str | None:
    """What an output is to a model, where the query says it."""
    return value.name if isinstance(value, Native) and value.kind == "signature" else None


def _native(value: Native, args: tuple[e.Expr, ...]) -> e.Expr:
    if value.kind == "literal":
        return e.Literal(value.name, value.duckdb_type)
    if value.kind == "call":
        return e.Call(value.name, args, value.duckdb_type)
    if value.kind == "sql":
        return e.Sql(value.name, args, value.duckdb_type)
    return e.Op(value.name, args, value.duckdb_type)


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
