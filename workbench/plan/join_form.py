"""Rows of many anchors by joins: what each anchor row sees."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import order_sql, plan_sql, quote
from workbench.plan.request_form import LATEST
from workbench.plan.stages import Stage, lookup_columns


def joined_rows(
    plan: FeaturePlan,
    part: Stage | Lookup,
    source: str,
    types: Mapping[str, str],
    anchors: str,
) -> str:
    """Return FROM text of the rows that each anchor sees, in the shape that the request form wants.

    Parameters
    ----------
    plan
        The plan.
    part
        A stage or lookup of it.
    source
        FROM text of the part's source with ``__seq``; rows that :func:`narrowing` leaves out may be missing.
    types
        Types of the source's columns.
    anchors
        Name of the relation of anchors with their lookups so far.
    """
    columns = part.columns if isinstance(part, Stage) else lookup_columns(plan, part)
    order = order_sql(f"r.{quote(part.order)}", types[part.order]) if part.order else "0"
    picked = ", ".join(["r.__seq", f"{order} AS __ord", *(f"r.{quote(name)}" for name in columns)])
    on = [f"s.{quote(key.row)} {_equal(part)} {plan_sql(key.anchor)}" for key in part.keys]
    on += _visible_window(part) if isinstance(part, Stage) else visible_lookup(plan, part, "s")
    named = "".join(f", s.{quote(name)}" for name in columns)
    age = f", {part.order_sql} - s.__ord AS __age" if isinstance(part, Stage) else ""
    return (
        "(SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor "
        f"ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq{age}{named} "
        f"FROM {anchors} a JOIN (SELECT {picked} FROM {source} r) s ON {' AND '.join(on) or 'true'})"
    )


def narrowing(part: Stage | Lookup, anchors: str) -> str:
    """Return text that follows ``FROM … r`` over the stored rows of a part's table: only rows that an anchor may see.

    They have an anchor's key and, where the windows reach back no further than an age, are no older than that.
    """
    wanted = [f"{plan_sql(key.anchor)} AS k{i}" for i, key in enumerate(part.keys)]
    stored = [quote(part.source.stored(key.row)) for key in part.keys]
    same = [f"r.{name} {_equal(part)} k.k{i}" for i, name in enumerate(stored)]
    source = part.source
    # Times are never NULL; other orders may be, and then an anchor's own row is read for its own sake.
    timed = source.time is not None and part.order is not None
    timed = timed and source.stored(part.order or "") == source.stored(source.time or "")
    reach = part.reach() if isinstance(part, Stage) and timed and not part.ahead else None
    if reach is None or not isinstance(part, Stage):
        return (
            f" SEMI JOIN (SELECT {', '.join(wanted)} FROM {anchors} a) k ON {' AND '.join(same)}"
            if same
            else ""
        )
    places = f"SELECT {', '.join([*wanted, f'{part.order_sql} AS hi'])} FROM {anchors} a"
    time = order_sql(f"r.{quote(source.stored(source.time or ''))}", "TIMESTAMP")
    spans = _spans(places, [f"k{i}" for i in range(len(same))], reach)
    return f" SEMI JOIN ({spans}) k ON {' AND '.join([*same, f'{time} >= k.lo', f'{time} <= k.hi'])}"


def _spans(places: str, keys: list[str], reach: int) -> str:
    """The query of the stretches ``lo`` to ``hi`` that the ages up to ``reach`` before the places of a key cover."""
    named = "".join(f"{key}, " for key in keys)
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    apart = f"coalesce(hi - {reach} > lag(hi) OVER ({partition}ORDER BY hi), true)"
    number = f"count(CASE WHEN __apart THEN 1 END) OVER ({partition}ORDER BY hi ROWS UNBOUNDED PRECEDING)"
    return (
        f"SELECT {named}min(hi) - {reach} AS lo, max(hi) AS hi FROM (SELECT *, {number} AS __span "
        f"FROM (SELECT *, {apart} AS __apart FROM ({places}))) GROUP BY {named}__span"
    )


def _equal(part: Stage | Lookup) -> str:
    null_matches = part.null_group if isinstance(part, Stage) else part.null_keys
    return "IS NOT DISTINCT FROM" if null_matches else "="


def _visible_window(stage: Stage) -> list[str]:
    anchor = stage.order_sql
    if stage.order is None:
        return [f"s.__seq < coalesce(a.__seq, {LATEST})"] if stage.source.own else []
    if stage.source.delay:
        visible = [f"s.__ord <= {anchor} - {stage.source.delay}"]
    elif stage.before_time:
        visible = [f"s.__ord < {anchor}"]
    elif stage.source.own:
        visible = [f"(s.__ord < {anchor} OR s.__ord = {anchor} AND s.__seq < coalesce(a.__seq, {LATEST}))"]
    else:
        visible = [f"s.__ord <= {anchor}"]
    reach = stage.reach()
    if reach is not None:
        visible.append(f"s.__ord >= {anchor} - {reach}")
    return visible


def visible_lookup(plan: FeaturePlan, lookup: Lookup, row: str) -> list[str]:
    """Return conditions on rows ``row`` with ``__ord`` and ``__seq`` for anchor ``a`` that a lookup by time makes."""
    source = lookup.source
    if not lookup.timed or plan.time is None or source.time is None or lookup.order != source.time:
        return []  # the request form adds what the order does not say
    anchor = order_sql(f"a.{quote(plan.time)}", "TIMESTAMP")
    living = [f"{row}.__ord > {anchor} - {source.ttl}"] if source.ttl is not None else []
    if source.own and not source.delay:
        return [
            f"({row}.__ord < {anchor} OR {row}.__ord = {anchor} AND {row}.__seq < coalesce(a.__seq, {LATEST}))",
            *living,
        ]
    return [f"{row}.__ord <= {anchor} - {source.delay}", *living]
