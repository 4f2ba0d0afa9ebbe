"""LAST JOINs of many anchors at once.

Three shapes, each one pass: the newest row of each key where time says nothing, an ASOF join where rows are as of the
anchor's time, and a join with all rows of the key where a condition of the anchor's chooses among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from workbench.plan import expr as e
from workbench.plan.join_form import visible_lookup
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import lookup_name, order_sql, plan_sql, quote
from workbench.plan.request_form import LATEST, later_visibility


def bulk_lookup(
    plan: FeaturePlan, lookup: Lookup, source: str, types: Mapping[str, str], anchors: str
) -> str:
    """Return the query of the anchors with a lookup's columns.

    Parameters
    ----------
    plan
        The plan.
    lookup
        A lookup of it.
    source
        FROM text of the lookup's source with ``__seq``.
    types
        Types of the source's columns.
    anchors
        Name of the relation of anchors with the lookups before.
    """
    timed = lookup.timed and lookup.source.time is not None
    by_time = timed and plan.time is not None and lookup.order == lookup.source.time
    free = not timed and not later_visibility(plan, lookup)
    if lookup.keys and not _reads_anchor(lookup.source.where):
        if by_time:
            return _as_of(lookup, source, anchors, f"a.{quote(plan.time or '')}")
        if free:
            return _newest_of_key(lookup, source, anchors)
    bound = _bound(lookup) if lookup.keys and (by_time or free) else None
    if bound is not None and (free or _is_time(plan, bound.value)):
        return _as_of(bound.rest, source, anchors, plan_sql(bound.value), bound.strict)
    return _searched(plan, lookup, source, types, anchors)


@dataclass(frozen=True)
class _Bound:
    """A condition that bounds the order of a lookup's rows by a value of the anchor's, and the lookup without it."""

    value: e.Expr
    strict: bool
    rest: Lookup


def _bound(lookup: Lookup) -> _Bound | None:
    conditions = _conjuncts(lookup.source.where)
    for number, condition in enumerate(conditions):
        if not (isinstance(condition, e.Op) and condition.op in ("<", "<=", ">", ">=")):
            continue
        row, value = condition.args if condition.op.startswith("<") else reversed(condition.args)
        rest = e.conjunction(*conditions[:number], *conditions[number + 1 :])
        ordered = isinstance(row, e.Column) and (row.source, row.name) == (e.ROW, lookup.order)
        if ordered and e.ROW not in e.sources(value) and not _reads_anchor(rest):
            source = msgspec.structs.replace(lookup.source, where=rest)
            return _Bound(
                value, not condition.op.endswith("="), msgspec.structs.replace(lookup, source=source)
            )
    return None


def _conjuncts(where: e.Expr | None) -> list[e.Expr]:
    if isinstance(where, e.Op) and where.op == "and":
        return [part for arg in where.args for part in _conjuncts(arg)]
    return [where] if where is not None else []


def _reads_anchor(where: e.Expr | None) -> bool:
    return bool(e.sources(where) - {e.ROW})


def _is_time(plan: FeaturePlan, value: e.Expr) -> bool:
    return isinstance(value, e.Column) and (value.source, value.name) == (e.ANCHOR, plan.time)


def _newest_of_key(lookup: Lookup, source: str, anchors: str) -> str:
    order = f"r.{quote(lookup.order)} DESC NULLS LAST, " if lookup.order else ""
    newest = _newest(_values(lookup), _rows(lookup, source), _row_keys(lookup), order)
    return f"SELECT a.*, {_found(lookup)} FROM {anchors} a LEFT JOIN ({newest}) r ON {_same_keys(lookup)}"


def _as_of(lookup: Lookup, source: str, anchors: str, anchor_time: str, strict: bool = False) -> str:
    """The newest row up to an anchor's time; with ``strict``, before it."""
    assert lookup.order is not None
    time = f"r.{quote(lookup.order)}"
    # The newest visible row has expired when any has: what is older is older still.
    ttl = lookup.source.ttl
    alive = f"r.__time > {anchor_time} - INTERVAL '{ttl} microseconds'" if ttl is not None else None
    values = f"{_values(lookup)}, {time} AS __time"
    if lookup.source.own and not lookup.source.delay and not strict:
        # Strictly before the anchor row in (time, arrival).
        rows = f"SELECT {values}, {_place(time, 'r.__seq')} AS __place FROM {_rows(lookup, source)}"
        before = f"{_place(anchor_time, f'coalesce(a.__seq, {LATEST})')} > r.__place"
    else:
        delay = f" - INTERVAL '{lookup.source.delay} microseconds'" if lookup.source.delay else ""
        rows = _newest(values, _rows(lookup, source), f"{_row_keys(lookup)}, {time}", "")
        before = f"{anchor_time}{delay} {'>' if strict and not delay else '>='} r.__time"
    return (
        f"SELECT a.*, {_found(lookup, alive)} FROM {anchors} a ASOF LEFT JOIN ({_with_keys(lookup, rows)}) r "
        f"ON {_same_keys_as_of(lookup)} AND {before}"
    )


def _with_keys(lookup: Lookup, rows: str) -> str:
    """Without rows whose keys nothing equals: DuckDB 1.5's ASOF joins of several keys take some NULLs for equal."""
    if lookup.null_keys or len(lookup.keys) < 2:
        return rows
    present = " AND ".join(f"r.__k{i} IS NOT NULL" for i in range(len(lookup.keys)))
    return f"SELECT * FROM ({rows}) r WHERE {present}"


def _same_keys_as_of(lookup: Lookup) -> str:
    """Equal keys as an ASOF JOIN takes them: to it NULL is never equal, not even by IS NOT DISTINCT FROM."""
    if not lookup.null_keys:
        return _same_keys(lookup)
    pairs = [(f"r.__k{i}", plan_sql(key.anchor)) for i, key in enumerate(lookup.keys)]
    return " AND ".join(
        f"coalesce(CAST({row} AS VARCHAR), '') = coalesce(CAST({anchor} AS VARCHAR), '') "
        f"AND ({row} IS NULL) = ({anchor} IS NULL)"
        for row, anchor in pairs
    )


def _place(time: str, seq: str) -> str:
    """A time and an arrival number as one number that orders like the two."""
    return f"CAST(epoch_us({time}) AS HUGEINT) * {LATEST + 1} + {seq}"


def _searched(plan: FeaturePlan, lookup: Lookup, source: str, types: Mapping[str, str], anchors: str) -> str:
    """The rows are numbered in their order once; of those that an anchor may take it takes the greatest number."""
    order = order_sql(f"r.{quote(lookup.order)}", types[lookup.order]) if lookup.order else "0"
    equal = "IS NOT DISTINCT FROM" if lookup.null_keys else "="
    conditions = [f"r.{quote(key.row)} {equal} {plan_sql(key.anchor)}" for key in lookup.keys]
    conditions += visible_lookup(plan, lookup, "r")
    conditions += later_visibility(plan, lookup)
    if lookup.source.where is not None:
        conditions.append(plan_sql(lookup.source.where))
    found = ", ".join(
        f"CASE WHEN f.__n IS NOT NULL THEN {plan_sql(value)} END AS {lookup_name(lookup.name, name)}"
        for name, value in lookup.columns
    )
    return (
        f"WITH o AS (SELECT r.*, {order} AS __ord FROM {source} r), "
        "s AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY __ord NULLS FIRST, __seq) AS __n FROM o), "
        f"f AS (SELECT a.__anchor, max(r.__n) AS __n FROM {anchors} a JOIN s r "
        f"ON {' AND '.join(conditions) or 'true'} GROUP BY a.__anchor) "
        f"SELECT a.*, {found} FROM {anchors} a LEFT JOIN f ON f.__anchor = a.__anchor LEFT JOIN s r ON r.__n = f.__n"
    )


# -- parts


def _rows(lookup: Lookup, source: str) -> str:
    where = f" WHERE {plan_sql(lookup.source.where)}" if lookup.source.where is not None else ""
    return f"{source} r{where}"


def _row_keys(lookup: Lookup) -> str:
    return ", ".join(f"r.{quote(key.row)}" for key in lookup.keys)


def _values(lookup: Lookup) -> str:
    keys = [f"r.{quote(key.row)} AS __k{i}" for i, key in enumerate(lookup.keys)]
    return ", ".join(
        [*keys, *(f"{plan_sql(value)} AS {lookup_name(lookup.name, name)}" for name, value in lookup.columns)]
    )


def _same_keys(lookup: Lookup) -> str:
    pairs = [(f"r.__k{i}", plan_sql(key.anchor)) for i, key in enumerate(lookup.keys)]
    if lookup.null_keys:
        # NULL equals NULL inside of structs; an ASOF join does not know IS NOT DISTINCT FROM.
        pairs = [(f"{{'k': {row}}}", f"{{'k': {anchor}}}") for row, anchor in pairs]
    return " AND ".join(f"{row} = {anchor}" for row, anchor in pairs)


def _found(lookup: Lookup, alive: str | None = None) -> str:
    names = [lookup_name(lookup.name, name) for name, _ in lookup.columns]
    if alive is None:
        return ", ".join(f"r.{name}" for name in names)
    return ", ".join(f"CASE WHEN {alive} THEN r.{name} END AS {name}" for name in names)


def _newest(values: str, source: str, group: str, order: str) -> str:
    """The newest row of each group: greatest ``order``, then latest arrival."""
    rank = f"row_number() OVER (PARTITION BY {group} ORDER BY {order}r.__seq DESC)"
    # Not {rank} = 1: DuckDB 1.5 rewrites that, and fails where a range condition stands below.
    return f"SELECT {values} FROM {source} QUALIFY least({rank}, 2) = 1"
