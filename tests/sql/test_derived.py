"""Queries in queries: what is folded into one plan, and what a plan below computes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbench.errors import DefinitionError
from workbench.plan.expr import Column
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql

PlanOf = Callable[[str], FeaturePlan]
W = "WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)"
SUMMED = f"(SELECT *, sum(n) OVER w AS s FROM tx {W})"


def outputs(plan: FeaturePlan) -> list[str]:
    return [plan_sql(output.expr) for output in plan.outputs]


@pytest.mark.parametrize(
    ("nested", "flat"),
    [
        (f"SELECT s * 2 AS f FROM {SUMMED} q", f"SELECT sum(n) OVER w * 2 AS f FROM tx {W}"),
        (
            f"WITH a AS {SUMMED}, b AS (SELECT s + 1 AS t FROM a) SELECT t AS f FROM b",
            f"SELECT sum(n) OVER w + 1 AS f FROM tx {W}",
        ),
        (
            "SELECT score AS f FROM (SELECT score FROM tx LAST JOIN logins l ON tx.card = l.card) q",
            "SELECT score AS f FROM tx LAST JOIN logins l ON tx.card = l.card",
        ),
        (
            "SELECT limit_ AS f FROM (tx LAST JOIN logins ON tx.card = logins.card) "
            "LAST JOIN cards ON logins.card = cards.card",
            "SELECT limit_ AS f FROM tx LAST JOIN logins ON tx.card = logins.card "
            "LAST JOIN cards ON logins.card = cards.card",
        ),
        (
            "SELECT tx.id AS f, score FROM tx LAST JOIN (SELECT * FROM logins WHERE score > 3) l ON tx.card = l.card",
            "SELECT tx.id AS f, score FROM tx LAST JOIN logins l ON tx.card = l.card AND l.score > 3",
        ),
    ],
)
def test_what_one_plan_can_say_is_one_plan(plan_of: PlanOf, nested: str, flat: str) -> None:
    assert plan_of(nested) == plan_of(flat)


def test_joined_columns_in_a_history_are_those_of_each_row(plan_of: PlanOf) -> None:
    plan = plan_of(
        f"SELECT sum(l.score) OVER w AS f, l.score FROM tx LAST JOIN logins l ON tx.card = l.card {W}"
    )
    assert plan.rows is not None and [lookup.source.table for lookup in plan.rows.lookups] == ["logins"]
    assert plan.lookups == ()
    (window,) = plan.windows
    assert window.source.rows == plan.rows and window.source.own and window.source.time == plan.time == "ts"
    assert plan.rows.features == {"ts": "TIMESTAMP", "card": "VARCHAR", "__v0": "BIGINT"}
    assert outputs(plan) == ["__a0", 'a."__v0"']


def test_a_history_of_stored_columns_stays_the_table(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT sum(l.score) OVER w AS f, sum(n) OVER v AS g FROM tx LAST JOIN logins l ON tx.card = l.card "
        f"{W}, v AS (PARTITION BY mcc ORDER BY ts)"
    )
    assert [window.source.rows is None for window in plan.windows] == [False, True]


def test_where_on_a_joined_column_filters_the_history_too(plan_of: PlanOf) -> None:
    plan = plan_of(
        f"SELECT count(*) OVER w AS f FROM tx LAST JOIN logins l ON tx.card = l.card WHERE l.score > 2 {W}"
    )
    assert plan.where is not None and plan_sql(plan.where) == '(a."__v0" > 2)'
    source = plan.windows[0].source
    assert source.rows == plan.rows and source.where is not None
    assert plan_sql(source.where) == '(r."__v0" > 2)'


def test_now_in_where_is_the_time_of_the_row_that_asks(plan_of: PlanOf) -> None:
    for join in ("", "LAST JOIN logins l ON tx.card = l.card"):
        plan = plan_of(
            f"SELECT count(*) OVER w AS f FROM tx {join} WHERE tx.ts > now() - INTERVAL 30 DAY {W}"
        )
        source = plan.windows[0].source
        assert source.where is not None
        assert plan_sql(source.where) == '(r."ts" > (a."ts" - INTERVAL \'30 day\'))'


def test_rows_that_where_leaves_out_are_left_out_below_where_that_is_the_same(plan_of: PlanOf) -> None:
    joined = "FROM tx LAST JOIN logins l ON tx.card = l.card WHERE"
    plain, late = (
        plan_of(f"SELECT sum(l.score) OVER w AS f {joined} {where} {W}")
        for where in ("n > 3", "tx.ts < now()")
    )
    assert plain.rows is not None and plain.rows.where is not None
    assert late.rows is not None and late.rows.where is None


def test_a_window_over_a_window(plan_of: PlanOf) -> None:
    plan = plan_of(f"SELECT sum(s) OVER v AS f FROM {SUMMED} q WINDOW v AS (PARTITION BY mcc ORDER BY ts)")
    assert plan.rows is not None and plan.rows.rows is None
    assert [a.function for a in plan.rows.aggregates] == ["sum"]
    assert plan.windows[0].source.rows == plan.rows
    assert plan.request_columns == {"ts": "TIMESTAMP", "card": "VARCHAR", "n": "BIGINT", "mcc": "VARCHAR"}


def test_windows_over_windows_over_windows(plan_of: PlanOf) -> None:
    plan = plan_of(
        f"WITH a AS {SUMMED}, b AS (SELECT *, max(s) OVER v AS m FROM a WINDOW v AS (PARTITION BY mcc ORDER BY ts)) "
        "SELECT avg(m) OVER u AS f FROM b WINDOW u AS (PARTITION BY day ORDER BY ts)"
    )
    assert plan.rows is not None and plan.rows.rows is not None and plan.rows.rows.rows is None


def test_a_subquery_with_windows_is_a_source_of_rows(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, g.s FROM tx LAST JOIN (SELECT card AS k, score, sum(score) OVER w AS s FROM logins "
        "WINDOW w AS (PARTITION BY device ORDER BY at)) g ON tx.card = g.k"
    )
    (lookup,) = plan.lookups
    source = lookup.source
    assert (source.table, source.time, lookup.order) == ("logins", "__time", "__time")
    assert (source.stored("k"), source.stored("__time")) == ("card", "at")
    assert source.rows is not None and list(source.rows.features) == ["k", "s", "__time"]  # score is not read


def test_a_subquery_is_as_of_its_own_root(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, g.late FROM tx LAST JOIN (SELECT card, now() - at AS late FROM logins) g ON tx.card = g.card"
    )
    (_, value) = plan.lookups[0].columns[0]
    assert plan_sql(value) == '(r."at" - r."at")'


def test_joins_in_parentheses_keep_their_names(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, logins.score, cards.limit_ FROM tx "
        "LAST JOIN (logins LAST JOIN cards ON logins.card = cards.card) ON tx.card = logins.card AND cards.limit_ > 1"
    )
    (lookup,) = plan.lookups
    assert lookup.source.rows is not None
    assert list(lookup.source.rows.features) == ["at", "card", "score", "__1_limit_"]
    assert lookup.source.where is not None and plan_sql(lookup.source.where) == '(r."__1_limit_" > 1)'


def test_a_grouped_subquery_is_a_window_over_what_it_groups(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, g.c FROM tx LAST JOIN (SELECT card, count(*) AS c FROM logins WHERE score > 1 GROUP BY card) g "
        "ON tx.card = g.card"
    )
    (window,) = plan.windows
    assert (window.history, window.source.table, window.frame.start) == (False, "logins", None)
    assert [key.row for key in window.keys] == ["card"]
    assert outputs(plan)[1] == "(CASE WHEN (__a0 > 0) THEN __a0 ELSE NULL END)"


def test_a_grouped_join_compares_aggregates_beside_its_keys(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT g.c FROM tx LAST JOIN (SELECT card, count(*) AS c FROM logins GROUP BY card) g "
        "ON tx.card = g.card AND g.c = tx.n"
    )
    assert [key.row for key in plan.windows[0].keys] == ["card"]
    assert '= a."n")' in outputs(plan)[0]


def test_an_aggregate_in_a_key_is_computed_below(plan_of: PlanOf) -> None:
    plan = plan_of(f"SELECT q.id, l.device FROM {SUMMED} q LAST JOIN logins l ON q.s = l.id")
    assert plan.rows is not None
    assert plan.lookups[0].keys[0].anchor == Column("anchor", "__v0", "BIGINT")


def test_an_aggregate_in_an_aggregate_is_a_constant_of_the_anchor(plan_of: PlanOf) -> None:
    plan = plan_of(f"SELECT sum(n + count(n)) OVER w AS f FROM tx {W}")
    assert plan.rows is not None and [a.function for a in plan.rows.aggregates] == ["count"]
    assert plan.windows[0].source.rows is None
    assert plan_sql(plan.aggregates[0].args[0]) == '(r."n" + a."__v0")'
    assert plan == plan_of(f"SELECT sum(n + count(n) OVER w) OVER w AS f FROM tx {W}")


def test_union_all_is_one_source(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, u.v FROM tx LAST JOIN (SELECT card, at AS ts, score AS v FROM logins "
        "UNION ALL SELECT card, ts, n AS v FROM tx) u ON tx.card = u.card"
    )
    (window,) = plan.windows
    assert (window.source.table, [union.source.table for union in window.union]) == ("logins", ["tx"])
    assert window.union[0].beside and window.union[0].source.own
    assert (window.frame.unit, window.frame.start, window.frame.end) == ("rows", 1, 1)


def test_window_union_takes_computed_columns(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT sum(m) OVER w AS f FROM (SELECT card, ts AS t, n * 2 AS m FROM tx) q WINDOW w AS (UNION "
        "(SELECT card, at AS t, score AS m FROM logins) AS l PARTITION BY card ORDER BY t)"
    )
    (union,) = plan.windows[0].union
    assert [name for name, _ in union.columns] == ["card", "ts", "__v0"]
    assert plan.rows is not None


REFUSED = [
    ("SELECT tx.id FROM tx LAST JOIN (SELECT upper(card) AS k FROM logins) l ON tx.card = l.k", "needs an equality"),
    ("SELECT s.n FROM (SELECT n FROM tx UNION ALL SELECT score FROM logins) s", "UNION gives rows of several tables"),
    ("SELECT tx.id FROM tx LAST JOIN (SELECT card FROM logins UNION SELECT card FROM tx) u ON tx.card = u.card",
     "UNION of sources would compare rows"),
    ("SELECT tx.id FROM tx LAST JOIN (SELECT card, at FROM logins UNION ALL SELECT card, ts FROM tx) u "
     "ON tx.card = u.card", "the same column names, in order: card, at"),
    ("SELECT tx.id FROM tx LAST JOIN (SELECT card, count(*) AS c FROM logins GROUP BY card) g ON g.c > 1",
     "joined on all its group keys; 'card' is not among them"),
    ("SELECT tx.id FROM tx LAST JOIN (SELECT upper(card) AS k, count(*) AS c FROM logins GROUP BY upper(card)) g "
     "ON tx.card = g.k", "groups by columns"),
    ("SELECT tx.id FROM tx LAST JOIN (SELECT card, count(*) FROM logins GROUP BY card) g ON tx.card = g.card",
     "needs a name"),
    ("SELECT c FROM (SELECT card, count(*) AS c FROM tx GROUP BY card) g", "GROUP BY is not available"),
    ("SELECT n FROM (SELECT n FROM tx ORDER BY n) s", "ORDER BY is not available"),
    ("SELECT count(*) OVER w AS f FROM tx LAST JOIN logins l ON tx.card = l.card "
     "WINDOW w AS (PARTITION BY l.device ORDER BY ts)", "PARTITION BY needs a stored column of tx"),
    ("SELECT sum(s) OVER v AS f FROM (SELECT *, sum(n) OVER w AS s FROM tx "
     f"{W}) q WINDOW v AS (PARTITION BY s ORDER BY ts)", "PARTITION BY needs a stored column of tx"),
    (f"SELECT tx.id FROM tx LAST JOIN logins l ON count(*) OVER w = l.id WHERE l.score > 1 {W}",
     "WHERE reads a join whose condition reads a window that WHERE filters"),
    ("WITH RECURSIVE a AS (SELECT n FROM tx) SELECT n FROM a", "recursive"),
    ("SELECT m FROM (SELECT n FROM tx) s(m)", "renamed in the SELECT list"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_what_no_plan_can_say_is_refused(plan_of: PlanOf, query: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        plan_of(query)
    assert message in caught.value.message
    assert caught.value.position is not None


def test_another_tables_rows_read_only_older_rows_of_the_table_that_reads_them(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT tx.id, l.s, l.amount FROM tx LAST JOIN (SELECT logins.card, t.amount, sum(n) OVER w AS s FROM logins "
        "LAST JOIN tx t ON logins.card = t.card WINDOW w AS (FROM tx PARTITION BY card ORDER BY ts)) l "
        "ON tx.card = l.card"
    )
    rows = plan.lookups[0].source.rows
    assert rows is not None and rows.windows[0].exclude_current_time
    where = rows.lookups[0].source.where
    assert where is not None and plan_sql(where) == '(r."ts" < a."at")'
