"""What a name means: aliases, ambiguity, quoting, struct fields, lambda variables, WITH and subqueries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import shop
from workbench.errors import DefinitionError
from workbench.plan.expr import Column, Op
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql

PlanOf = Callable[[str], FeaturePlan]
W = "(PARTITION BY card ORDER BY ts)"


def one(plan: FeaturePlan) -> str:
    (output,) = plan.outputs
    return plan_sql(output.expr)


@pytest.mark.parametrize(
    ("query", "sql"),
    [
        ("SELECT n AS f FROM tx", 'a."n"'),
        ("SELECT N AS f FROM TX", 'a."n"'),
        ("SELECT tx.n AS f FROM tx", 'a."n"'),
        ("SELECT TX.N AS f FROM tx", 'a."n"'),
        ("SELECT r.n AS f FROM tx r", 'a."n"'),
        ("SELECT R.n AS f FROM tx AS r", 'a."n"'),
        ('SELECT "n" AS f FROM "tx"', 'a."n"'),
        ('SELECT "Odd Name" AS f FROM tx', 'a."Odd Name"'),
        ('SELECT "odd name" AS f FROM tx', 'a."Odd Name"'),
        ('SELECT r."Odd Name" AS f FROM tx AS r', 'a."Odd Name"'),
        ("SELECT place.city AS f FROM tx", "struct_extract(a.\"place\", 'city')"),
        ("SELECT tx.place.city AS f FROM tx", "struct_extract(a.\"place\", 'city')"),
        ("SELECT (place).city AS f FROM tx", "struct_extract(a.\"place\", 'city')"),
        ("SELECT device AS f FROM tx LAST JOIN logins ON tx.card = logins.card", "a.__j0_c0"),
        ("SELECT l.id AS f FROM tx LAST JOIN logins l ON tx.card = l.card", "a.__j0_c0"),
        ("SELECT list_transform(tags, n -> n) AS f FROM tx", 'list_transform(a."tags", lambda "n": n)'),
        (
            "SELECT list_filter(tags, t -> t = mcc) AS f FROM tx",
            'list_filter(a."tags", lambda "t": t = a."mcc")',
        ),
    ],
)
def test_names(plan_of: PlanOf, query: str, sql: str) -> None:
    assert one(plan_of(query)).strip("()") == sql.strip("()")


@pytest.mark.parametrize(
    ("query", "output"),
    [
        ("SELECT n FROM tx", "n"),
        ("SELECT N FROM tx", "N"),
        ('SELECT n AS "My Feature" FROM tx', "My Feature"),
        ("SELECT n one_more FROM tx", "one_more"),
        ("SELECT tx.n FROM tx", "n"),
        ("SELECT place.city FROM tx", "city"),
        (f"SELECT count(*) OVER {W} FROM tx", "count"),
        ("SELECT round(amount) FROM tx", "round"),
        ("SELECT n + 1 FROM tx", "feature"),
    ],
)
def test_outputs_without_an_alias_get_a_name(plan_of: PlanOf, query: str, output: str) -> None:
    assert list(plan_of(query).features) == [output]


def test_several_outputs_without_an_alias_are_numbered(plan_of: PlanOf) -> None:
    plan = plan_of(f"SELECT count(*) OVER {W}, count(n) OVER {W}, n + 1, n + 2 FROM tx")
    assert list(plan.features) == ["count", "count_2", "feature", "feature_2"]


def test_a_star_is_every_column_in_order(plan_of: PlanOf) -> None:
    assert list(plan_of("SELECT * FROM tx").features) == list(shop.TX)
    plan = plan_of("SELECT c.*, tx.n FROM tx LAST JOIN cards c ON tx.card = c.card")
    assert list(plan.features) == [*shop.CARDS, "n"]


def test_an_alias_serves_the_items_behind_it_but_a_column_wins(plan_of: PlanOf) -> None:
    plan = plan_of("SELECT n + 1 AS m, m * 2 AS k, -n AS id, id AS again FROM tx")
    assert [plan_sql(output.expr) for output in plan.outputs] == [
        '(a."n" + 1)',
        '((a."n" + 1) * 2)',
        '(- a."n")',
        'a."id"',
    ]


def test_only_columns_that_are_read_are_asked_of_a_request(plan_of: PlanOf) -> None:
    assert plan_of("SELECT n AS f FROM tx WHERE amount > 1").request_columns == {
        "ts": "TIMESTAMP",
        "amount": "DOUBLE",
        "n": "BIGINT",
    }


FOLDED = [
    ("SELECT m AS f FROM (SELECT n + 1 AS m FROM tx) s", '(a."n" + 1)'),
    ("SELECT s.m AS f FROM (SELECT n + 1 AS m, ts FROM tx) AS s", '(a."n" + 1)'),
    ("WITH s AS (SELECT n + 1 AS m FROM tx) SELECT m AS f FROM s", '(a."n" + 1)'),
    (
        "WITH s AS (SELECT n AS m FROM tx), u AS (SELECT m + 1 AS k FROM s) SELECT k AS f FROM u",
        '(a."n" + 1)',
    ),
    ("WITH S AS (SELECT * FROM tx) SELECT q.n + 1 AS f FROM s AS q", '(a."n" + 1)'),
    ("SELECT m AS f FROM (SELECT k + 1 AS m FROM (SELECT n AS k FROM tx) x) y", '(a."n" + 1)'),
]


@pytest.mark.parametrize(("query", "sql"), FOLDED)
def test_subqueries_that_project_fold_into_their_table(plan_of: PlanOf, query: str, sql: str) -> None:
    plan = plan_of(query)
    assert (plan.table, one(plan)) == ("tx", sql)
    assert plan == plan_of("SELECT n + 1 AS f FROM tx")


def test_filters_of_subqueries_and_of_the_query_are_one(plan_of: PlanOf) -> None:
    nested = plan_of("SELECT n AS f FROM (SELECT n, amount FROM tx WHERE n > 1) s WHERE amount > 2")
    flat = plan_of("SELECT n AS f FROM tx WHERE n > 1 AND amount > 2")
    assert nested == flat
    assert isinstance(nested.where, Op) and nested.where.op == "and"


def test_a_name_of_with_hides_a_table(plan_of: PlanOf) -> None:
    plan = plan_of("WITH logins AS (SELECT n AS score FROM tx) SELECT score AS f FROM logins")
    assert (plan.table, one(plan)) == ("tx", 'a."n"')


def test_a_computed_column_of_a_subquery_serves_in_a_window(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT sum(m) OVER w AS f FROM (SELECT *, n * 2 AS m FROM tx) s WINDOW w AS (PARTITION BY card ORDER BY ts)"
    )
    (aggregate,) = plan.aggregates
    assert plan_sql(aggregate.args[0]) == '(r."n" * 2)'


def test_an_unqualified_name_in_a_foreign_window_is_the_row_and_a_qualified_one_the_request(
    plan_of: PlanOf,
) -> None:
    plan = plan_of(
        "SELECT count(*) FILTER (WHERE id > tx.id) OVER w AS f FROM tx "
        "WINDOW w AS (FROM logins PARTITION BY card ORDER BY at)"
    )
    where = plan.aggregates[0].where
    assert isinstance(where, Op)
    assert [(arg.source, arg.name) for arg in where.args if isinstance(arg, Column)] == [
        ("row", "id"),
        ("anchor", "id"),
    ]


REFUSED = [
    ("SELECT id FROM tx LAST JOIN logins ON tx.card = logins.card", "'id' is ambiguous: it is in 'tx' and 'logins'"),
    ("SELECT n FROM tx LAST JOIN tx ON tx.card = tx.card", "two tables of this query are named 'tx'"),
    ("SELECT n FROM tx r LAST JOIN cards R ON r.card = R.card", "two tables of this query are named 'R'"),
    ("SELECT n, id AS N FROM tx", "two output columns are named 'N'"),
    ("SELECT n AS __f FROM tx", "reserved"),
    ("SELECT tx.n FROM tx r", "no table or alias 'tx'"),
    ("SELECT x.* FROM tx", "no table or alias 'x'"),
    ("SELECT place.town FROM tx", "town"),
    ("SELECT count(*) OVER w, count(*) OVER W FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts), "
     "W AS (PARTITION BY card ORDER BY ts)", "two windows are named 'W'"),
    ("SELECT m FROM (SELECT n FROM tx) s", "no column 'm'"),
    ("SELECT s.card FROM (SELECT n FROM tx) s", "no column 'card' in s"),
    ("SELECT sum(mcc) OVER w FROM tx WINDOW w AS (FROM logins PARTITION BY card ORDER BY at)",
     "no column 'mcc' in logins"),
    ("SELECT count(*) OVER (PARTITION BY place ORDER BY ts) FROM tx", "zip INTEGER) cannot be a key"),
    ("SELECT count(*) OVER (PARTITION BY tags ORDER BY ts) FROM tx", "VARCHAR[] cannot be a key"),
    ("SELECT reservoir_quantile(n, 0.5) OVER (PARTITION BY card ORDER BY ts) FROM tx", "volatile"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_names_that_mean_nothing_or_two_things_are_refused(plan_of: PlanOf, query: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        plan_of(query)
    assert message in caught.value.message
    assert caught.value.position is not None


def test_a_star_may_leave_out_replace_and_rename(plan_of: PlanOf) -> None:
    plan = plan_of("SELECT * EXCLUDE (place, tags) REPLACE (n + 1 AS n) RENAME (id AS number) FROM tx")
    names = ["number" if name == "id" else name for name in shop.TX if name not in ("place", "tags")]
    assert list(plan.features) == names
    assert plan_sql(plan.outputs[names.index("n")].expr) == '(a."n" + 1)'
    plan = plan_of("SELECT tx.n, c.* EXCLUDE card FROM tx LAST JOIN cards c ON tx.card = c.card")
    assert list(plan.features) == ["n", "limit_", "opened"]


@pytest.mark.parametrize("clause", ["EXCLUDE (nn)", "REPLACE (n + 1 AS nn)", "RENAME (nn AS m)"])
def test_what_a_star_does_not_have_is_refused_at_its_place(plan_of: PlanOf, clause: str) -> None:
    with pytest.raises(DefinitionError, match="has no column 'nn'; did you mean 'n'") as caught:
        plan_of(f"SELECT * {clause} FROM tx")
    assert caught.value.position is not None and caught.value.position.column > 10
