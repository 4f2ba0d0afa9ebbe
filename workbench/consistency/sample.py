"""Which anchor rows a check replays: the hard ones always, the rest evenly."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.plan import expr as e
from workbench.plan.expr import Expr
from workbench.plan.model import FeaturePlan, Lookup, Window
from workbench.plan.render import order_sql, plan_sql, quote
from workbench.plan.stages import Stage, stages
from workbench.storage import Storage

#: The share of the sample that each kind of hard row may take.
_HARD_SHARE = 0.1


def sample(storage: Storage, plan: FeaturePlan, rows: int, cut: int) -> list[int]:
    """Return arrival numbers of anchor rows to check, ascending.

    The sample holds rows tied in time with another of their key, first rows of a key, rows with NULL keys, and rows
    that stand exactly on the edge of a window, each where the data has them; the rest is spread over the table.
    """
    with storage.snapshot(cut) as snapshot, storage.connect() as connection:
        relation = snapshot.relation(connection, plan.table)
        total = snapshot.row_count(plan.table)
        if rows >= total:
            found = connection.execute(f"SELECT __seq FROM {relation} ORDER BY __seq").fetchall()
            return [seq for (seq,) in found]
        limit = max(1, int(rows * _HARD_SHARE))
        picked: set[int] = set()
        for level in _levels(plan):
            queries = _hard_rows(level, plan.base.time, relation)
            for stage in stages(level):
                source = snapshot.relation(connection, stage.source.table)
                queries += _edge_rows(level, stage, relation, source)
            for sql in queries:
                picked.update(seq for (seq,) in connection.execute(f"{sql} LIMIT {limit}").fetchall())
        hard = sorted(picked)[:rows]
        spread = connection.execute(
            f"SELECT __seq FROM {relation} ORDER BY hash(__seq) LIMIT {rows}"
        ).fetchall()
        chosen = set(hard)
        for (seq,) in spread:
            if len(chosen) >= rows:
                break
            chosen.add(seq)
        return sorted(chosen)


def _levels(plan: FeaturePlan) -> Iterator[FeaturePlan]:
    """A plan and those that its anchor rows come from: all have the same stored rows as anchors."""
    while True:
        yield plan
        if plan.rows is None:
            return
        plan = plan.rows


def _hard_rows(plan: FeaturePlan, time: str | None, relation: str) -> list[str]:
    """Queries of ties, first rows and NULL keys, for every key of the plan that is made of the anchor's columns."""
    queries = []
    for columns in _key_columns(plan):
        names = [f"a.{quote(name)}" for name in columns]
        if names:
            anyone = " OR ".join(f"{name} IS NULL" for name in names)
            queries.append(f"SELECT __seq FROM {relation} a WHERE {anyone}")
        partition = f"PARTITION BY {', '.join(names)}" if names else ""
        order = f"a.{quote(time)}, " if time else ""
        queries.append(
            f"SELECT __seq FROM {relation} a QUALIFY row_number() OVER ({partition} ORDER BY {order}a.__seq) = 1"
        )
        if time:
            tied = ", ".join([*names, f"a.{quote(time)}"])
            queries.append(
                f"SELECT __seq FROM {relation} a QUALIFY count(*) OVER (PARTITION BY {tied}) > 1 ORDER BY hash(__seq)"
            )
    return queries


def _key_columns(plan: FeaturePlan) -> list[tuple[str, ...]]:
    """The stored columns that the key of each window and lookup is made of."""
    keys: list[tuple[str, ...]] = []
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        values = [_stored(plan, key.anchor) for key in part.keys]
        columns = tuple(sorted(set().union(*(e.columns(value, e.ANCHOR) for value in values))))
        if columns not in keys:
            keys.append(columns)
    return keys


def _edge_rows(plan: FeaturePlan, stage: Stage, anchors: str, rows: str) -> list[str]:
    """Queries of anchors that have a row exactly at the start of a time window: the row that a wrong bound loses."""
    if stage.order is None or stage.order_anchor is None or stage.needs_anchor:
        return []
    order = _stored(plan, stage.order_anchor)
    keys = {key.row: _stored(plan, key.anchor) for key in stage.keys}
    if order is None or any(value is None or e.sources(value) - {e.ANCHOR} for value in keys.values()):
        return []
    # A date and a time compare as times.
    kind = "DATE" if order.type in ("DATE", "TIMESTAMP") else order.type
    anchor_order = order_sql(plan_sql(order), kind)
    source = stage.source
    row_order = order_sql(f"r.{quote(source.stored(stage.order))}", kind)
    same = "".join(
        f" AND r.{quote(source.stored(row))} = {plan_sql(value)}" for row, value in keys.items() if value
    )
    starts = {w.frame.start for w in stage.windows if w.frame.unit == "range" and w.frame.start}
    return [
        f"SELECT DISTINCT a.__seq FROM {anchors} a JOIN {rows} r ON {row_order} = {anchor_order} - {start}{same}"
        for start in sorted(starts)
    ]


def _stored(plan: FeaturePlan, value: Expr) -> Expr | None:
    """An expression over the anchor as one over its stored columns; None where it reads a computed one."""
    below = plan.rows
    if below is None:
        return value
    if any(below.passed(name) is None for name in e.columns(value, e.ANCHOR)):
        return None

    def stored(node: Expr) -> Expr | None:
        if isinstance(node, e.Column) and node.source == e.ANCHOR:
            return e.Column(e.ANCHOR, below.stored(node.name), node.type)
        return None

    return e.transform(value, stored)
