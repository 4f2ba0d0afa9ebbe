"""Windows and joins of Ibis give the plan of the text that says the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import ibis
import pytest
from ibis import _

import workbench as wb
from tests.sql.conftest import TABLES
from tests.sql.test_ibis import CARDS, TX
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan
from workbench.sql.define import define
from workbench.sql.functions import Functions

LOGINS = ibis.table(
    {"at": "timestamp", "card": "string", "device": "string", "score": "int64", "id": "int64"}, name="logins"
)
DAY = ibis.interval(days=1)


def plain(**frame: Any) -> Any:
    return ibis.window(group_by="card", order_by="ts", **frame)


def feature(**terms: Any) -> Any:
    return wb.window(**{"partition_by": "card", "order_by": "ts", **terms})


def logins(**terms: Any) -> Any:
    return wb.window(**{"from_": LOGINS, "partition_by": "card", "order_by": "at", **terms})


@ibis.udf.agg.builtin
def entropy(x: str) -> float: ...  # type: ignore[empty-body]


FRAMES: list[tuple[Any, str]] = [
    (plain(preceding=3, following=0), "ROWS 3 PRECEDING"),
    (plain(rows=(-3, -1)), "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING"),
    (plain(preceding=(5, 1)), "ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING"),
    (plain(preceding=DAY, following=0), "ROWS_RANGE 1d PRECEDING"),
    (plain(range=(-DAY, -ibis.interval(hours=1))), "ROWS_RANGE BETWEEN 1d PRECEDING AND 1h PRECEDING"),
    (plain(range=(None, 0)), "ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
    (ibis.trailing_range_window(DAY, order_by="ts", group_by="card"), "ROWS_RANGE 1d PRECEDING"),
    (ibis.trailing_window(2, order_by="ts", group_by="card"), "ROWS 2 PRECEDING"),
    (ibis.range_window(preceding=DAY + ibis.interval(hours=2), following=0, group_by="card", order_by="ts"),
     "ROWS_RANGE 26h PRECEDING"),
    (ibis.cumulative_window(group_by="card", order_by="ts"), "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
    (feature(), ""),
    (feature(rows=3), "ROWS 3 PRECEDING"),
    (feature(rows=(None, 2)), "ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING"),
    (feature(rows_range="7d"), "ROWS_RANGE 7d PRECEDING"),
    (feature(rows_range=("7d OPEN", "0s open")), "ROWS_RANGE BETWEEN 7d OPEN PRECEDING AND 0s OPEN PRECEDING"),
    (feature(rows_range=(None, "1h")), "ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND 1h PRECEDING"),
    (feature(rows_range=timedelta(minutes=90)), "ROWS_RANGE 90m PRECEDING"),
    (feature(rows_range=ibis.interval(weeks=1)), "ROWS_RANGE 1w PRECEDING"),
    (feature(rows_range="1d", maxsize=3), "ROWS_RANGE 1d PRECEDING MAXSIZE 3"),
    (feature(rows_range="1d", exclude_current_row=True), "ROWS_RANGE 1d PRECEDING EXCLUDE CURRENT_ROW"),
    (feature(rows_range="1d", exclude_current_time=True), "ROWS_RANGE 1d PRECEDING EXCLUDE CURRENT_TIME"),
    (feature(rows=5, instance_not_in_window=True), "ROWS 5 PRECEDING INSTANCE_NOT_IN_WINDOW"),
]  # fmt: skip


@pytest.mark.parametrize(("window", "frame"), FRAMES, ids=[frame for _, frame in FRAMES])
def test_frames(plan_of: Callable[[str], FeaturePlan], functions: Functions, window: Any, frame: str) -> None:
    text = f"SELECT id, sum(amount) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {frame})"
    assert define(TX.select("id", s=TX.amount.sum().over(window)), TABLES, functions) == plan_of(text)


BY_CARD = "(PARTITION BY card ORDER BY ts ROWS_RANGE 7d PRECEDING)"
LAST = plain(preceding=3, following=0)
WEEK = plain(preceding=ibis.interval(days=7), following=0)
#: An aggregate and its text; the window is WEEK.
AGGREGATES: list[tuple[Any, str]] = [
    (TX.count(), "count(*)"),
    (TX.mcc.count(), "count(mcc)"),
    (TX.n.sum(), "sum(n)"),
    (TX.n.mean(), "avg(n)"),
    (TX.n.min(), "min(n)"),
    (TX.n.max(where=TX.mcc == "food"), "max(n) FILTER (WHERE mcc = 'food')"),
    (TX.count(where=TX.n > 1), "count(*) FILTER (WHERE n > 1)"),
    (TX.mcc.nunique(), "count(DISTINCT mcc)"),
    (TX.mcc.approx_nunique(), "approx_count_distinct(mcc)"),
    (TX.n.std(), "stddev_samp(n)"),
    (TX.n.std(how="pop"), "stddev_pop(n)"),
    (TX.n.var(), "var_samp(n)"),
    (TX.n.corr(TX.amount), "corr(n, amount)"),
    (TX.n.cov(TX.amount, how="pop"), "covar_pop(n, amount)"),
    (TX.amount.median(), "median(amount)"),
    (TX.amount.quantile(0.9), "quantile_cont(amount, 0.9)"),
    (TX.mcc.mode(), "mode(mcc)"),
    (TX.mcc.argmax(TX.amount), "arg_max(mcc, amount)"),
    (TX.mcc.argmin(TX.amount), "arg_min(mcc, amount)"),
    (TX.mcc.arbitrary(), "any_value(mcc)"),
    (TX.mcc.first(), "first_value(mcc IGNORE NULLS)"),
    (TX.mcc.last(include_null=True), "last_value(mcc)"),
    (TX.mcc.first(order_by=TX.n, include_null=True), "first_value(mcc ORDER BY n)"),
    (TX.mcc.collect(include_null=True), "list(mcc)"),
    (TX.mcc.collect(), "list(mcc) FILTER (WHERE mcc IS NOT NULL)"),
    (TX.mcc.collect(where=TX.n > 1, order_by=ibis.desc("n")),
     "list(mcc ORDER BY n DESC) FILTER (WHERE n > 1 AND mcc IS NOT NULL)"),
    (TX.mcc.group_concat("-"), "string_agg(mcc, '-')"),
    ((TX.n > 1).any(), "bool_or(n > 1)"),
    ((TX.n > 1).all(), "bool_and(n > 1)"),
    (entropy(TX.mcc), "entropy(mcc)"),
    (TX.n.lag(), "lag(n, 1)"),
    (TX.n.lag(2, 0), "lag(n, 2, 0)"),
    (TX.n.nth(1), "nth_value(n, 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("aggregate", "call"), AGGREGATES, ids=[call for _, call in AGGREGATES])
def test_aggregates(
    plan_of: Callable[[str], FeaturePlan], functions: Functions, aggregate: Any, call: str
) -> None:
    text = f"SELECT {call} OVER w AS f FROM tx WINDOW w AS {BY_CARD}"
    assert define(TX.select(f=aggregate.over(WEEK)), TABLES, functions) == plan_of(text)


LAST_LOGINS = "(FROM logins PARTITION BY card ORDER BY at ROWS 5 PRECEDING)"
JOINED = wb.last_join(TX, CARDS, "card")
OTHER = TX.view()
WEB = LOGINS.filter(_.device == "web")
QUERIES: list[tuple[Any, str]] = [
    (
        TX.select("id", r=TX.amount.sum().over(WEEK) / TX.count().over(WEEK)),
        f"SELECT id, sum(amount) OVER w / count(*) OVER w AS r FROM tx WINDOW w AS {BY_CARD}",
    ),
    (
        TX.select(r=(_.amount.sum() / _.count()).over(WEEK)),
        f"SELECT sum(amount) OVER w / count(*) OVER w AS r FROM tx WINDOW w AS {BY_CARD}",
    ),
    (
        TX.filter(_.n > 1).mutate(k=_.n * 2).select("id", s=_.k.sum().over(WEEK)),
        f"SELECT id, sum(n * 2) OVER w AS s FROM tx WHERE n > 1 WINDOW w AS {BY_CARD}",
    ),
    (
        TX.select(s=TX.n.cumsum(group_by="card", order_by="ts")),
        "SELECT sum(n) OVER (PARTITION BY card ORDER BY ts ROWS UNBOUNDED PRECEDING) AS s FROM tx",
    ),
    (
        TX.mutate(before=_.n.lag(1).over(feature(rows=3))).select(s=_.before.sum().over(feature(rows=4))),
        "SELECT sum(b) OVER w AS s FROM (SELECT card, ts, lag(n) OVER (PARTITION BY card ORDER BY ts) AS b FROM tx) "
        "AS t WINDOW w AS (PARTITION BY card ORDER BY ts ROWS 4 PRECEDING)",
    ),
    (
        TX.mutate(s=_.n.sum().over(WEEK)).select("id", t=_.s + 1),
        f"SELECT id, sum(n) OVER w + 1 AS t FROM tx WINDOW w AS {BY_CARD}",
    ),
    (
        TX.mutate(s=_.n.sum().over(WEEK)).filter(_.s > 3).select("id", "s"),
        f"SELECT id, s FROM (SELECT id, sum(n) OVER w AS s, sum(n) OVER w > 3 AS c FROM tx WINDOW w AS {BY_CARD}) AS t "
        "WHERE c",
    ),
    (
        TX.select("id", best=wb.over(LOGINS.score.max(), logins(rows=5))),
        f"SELECT id, max(score) OVER l AS best FROM tx WINDOW l AS {LAST_LOGINS}",
    ),
    (
        TX.select(same=wb.over(LOGINS.count(where=LOGINS.device == TX.mcc), logins(rows=5)) + 1),
        f"SELECT count(*) FILTER (WHERE device = tx.mcc) OVER l + 1 AS same FROM tx WINDOW l AS {LAST_LOGINS}",
    ),
    (
        TX.select(best=wb.over(LOGINS.score.max(), logins(partition_by={"id": TX.n + 100}, rows_range="1d"))),
        "SELECT max(score) OVER l AS best FROM tx "
        "WINDOW l AS (FROM logins PARTITION BY logins.id = tx.n + 100 ORDER BY at ROWS_RANGE 1d PRECEDING)",
    ),
    (
        TX.select(web=wb.over(WEB.count(), logins(from_=WEB, rows=5))),
        "SELECT count(*) OVER l AS web FROM tx "
        "WINDOW l AS (FROM logins WHERE device = 'web' PARTITION BY card ORDER BY at ROWS 5 PRECEDING)",
    ),
    (
        TX.select(before=wb.over(OTHER.count(), wb.window(from_=OTHER, partition_by="card", order_by="ts"))),
        "SELECT count(*) OVER o AS before FROM tx WINDOW o AS (FROM tx AS o PARTITION BY card ORDER BY ts)",
    ),
    (
        TX.select(
            "id",
            n=TX.n.sum().over(feature(rows=3, union=[LOGINS.select("card", ts="at", n="score")])),
        ),
        "SELECT id, sum(n) OVER u AS n FROM tx WINDOW u AS (UNION (SELECT card, at AS ts, score AS n FROM logins) "
        "PARTITION BY card ORDER BY ts ROWS 3 PRECEDING)",
    ),
    (
        JOINED.select("id", room=JOINED.limit_ - JOINED.amount),
        "SELECT tx.id, c.limit_ - tx.amount AS room FROM tx LAST JOIN cards AS c ON tx.card = c.card",
    ),
    (
        wb.last_join(TX, LOGINS, "card", LOGINS.score > 1, order_by="score").select("device"),
        "SELECT l.device FROM tx LAST JOIN logins AS l ORDER BY l.score ON tx.card = l.card AND l.score > 1",
    ),
    (
        wb.last_join(wb.last_join(TX, LOGINS, "card"), CARDS, lambda left, right: left.device == right.card)
        .filter(_.limit_ > 3)
        .select("id_right", "limit_"),
        "SELECT l.id AS id_right, c.limit_ FROM tx LAST JOIN logins AS l ON tx.card = l.card "
        "LAST JOIN cards AS c ON l.device = c.card WHERE c.limit_ > 3",
    ),
    (
        wb.last_join(TX, OTHER, "card").select(before=_.amount_right),
        "SELECT o.amount AS before FROM tx LAST JOIN tx AS o ON tx.card = o.card",
    ),
    (
        wb.last_join(TX, LOGINS.filter(_.score > 1).mutate(twice=_.score * 2), [(TX.card, "card")]).select("twice"),
        "SELECT l.twice FROM tx LAST JOIN (SELECT *, score * 2 AS twice FROM logins WHERE score > 1) AS l "
        "ON tx.card = l.card",
    ),
    (
        TX.asof_join(LOGINS, TX.ts >= LOGINS.at, "card").select("score"),
        "SELECT l.score FROM tx LAST JOIN logins AS l ON tx.card = l.card",
    ),
    (
        TX.asof_join(LOGINS, on=TX.ts > LOGINS.at, predicates=[TX.card == LOGINS.card]).select("score"),
        "SELECT l.score FROM tx LAST JOIN logins AS l ON tx.card = l.card AND tx.ts > l.at",
    ),
    (
        TX.asof_join(LOGINS, on=TX.n >= LOGINS.score, predicates="card").select("score"),
        "SELECT l.score FROM tx LAST JOIN logins AS l ORDER BY l.score ON tx.card = l.card AND tx.n >= l.score",
    ),
    (
        JOINED.select("id", s=_.amount.sum().over(WEEK), limit_=_.limit_),
        f"SELECT tx.id, sum(amount) OVER w AS s, c.limit_ FROM tx LAST JOIN cards AS c ON tx.card = c.card "
        f"WINDOW w AS {BY_CARD}",
    ),
    (
        wb.last_join(TX, LOGINS.group_by("card").agg(logins=_.count(), best=_.score.max()), "card").select("best"),
        "SELECT g.best FROM tx LAST JOIN (SELECT card, count(*) AS logins, max(score) AS best FROM logins "
        "GROUP BY card) AS g ON tx.card = g.card",
    ),
    (
        TX.select(s=(TX.n - TX.n.lag(1).over(WEEK)).sum().over(WEEK)),
        f"SELECT sum(d) OVER w AS s FROM (SELECT card, ts, n - lag(n) OVER w AS d FROM tx WINDOW w AS {BY_CARD}) AS t "
        f"WINDOW w AS {BY_CARD}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "text"), QUERIES, ids=[text for _, text in QUERIES])
def test_queries(
    plan_of: Callable[[str], FeaturePlan], functions: Functions, expression: Any, text: str
) -> None:
    assert define(expression, TABLES, functions) == plan_of(text)


#: What is refused: the expression (made when asked for), a part of the reason, a part of what to write.
REFUSED: list[tuple[Callable[[], Any], str, str]] = [
    (
        lambda: TX.select(f=TX.n.sum().over(plain())),
        "without a frame, which is the whole partition",
        "following=0",
    ),
    (lambda: TX.group_by("card").order_by("ts").mutate(f=_.n.sum()), "without a frame", 'rows_range="7d"'),
    (lambda: TX.select(f=TX.n.sum().over(plain(preceding=3))), "ends at the last row", "following=0"),
    (
        lambda: TX.select(f=TX.n.sum().over(plain(preceding=3, following=1))),
        "rows of the future",
        "following=0",
    ),
    (lambda: TX.select(f=TX.n.sum().over(plain(range=(-DAY, DAY)))), "rows of the future", "following=0"),
    (lambda: TX.select(f=TX.n - TX.n.mean()), "no order", "order_by="),
    (
        lambda: TX.select(f=TX.n.sum().over(ibis.window(group_by="card", preceding=3, following=0))),
        "no order",
        "order",
    ),
    (lambda: TX.select(f=TX.n.sum().over(feature(order_by=ibis.desc("ts")))), "ascending", "ibis.desc"),
    (lambda: TX.select(f=TX.n.sum().over(feature(order_by=["ts", "id"]))), "ordered by one column", ""),
    (lambda: TX.select(f=TX.n.sum().over(plain(preceding=TX.n, following=0))), "a constant", "ibis.interval"),
    (
        lambda: TX.select(f=TX.n.sum().over(plain(preceding=ibis.interval(months=1), following=0))),
        "no fixed length",
        "days=30",
    ),
    (lambda: TX.select(f=TX.n.lead().over(WEEK)), "the future", "lag()"),
    (lambda: TX.select(f=ibis.row_number().over(LAST)), "one value of one request", "count()"),
    (lambda: TX.select(f=TX.n.rank().over(LAST)), "one value of one request", "count(where=)"),
    (lambda: TX.select(f=TX.n.dense_rank().over(LAST)), "one value of one request", "nunique()"),
    (lambda: TX.select(f=TX.n.percent_rank().over(LAST)), "one value of one request", "count()"),
    (lambda: TX.select(f=TX.n.cume_dist().over(LAST)), "one value of one request", "count()"),
    (lambda: TX.select(f=TX.n.ntile(4).over(LAST)), "one value of one request", "quantile()"),
    (
        lambda: TX.select(f=(TX.n - TX.n.lag(1).over(feature(rows=3))).sum().over(feature(rows=4))),
        "one stands inside of the other",
        "t.mutate(before=",
    ),
    (lambda: TX.select(f=TX.n.lag(DAY).over(WEEK)), "a constant whole number", "lag(1)"),
    (lambda: TX.mcc.topk(3), "Limit has no online form", "commonest values"),
    (lambda: TX.select(f=LOGINS.score.max()), "an aggregate of another table needs a window", "wb.over("),
    (lambda: TX.join(CARDS, "card"), "several rows for one anchor row", "wb.last_join("),
    (lambda: TX.left_join(CARDS, "card"), "several rows for one anchor row", "wb.last_join("),
    (
        lambda: TX.asof_join(LOGINS, TX.ts <= LOGINS.at, "card"),
        "a row of the future",
        "left.time >= right.time",
    ),
    (lambda: TX.asof_join(LOGINS, TX.ts >= LOGINS.at), "needs a key", "predicates="),
    (
        lambda: TX.asof_join(LOGINS, TX.ts >= LOGINS.at, "card", tolerance=DAY),
        "several rows",
        "wb.last_join(",
    ),
    (lambda: TX.union(TX), "Union has no online form", "wb.window(union="),
    (lambda: LOGINS.score.max().over(logins()), "not a column of that table", "wb.over(expression, window)"),
    (lambda: TX.select(f=wb.over(LOGINS.score, logins())), "no aggregate", "logins.count()"),
    (
        lambda: TX.select(f=wb.over(LOGINS.score.max() + LOGINS.id, logins())),
        "outside of any aggregate",
        "aggregate",
    ),
    (
        lambda: TX.select(f=wb.over(LOGINS.count(), logins(partition_by="nr"))),
        "no column 'nr' in logins",
        "columns",
    ),
    (
        lambda: TX.select(f=wb.over(LOGINS.count(), logins(partition_by="device"))),
        "anchor has no column",
        "{'device'",
    ),
    (lambda: TX.select(f=wb.over(LOGINS.count(), logins(order_by="ts"))), "no column 'ts' to order by", ""),
    (lambda: wb.window(partition_by="card"), "needs order_by", 'order_by="ts"'),
    (lambda: feature(rows=3, rows_range="7d"), "not by both", "maxsize="),
    (lambda: feature(rows=-1), "not -1", "rows=(10, 1)"),
    (lambda: feature(rows=(3, None)), "into the future", "0 ends it"),
    (lambda: feature(rows=(3, 2, 1)), "two ends", "7d"),
    (lambda: feature(rows_range="7 days"), "'7 days' is no bound", "7d"),
    (lambda: feature(rows_range=timedelta(days=-1)), "not negative", ""),
    (lambda: feature(partition_by={"card": "card"}), "belongs to a window from_", "partition_by=["),
    (lambda: logins(union=[TX]), "one table or a union", ""),
    (lambda: logins(order_by=LOGINS.at), "the name of its column", ""),
    (lambda: logins(partition_by=[LOGINS.card]), "names of its columns", "mapping"),
    (lambda: wb.last_join(TX, TX, "card"), "the same table", "table.view()"),
    (lambda: wb.last_join(TX, CARDS, "crad"), "no column 'crad' in tx; did you mean 'card'?", "both tables"),
    (lambda: wb.last_join(TX, CARDS, "card", order_by="at"), "no column 'at' in cards", "columns"),
    (lambda: wb.last_join(TX, CARDS, TX.n), "a predicate of a last join", "tx.card == cards.id"),
    (
        lambda: wb.last_join(TX, LOGINS, "card", rname="amount"),
        "two columns would be named 'amount'",
        "rname=",
    ),
]


@pytest.mark.parametrize(("make", "reason", "hint"), REFUSED, ids=[reason for _, reason, _ in REFUSED])
def test_what_is_refused_says_what_to_write(
    functions: Functions, make: Callable[[], Any], reason: str, hint: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        define(make(), TABLES, functions)
    assert reason in caught.value.message
    assert hint in (caught.value.hint or "")


def test_errors_of_the_translation_show_the_query(functions: Functions) -> None:
    """What the text would be refused for is shown in the text that the expression stands for."""
    with pytest.raises(DefinitionError) as caught:
        define(TX.select(f=TX.n.sum().over(feature(order_by="mcc"))), TABLES, functions)
    assert "ordered by a time, date or integer column; mcc is VARCHAR" in caught.value.message
    assert "ORDER BY tx.mcc" in (caught.value.source or "")


def test_an_anchor_column_of_an_earlier_step_is_found(
    plan_of: Callable[[str], FeaturePlan], functions: Functions
) -> None:
    busy = TX.filter(_.n > 1).mutate(k=_.n * 2)
    same = wb.over(LOGINS.count(where=LOGINS.device == TX.mcc), logins(rows=5))
    text = (
        f"SELECT n * 2 AS k, count(*) FILTER (WHERE device = tx.mcc) OVER l AS c FROM tx WHERE n > 1 "
        f"WINDOW l AS {LAST_LOGINS}"
    )
    assert define(busy.select("k", c=same), TABLES, functions) == plan_of(text)
    late = TX.mutate(s=_.n.sum().over(WEEK)).filter(_.s > 3)
    with pytest.raises(DefinitionError, match="'mcc' is a column of another table"):
        define(late.select(c=same), TABLES, functions)
