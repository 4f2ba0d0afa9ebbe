"""Parts of a plan in words: sources, keys, frames, expressions."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.plan.aggregates import sort_sql
from workbench.plan.expr import ANCHOR, ROW, AggregateRef, Column, Expr
from workbench.plan.model import Aggregate, FeaturePlan, Frame, Key, Lookup, Source, Window
from workbench.plan.render import render


def computed_names(plan: FeaturePlan) -> dict[FeaturePlan, str]:
    """Return what the plans below a plan are called: ``computed rows of tx``, with a number where there are several."""
    names: dict[FeaturePlan, str] = {}
    for part in plan.nested()[:-1]:
        name, number = f"computed rows of {part.table}", 1
        while name in names.values():
            number += 1
            name = f"computed rows {number} of {part.table}"
        names[part] = name
    return names


def source_words(source: Source, names: Mapping[FeaturePlan, str] | None = None) -> str:
    """Return what the rows of a source are: a table, or rows that another plan computes."""
    if source.rows is None:
        return source.table
    return (names or {}).get(source.rows, f"computed rows of {source.table}")


def words(expr: Expr, plan: FeaturePlan, rows: FeaturePlan | None = None, table: str | None = None) -> str:
    """Return an expression with columns by the names that the query has for them.

    Parameters
    ----------
    expr
        An expression of the plan.
    plan
        The plan; what it calls by names of its own is said as what stands behind them.
    rows
        The plan that computes the rows that it reads, where they are not stored ones.
    table
        Put before the columns of these rows.
    """

    def name(node: Column | AggregateRef) -> str:
        if isinstance(node, AggregateRef):
            aggregate = next(a for a in plan.aggregates if a.name == node.name)
            return f"{call_words(plan, aggregate)} OVER {aggregate.window}"
        if node.source not in (ANCHOR, ROW):
            lookup = next(k for k in plan.lookups if k.name == node.source)
            value = dict(lookup.columns)[node.name]
            return words(value, plan, lookup.source.rows, lookup.source.table)
        below = plan.rows if node.source == ANCHOR else rows
        if below is not None and node.name.startswith("__"):
            return words(next(o.expr for o in below.outputs if o.name == node.name), below)
        return f"{table}.{node.name}" if table and node.source == ROW else node.name

    return render(expr, name)


def shown(source: Source, name: str) -> str:
    """Return a key or order column of a source as people know it."""
    return source.stored(name) if name.startswith("__") else name


def call_words(plan: FeaturePlan, aggregate: Aggregate) -> str:
    """Return what an aggregate computes, in the query's words where it is a part of something."""
    if aggregate.written:
        return aggregate.written
    rows = plan.window(aggregate.window).source.rows
    args = ", ".join(words(arg, plan, rows) for arg in aggregate.args)
    distinct = "DISTINCT " if aggregate.distinct else ""
    if aggregate.order:
        args += (
            f" ORDER BY {', '.join(sort_sql(key, words(key.value, plan, rows)) for key in aggregate.order)}"
        )
    call = "count(*)" if aggregate.function == "count_star" else f"{aggregate.function}({distinct}{args})"
    return call if aggregate.where is None else f"{call} where {words(aggregate.where, plan, rows)}"


def rows_words(source: Source, names: Mapping[FeaturePlan, str]) -> str:
    """Return ``rows of tx`` or ``computed rows of tx``."""
    return source_words(source, names) if source.rows is not None else f"rows of {source.table}"


def window_words(plan: FeaturePlan, window: Window, names: Mapping[FeaturePlan, str] | None = None) -> str:
    """Return what rows a window is over: table, keys and frame."""
    order = None if window.order is None else shown(window.source, window.order)
    by = _by(window.keys, window.source, plan)
    return f"{source_words(window.source, names)} {by}, {frame_words(window.frame, order)}"


def lookup_words(plan: FeaturePlan, lookup: Lookup, names: Mapping[FeaturePlan, str] | None = None) -> str:
    """Return which row a lookup finds: table and keys."""
    return f"last row {lookup.name} of {source_words(lookup.source, names)} {_by(lookup.keys, lookup.source, plan)}"


def aggregate_words(plan: FeaturePlan, aggregate: Aggregate) -> str:
    """Return what an aggregate computes, over which rows."""
    return f"{call_words(plan, aggregate)} over {window_words(plan, plan.window(aggregate.window))}"


def _by(keys: tuple[Key, ...], source: Source, plan: FeaturePlan) -> str:
    """``by card`` where both sides have the column, ``by card = id`` where not."""
    pairs = [(shown(source, key.row), words(key.anchor, plan)) for key in keys]
    names = [row if row == anchor else f"{row} = {anchor}" for row, anchor in pairs]
    return f"by {', '.join(names)}" if names else "as a whole"


def frame_words(frame: Frame, order: str | None) -> str:
    """Return a frame as words.

    >>> frame_words(Frame("range", 604800000000, 0), "ts")
    'from 7d before to the row itself, by ts'
    """
    away = "after" if frame.ahead else "before"
    if frame.unit == "rows":
        start = (
            f"the {'last' if frame.ahead else 'first'} row" if frame.start is None else f"row {frame.start}"
        )
        return f"from {start} to row {frame.end} {away} it, in the order of {order or 'arrival'}"
    start = (
        f"the {'end' if frame.ahead else 'beginning'}"
        if frame.start is None
        else f"{duration(frame.start)} {away}"
    )
    end = "the row itself" if frame.end == 0 else f"{duration(frame.end)} {away}"
    return f"from {start} to {end}, by {order or 'arrival'}"


def duration(micros: int) -> str:
    """Return microseconds in the largest unit that says them exactly.

    >>> duration(86_400_000_000), duration(1)
    ('1d', '1us')
    """
    if micros == 0:
        return "0s"
    for unit, size in (
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
    ):
        if micros % size == 0:
            return f"{micros // size}{unit}"
    return f"{micros}us"
