"""A plan is data: it survives JSON, and its hash is the identity of a version."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plan.conftest import NAMES, TABLES
from workbench.plan.model import FeaturePlan
from workbench.sql.define import define
from workbench.sql.functions import Functions

BASE = """SELECT sum(amount) OVER w AS total, n + 1 AS m
FROM tx WHERE n > 2
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 3h PRECEDING AND CURRENT ROW)"""


@pytest.mark.parametrize("name", NAMES)
def test_json_round_trip(plans: dict[str, FeaturePlan], name: str) -> None:
    plan = plans[name]
    again = FeaturePlan.from_json(plan.to_json())
    assert again == plan
    assert (again.hash, again.to_json()) == (plan.hash, plan.to_json())


def test_every_plan_of_the_catalogue_is_another(plans: dict[str, FeaturePlan]) -> None:
    assert len({plan.hash for plan in plans.values()}) == len(NAMES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FROM tx", "/* the anchor */ FROM tx /* here */"),
        ("\n", "  "),
        ("SELECT", "select"),
        ("amount", '"amount"'),
        ("sum(amount)", "SUM( AMOUNT )"),
        ("n > 2", "(n > 2)"),
        ("n > 2", "tx.n > 2"),
        ("w", "w1"),
        ("ROWS_RANGE", "RANGE"),
        ("3h", "INTERVAL 3 HOURS"),
        ("3h", "180m"),
    ],
)
def test_what_makes_no_version(functions: Functions, old: str, new: str) -> None:
    changed = (
        BASE.replace(old, new)
        if old != "w"
        else BASE.replace("OVER w", "OVER w1").replace("WINDOW w", "WINDOW w1")
    )
    assert changed != BASE
    assert define(changed, TABLES, functions).hash == define(BASE, TABLES, functions).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n > 2", "n > 3"),
        ("n > 2", "n >= 2"),
        ("n + 1", "n + 2"),
        ("n + 1", "n + 1.0"),
        ("AS m", "AS mm"),
        ("3h", "3h OPEN"),
        ("3h", "4h"),
        ("sum", "avg"),
        ("PARTITION BY card", "PARTITION BY mcc"),
        ("CURRENT ROW)", "CURRENT ROW MAXSIZE 3)"),
        ("CURRENT ROW)", "CURRENT ROW EXCLUDE CURRENT_ROW)"),
        (" WHERE n > 2", ""),
        ("amount", "DISTINCT amount"),
        ("OVER w", "FILTER (WHERE n > 1) OVER w"),
    ],
)
def test_what_makes_a_version(functions: Functions, old: str, new: str) -> None:
    changed = BASE.replace(old, new, 1)
    assert changed != BASE
    assert define(changed, TABLES, functions).hash != define(BASE, TABLES, functions).hash


def test_reading_a_plan_loads_no_ibis_and_no_parser(plans: dict[str, FeaturePlan]) -> None:
    code = (
        "import sys; from workbench.plan.model import FeaturePlan; import workbench.online; "
        "plan = FeaturePlan.from_json(sys.stdin.read()); "
        "print(plan.hash, [name for name in ('ibis', 'sqlglot', 'pandas') if name in sys.modules])"
    )
    plan = plans["counts"]
    done = subprocess.run(
        [sys.executable, "-c", code], input=plan.to_json(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split(" ", 1) == [plan.hash, "[]\n"]
