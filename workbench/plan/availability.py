"""The conditions that make the rows of a table visible, as they stand in a plan beside those of the query."""

from __future__ import annotations

from workbench.plan import expr as e
from workbench.plan.expr import Column, Expr, Literal, Op
from workbench.plan.tables import SourceTable


def without_availability(
    where: Expr | None, table: SourceTable, order: str | None, anchor_time: str | None
) -> Expr | None:
    """Return a source's condition without those that its table's ``known``, ``delay`` and ``ttl`` added.

    Parameters
    ----------
    where
        The condition.
    table
        The table, under the names that the condition has.
    order
        The column that orders the rows: in the order of time, delay and ttl are no conditions.
    anchor_time
        The anchor's time column.
    """
    if where is None or anchor_time is None:
        return where
    added = _added(table, order, Column(e.ANCHOR, anchor_time, "TIMESTAMP"))
    return e.conjunction(*(part for part in e.conjuncts(where) if part not in added))


def _added(table: SourceTable, order: str | None, now: Column) -> list[Expr]:
    """The conditions, in the order in which they are joined to the query's own."""
    conditions: list[Expr] = []
    if table.known:
        known = Column(e.ROW, table.known, table.columns[table.known])
        conditions.append(Op("<=", (known, now), "BOOLEAN"))
    if table.time is None or order == table.time:
        return conditions
    time = Column(e.ROW, table.time, table.columns[table.time])
    if table.delay:
        known_at = Op("+", (time, _micros(table.delay)), "TIMESTAMP")
        conditions.append(Op("<=", (known_at, now), "BOOLEAN"))
    if table.ttl is not None:
        oldest = Op("-", (now, _micros(table.ttl)), "TIMESTAMP")
        conditions.append(Op(">", (time, oldest), "BOOLEAN"))
    return conditions


def _micros(count: int) -> Literal:
    return Literal(f"INTERVAL '{count} microseconds'", "INTERVAL")
