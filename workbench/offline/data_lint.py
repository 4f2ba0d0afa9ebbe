"""Findings that only the data shows: NULL keys, ties, spine rows that are stored already."""

from __future__ import annotations

from typing import Any

from workbench.offline.spine import spine_rows
from workbench.plan import expr as e
from workbench.plan.lint import Finding
from workbench.plan.model import FeaturePlan, Lookup, Window
from workbench.plan.render import quote
from workbench.storage import Storage


def lint_data(storage: Storage, plan: FeaturePlan) -> list[Finding]:
    """Return the findings of a plan on the rows stored now."""
    findings: list[Finding] = []
    with storage.snapshot() as snapshot, storage.connect() as connection:
        relation = snapshot.relation(connection, plan.table)

        def count(sql: str) -> int:
            row = connection.execute(f"SELECT count(*) FROM {sql}").fetchone()
            return int(row[0]) if row else 0

        for columns in _anchor_keys(plan):
            null = " OR ".join(f"{quote(name)} IS NULL" for name in columns)
            rows = count(f"{relation} WHERE {null}")
            if rows:
                findings.append(_null_keys(plan, columns, rows))
        for window in plan.windows:
            if window.history and plan.time:
                group = ", ".join(quote(name) for name in (*(key.row for key in window.keys), window.order))
                ties = count(f"(SELECT 1 FROM {relation} GROUP BY {group} HAVING count(*) > 1)")
                if ties:
                    findings.append(_ties(window, ties))
    return list(dict.fromkeys(findings))


def lint_spine(storage: Storage, plan: FeaturePlan, spine: Any) -> list[Finding]:
    """Return the finding of spine rows without ``seq`` that look like rows stored already."""
    if plan.time is None or not any(window.history for window in plan.windows):
        return []
    rows = spine_rows(plan, storage.table(plan.table).columns, spine)
    columns = [name for name in plan.request_columns if name in rows.column_names]
    same = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM t.{quote(name)}" for name in columns)
    with storage.snapshot() as snapshot, storage.connect() as connection:
        connection.register("spine", rows)
        relation = snapshot.relation(connection, plan.table)
        row = connection.execute(
            f"SELECT count(*) FROM spine s SEMI JOIN {relation} t ON {same} WHERE s.__seq IS NULL"
        ).fetchone()
    found = int(row[0]) if row else 0
    return [_stored_spine(plan, found)] if found else []


def _anchor_keys(plan: FeaturePlan) -> list[tuple[str, ...]]:
    keys: dict[tuple[str, ...], None] = {}
    parts: tuple[Window | Lookup, ...] = (*plan.windows, *plan.lookups)
    for part in parts:
        columns = tuple(
            key.anchor.name
            for key in part.keys
            if isinstance(key.anchor, e.Column) and key.anchor.source == e.ANCHOR
        )
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
