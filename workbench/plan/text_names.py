"""Names of one SELECT of a plan's text: aliases, columns, and what is read where."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from workbench.errors import DefinitionError
from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Column, Expr
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Lookup, SortKey, Source, Window
from workbench.plan.prune import anchor_expressions
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import Leaf, expression, name
from workbench.values.names import unused


class Names:
    """Writes the values of one plan.

    Parameters
    ----------
    plan
        The plan.
    tables
        The project's tables by name.
    """

    def __init__(self, plan: FeaturePlan, tables: Mapping[str, SourceTable]) -> None:
        self.plan = plan
        self.tables = tables
        self.taken: set[str] = set()
        self.anchor = self.alias(plan.table)
        self.rows = _written_rows(plan)
        self.columns = printed_outputs(self.rows) if self.rows is not None else {}
        self.aliases = {lookup.name: self.alias(lookup.source.table) for lookup in plan.lookups}
        self.computed = {lookup.name: _computed(lookup, tables) for lookup in plan.lookups}
        self.aggregates = {aggregate.name: aggregate for aggregate in plan.aggregates}

    # -- aliases

    def alias(self, table: str) -> str:
        """Return a name for a table that nothing in the SELECT has yet."""
        return unused(table, self.taken)

    def window_alias(self, table: str) -> str:
        """Return a name for the table of a window, which names it for itself, but not as anything around it is."""
        alias = self.alias(table)
        self.taken.discard(alias.casefold())
        return alias

    # -- values

    def in_select(self, value: Expr) -> str:
        """Return a value in the SELECT list or WHERE."""
        return expression(value, lambda node, full: self.read(node, full or bool(self.plan.lookups)))

    def constant(self, value: Expr) -> str:
        """Return a value of the anchor row or an earlier join, with full names."""
        return expression(value, lambda node, full: self.read(node, True))

    def read(self, node: Column | AggregateRef, full: bool) -> str:
        """Return the text of an aggregate, or the name of a column of the anchor or a join."""
        if isinstance(node, AggregateRef):
            return self.over(self.aggregates[node.name])
        if node.source == e.ANCHOR:
            if self.columns.get(node.name, node.name) is None:
                return "now()"
            return qualified(self.anchor, self.column(node), full)
        return qualified(self.aliases[node.source], self.column(node), True)

    def column(self, node: Column) -> str:
        """Return the name by which the query reads a column of the anchor or of a join."""
        if node.source == e.ANCHOR:
            return self.columns.get(node.name) or node.name
        lookup = next(lookup for lookup in self.plan.lookups if lookup.name == node.source)
        computed = self.computed[node.source].get(node.name)
        if computed is not None:
            return computed[0]
        value = dict(lookup.columns)[node.name]
        assert isinstance(value, Column)
        return row_name(lookup.source, value.name)

    def row_leaf(self, source: Source, alias: str, full: bool = False, inside: Window | None = None) -> Leaf:
        """Return how a row's columns are named where nothing else has a name; of the anchor there is the time."""

        def leaf(node: Column | AggregateRef, asked: bool) -> str:
            assert isinstance(node, Column)
            if is_anchors(node, self.plan.time):
                return "now()"
            if node.source != e.ROW:
                return f"({self._nested(node, inside)})"
            return qualified(alias, row_name(source, node.name), (full or asked) and bool(alias))

        return leaf

    def constant_leaf(self, source: Source, alias: str, plain: bool = False) -> Leaf:
        """Return how a row's columns are named (``plain`` where they may be) beside full names of the anchor's."""

        def leaf(node: Column | AggregateRef, asked: bool) -> str:
            if isinstance(node, Column) and node.source == e.ROW:
                return qualified(alias, row_name(source, node.name), asked or not plain)
            return self.read(node, True)

        return leaf

    # -- aggregates

    def over(self, aggregate: Aggregate) -> str:
        """Return an aggregate with its OVER."""
        window = self.plan.window(aggregate.window)
        if window.history:
            leaf = self.row_leaf(window.source, self.anchor, inside=window)
        else:
            leaf = self.constant_leaf(window.source, self.window_alias(window.source.table), plain=True)
        return f"{call(aggregate, leaf)} OVER {name(window.name)}"

    def _nested(self, node: Column, window: Window | None) -> str:
        """A value of the anchor inside an aggregate of its history: aggregates of the same window."""
        rows = self.plan.rows
        value = (
            next((o.expr for o in rows.outputs if o.name == node.name), None) if rows is not None else None
        )
        if rows is None or value is None or window is None or not _of_aggregates(value):
            raise only_elsewhere(f"{node.name} of the anchor is read in an aggregate of its history")
        below = {aggregate.name: aggregate for aggregate in rows.aggregates}

        def leaf(inner: Column | AggregateRef, full: bool) -> str:
            if isinstance(inner, AggregateRef):
                return _inner_call(below[inner.name], rows, window, self.columns)
            raise only_elsewhere(f"{inner.name} of the anchor is read in an aggregate of its history")

        return expression(value, leaf)


def _of_aggregates(value: Expr) -> bool:
    return any(isinstance(node, AggregateRef) for node in e.walk(value))


def _inner_call(
    aggregate: Aggregate, rows: FeaturePlan, window: Window, columns: Mapping[str, str | None]
) -> str:
    """An aggregate of the rows below, as it stands inside an aggregate over the same window."""

    def leaf(row: Column | AggregateRef, full: bool) -> str:
        return name(columns.get(row.name) or row.name)

    own = rows.window(aggregate.window)
    if _said(own) == _said(window):
        return call(aggregate, leaf)
    frame = own.frame
    lagged = msgspec.structs.replace(window, frame=frame, maxsize=None, exclude_current_row=False)
    plain = aggregate.function == "first" and aggregate.where is None and not aggregate.order
    if plain and frame.unit == "rows" and frame.start == frame.end and _said(own) == _said(lagged):
        return f"lag({expression(aggregate.args[0], leaf)}, {frame.end})"
    raise only_elsewhere("an aggregate of one window is inside of an aggregate of another")


def _said(window: Window) -> Window:
    """A window without what it has of its own place: its name and its rows."""
    return msgspec.structs.replace(window, name="", source=Source(window.source.table, None))


def call(aggregate: Aggregate, leaf: Leaf) -> str:
    """Return an aggregate without its OVER."""
    distinct = "DISTINCT " if aggregate.distinct else ""
    args = ", ".join(expression(arg, leaf) for arg in aggregate.args)
    if aggregate.order:
        args += f" ORDER BY {', '.join(_sorted(key, leaf) for key in aggregate.order)}"
    text = "count(*)" if aggregate.function == "count_star" else f"{aggregate.function}({distinct}{args})"
    return text if aggregate.where is None else f"{text} FILTER (WHERE {expression(aggregate.where, leaf)})"


def _sorted(key: SortKey, leaf: Leaf) -> str:
    directions = (" DESC" if key.descending else "") + (" NULLS FIRST" if key.nulls_first else "")
    return expression(key.value, leaf) + directions


def _written_rows(plan: FeaturePlan) -> FeaturePlan | None:
    """The plan that stands in FROM: not one of nothing but aggregates for aggregates, which are written in those."""
    rows = plan.rows
    if rows is None:
        return None
    histories = {window.name: window for window in plan.windows if window.history}
    inside = [aggregate for aggregate in plan.aggregates if aggregate.window in histories]
    others = tuple(aggregate for aggregate in plan.aggregates if aggregate.window not in histories)
    values = anchor_expressions(msgspec.structs.replace(plan, aggregates=others))
    read = {column for value in values for column in e.columns(value, e.ANCHOR)}
    for aggregate in inside:
        if histories[aggregate.window].source.rows == rows:
            read = read.union(*(e.columns(value, e.ROW) for value in aggregate.inputs))
    computed = {output.name for output in rows.outputs if not is_anchors(output.expr, output.name)}
    filtered = rows.where is not None and rows.where != plan.where
    if computed and not (computed & read or rows.lookups or filtered):
        return rows.rows
    nested = set().union(*(e.columns(value, e.ANCHOR) for a in inside for value in a.inputs)) & computed
    return _with_columns_for(rows, nested)


def _with_columns_for(rows: FeaturePlan, nested: set[str]) -> FeaturePlan:
    """The rows with those columns that aggregates inside of aggregates read."""
    values = [node for output in rows.outputs if output.name in nested for node in e.walk(output.expr)]
    refs = {node.name for node in values if isinstance(node, AggregateRef)}
    outputs = {output.name: output for output in rows.outputs}
    for aggregate in rows.aggregates:
        for value in aggregate.inputs if aggregate.name in refs else ():
            for node in e.walk(value) if value is not None else ():
                if (
                    isinstance(node, Column)
                    and node.source == e.ROW
                    and not _passes(outputs.get(node.name), node)
                ):
                    if node.name in outputs:
                        raise only_elsewhere(f"{node.name} is computed, and the column itself is read too")
                    outputs[node.name] = Feature(node.name, Column(e.ANCHOR, node.name, node.type), node.type)
    return msgspec.structs.replace(rows, outputs=tuple(outputs.values()))


def _passes(output: Feature | None, column: Column) -> bool:
    return output is not None and is_anchors(output.expr, column.name)


def printed_outputs(plan: FeaturePlan) -> dict[str, str | None]:
    """Return the names of a subquery's outputs in its text: hidden ones are left out or get a name that shows."""
    names: dict[str, str | None] = {}
    taken = {output.name.casefold() for output in plan.outputs}
    for output in plan.outputs:
        if not output.name.startswith("__"):
            names[output.name] = output.name
        elif is_anchors(output.expr, plan.time):
            names[output.name] = None
        else:
            names[output.name] = _visible(output.name.strip("_"), taken)
    return names


def _visible(wanted: str, taken: set[str]) -> str:
    while wanted.casefold() in taken:
        wanted += "_"
    taken.add(wanted.casefold())
    return wanted


def _computed(lookup: Lookup, tables: Mapping[str, SourceTable]) -> dict[str, tuple[str, Expr]]:
    """What is joined and is not a column of the table: the name that a subquery gives it, by the plan's name."""
    rows = lookup.source.rows
    known = tables[lookup.source.table].columns if rows is None else rows.features
    taken = {column.casefold() for column in known}
    return {
        column: (_visible(column, taken), value)
        for column, value in lookup.columns
        if not (isinstance(value, Column) and value.source == e.ROW)
    }


def row_name(source: Source, column: str) -> str:
    """Return the name of a source's column, which a subquery may have had to rename."""
    names = printed_outputs(source.rows) if source.rows is not None else {}
    return names.get(column) or column


def qualified(alias: str, column: str, full: bool) -> str:
    """Return a column's name, with its table where it must be."""
    return f"{name(alias)}.{name(column)}" if full else name(column)


def is_anchors(node: Expr, column: str | None) -> bool:
    """Whether a value is that column of the anchor."""
    return isinstance(node, Column) and node.source == e.ANCHOR and node.name == column


def only_elsewhere(reason: str) -> DefinitionError:
    """Return the error for what another dialect can say and ours cannot."""
    return DefinitionError(
        f"the workbench's dialect cannot say this: {reason}", hint="keep the text in its own dialect"
    )
