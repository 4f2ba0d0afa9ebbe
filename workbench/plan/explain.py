"""A plan in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.plan.horizon import looks_ahead
from workbench.plan.kernel_bulk import bulk_part
from workbench.plan.kernel_form import KernelForm, KernelPart, Refusal, kernel_form
from workbench.plan.model import FeaturePlan, Lookup, Source, Window
from workbench.plan.request_form import later_visibility
from workbench.plan.stages import rows_needed, stages
from workbench.plan.window_form import can_lower
from workbench.plan.words import (
    call_words,
    computed_names,
    duration,
    lookup_words,
    rows_words,
    shown,
    window_words,
    words,
)


@dataclass(frozen=True)
class Touched:
    """How many stored rows the requests of ``anchors`` stored rows read for one window or lookup."""

    what: str
    anchors: int
    median: int
    p99: int
    most: int

    def __str__(self) -> str:
        return f"{self.what}: median {self.median:,}, p99 {self.p99:,}, max {self.most:,}"


def explain(plan: FeaturePlan, touched: Sequence[Touched] = (), refused: Sequence[str] | None = None) -> str:
    """Return what a view reads and computes, as a person would say it.

    Parameters
    ----------
    plan
        The plan.
    touched
        How many stored rows a request reads, as measured on the data.
    refused
        Why requests are not answered by kernels, as the engine says it, none where they are; what the plan alone says
        when left out.
    """
    base = plan.base
    lines = [
        f"anchor: {plan.table}" + (f", as of {base.time}" if base.time else ", by arrival (no time column)")
    ]
    if base is plan:
        lines += _only(plan)
    lines.append(f"  a request carries: {', '.join(plan.request_columns) or 'nothing'}")
    if plan.views:
        lines.append(f"stands on: {', '.join(map(str, plan.views))}")
    if plan.params:
        lines.append(f"with: {', '.join(f':{name} = {value.sql}' for name, value in plan.params)}")
    names = computed_names(plan)
    for part in plan.nested():
        lines += _computed(plan, part, names) if part != plan else _outermost(plan, names)
    lines += _requests(plan, names, touched, refused)
    lines += _offline(plan)
    return "\n".join(lines)


def _computed(plan: FeaturePlan, part: FeaturePlan, names: Mapping[FeaturePlan, str]) -> list[str]:
    """The section of a plan below another."""
    of = names[part.rows] if part.rows is not None else f"each row of {part.table}"
    when = f"({part.base.time}, arrival)" if part.base.time else "arrival"
    lines = [f"{names[part]}: {of}, as of its own {when}"]
    if part in _anchor_chain(plan):
        lines.append("  and the request row, as of its own")
    lines += _only(part)
    lines += [f"  {line}" for line in _parts(part, names)]
    hidden = {o.name: words(o.expr, part) for o in part.outputs if o.name.startswith("__")}
    has = dict.fromkeys(hidden.get(name, name) for name in part.features)
    return [*lines, f"  has {', '.join(has)}"]


def _anchor_chain(plan: FeaturePlan) -> list[FeaturePlan]:
    return [] if plan.rows is None else [plan.rows, *_anchor_chain(plan.rows)]


def _outermost(plan: FeaturePlan, names: Mapping[FeaturePlan, str]) -> list[str]:
    if plan.rows is None:
        return _parts(plan, names)
    return [f"anchor rows: {names[plan.rows]}", *_only(plan), *_parts(plan, names)]


def _only(plan: FeaturePlan) -> list[str]:
    return [f"  only rows with {words(plan.where, plan)}"] if plan.where is not None else []


def _parts(plan: FeaturePlan, names: Mapping[FeaturePlan, str]) -> list[str]:
    lines = []
    for lookup in plan.lookups:
        lines += _lookup(plan, lookup, names)
    for stage in stages(plan):
        for window in stage.windows:
            lines += _window(plan, window, names)
    return lines


def _requests(
    plan: FeaturePlan,
    names: Mapping[FeaturePlan, str],
    touched: Sequence[Touched],
    refused: Sequence[str] | None,
) -> list[str]:
    """How a request is answered, and what it costs."""
    if looks_ahead(plan):
        return ["a label: it looks ahead, so no request is ever answered with it"]
    form = kernel_form(plan)
    if refused is None:
        refused = [refusal.reason for refusal in form.refusals]
    lines = _by_reference(plan, names, form, refused) if refused else _compiled(form)
    if touched:
        lines.append(
            f"  rows touched per request, measured on {max(one.anchors for one in touched):,} stored rows:"
        )
        lines += [f"    {one}" for one in touched]
    return lines


def _by_reference(
    plan: FeaturePlan, names: Mapping[FeaturePlan, str], form: KernelForm, refused: Sequence[str]
) -> list[str]:
    lines = ["request driver: reference (DuckDB request form), not compiled because"]
    lines += [f"  - {reason}{_refused_calls(plan, form, reason)}" for reason in dict.fromkeys(refused)]
    for part in plan.nested():
        of = f" ({names[part]})" if part in names else ""
        for lookup in part.lookups:
            lines.append(f"  last row {lookup.name}{of}: {_cost(reads_at_most(part, lookup))}")
        for window in part.windows:
            lines.append(f"  window {window.name}{of}: {_cost(reads_at_most(part, window))}")
    return lines


def _refused_calls(plan: FeaturePlan, form: KernelForm, reason: str) -> str:
    """The aggregates that a reason is about."""
    found = {
        name
        for part in form.stages
        if isinstance(part, KernelPart)
        for name, why in part.refused.items()
        if why.reason == reason
    }
    calls = dict.fromkeys(call_words(plan, one) for one in plan.aggregates if one.name in found)
    return f": {', '.join(calls)}" if calls else ""


def _compiled(form: KernelForm) -> list[str]:
    """Which parts cost the same however many rows there are."""
    lines = ["request driver: compiled (kernels over the files of the indexes, one generated function)"]
    below: KernelForm | None = form
    while below is not None:
        lines += _costs(below.plan, below)
        below = below.below
    return lines


def _costs(plan: FeaturePlan, form: KernelForm) -> list[str]:
    lines: list[str] = []
    calls = {aggregate.name: aggregate for aggregate in plan.aggregates}
    for part in (*form.lookups, *form.stages):
        assert isinstance(part, KernelPart)
        if isinstance(part.part, Lookup):
            flat = all(part.is_flat(number) for number in range(len(part.names)))
            lines.append(
                f"  last row {part.part.name}: {'flat' if flat else 'linear in the rows of its key'}"
            )
            continue
        linear: dict[str, list[str]] = {window.name: [] for window in part.part.windows}
        for number, name in enumerate(part.names):
            if not part.is_flat(number):
                linear[calls[name].window].append(call_words(plan, calls[name]))
        for window, walked in linear.items():
            cost = f"linear in its rows for {', '.join(dict.fromkeys(walked))}" if walked else "flat"
            lines.append(f"  window {window}: {cost}")
    return lines


def _cost(rows: int | None) -> str:
    if rows is None:
        return "linear: the cost grows with the rows that it holds"
    return f"flat: reads {'one row' if rows == 1 else f'at most {rows} rows'}"


def reads_at_most(plan: FeaturePlan, part: Window | Lookup) -> int | None:
    """Return how many rows a request reads at most for a window or lookup, or None where that grows with the data."""
    if part.source.where is not None or (part.source.rows is not None and part.source.rows.drops):
        return None
    if isinstance(part, Lookup):
        return 1 if not later_visibility(plan, part) else None
    if part.union or part.instance_not_in_window:
        return None
    return rows_needed(part)


def _offline(plan: FeaturePlan) -> list[str]:
    """How stored rows are answered in bulk, and which windows cost as much as they hold rows."""
    lines = ["offline driver: DuckDB scans, joins and sorts"]
    kernels, lowered, spread = [], [], []
    for below in plan.nested():
        for stage in stages(below):
            part, names = bulk_part(below, stage), [window.name for window in stage.windows]
            if isinstance(part, Refusal):
                lowered += [(name, part.reason) for name in names]
                spread += [] if can_lower(stage, True) else names
                continue
            kernels += names
            lowered += [
                (a.window, part.refused[a.name].reason) for a in stage.aggregates if a.name in part.refused
            ]
    if kernels:
        lines.append(f"  kernels compute {', '.join(dict.fromkeys(kernels))}")
    lines += [f"  DuckDB computes {name}: {reason}" for name, reason in dict.fromkeys(lowered)]
    if spread:
        joined = ", ".join(dict.fromkeys(spread))
        lines.append(f"  {joined} by joining each row with the rows of its window: linear in those")
    return lines


def _lookup(plan: FeaturePlan, lookup: Lookup, names: Mapping[FeaturePlan, str]) -> list[str]:
    source = lookup.source
    if not lookup.timed:
        when = "of all rows that are known (not as of the anchor's time)"
    elif source.time is None:
        when = "the newest arrival (a static table: not as of the anchor's time)"
    elif source.own:
        when = f"before the anchor row in ({shown(source, source.time)}, arrival)"
    else:
        when = f"with {shown(source, source.time)} <= {plan.table}.{plan.base.time}"
    order = "arrival" if lookup.order is None else shown(source, lookup.order)
    lines = [f"{lookup_words(plan, lookup, names)}, {when}, the greatest {order}"]
    lines += _availability(source)
    if source.where is not None:
        lines.append(f"  and {words(source.where, plan, source.rows)}")
    return lines


def _availability(source: Source) -> list[str]:
    lines = [f"  rows are known {duration(source.delay)} after their time"] if source.delay else []
    if source.ttl is not None:
        lines.append(f"  rows are visible for {duration(source.ttl)}")
    return lines


def _window(plan: FeaturePlan, window: Window, names: Mapping[FeaturePlan, str]) -> list[str]:
    source = window.source
    whose = "history of the anchor, request row included" if window.history else "request row not included"
    lines = [f"window {window.name}: {window_words(plan, window, names)} ({whose})"]
    if window.maxsize is not None:
        lines.append(f"  at most the newest {window.maxsize} rows")
    for union in window.union:
        lines.append(f"  and the {rows_words(union.source, names)} with the same keys")
        lines += [f"  {line}" for line in _availability(union.source)]
        if union.source.where is not None:
            lines.append(f"    only those with {words(union.source.where, plan, union.source.rows)}")
    lines += _availability(source)
    if window.instance_not_in_window:
        lines.append("  without the anchor's stored history")
    if window.exclude_current_time:
        lines.append("  without other rows of the same time")
    if window.exclude_current_row:
        lines.append("  without the request row")
    if source.where is not None:
        lines.append(f"  only rows with {words(source.where, plan, source.rows)}")
    calls = [call_words(plan, aggregate) for aggregate in plan.aggregates if aggregate.window == window.name]
    lines.append(f"  computes {', '.join(dict.fromkeys(calls))}")
    return lines
