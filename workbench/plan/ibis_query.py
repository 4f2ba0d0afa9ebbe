"""A view written in Ibis as a query of the workbench's dialect, so that both have one meaning and one set of checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.common.collections import FrozenOrderedDict

from workbench.errors import DefinitionError
from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Column, Expr
from workbench.plan.ibis_aggregates import call_of
from workbench.plan.ibis_api import LastJoined, OtherWindow
from workbench.plan.ibis_select import Select, made_of_windows
from workbench.plan.ibis_windows import frame_of, keys_of, order_of
from workbench.plan.native import native
from workbench.plan.ops import duckdb_type
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import name
from workbench.values.names import unused

#: Relations that cannot be: what to do instead.
_REFUSED: dict[type[ops.Relation], str] = {
    ops.Aggregate: "aggregate over a window instead: t.x.sum().over(wb.window(...)); a grouped table may stand on the "
    "right of a last join",
    ops.Sort: "sort the result: view.offline().to_pandas().sort_values(...)",
    ops.Limit: "use view.preview(n) or view.offline(where=...); for the commonest values of a window, aggregate with "
    "mode(), or approx_top_k as an @ibis.udf.agg.builtin",
    ops.Distinct: "a feature view gives one row per anchor row",
    ops.Sample: "use view.preview(n)",
    ops.SQLQueryResult: "give the text itself to project.define",
    ops.SQLStringView: "give the text itself to project.define",
    ops.TableUnnest: "a feature view gives one row per anchor row; aggregate the list instead",
    ops.Union: "tables are mixed in a window: wb.window(union=[...])",
    ops.Intersection: "use a last join",
    ops.Difference: "use a last join",
}


def query_of(expression: ir.Table, tables: Mapping[str, SourceTable]) -> str:
    """Return a view written in Ibis as feature SQL.

    Parameters
    ----------
    expression
        Projections and filters of one table of the project, with windows over it and last joins.
    tables
        The project's tables by name.

    Raises
    ------
    DefinitionError
        Something in it has no online form; the hint says what to write.
    """
    return Query({table.name.casefold(): table for table in tables.values()}).select(expression.op()).text()


def memtables(expression: ir.Table) -> dict[str, pa.Table]:
    """Return the rows of the DataFrames in an expression, by the names that it has for them."""
    found = expression.op().find(ops.InMemoryTable)
    return {str(node.name): node.data.to_pyarrow(node.schema) for node in found}


class Query:
    """Turns relations into SELECTs; aliases are unique in the whole query."""

    def __init__(self, tables: Mapping[str, SourceTable]) -> None:
        self.tables = tables
        self.taken: set[str] = set()

    def alias(self, table: str) -> str:
        """Return a name for a table that nothing in the query has yet."""
        return unused(table, self.taken)

    # -- relations

    def select(self, node: ops.Relation) -> Select:
        """Return a relation as a SELECT that can still be added to."""
        if isinstance(node, ops.Project):
            made = self._project(node)
        elif isinstance(node, ops.Filter):
            made = self._filter(node)
        elif isinstance(node, ops.DropColumns):
            made = self.select(node.parent)
            made = replace(made, columns={n: v for n, v in made.columns.items() if n in node.schema})
        elif isinstance(node, LastJoined):
            made = self._last_join(node)
        elif isinstance(node, ops.JoinChain):
            made = self._join_chain(node)
        elif isinstance(node, ops.Reference):
            # A name of its own for a relation that may stand elsewhere in the query too.
            made = replace(self.select(node.parent), fields={})
        elif isinstance(node, ops.UnboundTable | ops.DatabaseTable | ops.InMemoryTable):
            made = self._table(node)
        else:
            hint = _REFUSED.get(
                type(node), "a feature view projects and filters one table, with windows and last joins"
            )
            raise DefinitionError(f"{type(node).__name__} has no online form", hint=hint)
        made.fields[node] = made.columns
        return made

    def _table(self, node: ops.PhysicalTable) -> Select:
        called = str(node.name)
        table = self.tables.get(called.casefold())
        if table is None and isinstance(node, ops.InMemoryTable):
            raise DefinitionError(
                "a DataFrame cannot be a table of a view",
                hint="project.create_table(name, frame, time=...); project.preview(...) tries a query on one",
            )
        if table is None and isinstance(node, ops.DatabaseTable):
            raise DefinitionError(
                f"{called!r} is not a table of this project, but a table or result of a database",
                hint="start from project.table(name).to_ibis(); another view is named in SQL: SELECT ... FROM view",
            )
        alias = self.alias(called)
        columns: dict[str, Expr] = {n: Column(alias, n, duckdb_type(t)) for n, t in node.schema.items()}
        source = name(called) if alias == called else f"{name(called)} AS {name(alias)}"
        return Select(alias, source, table, columns)

    def nested(self, inner: Select) -> Select:
        """A SELECT as a subquery of another."""
        alias = self.alias(inner.alias)
        columns: dict[str, Expr] = {n: Column(alias, n, value.type) for n, value in inner.columns.items()}
        fields = {relation: columns for relation, known in inner.fields.items() if known is inner.columns}
        return Select(alias, f"({inner.text()}) AS {name(alias)}", None, columns, fields)

    def _project(self, node: ops.Project) -> Select:
        node = _unnested(node)
        made = self.select(node.parent)
        if made.windowed and any(self._reads_windows(value, made) for value in node.values.values()):
            made = self.nested(made)
        columns = {output: self.value(value, made) for output, value in node.values.items()}
        return replace(made, columns=columns)

    def _reads_windows(self, value: ops.Value, made: Select) -> bool:
        """Whether a window of ``value`` reads a column that is itself made of a window."""
        return any(
            made_of_windows(self._field(read, made))
            for window in value.find(ops.WindowFunction)
            for read in window.find(ops.Field)
            if read.rel in made.fields
        )

    def _filter(self, node: ops.Filter) -> Select:
        made = self.select(node.parent)
        if made.windowed or any(predicate.find(ops.WindowFunction) for predicate in node.predicates):
            # The filter comes after the windows: it leaves out answers, not history.
            made = self.nested(self._with_windows(node, made))
            predicates = [made.columns.pop(f"condition_{n}") for n, p in enumerate(node.predicates)]
            return replace(made, where=predicates)
        where = [*made.where, *(self.value(predicate, made) for predicate in node.predicates)]
        return replace(made, where=where)

    def _with_windows(self, node: ops.Filter, made: Select) -> Select:
        """A SELECT with the conditions of a filter as further columns."""
        conditions = {f"condition_{n}": self.value(p, made) for n, p in enumerate(node.predicates)}
        return replace(made, columns={**made.columns, **conditions})

    # -- joins

    def _last_join(self, node: LastJoined) -> Select:
        left = self._joinable(self.select(node.left))
        return self._joined(left, node.right, list(node.predicates), node.order or None, node.values)

    def _joinable(self, left: Select) -> Select:
        return self.nested(left) if left.windowed else left

    def _joined(
        self,
        left: Select,
        right_node: ops.Relation,
        predicates: list[ops.Value],
        order: str | None,
        values: Mapping[str, ops.Value],
    ) -> Select:
        if isinstance(_base(right_node), ops.Aggregate):
            right = self._grouped(_base(right_node))
            right.fields[right_node] = right.columns
        else:
            right = self.select(right_node)
        source, columns = self.row_source(right)
        fields = {
            **left.fields,
            **{node: columns for node, known in right.fields.items() if known is right.columns},
        }
        both = replace(left, fields=fields)
        ordered = f" ORDER BY {both.write(columns[order])}" if order is not None else ""
        on = " AND ".join(both.condition(self.value(predicate, both)) for predicate in predicates)
        joins = [*left.joins, f"LAST JOIN {source}{ordered} ON {on}"]
        joined = replace(both, joins=joins)
        return replace(
            joined, columns={output: self.value(value, joined) for output, value in values.items()}
        )

    def row_source(self, rows: Select) -> tuple[str, dict[str, Expr]]:
        """A SELECT as the rows of a join or window: its table, or a subquery; and its columns by their names there."""
        if rows.plain:
            return rows.source, rows.columns
        alias = self.alias(rows.alias)
        columns: dict[str, Expr] = {n: Column(alias, n, value.type) for n, value in rows.columns.items()}
        return f"({rows.text()}) AS {name(alias)}", columns

    def _grouped(self, node: ops.Aggregate) -> Select:
        """A grouped table on the right of a join."""
        made = self.select(node.parent)
        groups = {output: self.value(value, made) for output, value in node.groups.items()}
        metrics = {output: self._metric(value, made) for output, value in node.metrics.items()}
        return replace(made, columns={**groups, **metrics}, groups=list(groups.values()), fields={})

    def _metric(self, value: ops.Value, made: Select) -> Expr:
        def leaf(node: ops.Value) -> Expr:
            if isinstance(node, ops.Reduction):
                call = call_of(node, lambda arg: made.write(self.value(arg, made)))
                made.calls[f"a{len(made.calls)}"] = call
                return AggregateRef(f"a{len(made.calls) - 1}", "")
            if isinstance(node, ops.Field):
                return self._field(node, made)
            return native(node, leaf)

        return leaf(value)

    def _join_chain(self, node: ops.JoinChain) -> Select:
        """Ibis's ``asof_join``: each link a last join of the newest row not after the left one."""
        left = self._joinable(self.select(_base(node.first)))
        left.fields[node.first] = left.columns
        for number, link in enumerate(node.rest):
            last = number == len(node.rest) - 1
            if link.how != "asof":
                raise DefinitionError(
                    f"{link.how} joins may give several rows for one anchor row",
                    hint="write wb.last_join(left, right, on): the newest matching row as of the anchor's time",
                )
            keep = dict(left.columns)
            predicates, order = self._asof(link)
            left = self._joined(left, link.table, predicates, order, node.values if last else {})
            if not last:
                left = replace(left, columns=keep)
        return left

    def _asof(self, link: ops.JoinLink) -> tuple[list[ops.Value], str | None]:
        on, *keys = link.predicates
        bound = {ops.GreaterEqual: (0, 1), ops.Greater: (0, 1), ops.LessEqual: (1, 0), ops.Less: (1, 0)}.get(
            type(on)
        )
        if bound is None:
            raise DefinitionError("asof_join needs an inequality", hint="on=left.time >= right.time")
        mine, other = on.args[bound[0]], on.args[bound[1]]
        if not isinstance(other, ops.Field) or other.rel != link.table:
            raise DefinitionError(
                "this asof_join looks for a row of the future, which a request cannot have seen",
                hint="on=left.time >= right.time",
            )
        if not keys:
            raise DefinitionError("asof_join needs a key", hint="predicates=[left.key == right.key]")
        table = self.tables.get(str(getattr(_base(link.table), "name", "")).casefold())
        timed = table is not None and other.name == table.time
        if timed and isinstance(on, ops.GreaterEqual | ops.LessEqual) and self._is_time(mine):
            return keys, None
        return [*keys, on], None if timed else str(other.name)

    def _is_time(self, value: ops.Value) -> bool:
        """Whether a value is the time column of its table, by which a last join is bounded anyway."""
        table = self.tables.get(str(getattr(_base(getattr(value, "rel", None)), "name", "")).casefold())
        return isinstance(value, ops.Field) and table is not None and value.name == table.time

    # -- values

    def value(self, value: ops.Value, made: Select) -> Expr:
        """Return a value over the columns of a SELECT, which gets the windows in it."""
        if isinstance(value, ops.Field):
            return self._field(value, made)
        if isinstance(value, OtherWindow):
            return self._over_other(value, made)
        if isinstance(value, ops.WindowFunction):
            return self._over(value, made)
        if isinstance(value, ops.ScalarSubquery):
            raise DefinitionError(
                "an aggregate of another table needs a window",
                hint="wb.over(other.x.sum(), wb.window(from_=other, partition_by=..., order_by=...))",
            )
        if isinstance(value, ops.Reduction):
            raise DefinitionError(
                f"{type(value).__name__}() needs a window",
                hint=".over(wb.window(partition_by=..., order_by=..., rows_range=...))",
            )
        if isinstance(value, ops.TimestampNow):
            return e.Call("now", (), "TIMESTAMP")
        if isinstance(value, ops.DateNow):
            return e.Call("today", (), "DATE")
        return native(value, lambda child: self.value(child, made))

    def _field(self, value: ops.Field, made: Select) -> Expr:
        known = made.fields.get(value.rel)
        if known is None:
            raise DefinitionError(
                f"{value.name!r} is a column of another table",
                hint="join it: wb.last_join(left, right, on); of the anchor take the column as it is selected last",
            )
        return known[value.name]

    def _over(self, value: ops.WindowFunction, made: Select) -> AggregateRef:
        def write(arg: ops.Value) -> str:
            return made.write(self.value(arg, made))

        call = call_of(value.func, write)
        keys, terms = keys_of(value)
        parts = []
        if terms is not None and terms.union:
            parts.append(
                "UNION " + ", ".join(self.row_source(self.select(table))[0] for table in terms.union)
            )
        if keys:
            parts.append(f"PARTITION BY {', '.join(write(key) for key in keys)}")
        parts.append(f"ORDER BY {write(order_of(value))}")
        parts += [terms.frame, terms.words] if terms is not None else [frame_of(value)]
        return made.over(call, " ".join(part for part in parts if part))

    def _over_other(self, value: OtherWindow, made: Select) -> AggregateRef:
        other = self.select(value.table)
        source, columns = self.row_source(other)
        fields = {node: columns for node, known in other.fields.items() if known is other.columns}
        inside = replace(made, fields={**made.fields, **fields})
        keys = [
            f"{inside.write(columns[row])} = {made.write(self.value(key, made))}"
            for row, key in zip(value.rows, value.keys, strict=True)
        ]
        parts = [f"FROM {source}", f"PARTITION BY {', '.join(keys)}" if keys else ""]
        if value.order not in columns:
            raise DefinitionError(f"the window's table has no column {value.order!r} to order by")
        parts += [f"ORDER BY {made.write(columns[value.order])}", value.terms.frame, value.terms.words]
        call = call_of(value.func, lambda arg: inside.write(self.value(arg, inside)))
        return made.over(call, " ".join(part for part in parts if part))


def _base(node: Any) -> Any:
    """The table that a relation references."""
    while isinstance(node, ops.Reference):
        node = node.parent
    return node


def _unnested(node: ops.Project) -> ops.Project:
    """A projection with the windows inside of windows computed before, by a projection of their own."""
    inner: dict[ops.Value, str] = {}
    for value in node.values.values():
        for window in value.find(ops.WindowFunction):
            for nested in window.func.find(ops.WindowFunction, filter=ops.Value):
                inner.setdefault(nested, f"inner_{len(inner)}")
    if not inner:
        return node
    columns = {n: ops.Field(node.parent, n) for n in node.parent.schema}
    below = ops.Project(node.parent, FrozenOrderedDict({**columns, **{n: w for w, n in inner.items()}}))
    replaced = {ops.Field(node.parent, n): ops.Field(below, n) for n in columns}
    replaced |= {window: ops.Field(below, n) for window, n in inner.items()}
    replaced[node.parent] = below
    return ops.Project(below, FrozenOrderedDict({n: v.replace(replaced) for n, v in node.values.items()}))
