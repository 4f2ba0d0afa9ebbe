"""Which anchor rows a check replays: the hard ones always, the rest evenly."""

from __future__ import annotations

from workbench.plan import expr as e
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
        for sql in _hard_rows(plan, relation):
            picked.update(seq for (seq,) in connection.execute(f"{sql} LIMIT {limit}").fetchall())
        for stage in stages(plan):
            source = snapshot.relation(connection, stage.source.table)
            for sql in _edge_rows(stage, relation, source):
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


def _hard_rows(plan: FeaturePlan, relation: str) -> list[str]:
    """Queries of ties, first rows and NULL keys, for every key of the plan that is made of the anchor's columns."""
    queries = []
    for columns in _key_columns(plan):
        names = [f"a.{quote(name)}" for name in columns]
        if names:
            anyone = " OR ".join(f"{name} IS NULL" for name in names)
            queries.append(f"SELECT __seq FROM {relation} a WHERE {anyone}")
        partition = f"PARTITION BY {', '.join(names)}" if names else ""
        order = f"a.{quote(plan.time)}, " if plan.time else ""
        queries.append(
            f"SELECT __seq FROM {relation} a QUALIFY row_number() OVER ({partition} ORDER BY {order}a.__seq) = 1"
        )
        if plan.time:
            tied = ", ".join([*names, f"a.{quote(plan.time)}"])
            queries.append(
                f"SELECT __seq FROM {relation} a QUALIFY count(*) OVER (PARTITION BY {tied}) > 1 ORDER BY hash(__seq)"
            )
    return queries


def _key_columns(plan: FeaturePlan) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = []
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        columns = tuple(sorted(set().union(*(e.columns(key.anchor, e.ANCHOR) for key in part.keys))))
        if columns not in keys:
            keys.append(columns)
    return keys


def _edge_rows(stage: Stage, anchors: str, source: str) -> list[str]:
    """Queries of anchors that have a row exactly at the start of a time window: the row that a wrong bound loses."""
    if any(e.sources(key.anchor) - {e.ANCHOR} for key in stage.keys) or stage.needs_anchor:
        return []
    # A date and a time compare as times.
    kind = "DATE" if stage.order_anchor.type in ("DATE", "TIMESTAMP") else stage.order_anchor.type
    anchor_order = order_sql(plan_sql(stage.order_anchor), kind)
    row_order = order_sql(f"r.{quote(stage.order)}", kind)
    same = "".join(f" AND r.{quote(key.row)} = {plan_sql(key.anchor)}" for key in stage.keys)
    starts = {w.frame.start for w in stage.windows if w.frame.unit == "range" and w.frame.start}
    return [
        f"SELECT DISTINCT a.__seq FROM {anchors} a JOIN {source} r ON {row_order} = {anchor_order} - {start}{same}"
        for start in sorted(starts)
    ]
