"""Findings: what is allowed in a view but worth a second look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Window

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
    """Return the findings that the plan alone shows.

    See :func:`workbench.offline.data_lint.lint_data` for those that need the data.
    """
    findings = [_static_anchor(plan)] if plan.time is None else []
    findings += [_static_join(lookup) for lookup in plan.lookups if lookup.source.time is None]
    for window in plan.windows:
        if window.frame.start is None and window.maxsize is None:
            findings.append(_unbounded(plan, window))
        if window.source.time is not None and window.order != window.source.time:
            findings.append(_other_order(window))
    findings += [_overflow(plan, a) for a in plan.aggregates if _may_overflow(plan, a)]
    return list(dict.fromkeys(findings))


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


def _unbounded(plan: FeaturePlan, window: Window) -> Finding:
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


def _may_overflow(plan: FeaturePlan, aggregate: Aggregate) -> bool:
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
