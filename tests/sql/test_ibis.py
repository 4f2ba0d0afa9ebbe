"""A view may be an Ibis expression: projections and filters of one table, with the plan of the same SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pytest
from ibis import _

from tests import shop
from tests.sql.conftest import TABLES
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.values.coerce import to_table

TX = ibis.table(
    {
        "ts": "timestamp",
        "id": "int64",
        "card": "string",
        "amount": "float64",
        "n": "int64",
        "mcc": "string",
        "day": "date",
        "tags": "array<string>",
        "place": "struct<city: string, zip: int32>",
    },
    name="tx",
)
CARDS = ibis.table({"card": "string", "limit_": "float64"}, name="cards")


@ibis.udf.scalar.builtin
def bit_count(x: int) -> dt.int8: ...


@ibis.udf.scalar.builtin
def getenv(name: str) -> str: ...  # type: ignore[empty-body]


@ibis.udf.scalar.python
def twice(x: int) -> int:
    return 2 * x


EQUAL_PLANS: list[tuple[Any, str]] = [
    (TX.select("id", m=TX.n + 1), "SELECT id, n + 1 AS m FROM tx"),
    (TX.filter(TX.amount > 1).select("id"), "SELECT id FROM tx WHERE amount > 1"),
    (
        TX.filter(TX.n > 1, TX.amount.notnull()).select("id"),
        "SELECT id FROM tx WHERE n > 1 AND amount IS NOT NULL",
    ),
    (
        TX.select("id", "n").mutate(k=_.n * 2).filter(_.k > 3),
        "SELECT id, n, n * 2 AS k FROM tx WHERE n * 2 > 3",
    ),
    (TX.select("id", "n").rename(k="n"), "SELECT id, n AS k FROM tx"),
    (TX.select("id", "n").drop("n"), "SELECT id FROM tx"),
    (TX.select(x=TX.amount.fill_null(0)), "SELECT coalesce(amount, 0) AS x FROM tx"),
    (TX.select(x=TX.mcc.upper()), "SELECT upper(mcc) AS x FROM tx"),
    (TX.select(x=bit_count(TX.n)), "SELECT bit_count(n) AS x FROM tx"),
    (TX.select(x=TX.mcc.isin(["food", "fuel"])), "SELECT mcc IN ('food', 'fuel') AS x FROM tx"),
    (TX.select(x=TX.n.cast("string")), "SELECT n::VARCHAR AS x FROM tx"),
    (TX.select(x=-TX.n, y=~(TX.n > 1)), "SELECT -n AS x, NOT (n > 1) AS y FROM tx"),
    (TX.select(x=TX.n.between(1, 3)), "SELECT n BETWEEN 1 AND 3 AS x FROM tx"),
    (TX.select(x=ibis.now(), y=ibis.today()), "SELECT now() AS x, today() AS y FROM tx"),
]


@pytest.mark.parametrize(
    ("expression", "query"), EQUAL_PLANS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_the_plan_is_that_of_the_text(
    plan_of: Callable[[str], FeaturePlan], functions: Functions, expression: Any, query: str
) -> None:
    assert define(expression, TABLES, functions) == plan_of(query)


EQUAL_VALUES: list[tuple[Any, str]] = [
    (TX.mcc.length(), "length(mcc)"),
    (TX.mcc + "-" + TX.card, "mcc || '-' || card"),
    (TX.amount > 1.5, "amount > 1.5"),
    (TX.ts.hour() + TX.ts.date().day(), "hour(ts) + day(ts)"),
    (TX.place.city, "place.city"),
    (TX.tags[0], "tags[1]"),
    (TX.tags.map(lambda tag: tag.upper()), "list_transform(tags, t -> upper(t))"),
    (ibis.cases((TX.n > 1, "a"), else_="b"), "CASE WHEN n > 1 THEN 'a' ELSE 'b' END"),
    (TX.ts + ibis.interval(days=1), "ts + INTERVAL 1 DAY"),
    (TX.n // 2, "n // 2"),
    (TX.n**2, "n ** 2"),
    (TX.mcc + "{0} $wb0 it's", "mcc || '{0} $wb0 it''s'"),
    (ibis.literal("{"), "'{'"),
    (TX.ts.strftime("%Y-%m"), "strftime(ts, '%Y-%m')"),
]


@pytest.mark.parametrize(
    ("expression", "sql"), EQUAL_VALUES, ids=lambda part: part if isinstance(part, str) else ""
)
def test_other_operations_give_the_values_of_their_sql(
    functions: Functions, expression: Any, sql: str
) -> None:
    plan = define(TX.select(f=expression), TABLES, functions)
    duck = duckdb.connect()
    duck.register("tx", to_table(shop.TX, shop.TX_ROWS))
    ours = plan_sql(plan.outputs[0].expr)
    (different,) = duck.execute(
        f"SELECT count(*) FILTER (WHERE ({ours}) IS DISTINCT FROM ({sql})) FROM tx a"
    ).fetchone() or (-1,)
    assert different == 0


REFUSED: list[tuple[Any, str]] = [
    (TX.select(x=TX.n.sum()), "Sum() has no order, so it would see the rows of the future"),
    (TX.select(x=TX.n.sum().over(ibis.window(group_by="card", order_by="ts"))), "without a frame"),
    (TX.group_by("card").agg(x=TX.n.sum()), "Aggregate has no online form"),
    (TX.limit(3), "Limit has no online form"),
    (TX.order_by("ts"), "Sort has no online form"),
    (TX.distinct(), "Distinct has no online form"),
    (TX.join(CARDS, "card").select("limit_"), "inner joins may give several rows"),
    (TX.select(x=ibis.random()), "another value at every call"),
    (TX.select(x=ibis.uuid()), "another value at every call"),
    (TX.select(x=getenv("HOME")), "getenv() is not allowed"),
    (TX.select(x=twice(TX.n)), "the Python function twice() has no online form"),
    (ibis.table({"amont": "float64"}, name="tx").select("amont"), "no column 'amont' in tx; did you mean 'amount'?"),
    (ibis.table({"n": "string"}, name="tx").select(x=_.n.upper()), "upper(BIGINT)"),
    (ibis.table({"n": "int64"}, name="nowhere").select("n"), "no table or view 'nowhere'"),
    (ibis.memtable({"n": [1]}), "a DataFrame cannot be a table of a view"),
    (CARDS.select(x=ibis.now()), "the anchor table has no time column"),
    (TX.n + 1, "not by IntegerColumn"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "message"), REFUSED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_has_no_online_form_is_refused(functions: Functions, expression: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        define(expression, TABLES, functions)
    assert message in caught.value.message
