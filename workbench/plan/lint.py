"""Findings: what is allowed in a view but worth a second look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.plan import expr as e
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, ViewRef, Window

Severity = Literal["info", "warning"]


@dataclass(frozen=True)
class Finding:
    """One remark: a stable ``code``, how grave it is, what was found and what to do."""

    code: str
    severity: Severity
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.message}\n  hint: {self.hint}"


def lint(plan: FeaturePlan) -> list[Finding]:
    """Return the findings that the plan alone shows, those of the plans below it among them.

    See :func:`workbench.offline.data_lint.lint_data` for those that need the data.
    """
    return list(dict.fromkeys(finding for part in plan.nested() for finding in _findings(part)))


def _findings(plan: FeaturePlan) -> list[Finding]:
    findings = [_static_anchor(plan)] if plan.time is None else []
    findings += [_on_draft(ref) for ref in plan.views if ref.version == 0]
    for lookup in plan.lookups:
        if lookup.source.time is None:
            findings.append(_static_join(lookup))
        elif not lookup.timed and lookup.source.time not in e.columns(lookup.source.where, e.ROW):
            findings.append(_timeless_join(lookup))
    for window in plan.windows:
        source = window.source
        if window.frame.start is None and window.maxsize is None:
            findings.append(_unbounded(window))
        if window.order is None:
            findings.append(_by_arrival(window))
        elif source.time is not None and source.stored(window.order) != source.stored(source.time):
            findings.append(_other_order(window))
    findings += [_overflow(plan, a) for a in plan.aggregates if _may_overflow(a)]
    return findings


def _on_draft(ref: ViewRef) -> Finding:
    return Finding(
        "upstream-draft",
        "info",
        f"it stands on a draft of {ref.view}, as that was when this was defined",
        f"save {ref.view}, then name {ref.view}@<version>",
    )


def _static_anchor(plan: FeaturePlan) -> Finding:
    return Finding(
        "static-anchor",
        "warning",
        f"the anchor {plan.table} has no time column: its rows see what arrived before them, whatever it is about",
        "create the table with time=, so that features are as of an event's time",
    )


def _static_join(lookup: Lookup) -> Finding:
    return Finding(
        "static-join",
        "warning",
        f"LAST JOIN {lookup.source.table}: the table has no time, so old anchor rows get today's newest row",
        "fine for facts that never change; else create the table with time=",
    )


def _timeless_join(lookup: Lookup) -> Finding:
    source = lookup.source
    return Finding(
        "join-without-time",
        "warning",
        f"LAST JOIN {source.table} sees rows of any time, later ones than the anchor's too: they leak into training",
        f"add AND {source.table}.{source.time} <= the anchor's time to its ON",
    )


def _by_arrival(window: Window) -> Finding:
    whose = "that arrived before the anchor row" if window.source.own else "that are known, of any time"
    return Finding(
        "order-by-arrival",
        "warning",
        f"a window over {window.source.table} has no ORDER BY: it holds rows {whose}, in the order of arrival",
        f"ORDER BY {window.source.time}"
        if window.source.time
        else "create the table with time=, and order by it",
    )


def _unbounded(window: Window) -> Finding:
    keys = ", ".join(key.row for key in window.keys) or "the whole table"
    return Finding(
        "unbounded-window",
        "warning",
        f"a window over {window.source.table} by {keys} has no lower bound: its cost grows with the history",
        "bound it with a time (30d PRECEDING), a number of rows, or MAXSIZE n",
    )


def _other_order(window: Window) -> Finding:
    return Finding(
        "order-not-time",
        "warning",
        f"a window over {window.source.table} is ordered by {window.order}, not by its time {window.source.time}: "
        "rows are visible by that column alone",
        f"ORDER BY {window.source.time}, unless {window.order} grows with it",
    )


def _may_overflow(aggregate: Aggregate) -> bool:
    """Narrow integers would need billions of rows; 64-bit ones overflow with two."""
    wide = {arg.type for arg in aggregate.args} & {"BIGINT", "UBIGINT"}
    return aggregate.cast and bool(wide)


def _overflow(plan: FeaturePlan, aggregate: Aggregate) -> Finding:
    return Finding(
        "integer-overflow",
        "info",
        f"a sum of BIGINT over {plan.window(aggregate.window).source.table} is BIGINT; "
        "a row whose sum does not fit is an error",
        "sum CAST(x AS DOUBLE) or CAST(x AS DECIMAL(38, 0)) where values are large",
    )
