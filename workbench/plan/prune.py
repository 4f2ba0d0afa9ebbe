"""What a plan reads, and plans without what nothing reads of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Lookup, Source, Window

T = TypeVar("T", bound=msgspec.Struct)


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


def pruned(plan: FeaturePlan) -> FeaturePlan:
    """Return a plan whose derived sources compute only what it reads of them.

    Sources that share a plan share it afterwards, so that it runs once. The plan of the anchor rows stays as it is: it
    was made for what stands above it.
    """
    read: dict[FeaturePlan, set[str]] = {}
    for window in plan.windows:
        _add(read, window.source, plan.columns_of(window))
        for union in window.union:
            values = [union.source.where, *(value for _, value in union.columns)]
            _add(read, union.source, set().union(*(e.columns(value, e.ROW) for value in values)))
    for lookup in plan.lookups:
        _add(read, lookup.source, plan.columns_of(lookup))
    less = {rows: narrowed(rows, names) for rows, names in read.items() if rows != plan.rows}
    if plan.rows is not None:
        less[plan.rows] = pruned(plan.rows)
    return changed_below(plan, less) if less else plan


def narrowed(plan: FeaturePlan, names: Iterable[str]) -> FeaturePlan:
    """Return a plan with only some of its outputs, and what these need."""
    wanted = set(names)
    outputs = tuple(output for output in plan.outputs if output.name in wanted)
    values: list[e.Expr | None] = [plan.where, *(output.expr for output in outputs)]
    called = {
        node.name
        for value in values
        if value is not None
        for node in e.walk(value)
        if isinstance(node, e.AggregateRef)
    }
    aggregates = tuple(a for a in plan.aggregates if a.name in called)
    windows = tuple(w for w in plan.windows if w.name in {a.window for a in aggregates})
    less = _with(plan, outputs=outputs, aggregates=aggregates, windows=windows, lookups=())
    lookups: list[Lookup] = []
    for lookup in reversed(plan.lookups):  # an earlier one may serve the keys and conditions of a later one
        reading = _with(less, lookups=tuple(lookups))
        columns = set().union(*(e.columns(value, lookup.name) for value in anchor_expressions(reading)))
        if columns:
            kept = tuple((name, value) for name, value in lookup.columns if name in columns)
            lookups.insert(0, _with(lookup, columns=kept))
    less = _with(less, lookups=tuple(lookups))
    used = {plan.time} if plan.time is not None else set()
    used |= set().union(*(e.columns(value, e.ANCHOR) for value in anchor_expressions(less)))
    for window in less.windows:
        if window.history:
            used |= less.columns_of(window)
    less = _with(less, anchor_columns=tuple(pair for pair in plan.anchor_columns if pair[0] in used))
    if less.rows is None:
        return pruned(less)
    return pruned(changed_below(less, {less.rows: narrowed(less.rows, used)}))


def rebased(plan: FeaturePlan, rows: FeaturePlan) -> FeaturePlan:
    """Return a plan of which another makes the anchor rows, in its history as well."""
    assert plan.rows is not None
    return changed_below(plan, {plan.rows: rows})


def _add(read: dict[FeaturePlan, set[str]], source: Source, names: set[str]) -> None:
    if source.rows is not None:
        kept = {source.time} if source.time is not None else set()
        read.setdefault(source.rows, set()).update(names | kept)


def changed_below(plan: FeaturePlan, changed: Mapping[FeaturePlan, FeaturePlan]) -> FeaturePlan:
    """Return a plan with other plans in the place of those below it."""

    def source(old: Source) -> Source:
        return old if old.rows is None else _with(old, rows=changed.get(old.rows, old.rows))

    windows = tuple(
        _with(
            window,
            source=source(window.source),
            union=tuple(_with(union, source=source(union.source)) for union in window.union),
        )
        for window in plan.windows
    )
    lookups = tuple(_with(lookup, source=source(lookup.source)) for lookup in plan.lookups)
    rows = plan.rows if plan.rows is None else changed.get(plan.rows, plan.rows)
    return _with(plan, windows=windows, lookups=lookups, rows=rows)


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
