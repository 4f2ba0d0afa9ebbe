"""Queries in queries against values that were computed by hand, and what a row must not see through others."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import workbench


def at(hour: int) -> datetime:
    return datetime(2024, 1, 1, hour)


#: seq in the order of the lines; cards a and b, shops s and t.
PAYMENTS = [(1, "a", "s", 10), (2, "b", "s", 20), (3, "a", "t", 30), (4, "a", "s", 40), (4, "b", "t", 50)]
#: Ratings of shops.
RATINGS = [(1, "s", 1), (2, "t", 5), (3, "s", 3), (4, "t", 7)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = workbench.open(tmp_path_factory.mktemp("derived") / "p")
    payments = {"id": "BIGINT", "ts": "TIMESTAMP", "card": "VARCHAR", "shop": "VARCHAR", "x": "BIGINT"}
    made.create_table("pay", payments, time="ts").append(
        [
            {"id": n, "ts": at(h), "card": card, "shop": shop, "x": x}
            for n, (h, card, shop, x) in enumerate(PAYMENTS)
        ]
    )
    made.create_table("rating", {"at": "TIMESTAMP", "shop": "VARCHAR", "stars": "BIGINT"}, time="at").append(
        [{"at": at(h), "shop": shop, "stars": stars} for h, shop, stars in RATINGS]
    )
    made.create_table("shops", {"shop": "VARCHAR", "city": "VARCHAR"}).append(
        [{"shop": "s", "city": "Oslo"}, {"shop": "t", "city": "Rome"}]
    )
    return made


CARD = "WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
SHOP = "(PARTITION BY shop ORDER BY ts)"
VALUES = {
    # stars of each payment's shop as of that payment: 1, 1, 5, 3, 7
    "joined columns in a history": (
        f"SELECT sum(r.stars) OVER w AS f FROM pay LAST JOIN rating r ON pay.shop = r.shop {CARD}",
        [1, 1, 6, 9, 8],
    ),
    "where on a joined column": (
        f"SELECT count(*) OVER w AS f FROM pay LAST JOIN rating r ON pay.shop = r.shop WHERE r.stars > 2 {CARD}",
        [1, 2, 1],
    ),
    "filter on a joined column": (
        "SELECT sum(x) FILTER (WHERE r.stars < 5) OVER w AS f FROM pay LAST JOIN rating r ON pay.shop = r.shop "
        + CARD,
        [10, 20, 10, 50, 20],
    ),
    # running sums by card: 10, 20, 40, 80, 70
    "a window over a window": (
        f"SELECT max(s) OVER {SHOP} AS f FROM (SELECT *, sum(x) OVER w AS s FROM pay {CARD}) q",
        [10, 20, 40, 80, 70],
    ),
    "a window's value in WHERE": (
        f"SELECT s AS f FROM (SELECT *, sum(x) OVER w AS s FROM pay {CARD}) q WHERE s >= 40",
        [40, 80, 70],
    ),
    "a subquery with a window, joined": (
        "SELECT g.total AS f FROM pay LAST JOIN (SELECT shop, sum(stars) OVER w AS total FROM rating "
        "WINDOW w AS (PARTITION BY shop ORDER BY at)) g ON pay.shop = g.shop",
        [1, 1, 5, 4, 12],
    ),
    "a join in a join": (
        "SELECT shops.city || r.stars AS f FROM pay "
        "LAST JOIN (rating r LAST JOIN shops ON r.shop = shops.shop) ON pay.shop = r.shop AND r.stars <> 3",
        ["Oslo1", "Oslo1", "Rome5", "Oslo1", "Rome7"],
    ),
    "a grouped subquery": (
        "SELECT g.n AS f FROM pay LAST JOIN (SELECT shop, count(*) AS n, max(stars) AS best FROM rating "
        "WHERE stars > 1 GROUP BY shop HAVING max(stars) < 7) g ON pay.shop = g.shop",
        [None, None, 1, 1, None],
    ),
    "union all, joined": (
        "SELECT u.v AS f FROM pay LAST JOIN (SELECT shop, at AS t, stars AS v FROM rating "
        "UNION ALL SELECT shop, ts AS t, -x AS v FROM pay) u ON pay.shop = u.shop",
        [1, 1, 5, 3, 7],
    ),
    "union all in a window": (
        "SELECT sum(v) OVER w AS f FROM pay WINDOW w AS (FROM (SELECT shop, at AS t, stars AS v FROM rating "
        "UNION ALL SELECT shop, ts AS t, -x AS v FROM pay) PARTITION BY shop ORDER BY t)",
        [1, -9, 5, -26, -18],
    ),
    "an aggregate in an aggregate": (f"SELECT sum(x + count(x)) OVER w AS f FROM pay {CARD}", [11, 21, 44, 89, 74]),
    "lag in an aggregate": (f"SELECT sum(x + lag(x, 1)) OVER w AS f FROM pay {CARD}", [None, None, 60, 170, 110]),
    "filter by a value of the anchor": (
        f"SELECT count(*) FILTER (WHERE x <= lag(x, 1) OVER w) OVER w AS f FROM pay {CARD}",
        [0, 0, 1, 2, 1],
    ),
    "a join keyed by an aggregate": (
        "SELECT r.shop AS f FROM (SELECT *, count(*) OVER w AS n FROM pay " + CARD + ") q "
        "LAST JOIN rating r ON q.n = r.stars",
        ["s", "s", None, "s", None],
    ),
    "a merged subquery": (
        "SELECT sum(m) OVER w AS f FROM (SELECT shop, ts AS t, x * 2 AS m FROM pay) q WINDOW w AS (UNION "
        "(SELECT shop, at AS t, stars AS m FROM rating) AS l PARTITION BY shop ORDER BY t)",
        [21, 61, 65, 144, 172],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(project: Any, name: str) -> None:
    query, expected = VALUES[name]
    view = project.define("v", query)
    assert view.offline().to_pyarrow()["f"].to_pylist() == expected
    assert view.check(rows="all").different == 0


THROUGH = """SELECT id, r.spent FROM pay LAST JOIN (
    SELECT at, shop, sum(x) OVER w AS spent FROM rating
    WINDOW w AS (FROM pay PARTITION BY shop ORDER BY ts)) r ON pay.shop = r.shop"""


def test_a_row_does_not_see_itself_through_another_table(tmp_path: Path) -> None:
    """Training sees what the request saw, which came before the row was stored; days make all times equal."""
    with workbench.open(tmp_path / "p") as project:
        project.create_table(
            "pay", {"id": "BIGINT", "ts": "TIMESTAMP", "shop": "VARCHAR", "x": "BIGINT"}, time="ts"
        )
        project.create_table("rating", {"at": "TIMESTAMP", "shop": "VARCHAR"}, time="at")
        view = project.define("v", THROUGH)
        project.table("pay").append([{"id": 0, "ts": at(0), "shop": "s", "x": 1}])
        project.table("rating").append([{"at": at(0), "shop": "s"}, {"at": at(5), "shop": "s"}])
        asked = []
        for number, hour in ((1, 5), (2, 5), (3, 7)):
            row = {"id": number, "ts": at(hour), "shop": "s", "x": 10**number}
            asked.append(view.request(row)["spent"])
            project.table("pay").append([row])
        assert view.offline().to_pyarrow()["spent"].to_pylist()[1:] == asked == [1, 1, 1]
        assert view.check(rows="all").different == 0
