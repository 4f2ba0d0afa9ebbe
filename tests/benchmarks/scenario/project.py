"""The scenario in a workbench project."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import workbench as wb
from tests.benchmarks.scenario.data import SQL, TABLES, Scenario
from workbench.project import Project
from workbench.view import View

VIEW = "card_risk"
ANCHOR = {
    "card_id": "BIGINT",
    "ts": "TIMESTAMP",
    "amount": "DOUBLE",
    "merchant_id": "INTEGER",
    "mcc": "SMALLINT",
}


def loaded(scenario: Scenario, folder: Path) -> tuple[Project, View, float]:
    """Return a project with the scenario's tables, its view, and how many seconds loading took."""
    project = wb.open(folder)
    started = time.perf_counter()
    for name in TABLES:
        project.create_table(name, str(scenario.path(name)), time="ts")
    seconds = time.perf_counter() - started
    project.create_table("requests", ANCHOR, time="ts")
    return project, project.define(VIEW, SQL), seconds


def request_row(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request of the scenario as our endpoint takes it: times are ISO 8601."""
    moment = time.gmtime(request["ts"] // 1_000_000)
    return request | {"ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)}
