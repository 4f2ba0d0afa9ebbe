"""From the Ibis tree of a view to its :class:`~workbench.plan.model.FeaturePlan`."""

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
from workbench.plan.ops import FeatureWindow, LookupSpec, Native, RowSource, UnionSpec, WindowSpec
from workbench.plan.tables import SourceTable

K = TypeVar("K")
T = TypeVar("T", bound=msgspec.Struct)


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
    return _Analysis(expression.op(), tables, dialect).plan(type_of)


class _Analysis:
    def __init__(self, root: ops.Relation, tables: Mapping[str, SourceTable], dialect: str) -> None:
        self.tables = {name.casefold(): table for name, table in tables.items()}
        self.dialect = dialect
        self.outputs: dict[str, ops.Value] = {}
        self.filters: list[ops.Value] = []
        self.anchor = self._unfold(root)
        self.windows: dict[Window, Window] = {}
        self.lookups: dict[LookupSpec, str] = {}
        self.lookup_columns: dict[LookupSpec, dict[e.Expr, str]] = {}
        self.built: list[Lookup] = []
        self.aggregates: dict[Aggregate, Aggregate] = {}

    # -- relations

    def _unfold(self, root: ops.Relation) -> SourceTable:
        """Inline projections and filters down to the anchor table."""
        node = root
        values: dict[str, ops.Value] | None = None
        while not isinstance(node, ops.PhysicalTable):
            if isinstance(node, ops.Project):
                below = dict(node.values)
                values = below if values is None else self._inlined(values, node, below)
                self.filters = list(self._inlined(dict(enumerate(self.filters)), node, below).values())
                node = node.parent
            elif isinstance(node, ops.Filter | ops.DropColumns):
                parent_fields = {name: ops.Field(node.parent, name) for name in node.schema}
                values = self._inlined(values, node, parent_fields) if values is not None else parent_fields
                self.filters = [
                    *(node.predicates if isinstance(node, ops.Filter) else ()),
                    *self._inlined(dict(enumerate(self.filters)), node, parent_fields).values(),
                ]
                node = node.parent
            else:
                raise DefinitionError(
                    f"{type(node).__name__} has no online form",
                    hint="a feature view projects and filters one table, with windows and last joins",
                )
        if isinstance(node, ops.InMemoryTable):
            raise DefinitionError(
                "a DataFrame cannot be the anchor of a view in this version",
                hint="project.create_table(name, frame, time=...), then ibis.table(schema, name=name)",
            )
        name = str(node.name)
        table = self.tables.get(name.casefold())
        if table is None:
            raise DefinitionError(f"no table {name!r} in this project")
        self.root = node
        self.outputs = values if values is not None else {n: ops.Field(node, n) for n in node.schema}
        return table

    def _inlined(
        self, values: Mapping[K, ops.Value], relation: ops.Relation, below: Mapping[str, ops.Value]
    ) -> dict[K, ops.Value]:
        """Values over ``relation`` as values over what lies below it."""
        fields = {ops.Field(relation, name): value for name, value in below.items()}
        fields[relation] = relation.parent
        return {key: value.replace(fields) for key, value in values.items()}

    # -- the plan

    def plan(self, type_of: Callable[[FeaturePlan], dict[str, str]] | None) -> FeaturePlan:
        where = e.conjunction(*[self.expr(value) for value in self.filters])
        outputs = []
        for name, value in self.outputs.items():
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
        if type_of is None:
            return plan
        types = type_of(plan)
        return _with(plan, outputs=tuple(_with(output, type=types[output.name]) for output in plan.outputs))

    def _anchor_columns(self, plan: FeaturePlan) -> tuple[tuple[str, str], ...]:
        used = {plan.time} if plan.time else set()
        for value in anchor_expressions(plan):
            used |= e.columns(value, e.ANCHOR)
        for window in plan.windows:
            if window.history:
                used |= plan.columns_of(window)
        return tuple((name, kind) for name, kind in self.anchor.columns.items() if name in used)

    # -- values

    def expr(self, value: ops.Value, rows: ops.Relation | None = None) -> e.Expr:
        """Return a value as a plan expression; fields of ``rows`` are columns of a window's row."""
        if isinstance(value, ops.Field):
            return self._field(value, rows)
        if isinstance(value, FeatureWindow):
            return self._feature_window(value)
        if isinstance(value, ops.TimestampNow | ops.DateNow):
            return self._now(isinstance(value, ops.DateNow))
        if isinstance(value, Native) and value.kind == "signature":
            return self.expr(value.args[0], rows)
        if isinstance(value, Native):
            args = tuple(self.expr(arg, rows) for arg in value.args)
            return _native(value, args)
        return native(value, lambda child: self.expr(child, rows))

    def _field(self, field: ops.Field, rows: ops.Relation | None) -> e.Column:
        relation = field.rel
        if rows is not None and relation == rows:
            table = self.tables[str(relation.name).casefold()]
            return e.Column(e.ROW, str(field.name), table.columns[str(field.name)])
        if field.name not in self.anchor.columns:
            close = did_you_mean(str(field.name), self.anchor.columns)
            raise DefinitionError(
                f"no column {field.name!r} in {self.anchor.name}" + (f"; {close}" if close else ""),
                hint=f"its columns are {', '.join(self.anchor.columns)}",
            )
        return e.Column(e.ANCHOR, str(field.name), self.anchor.columns[str(field.name)])

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
        rows = value.spec.source.rows
        aggregate = Aggregate(
            name="",
            window=window.name,
            function=value.function,
            args=tuple(self.expr(arg, rows) for arg in value.args),
            type=value.duckdb_type,
            distinct=value.distinct,
            where=self.expr(value.where, rows) if value.where is not None else None,
            cast=value.cast,
            order=tuple(
                SortKey(self.expr(key, rows), descending, nulls_first)
                for key, (descending, nulls_first) in zip(value.order, value.directions, strict=True)
            ),
        )
        if aggregate not in self.aggregates:
            self.aggregates[aggregate] = _with(aggregate, name=f"a{len(self.aggregates)}")
        return e.AggregateRef(self.aggregates[aggregate].name, value.duckdb_type)

    def _source(self, source: RowSource) -> Source:
        where = self.expr(source.where, source.rows) if source.where is not None else None
        return Source(source.table, source.time, source.own, where, source.delay, source.ttl)

    def _window(self, spec: WindowSpec) -> Window:
        window = Window(
            name="",
            source=self._source(spec.source),
            history=spec.history,
            keys=tuple(Key(row, self.expr(anchor)) for row, anchor in spec.keys),
            order=spec.order,
            order_anchor=self.expr(spec.order_anchor) if spec.order_anchor is not None else None,
            frame=spec.frame,
            maxsize=spec.maxsize,
            exclude_current_row=spec.exclude_current_row,
            exclude_current_time=spec.exclude_current_time,
            instance_not_in_window=spec.instance_not_in_window,
            union=tuple(self._union(union) for union in spec.union),
        )
        if window not in self.windows:
            self.windows[window] = _with(window, name=f"w{len(self.windows)}")
        return self.windows[window]

    def _union(self, spec: UnionSpec) -> Union:
        columns = tuple((name, self.expr(value, spec.source.rows)) for name, value in spec.columns)
        return Union(self._source(spec.source), columns)

    def _lookup_column(self, spec: LookupSpec, value: ops.Value, kind: str) -> e.Column:
        if spec not in self.lookups:
            # Keys and conditions may read earlier lookups, which get their names (and places) first.
            keys = tuple(Key(row, self.expr(anchor)) for row, anchor in spec.keys)
            source = self._source(spec.source)
            self.lookups[spec] = f"j{len(self.lookups)}"
            self.lookup_columns[spec] = {}
            name = self.lookups[spec]
            self.built.append(Lookup(name, source, keys, spec.order, (), spec.timed, spec.null_keys))
        columns = self.lookup_columns[spec]
        row_value = self.expr(value, spec.source.rows)
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


def anchor_expressions(plan: FeaturePlan) -> list[e.Expr]:
    """Every expression of a plan that may read the anchor row."""
    found: list[e.Expr | None] = [plan.where, *(output.expr for output in plan.outputs)]
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        found += [part.source.where, *(key.anchor for key in part.keys)]
        if isinstance(part, Window):
            found += [union.source.where for union in part.union]
    found += [window.order_anchor for window in plan.windows]
    for aggregate in plan.aggregates:
        found += aggregate.inputs
    return [value for value in found if value is not None]


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
