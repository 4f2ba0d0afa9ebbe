"""Findings that only the data shows: NULL keys, ties, rows known too early, spine rows that are stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from workbench.catalog import tables
from workbench.offline.spine import spine_rows, with_stored_seqs
from workbench.plan import expr as e
from workbench.plan.lint import Finding
from workbench.plan.model import FeaturePlan, Lookup, Source, Window
from workbench.plan.render import quote
from workbench.storage import Storage, StoredTable
from workbench.storage.session import hold

_DAY = 86_400_000_000


def lint_data(storage: Storage, plan: FeaturePlan) -> list[Finding]:
    """Return the findings of a plan on the rows stored now."""
    findings: list[Finding] = []
    with storage.snapshot() as snapshot, storage.connect() as connection:

        def count(sql: str) -> int:
            row = connection.execute(f"SELECT count(*) FROM {sql}").fetchone()
            return int(row[0]) if row else 0

        for part in plan.nested():
            findings += _keys_and_ties(part, snapshot.relation(connection, part.table), count)
        read = {source.table for part in plan.nested() for source in part.sources()}
        for name in plan.tables():
            findings += _availability(snapshot.table(name), snapshot.relation(connection, name), read, count)
    windows = [window for part in plan.nested() for window in part.windows]
    findings += [_beyond_ttl(window, storage) for window in windows if _outlived(window, storage)]
    return list(dict.fromkeys(findings))


def lint_spine(storage: Storage, plan: FeaturePlan, spine: Any) -> list[Finding]:
    """Return the findings of spine rows without ``seq`` that are stored already, or look like it."""
    time = plan.base.time
    if time is None or not any(window.history for part in plan.nested() for window in part.windows):
        return []
    findings = []
    with storage.snapshot() as snapshot, storage.connect() as connection:
        table = snapshot.table(plan.table)
        rows = with_stored_seqs(connection, snapshot, table, spine_rows(plan, table.columns, spine))
        hold(connection, "spine", rows)
        relation = snapshot.relation(connection, plan.table)

        def matching(same: str) -> int:
            sql = f"SELECT count(*) FROM spine s SEMI JOIN {relation} t ON {same} WHERE s.__seq IS NULL"
            row = connection.execute(sql).fetchone()
            return int(row[0]) if row else 0

        columns = [name for name in plan.request_columns if name in rows.column_names]
        equal = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM t.{quote(name)}" for name in columns)
        if found := matching(equal):
            findings.append(_stored_spine(plan, found))
        named = table.id_column
        if named is not None and named in rows.column_names:
            same_id = f"CAST(s.{quote(named)} AS {table.columns[named]}) = t.{quote(named)}"
            if found := matching(f"{same_id} AND s.{quote(time)} <> t.{quote(time)}"):
                findings.append(_moved_spine(plan, named, found))
    return findings


# -- keys and ties


def _keys_and_ties(plan: FeaturePlan, relation: str, count: Callable[[str], int]) -> Iterator[Finding]:
    for columns in _anchor_keys(plan):
        null = " OR ".join(f"{quote(name)} IS NULL" for name in columns)
        if rows := count(f"{relation} WHERE {null}"):
            yield _null_keys(plan, columns, rows)
    for window in plan.windows:
        if window.history and plan.time and window.order:
            names = [window.source.stored(name) for name in (*(key.row for key in window.keys), window.order)]
            group = ", ".join(map(quote, names))
            if ties := count(f"(SELECT 1 FROM {relation} GROUP BY {group} HAVING count(*) > 1)"):
                yield _ties(window, ties)


def _anchor_keys(plan: FeaturePlan) -> list[tuple[str, ...]]:
    """The stored columns of the anchor that the keys of each window and lookup are, where they are any."""
    keys: dict[tuple[str, ...], None] = {}
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        if isinstance(part, Lookup) and part.null_keys:
            continue  # NULL finds NULL there
        columns = [
            key.anchor.name
            for key in part.keys
            if isinstance(key.anchor, e.Column) and key.anchor.source == e.ANCHOR
        ]
        if plan.rows is not None:
            columns = [name for name in map(plan.rows.passed, columns) if name is not None]
        if columns:
            keys[tuple(columns)] = None
    return list(keys)


def _null_keys(plan: FeaturePlan, columns: tuple[str, ...], rows: int) -> Finding:
    return Finding(
        "null-keys",
        "warning",
        f"{rows:,} rows of {plan.table} have NULL in {', '.join(columns)}: joins and windows of other tables find "
        "nothing for them, and they are one group of the history",
        "filter them with WHERE, or fill the key before the row is stored",
    )


def _ties(window: Window, ties: int) -> Finding:
    keys = ", ".join(key.row for key in window.keys)
    return Finding(
        "ties",
        "info",
        f"{ties:,} times several rows of {window.source.table} have the same {window.order} for one {keys}: "
        "the earlier arrival is before the later",
        "nothing to do; finer times would tell more",
    )


# -- when rows are known, and for how long


def _availability(
    table: StoredTable, relation: str, read: set[str], count: Callable[[str], int]
) -> Iterator[Finding]:
    known = tables.availability(table)["known"]
    if known is None or table.time is None or table.name not in read:
        return
    if rows := count(f"{relation} WHERE {quote(known)} < {quote(table.time)}"):
        yield Finding(
            "known-before-time",
            "warning",
            f"{rows:,} rows of {table.name} are known ({known}) before their time ({table.time}): "
            "they are seen from their time on",
            f"check what {known} says; a row is never seen before its time",
        )
    if rows := count(f"{relation} WHERE {quote(known)} IS NULL"):
        yield Finding(
            "never-known",
            "info",
            f"{rows:,} rows of {table.name} have no {known}: they are never seen by other rows",
            f"fill {known} where it is known when a row is known",
        )


def _ttl(source: Source, storage: Storage) -> int | None:
    """The ttl that a source's table has now."""
    text = tables.availability(storage.table(source.table))["ttl"]
    return tables.microseconds(text) if text is not None else None


def _outlived(window: Window, storage: Storage) -> bool:
    """Whether a window by time reaches further back than rows live now."""
    ttl, frame = _ttl(window.source, storage), window.frame
    by_time = window.order is not None and window.order == window.source.time
    return bool(by_time and ttl and frame.unit == "range" and frame.start is not None and frame.start > ttl)


def _beyond_ttl(window: Window, storage: Storage) -> Finding:
    ttl = (_ttl(window.source, storage) or 0) / _DAY
    return Finding(
        "beyond-ttl",
        "warning",
        f"a window over {window.source.table} reaches {(window.frame.start or 0) / _DAY:g} days back, "
        f"but its rows live for {ttl:g} days now",
        "shorten the frame, or replace the table with a longer ttl, and define the view again",
    )


# -- spines


def _stored_spine(plan: FeaturePlan, rows: int) -> Finding:
    return Finding(
        "spine-row-stored",
        "warning",
        f"{rows:,} spine rows are stored in {plan.table} already and would be counted twice in their own history",
        "give them their seq column, or use offline() without a spine",
    )


def _moved_spine(plan: FeaturePlan, column: str, rows: int) -> Finding:
    return Finding(
        "spine-row-moved",
        "info",
        f"{rows:,} spine rows have the {column} of a row of {plan.table}, but another time: they are new rows of their "
        "own time, which see the stored one when it is before",
        "give them the stored row's time where they are meant to be that row",
    )
