"""The scenario's training set: a spine of a million requests with 20 features, next to hand-written DuckDB SQL."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from tests.benchmarks.runner import Contender, Measurement, side_by_side
from tests.benchmarks.scenario import FEATURES, Scenario
from tests.benchmarks.scenario.project import loaded
from tests.benchmarks.scenario.sql import BATCH_JOIN, BATCH_WINDOW
from tests.benchmarks.scenario.truth import Truth, compute, differences, prepared
from workbench.view import View

RUNS = 3


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure our training set and both hand-written forms in turns, then compare all values with the truth."""
    scenario = Scenario.at(folder, scale)
    truth = Truth(scenario).spine
    project, view, _ = loaded(scenario, folder / "spine")
    spine = str(scenario.path("spine"))
    target = folder / "spine.parquet"
    with prepared(scenario) as connection:
        ours = Contender("workbench", lambda: _training_set(connection, view, spine, target))
        joined = Contender("DuckDB, join", lambda: compute(connection, BATCH_JOIN, "joined"))
        windowed = Contender("DuckDB, windows", lambda: compute(connection, BATCH_WINDOW, "windowed"))
        lines = side_by_side("training set of a spine", [ours, joined, windowed], RUNS, warm=1, unit="s")
        rows = connection.execute(f"SELECT count(*) FROM '{spine}'").fetchone()
        columns = ", ".join(FEATURES)
        connection.execute(
            f"CREATE TEMP TABLE ours AS SELECT file_row_number AS req_id, {columns}"
            f" FROM read_parquet('{target}', file_row_number = true)"
        )
        different = differences(connection, f"(FROM '{truth}')", "ours")
    project.close()
    assert rows is not None
    note = f"WRONG in {different}" if different else f"{rows[0]:,} rows x {len(FEATURES)} equal the truth"
    lines[0] = Measurement(**{**vars(lines[0]), "note": note})
    return lines


def _training_set(connection: duckdb.DuckDBPyConnection, view: View, spine: str, target: Path) -> float:
    started = time.perf_counter()
    rows = connection.execute(f"SELECT card_id, ts, amount, merchant_id, mcc FROM '{spine}'").to_arrow_table()
    view.offline(spine=rows).to_parquet(target)
    return time.perf_counter() - started
