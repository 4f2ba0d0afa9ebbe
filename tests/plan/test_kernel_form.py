"""What kernels compute of a plan, and in which words they refuse the rest."""

from __future__ import annotations

import pytest

from tests import shop
from tests.plan.conftest import TABLES
from workbench.kernels.program import Call, Compare, Windowed
from workbench.plan.expr import Column
from workbench.plan.kernel_columns import derived_name
from workbench.plan.kernel_form import KernelForm, KernelPart, Refusal, kernel_form
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.sql.define import define
from workbench.sql.functions import Functions

HOUR = 3_600_000_000
HISTORY = "WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 1h PRECEDING AND CURRENT ROW)"
LOGINS = "WINDOW w AS (FROM logins PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 1h PRECEDING AND 0s OPEN PRECEDING)"


@pytest.fixture
def form(functions: Functions):
    def made(sql: str) -> KernelForm:
        return kernel_form(define(sql, TABLES, functions))

    return made


def stage(form: KernelForm) -> KernelPart:
    (part,) = form.stages
    assert isinstance(part, KernelPart), part
    return part


def test_windows_of_one_key_share_a_program(form) -> None:
    part = stage(
        form(
            f"SELECT sum(amount) OVER w AS a, avg(amount) OVER w AS b, count(*) OVER w AS c FROM tx {HISTORY}"
        )
    )
    assert part.program.windows == (Windowed("range", HOUR, 0),)
    assert [call.op for call in part.program.calls] == ["sum", "avg", "count_star"]
    assert part.program.history
    assert part.columns[0].request == Column("anchor", "amount", shop.TX["amount"])
    assert part.needs()[1] == {"amount"}
    assert all(part.is_flat(call) for call in range(3))


def test_conditions_over_the_row_are_columns(form) -> None:
    part = stage(form(f"SELECT sum(n) FILTER (WHERE mcc = 'food') OVER w AS a FROM tx {HISTORY}"))
    sql = """(CASE WHEN (r."mcc" = 'food') THEN r."n" ELSE NULL END)"""
    columns, trees, _ = part.needs()
    assert {name: plan_sql(value) for name, value in columns.items()} == {derived_name(sql): sql}
    assert trees == {derived_name(sql)}
    assert part.program.compares == ()


def test_first_and_last_see_nulls_so_that_their_condition_is_a_comparison(form) -> None:
    part = stage(form(f"SELECT last_value(n) FILTER (WHERE mcc = 'food') OVER w AS a FROM tx {HISTORY}"))
    (call,) = part.program.calls
    assert call.op == "last" and len(call.compares) == 1
    assert part.program.compares[0].op == "eq"


def test_conditions_that_name_the_anchor_are_comparisons(form) -> None:
    part = stage(
        form(f"SELECT count(*) FILTER (WHERE score < tx.n AND score > 1) OVER w AS a FROM tx {LOGINS}")
    )
    (call,) = part.program.calls
    assert (call.op, call.compares) == ("count", (0,))
    assert part.program.compares[0] == Compare(part.program.compares[0].column, "lt", 0)
    assert part.constants == (Column("anchor", "n", shop.TX["n"]),)
    assert not part.is_flat(0)


def test_a_lookup_takes_the_last_value_of_each_column(form) -> None:
    (part,) = form("SELECT l.score AS s, l.id AS i FROM tx LAST JOIN logins l ON l.card = tx.card").lookups
    assert isinstance(part, KernelPart)
    assert [call.op for call in part.program.calls] == ["last", "last"]
    assert not part.loose and not part.unplaced


def test_a_lookup_by_another_order_compares_times(form) -> None:
    (part,) = form("SELECT l.id AS i FROM tx LAST JOIN logins l ORDER BY l.score ON l.card = tx.card").lookups
    assert isinstance(part, KernelPart)
    assert part.loose
    assert [compare.op for compare in part.program.compares] == ["le"]
    assert part.names[-1] == "" and part.program.calls[-1].op == "count_star"


def test_an_offset_is_the_first_of_one_position(form) -> None:
    part = stage(form(f"SELECT lag(n, 3) OVER w AS a FROM tx {HISTORY}"))
    assert part.program.windows == (Windowed("rows", 3, 3),)
    assert part.program.calls == (Call("first", 0, 0),)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (f"SELECT mode(mcc) OVER w AS a FROM tx {HISTORY}", "mode() has no kernel"),
        (f"SELECT sum(DISTINCT n) OVER w AS a FROM tx {HISTORY}", "sum(DISTINCT ...) has no kernel"),
        (
            "SELECT sum(score) OVER w AS a FROM tx WINDOW w AS (FROM logins WHERE score > 1 PARTITION BY card "
            "ORDER BY at ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
            "numbered after a WHERE",
        ),
        (
            f"SELECT count(*) FILTER (WHERE score < tx.n OR score IS NULL) OVER w AS a FROM tx {LOGINS}",
            "more than a comparison",
        ),
    ],
)  # fmt: skip
def test_refusals_say_what_it_is(form, sql: str, reason: str) -> None:
    (refusal,) = form(sql).refusals
    assert reason in refusal.reason


def test_every_plan_of_the_catalogue_has_a_form(plans: dict[str, FeaturePlan]) -> None:
    for name, plan in plans.items():
        for part in (*(found := kernel_form(plan)).lookups, *found.stages):
            if isinstance(part, Refusal):
                assert part.reason, name
                continue
            assert len(part.names) == len(part.types) == len(part.program.calls)
            for number, column in enumerate(part.columns):
                assert column.lane == part.program.lanes[number]
                assert (
                    len(column.members) == len(part.readers)
                    and (column.request is not None) == part.program.history
                )
