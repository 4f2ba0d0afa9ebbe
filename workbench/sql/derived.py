"""Plans as sources of rows: subqueries with windows or joins, and views."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import ibis.expr.operations as ops
import msgspec

from workbench.plan import expr as e
from workbench.plan.leaks import older
from workbench.plan.model import Feature, FeaturePlan
from workbench.plan.prune import rebased
from workbench.plan.tables import SourceTable
from workbench.sql.query import Query
from workbench.sql.scope import Relation

T = TypeVar("T", bound=msgspec.Struct)
TIME, KNOWN = "__time", "__known"


def derived(query: Query, alias: str, plan: FeaturePlan, base: SourceTable, reader: str) -> Relation:
    """Return the output of a plan as a relation of rows.

    The times of the table under it pass through, in columns of their own where the plan has no output for them, so that
    its rows are visible to others as the table's are.

    Parameters
    ----------
    query
        The query that reads the relation.
    alias
        Its name there.
    plan
        The plan.
    base
        The table that the plan's anchor rows are of.
    reader
        The table of the rows that read the relation.
    """
    if query.dialect.timed_joins:
        plan = older(plan, reader)
    visible = list(plan.features)
    time, known = base.time, base.known
    if time is not None:
        plan, time = _passing(plan, time, TIME)
    if known is not None:
        plan, known = _passing(plan, known, KNOWN)
    table = SourceTable(base.name, plan.features, time, base.delay, known, base.ttl)
    rows = query.relation(replace(table, name=f"{base.name} {plan.hash}"), "row")
    columns: dict[str, ops.Value] = {name: ops.Field(rows, name) for name in visible}
    return Relation(alias, table, rows, columns, plan=plan)


def _passing(plan: FeaturePlan, column: str, hidden: str) -> tuple[FeaturePlan, str]:
    """A plan with an output that passes a time column of its table through, and the output's name."""
    for output in plan.outputs:
        if plan.passed(output.name) == column:
            return plan, output.name
    name = column
    if plan.rows is not None:
        below, name = _passing(plan.rows, column, hidden)
        plan = rebased(plan, below)
    passed = Feature(hidden, e.Column(e.ANCHOR, name, "TIMESTAMP"), "TIMESTAMP")
    columns = plan.anchor_columns
    if name not in dict(columns):
        columns = (*columns, (name, "TIMESTAMP"))
    return _with(plan, outputs=(*plan.outputs, passed), anchor_columns=columns), hidden


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
