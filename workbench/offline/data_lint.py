"""Findings that only the data shows: NULL keys, ties, spine rows that are stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from workbench.offline.spine import spine_rows
from workbench.plan import expr as e
from workbench.plan.lint import Finding
from workbench.plan.model import FeaturePlan, Lookup, Window
from workbench.plan.render import quote
from workbench.storage import Storage


def lint_data(storage: Storage, plan: FeaturePlan) -> list[Finding]:
    """Return the findings of a plan on the rows stored now."""
    with storage.snapshot() as snapshot, storage.connect() as connection:

        def count(sql: str) -> int:
            row = connection.execute(f"SELECT count(*) FROM {sql}").fetchone()
            return int(row[0]) if row else 0

        findings: list[Finding] = []
        for part in plan.nested():
            relation = snapshot.relation(connection, part.table)
            findings += _part(part, relation, count)
    return list(dict.fromkeys(findings))


def _part(plan: FeaturePlan, relation: str, count: Callable[[str], int]) -> Iterator[Finding]:
    for columns in _anchor_keys(plan):
        null = " OR ".join(f"{quote(name)} IS NULL" for name in columns)
        rows = count(f"{relation} WHERE {null}")
        if rows:
            yield _null_keys(plan, columns, rows)
    for window in plan.windows:
        if window.history and plan.time and window.order is not None:
            names = [window.source.stored(name) for name in (*(key.row for key in window.keys), window.order)]
            group = ", ".join(quote(name) for name in names)
            ties = count(f"(SELECT 1 FROM {relation} GROUP BY {group} HAVING count(*) > 1)")
            if ties:
                yield _ties(window, ties)


def lint_spine(storage: Storage, plan: FeaturePlan, spine: Any) -> list[Finding]:
    """Return the finding of spine rows without ``seq`` that look like rows stored already."""
    histories = [window for part in plan.nested() for window in part.windows if window.history]
    if plan.base.time is None or not histories:
        return []
    rows = spine_rows(plan, storage.table(plan.table).columns, spine)
    columns = [name for name in plan.request_columns if name in rows.column_names]
    same = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM t.{quote(name)}" for name in columns)
    with storage.snapshot() as snapshot, storage.connect() as connection:
        connection.register("given", rows)
        # DuckDB may push a join's filter into a scan of Arrow, and fails there.
        connection.execute("CREATE TEMP TABLE spine AS SELECT * FROM given")
        relation = snapshot.relation(connection, plan.table)
        row = connection.execute(
            f"SELECT count(*) FROM spine s SEMI JOIN {relation} t ON {same} WHERE s.__seq IS NULL"
        ).fetchone()
    found = int(row[0]) if row else 0
    return [_stored_spine(plan, found)] if found else []


def _anchor_keys(plan: FeaturePlan) -> list[tuple[str, ...]]:
    """The keys of windows and joins as stored columns of the anchor's table, without computed ones."""
    keys: dict[tuple[str, ...], None] = {}
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        names = [
            key.anchor.name if plan.rows is None else plan.rows.passed(key.anchor.name)
            for key in part.keys
            if isinstance(key.anchor, e.Column) and key.anchor.source == e.ANCHOR
        ]
        columns = tuple(name for name in names if name is not None)
        if columns:
            keys[columns] = None
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


def _stored_spine(plan: FeaturePlan, rows: int) -> Finding:
    return Finding(
        "spine-row-stored",
        "warning",
        f"{rows:,} spine rows are stored in {plan.table} already and would be counted twice in their own history",
        "give them their seq column, or use offline() without a spine",
    )
