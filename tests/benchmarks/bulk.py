"""Twenty window features of skewed rows in bulk: ours next to the naive RANGE SQL, each in a process of its own.

A quarter of the rows are of one key. The naive form also differs in its meaning: rows of the same time see each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

import workbench as wb
from tests.benchmarks.lowered import DAYS, feature_query, naive, prepare
from tests.benchmarks.runner import Measurement

SIZES = (1_000_000, 10_000_000)
SECONDS = 600.0  # after which a process is cut off

_OURS = """
import json, resource, sys, time
import workbench as wb
project = wb.open(sys.argv[1])
view = project.view("bulk")
started, cpu, rows = time.perf_counter(), time.process_time(), 0
for batch in view.offline().to_reader():
    rows += batch.num_rows
wall, cpu = time.perf_counter() - started, time.process_time() - cpu
print("\\nMEASURED", json.dumps([wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, rows]))
"""
_NAIVE = """
import json, resource, sys, time
import duckdb
connection = duckdb.connect(config={"temp_directory": sys.argv[3]})
connection.execute(f"CREATE TABLE payments AS FROM '{sys.argv[1]}'")
started, cpu, rows = time.perf_counter(), time.process_time(), 0
for batch in connection.execute(sys.argv[2]).to_arrow_reader(100_000):
    rows += batch.num_rows
wall, cpu = time.perf_counter() - started, time.process_time() - cpu
print("\\nMEASURED", json.dumps([wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, rows]))
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure two sizes; the smaller one three times in turns."""
    lines: list[Measurement] = []
    for size in SIZES:
        rows = int(size * scale)
        source = folder / f"payments-{rows}.parquet"
        if not source.exists():
            with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
                prepare(connection, rows, skewed=True)
                connection.execute(f"COPY payments TO '{source}'")
        project = wb.open(folder / f"bulk-{rows}")
        project.create_table("payments", str(source), time="ts", if_exists="skip")
        project.define("bulk", feature_query(DAYS))
        project.warmup()
        project.close()
        ours = [sys.executable, "-c", _OURS, str(project.path)]
        plain = [sys.executable, "-c", _NAIVE, str(source), naive(DAYS), str(folder / "spill")]
        lines += _in_turns(rows, [("workbench", ours), ("naive RANGE", plain)], 3 if size < 10**7 else 1)
    return lines


def _in_turns(rows: int, commands: Sequence[tuple[str, list[str]]], runs: int) -> list[Measurement]:
    found: dict[str, list[list[float]]] = {name: [] for name, _ in commands}
    for _ in range(runs):
        for name, command in commands:
            found[name].append(_measured(command))
    first = sorted(found[commands[0][0]])[runs // 2][0]
    lines = []
    for name, times in found.items():
        wall, cpu, peak, count = sorted(times)[runs // 2]
        assert count in (rows, 0)
        note = f"peak memory {peak / 1e6:,.0f} MB" if count else f"cut off after {SECONDS:g} s"
        group = f"{rows:,} skewed rows, {5 * len(DAYS)} window features"
        lines.append(Measurement(group, name, "s", wall, max(times)[0], cpu, wall / first, runs, note))
    return lines


def _measured(command: list[str]) -> list[float]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return [SECONDS, SECONDS, 0.0, 0.0]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("MEASURED"))
    times: list[float] = json.loads(line.removeprefix("MEASURED"))
    return times
