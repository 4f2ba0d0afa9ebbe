"""The scenario's store: loading, size, cold start, deploys, and what a further worker costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.runner import Measurement
from tests.benchmarks.scenario import Scenario
from tests.benchmarks.scenario.project import loaded, request_row
from workbench.deployment import ensure_server, live_workers, stop_server
from workbench.project import Project

#: Raw bytes of what the scenario's index of transactions holds: the key, the time and the columns that are read.
RAW = {"card_id": 8, "ts": 8, "amount": 8, "merchant_id": 4, "mcc": 2, "country": 2, "is_online": 1}

#: As the scenario's view, another window and another key, so that an index exists for the first and not for the second.
SAME_INDEX = """
SELECT sum(amount) OVER w AS total, count(DISTINCT mcc) OVER w AS kinds FROM requests r
WINDOW w AS (FROM txns PARTITION BY card_id ORDER BY ts ROWS_RANGE BETWEEN 3d PRECEDING AND CURRENT ROW)
"""
NEW_INDEX = """
SELECT sum(amount) OVER w AS total, count(*) OVER w AS payments FROM requests r
WINDOW w AS (FROM txns PARTITION BY merchant_id ORDER BY ts ROWS_RANGE BETWEEN 3d PRECEDING AND CURRENT ROW)
"""

_COLD = """
import sys, time
started = time.perf_counter()
import workbench as wb
project = wb.open(sys.argv[1])
view = project.view("card_risk")
opened = time.perf_counter() - started
answer = view.request({"card_id": 1, "amount": 1.0, "merchant_id": 1, "mcc": 1, "ts": "2026-07-01T00:00:00Z"})
print(opened, time.perf_counter() - started)
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure one project from its first load to its second worker."""
    scenario = Scenario.at(folder, scale)
    project, view, seconds = loaded(scenario, folder / "storage")
    events = scenario.count(5_000_000)
    total = events + scenario.count(1_000_000) + scenario.count(20_000) * 25
    lines = [
        _line("load 3 tables", "rows/s", total / seconds, f"{total:,} rows in {seconds:.2f} s, no index yet")
    ]
    ensure_server(project.path, workers=1)
    started = time.perf_counter()
    view.deploy()
    deploying = time.perf_counter() - started
    rate = events / (seconds + deploying)
    lines.append(
        _line("load and first deploy, to live", "s", seconds + deploying, f"{rate:,.0f} transactions/s")
    )
    lines += _sizes(project, events)
    lines += [
        _deploy(project, "new view, index exists", SAME_INDEX),
        _deploy(project, "new view, new index", NEW_INDEX),
    ]
    lines.append(_cold_start(project))
    lines.append(_worker(project, scenario))
    stop_server(project.path)
    project.close()
    return lines


def _sizes(project: Project, events: int) -> list[Measurement]:
    (index,) = [i for i in project.storage.indexes() if i.spec.table == "txns"]
    raw = sum(RAW.values())
    note = f"raw columns {raw} bytes; {index.bytes / events / raw:.2f}x"
    return [_line("index of transactions, bytes per event", "B", index.bytes / events, note)]


def _deploy(project: Project, name: str, sql: str) -> Measurement:
    view = project.define(name.replace(" ", "_").replace(",", ""), sql)
    started = time.perf_counter()
    view.deploy()
    return _line(
        f"deploy, {name}", "s", time.perf_counter() - started, "the server runs; to live in all workers"
    )


def _cold_start(project: Project) -> Measurement:
    done = subprocess.run(
        [sys.executable, "-c", _COLD, str(project.path)], capture_output=True, text=True, check=True
    )
    opened, answered = map(float, done.stdout.split())
    return _line(
        "cold start to the first answer", "s", answered, f"a new process; project open after {opened:.2f} s"
    )


def _worker(project: Project, scenario: Scenario) -> Measurement:
    """The private memory of the second of two workers after both have answered."""
    stop_server(project.path)
    ensure_server(project.path, workers=2)
    deployment = project.deployment("card_risk")
    for request in scenario.requests[:2000]:
        deployment.request(request_row(request))
    sizes = (_memory(worker.pid, project.path) for worker in live_workers(project.storage))
    own, mapped = max(sizes)
    return _line(
        "a further worker, PSS", "MB", own / 1e6, f"besides {mapped / 1e6:.0f} MB of the project's files"
    )


def _memory(pid: int, project: Path) -> tuple[int, int]:
    """Proportional bytes of a process, without and of the project's mapped files, which all workers share."""
    own = mapped = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            inside = len(rest) > 4 and rest[4].startswith(str(project))
        elif name == "Pss:":
            own += 0 if inside else int(rest[0]) * 1024
            mapped += int(rest[0]) * 1024 if inside else 0
    return own, mapped


def _line(name: str, unit: str, value: float, note: str) -> Measurement:
    return Measurement(f"store ({os.cpu_count()} cores)", name, unit, value, note=note)
