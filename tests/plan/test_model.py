"""A plan is data: it survives JSON, and its hash is the identity of a version."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from tests.plan.conftest import NAMES, TABLES
from workbench.plan import expr as e
from workbench.plan.model import Feature, FeaturePlan, Key, Lookup, Source, ViewRef
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


def column(name: str, kind: str = "BIGINT") -> e.Column:
    return e.Column(e.ANCHOR, name, kind)


def derived() -> FeaturePlan:
    """The plan of SELECT card AS k, n + 1 AS m, ts AS __time FROM tx."""
    outputs = (
        Feature("k", column("card", "VARCHAR"), "VARCHAR"),
        Feature("m", e.Op("+", (column("n"), e.Literal("1", "INTEGER")), "BIGINT"), "BIGINT"),
        Feature("__time", column("ts", "TIMESTAMP"), "TIMESTAMP"),
    )
    columns = (("card", "VARCHAR"), ("n", "BIGINT"), ("ts", "TIMESTAMP"))
    return FeaturePlan("tx", "ts", columns, None, (), (), (), outputs)


def above(rows: FeaturePlan) -> FeaturePlan:
    """A plan over it with a lookup of logins."""
    found = Lookup("j0", Source("logins", "at"), (Key("card", column("k", "VARCHAR")),), "at", ())
    names = tuple(rows.features.items())
    return FeaturePlan("tx", "__time", names, None, (found,), (), (), rows.outputs[:1], rows=rows)


def test_a_plan_over_another_keeps_its_base() -> None:
    plan = above(derived())
    assert plan.base == derived()
    assert plan.request_columns == {"card": "VARCHAR", "n": "BIGINT", "ts": "TIMESTAMP"}
    assert plan.tables() == ["tx", "logins"]
    assert FeaturePlan.from_json(plan.to_json()) == plan


def test_a_derived_source_says_which_stored_column_stands_behind_a_name() -> None:
    source = Source("tx", "__time", rows=derived())
    assert (source.stored("k"), source.stored("__time")) == ("card", "ts")
    assert derived().passed("m") is None
    assert Source("tx", "ts").stored("card") == "card"
    nested = msgspec.structs.replace(
        derived(), rows=derived(), outputs=(Feature("j", column("k"), "VARCHAR"),)
    )
    assert nested.stored("j") == "card"


def test_the_way_to_a_plan_is_no_part_of_its_identity() -> None:
    plan = derived()
    named = msgspec.structs.replace(
        plan, views=(ViewRef("risk", 3, "abc"),), params=(("days", e.Literal("7", "INTEGER")),)
    )
    assert named.hash == plan.hash
    assert FeaturePlan.from_json(named.to_json()).views == (ViewRef("risk", 3, "abc"),)


def test_defaults_are_left_out_of_json() -> None:
    assert "null" not in derived().to_json().replace('"where":null', "")
