"""Lambdas are DuckDB text in which columns and now() are the row's: each gives what plain DuckDB gives."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from tests import shop
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.values.coerce import to_table

PlanOf = Callable[[str], FeaturePlan]

BODIES = [
    "x / 2", "x // 2", "x ** 2", "x - (n - 1)", "-x", "x & 1", "x::VARCHAR LIKE '1%'",
    "TRY_CAST(x || 'a' AS INTEGER)", "CASE WHEN x > 2 THEN mcc ELSE 'b' END", "[x, n][1]", "[x, n][x % 2]",
    "[x, n][1:1]", "EXTRACT(hour FROM ts) + x", "ts + INTERVAL (x) DAY", "x IN (1, 2)",
    "x NOT BETWEEN 1 AND n", "x IS DISTINCT FROM n", "{'a': x}.a", "'it''s {0}' || x",
    "x = 1 OR x = 2 AND n > 3", "(x = 1 OR x = 2) AND n > 3", "coalesce(x, n)", "date_trunc('day', ts)",
    "place.city || x", '"Odd Name" + x', "tx.n + x", "X + 1", "list_transform([x], y -> x + y + n)",
    "list_sum(list_transform([x], n -> n + 1)) + n", "x + n + id + amount + n + n + n + n + n + n + n + id",
    "list_contains(tags, 'x')", "mcc[1:2]", "now()", "current_date", "now() - ts", "current_timestamp",
    "date_diff('hour', today(), ts)",
]  # fmt: skip


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("tx", to_table(shop.TX, shop.TX_ROWS))
    return connection


@pytest.mark.parametrize("body", BODIES)
def test_a_lambda_gives_what_duckdb_gives(
    plan_of: PlanOf, duck: duckdb.DuckDBPyConnection, body: str
) -> None:
    call = f"list_transform([n, 3, NULL], x -> {body})"
    ours = plan_sql(plan_of(f"SELECT {call} AS f FROM tx").outputs[0].expr)
    for now in ("now()", "current_timestamp"):
        call = call.replace(now, "ts")
    for today in ("today()", "current_date"):
        call = call.replace(today, "ts::DATE")
    # As text, because nan is not equal to itself.
    found, expected = (
        duck.execute(f"SELECT ({sql})::VARCHAR FROM tx a ORDER BY id").fetchall()
        for sql in (ours, call.replace("tx.", "a."))
    )
    assert found == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("max(x)", "max() is an aggregate"),
        ("max(x) OVER w", "cannot read x, a variable of the lambda"),
        ("x + random()", "volatile"),
        ("getenv('HOME')", "not allowed"),
        ("(SELECT 1)", "subquery"),
        ("$1", "parameter"),
        ("amont", "no column 'amont'; did you mean 'amount'"),
        ("MAP {x: 1}", "map([keys], [values])"),
        ("[y for y in [x]]", "comprehensions"),
    ],
)
def test_what_a_lambda_cannot_hold_is_named_at_its_place(plan_of: PlanOf, body: str, message: str) -> None:
    query = f"SELECT list_transform([n], x -> {body}) AS f FROM tx"
    with pytest.raises(DefinitionError) as caught:
        plan_of(query)
    assert message in str(caught.value)
    position = caught.value.position
    assert position is not None and position.column > query.index("->")
