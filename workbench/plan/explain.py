"""A plan in words."""

from __future__ import annotations

from workbench.plan.aggregates import sort_sql
from workbench.plan.expr import Expr
from workbench.plan.model import Aggregate, FeaturePlan, Frame, Key, Lookup, Source, Window
from workbench.plan.render import render
from workbench.plan.stages import stages
from workbench.plan.window_form import can_lower


def explain(plan: FeaturePlan) -> str:
    """Return what a view reads and computes, as a person would say it."""
    lines = [
        f"anchor: {plan.table}" + (f", as of {plan.time}" if plan.time else ", by arrival (no time column)")
    ]
    if plan.where is not None:
        lines.append(f"  only rows with {words(plan.where)}")
    lines.append(f"  a request carries: {', '.join(plan.request_columns) or 'nothing'}")
    for lookup in plan.lookups:
        lines += _lookup(plan, lookup)
    for stage in stages(plan):
        for window in stage.windows:
            lines += _window(plan, window)
    lines.append("request driver: reference (DuckDB request form)")
    lines += _offline(plan)
    return "\n".join(lines)


def _offline(plan: FeaturePlan) -> list[str]:
    """How stored rows are answered in bulk, and which windows cost as much as they hold rows."""
    lines = ["offline driver: one pass of DuckDB window functions per partition key"]
    spread = [w.name for stage in stages(plan) if not can_lower(stage, True) for w in stage.windows]
    if spread:
        lines.append(
            f"  but {', '.join(spread)} by joining each row with the rows of its window: linear in those"
        )
    return lines


def _lookup(plan: FeaturePlan, lookup: Lookup) -> list[str]:
    source = lookup.source
    if source.time is None:
        when = "the newest arrival (a static table: not as of the anchor's time)"
    elif source.own:
        when = f"before the anchor row in ({source.time}, arrival)"
    else:
        when = f"with {source.time} <= {plan.table}.{plan.time}"
    lines = [f"{lookup_words(plan, lookup)}, {when}, the greatest {lookup.order or 'arrival'}"]
    lines += _availability(source)
    if source.where is not None:
        lines.append(f"  and {words(source.where)}")
    return lines


def _availability(source: Source) -> list[str]:
    lines = [f"  rows are known {duration(source.delay)} after their time"] if source.delay else []
    if source.ttl is not None:
        lines.append(f"  rows are visible for {duration(source.ttl)}")
    return lines


def _window(plan: FeaturePlan, window: Window) -> list[str]:
    source = window.source
    whose = "history of the anchor, request row included" if window.history else "request row not included"
    lines = [f"window {window.name}: {window_words(window)} ({whose})"]
    if window.maxsize is not None:
        lines.append(f"  at most the newest {window.maxsize} rows")
    for union in window.union:
        lines.append(f"  and the rows of {union.source.table} with the same keys")
        lines += [f"  {line}" for line in _availability(union.source)]
        if union.source.where is not None:
            lines.append(f"    only those with {words(union.source.where)}")
    lines += _availability(source)
    if window.instance_not_in_window:
        lines.append("  without the anchor's stored history")
    if window.exclude_current_time:
        lines.append("  without other rows of the same time")
    if window.exclude_current_row:
        lines.append("  without the request row")
    if source.where is not None:
        lines.append(f"  only rows with {words(source.where)}")
    calls = [_call(aggregate) for aggregate in plan.aggregates if aggregate.window == window.name]
    lines.append(f"  computes {', '.join(calls)}")
    return lines


def _call(aggregate: Aggregate) -> str:
    args = ", ".join(words(arg) for arg in aggregate.args)
    distinct = "DISTINCT " if aggregate.distinct else ""
    if aggregate.order:
        args += f" ORDER BY {', '.join(sort_sql(key, words(key.value)) for key in aggregate.order)}"
    call = "count(*)" if aggregate.function == "count_star" else f"{aggregate.function}({distinct}{args})"
    return call if aggregate.where is None else f"{call} where {words(aggregate.where)}"


def words(expr: Expr) -> str:
    """Return an expression with columns by their plain names."""
    return render(expr, lambda node: node.name)


def window_words(window: Window) -> str:
    """Return what rows a window is over: table, keys and frame."""
    return f"{window.source.table} {_by(window.keys)}, {frame_words(window.frame, window.order)}"


def lookup_words(plan: FeaturePlan, lookup: Lookup) -> str:
    """Return which row a lookup finds: table and keys."""
    return f"last row {lookup.name} of {lookup.source.table} {_by(lookup.keys)}"


def aggregate_words(plan: FeaturePlan, aggregate: Aggregate) -> str:
    """Return what an aggregate computes, over which rows."""
    return f"{_call(aggregate)} over {window_words(plan.window(aggregate.window))}"


def _by(keys: tuple[Key, ...]) -> str:
    """``by card`` where both sides have the column, ``by card = id`` where not."""
    names = [key.row if words(key.anchor) == key.row else f"{key.row} = {words(key.anchor)}" for key in keys]
    return f"by {', '.join(names)}" if names else "as a whole"


def frame_words(frame: Frame, order: str | None) -> str:
    """Return a frame as words.

    >>> frame_words(Frame("range", 604800000000, 0), "ts")
    'from 7d before to the row itself, by ts'
    """
    if frame.unit == "rows":
        start = "the first row" if frame.start is None else f"row {frame.start}"
        return f"from {start} to row {frame.end} before it, in the order of {order or 'arrival'}"
    start = "the beginning" if frame.start is None else f"{duration(frame.start)} before"
    end = "the row itself" if frame.end == 0 else f"{duration(frame.end)} before"
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
