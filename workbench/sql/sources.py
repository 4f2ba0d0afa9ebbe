"""When a row of a table is visible to an anchor row, beyond its place in the order: delay, known and ttl."""

from __future__ import annotations

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.ops import Native, RowSource
from workbench.sql.binding import Binding
from workbench.sql.scope import Relation


def row_source(
    binding: Binding,
    node: exp.Expr,
    anchor: Relation,
    rows: Relation,
    where: ops.Value | None,
    order: str | None,
    ahead: bool = False,
) -> RowSource:
    """Return the rows of a relation as a window or lookup reads them.

    Parameters
    ----------
    binding
        Makes the conditions, and fails at ``node``.
    anchor
        The anchor.
    rows
        The relation.
    where
        The query's condition on its rows.
    order
        The column that orders them. In the order of time, delay and ttl are places in it, otherwise conditions.
    ahead
        The rows lie ahead: they count by their own times, whenever they became known.
    """
    table = rows.table
    own = table.name == anchor.table.name
    if ahead or not (table.delay or table.known or table.ttl):
        return RowSource(table.name, table.time, own, rows.rows, where, plan=rows.plan)
    if anchor.table.time is None:
        binding.fail(
            node, f"{table.name} says when its rows are known, and {anchor.table.name} has no time column"
        )
    now = ops.Field(anchor.rows, anchor.table.time)
    conditions = [where] if where is not None else []
    if table.known:
        conditions.append(binding.bind(node, "op", "<=", [ops.Field(rows.rows, table.known), now]))
    delay, ttl = table.delay, table.ttl
    if order != table.time:
        assert table.time is not None
        time = ops.Field(rows.rows, table.time)
        if delay:
            known = binding.bind(node, "op", "+", [time, _micros(delay)])
            conditions.append(binding.bind(node, "op", "<=", [known, now]))
        if ttl is not None:
            oldest = binding.bind(node, "op", "-", [now, _micros(ttl)])
            conditions.append(binding.bind(node, "op", ">", [time, oldest]))
        delay, ttl = 0, None
    condition = None
    for part in conditions:
        condition = part if condition is None else binding.bind(node, "op", "and", [condition, part])
    return RowSource(table.name, table.time, own, rows.rows, condition, delay, ttl, rows.plan)


def _micros(count: int) -> Native:
    return Native("literal", f"INTERVAL '{count} microseconds'", (), "INTERVAL")
