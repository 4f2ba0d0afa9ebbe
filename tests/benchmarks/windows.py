"""Requests in process by the length of the window and by the number of keys: both should cost about the same."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import duckdb

import workbench as wb
from tests.benchmarks.runner import Contender, Measurement, side_by_side
from workbench.project import Project
from workbench.view import View

LENGTHS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
KEYS = (1_000, 100_000, 1_000_000, 10_000_000)
CALLS = 2_000

COLUMNS = {"key": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE", "shop": "INTEGER"}

#: One window over everything: as many rows as the key has.
LONG = """
SELECT count(*) OVER w AS n, sum(amount) OVER w AS total, avg(amount) OVER w AS mean, min(amount) OVER w AS least,
    max(amount) OVER w AS most, stddev_samp(amount) OVER w AS spread
FROM asked r WINDOW w AS (FROM events PARTITION BY key ORDER BY ts
    ROWS_RANGE BETWEEN 3650d PRECEDING AND CURRENT ROW)
"""
DISTINCT = LONG.replace("stddev_samp(amount) OVER w AS spread", "count(DISTINCT shop) OVER w AS shops")

_EVENTS = """
SELECT {key} AS key, TIMESTAMP '2026-01-01' + to_seconds(i) AS ts, (hash(i) % 40000)::DOUBLE / 100 AS amount,
    (hash(i + 1) % 500)::INTEGER AS shop
FROM range({rows}) t(i)
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure windows of several lengths side by side, then tables of several numbers of keys."""
    return [*_lengths(folder, scale), *_keys(folder, scale)]


def _lengths(folder: Path, scale: float) -> list[Measurement]:
    lengths = [length for length in LENGTHS if length <= LENGTHS[-1] * scale]
    ends = list(itertools.accumulate(lengths))
    cases = " ".join(f"WHEN i < {end} THEN {length}" for end, length in zip(ends, lengths, strict=True))
    project = _project(folder / "lengths", _EVENTS.format(key=f"CASE {cases} END", rows=ends[-1]))
    lines: list[Measurement] = []
    for name, sql in (("6 aggregates", LONG), ("with count(DISTINCT)", DISTINCT)):
        view = project.define("long", sql)
        contenders = [
            Contender(f"window of {length:,} rows", _asking(view, [_row(length)])) for length in lengths
        ]
        for length in lengths:
            assert view.request(_row(length))["n"] == length
        lines += side_by_side(f"window length, {name}", contenders, CALLS, warm=100, unit="µs")
    project.close()
    return lines


def _keys(folder: Path, scale: float) -> list[Measurement]:
    contenders = []
    projects = []
    for keys in (int(number * scale) for number in KEYS):
        rows = max(keys, int(1_000_000 * scale))
        sql = _EVENTS.format(key=f"(hash(i % {keys}) % 1000000007)::BIGINT", rows=rows)
        project = _project(folder / f"keys{keys}", sql)
        projects.append(project)
        view = project.define("many", LONG)
        asked = random.Random(1).sample(range(keys), min(keys, CALLS))
        found = duckdb.sql(
            f"SELECT (hash(i) % 1000000007)::BIGINT FROM (SELECT unnest({asked}) AS i)"
        ).fetchall()
        rows_asked = [_row(key) for (key,) in found]
        assert view.request(rows_asked[0])["n"] >= 1
        contenders.append(Contender(f"{keys:,} keys, {rows:,} rows", _asking(view, rows_asked)))
    lines = side_by_side("number of keys, random ones", contenders, CALLS, warm=100, unit="µs")
    for project in projects:
        project.close()
    return lines


def _project(folder: Path, sql: str) -> Project:
    project = wb.open(folder)
    project.create_table("events", duckdb.sql(sql).to_arrow_table(), time="ts")
    project.create_table("asked", {"key": "BIGINT", "ts": "TIMESTAMP"}, time="ts")
    return project


def _row(key: int) -> dict[str, Any]:
    return {"key": key, "ts": "2026-11-01T00:00:00Z"}


def _asking(view: View, rows: list[dict[str, Any]]) -> Any:
    asked = itertools.cycle(rows)
    return lambda: view.request(next(asked))
