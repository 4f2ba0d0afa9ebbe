"""What becomes of a query stands in files beside it, so that a change is read in the diff.

``snapshots/<name>.sql`` is a query; ``.plan.json``, ``.explain.txt`` and ``.lowered.sql`` are made of it. After a
change that is meant, write them anew and read the difference::

    WORKBENCH_WRITE_SNAPSHOTS=1 python -m pytest tests/plan/test_snapshots.py && git diff tests/plan/snapshots
"""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.plan.conftest import NAMES, SNAPSHOTS, TABLES
from workbench.errors import WorkbenchError
from workbench.plan.explain import explain
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.plain_sql import plain_sql
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage

WRITE = bool(os.environ.get("WORKBENCH_WRITE_SNAPSHOTS"))
_CLAUSES = re.compile(
    r" (?=(?:(?<!DISTINCT )FROM|WHERE|QUALIFY|GROUP BY|UNION ALL|(?<!ASOF )LEFT JOIN|ASOF LEFT JOIN|(?<!LEFT )JOIN)\b)"
    r"|(?<=\)) (?=SELECT\b)|(?<=\),) (?=\w+ AS (?:MATERIALIZED )?\()"
)


def plan_json(plan: FeaturePlan) -> str:
    return json.dumps(json.loads(plan.to_json()), indent=1) + "\n"


def lowered(plan: FeaturePlan) -> str:
    """The request forms of a plan and of those that it stands on, and its bulk form."""
    types = {name: dict(table.columns) for name, table in TABLES.items()}
    parts = []
    for number, part in enumerate(plan.nested(), start=1 - len(plan.nested())):
        parts += _request_forms(part, f", plan {-number} below" if number else "")
    try:
        parts.append(("offline, and plain SQL", plain_sql(plan, types)))
    except WorkbenchError as error:
        parts.append(("offline, and plain SQL", f"-- {error.message}"))
    return "\n".join(f"-- {title}\n{laid_out(sql)}\n" for title, sql in parts)


def _request_forms(plan: FeaturePlan, which: str) -> list[tuple[str, str]]:
    def rows(part: Stage | Lookup, anchors: str) -> str:
        return f"rows_{part.name}"

    single = RequestForm(plan, rows, "request", grouped=False, request_included=True)
    grouped = RequestForm(plan, rows, "request", grouped=True)
    return [(f"one request{which}", single.sql()), (f"many requests{which}", grouped.sql())]


def laid_out(sql: str) -> str:
    """One clause a line; only white space changes."""
    return _CLAUSES.sub("\n", sql)


MADE = {".plan.json": plan_json, ".explain.txt": lambda plan: explain(plan) + "\n", ".lowered.sql": lowered}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("name", NAMES)
def test_snapshots(plans: dict[str, FeaturePlan], name: str, kind: str) -> None:
    path, made = SNAPSHOTS / f"{name}{kind}", MADE[kind](plans[name])
    if WRITE:
        path.write_text(made)
    assert path.read_text() == made


def test_no_snapshot_without_its_query() -> None:
    assert {path.name.split(".")[0] for path in SNAPSHOTS.iterdir()} == set(NAMES)
