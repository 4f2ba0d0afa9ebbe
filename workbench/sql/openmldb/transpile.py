"""A plan of OpenMLDB's dialect as one that the workbench's own can say, and what becomes other by that."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from workbench.plan.model import FeaturePlan, Lookup, Source

T = TypeVar("T", bound=msgspec.Struct)


def transpiled(plan: FeaturePlan) -> tuple[FeaturePlan, list[str]]:
    """Return the plan with the joins of the workbench's dialect, and a note on each thing that changes.

    Parameters
    ----------
    plan
        The plan of a query of OpenMLDB.
    """
    notes: list[str] = []
    return _plan(plan, notes), list(dict.fromkeys(notes))


def _plan(plan: FeaturePlan, notes: list[str]) -> FeaturePlan:
    lookups = tuple(_lookup(lookup, notes) for lookup in plan.lookups)
    windows = tuple(
        _with(
            window,
            source=_source(window.source, notes),
            union=tuple(_with(union, source=_source(union.source, notes)) for union in window.union),
        )
        for window in plan.windows
    )
    rows = _plan(plan.rows, notes) if plan.rows is not None else None
    return _with(plan, lookups=lookups, windows=windows, rows=rows, dialect="workbench")


def _lookup(lookup: Lookup, notes: list[str]) -> Lookup:
    source = _source(lookup.source, notes)
    if not lookup.timed and source.time is not None:
        notes.append(
            f"the join of {source.table} sees rows up to the anchor's time, so nothing of the future leaks"
        )
    if lookup.null_keys:
        notes.append(f"NULL keys do not match in the join of {source.table}")
    return _with(lookup, source=source, timed=True, null_keys=False)


def _source(source: Source, notes: list[str]) -> Source:
    return source if source.rows is None else _with(source, rows=_plan(source.rows, notes))


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
