"""Views over joined rows and subqueries: every path gives one answer, and plain Python gives it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from tests import shop
from workbench.values.coerce import to_table

HOUR = timedelta(hours=1)
COUNTED = """(SELECT card, at, score, count(*) OVER (PARTITION BY card ORDER BY at
    ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW) AS c FROM logins{where})"""
QUERIES = {
    "history of joined rows": """SELECT tx.id AS id, sum(l.score) OVER w AS s, max(l.device) OVER w AS d
        FROM tx LAST JOIN logins AS l ON l.card = tx.card
        WINDOW w AS (PARTITION BY tx.card ORDER BY tx.ts ROWS_RANGE BETWEEN 6h PRECEDING AND CURRENT ROW)""",
    "where of joined rows": """SELECT tx.id AS id, count(*) OVER w AS n
        FROM tx LAST JOIN logins AS l ON l.card = tx.card WHERE l.score > 3
        WINDOW w AS (PARTITION BY tx.card ORDER BY tx.ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)""",
    "aggregate in an aggregate": """SELECT id, sum(n + count(*)) OVER w AS s FROM tx
        WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 6h PRECEDING AND CURRENT ROW)""",
    "subquery": """SELECT id, sum(c) OVER w AS s FROM (SELECT id, card, ts, count(*) OVER (PARTITION BY card
        ORDER BY ts ROWS_RANGE BETWEEN 3h PRECEDING AND CURRENT ROW) AS c FROM tx WHERE n > 5) WHERE c > 1
        WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)""",
    "join onto windows": f"""SELECT tx.id AS id, s.c AS c, s.score AS score
        FROM tx LAST JOIN {COUNTED.format(where="")} AS s ON s.card = tx.card""",
    "conditions on both sides": f"""SELECT tx.id AS id, s.c AS c
        FROM tx LAST JOIN {COUNTED.format(where=" WHERE score > 2")} AS s ON s.card = tx.card AND s.c > 1""",
    "grouped": """SELECT tx.id AS id, g.n AS n, g.m AS m FROM tx LAST JOIN (SELECT card, count(*) AS n,
        max(score) AS m FROM logins WHERE score > 2 GROUP BY card) AS g ON g.card = tx.card""",
    "window over windows": f"""SELECT id, sum(c) OVER w AS s FROM tx WINDOW w AS (FROM {COUNTED.format(where="")}
        PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)""",
    "united with windows": f"""SELECT id, sum(n) OVER w AS s, count(*) OVER w AS c FROM tx
        WINDOW w AS (UNION (SELECT card, at AS ts, c AS n FROM {COUNTED.format(where="")})
        PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW)""",
    "right nested join": """SELECT tx.id AS id, l.score AS score, c.limit_ AS limit_ FROM tx LAST JOIN
        (logins AS l LAST JOIN cards AS c ON c.card = l.card) ON l.card = tx.card""",
    "instance not in window": """SELECT id, count(c) OVER w AS n FROM (SELECT id, card, ts, count(*) OVER
        (PARTITION BY card ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS c FROM tx) WINDOW w AS
        (UNION (SELECT card, at AS ts, score AS c FROM logins) PARTITION BY card ORDER BY ts
        ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW MAXSIZE 4 INSTANCE_NOT_IN_WINDOW)""",
    "order by a date": """SELECT tx.id AS id, sum(l.score) OVER (PARTITION BY tx.card ORDER BY tx.day
        ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS s FROM tx LAST JOIN logins AS l ON l.card = tx.card""",
}

# -- what plain Python says, for the row of number i

Row = dict[str, Any]


def newest_login(i: int, holds: Callable[[int], bool] = lambda j: True) -> int | None:
    """The place of the newest login of a payment's card that satisfies a condition."""
    tx = shop.TX_ROWS[i]
    seen = [j for j in logins_before(tx["card"], tx["ts"]) if holds(j)]
    return seen[-1] if seen else None


def logins_before(card: str | None, ts: Any) -> list[int]:
    """Places of the logins of a card until a time, oldest first."""
    rows = [(x["at"], j) for j, x in enumerate(shop.LOGIN_ROWS) if x["card"] == card and x["at"] <= ts]
    return [j for _, j in sorted(rows)] if card is not None else []


def score(i: int) -> Any:
    j = newest_login(i)
    return None if j is None else shop.LOGIN_ROWS[j]["score"]


def history(i: int, holds: Callable[[int], bool] = lambda j: True) -> list[int]:
    """Places of the payments of a card up to one and with it, oldest first."""
    tx = shop.TX_ROWS[i]
    rows = [
        (x["ts"], j)
        for j, x in enumerate(shop.TX_ROWS)
        if x["card"] == tx["card"] and (x["ts"], j) <= (tx["ts"], i) and holds(j)
    ]
    return [j for _, j in sorted(rows)]


def lately(i: int, hours: int, rows: Iterable[int]) -> list[int]:
    return [j for j in rows if shop.TX_ROWS[j]["ts"] >= shop.TX_ROWS[i]["ts"] - hours * HOUR]


def logins_lately(j: int, hours: int, least: int = -1) -> int:
    """How many logins of its card there were in the hours before a login, itself among them."""
    login = shop.LOGIN_ROWS[j]
    return sum(
        x["card"] == login["card"]
        and x["score"] > least
        and login["at"] - hours * HOUR <= x["at"]
        and (x["at"], k) <= (login["at"], j)
        for k, x in enumerate(shop.LOGIN_ROWS)
    )


def total(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def joined_history(i: int) -> Row:
    seen = [newest_login(j) for j in lately(i, 6, history(i))]
    found = [shop.LOGIN_ROWS[j] for j in seen if j is not None]
    devices = [x["device"] for x in found if x["device"]]
    return {"id": i, "s": total(x["score"] for x in found), "d": max(devices, default=None)}


def joined_where(i: int) -> Row | None:
    def kept(j: int) -> bool:
        return (score(j) or 0) > 3

    return {"id": i, "n": len(history(i, kept)[-4:])} if kept(i) else None


def inner_count(i: int) -> Row:
    seen = lately(i, 6, history(i))
    return {"id": i, "s": total(shop.TX_ROWS[j]["n"] + len(seen) for j in seen)}


def subquery(i: int) -> Row | None:
    def large(j: int) -> bool:
        return bool(shop.TX_ROWS[j]["n"] > 5)

    def count(j: int) -> int:
        return len(lately(j, 3, history(j, large)))

    def kept(j: int) -> bool:
        return large(j) and count(j) > 1

    return {"id": i, "s": sum(count(j) for j in history(i, kept)[-4:])} if kept(i) else None


def counted(i: int) -> Row:
    j = newest_login(i)
    return {"id": i, "c": None if j is None else logins_lately(j, 5), "score": score(i)}


def counted_where(i: int) -> Row:
    j = newest_login(i, lambda j: shop.LOGIN_ROWS[j]["score"] > 2 and logins_lately(j, 5, 2) > 1)
    return {"id": i, "c": None if j is None else logins_lately(j, 5, 2)}


def grouped(i: int) -> Row:
    tx = shop.TX_ROWS[i]
    scores = [shop.LOGIN_ROWS[j]["score"] for j in logins_before(tx["card"], tx["ts"])]
    scores = [x for x in scores if x > 2]
    return {"id": i, "n": len(scores) or None, "m": max(scores, default=None)}


def window_over_windows(i: int) -> Row:
    tx = shop.TX_ROWS[i]
    seen = logins_before(tx["card"], tx["ts"])
    return {
        "id": i,
        "s": total(logins_lately(j, 5) for j in seen if shop.LOGIN_ROWS[j]["at"] >= tx["ts"] - 24 * HOUR),
    }


def united(i: int) -> Row:
    tx = shop.TX_ROWS[i]
    seen = logins_before(tx["card"], tx["ts"])
    if tx["card"] is None:  # NULL is a group of a history
        seen = [j for j, x in enumerate(shop.LOGIN_ROWS) if x["card"] is None and x["at"] <= tx["ts"]]
    counts = [logins_lately(j, 5) for j in seen if shop.LOGIN_ROWS[j]["at"] >= tx["ts"] - 5 * HOUR]
    own = [shop.TX_ROWS[j]["n"] for j in lately(i, 5, history(i))]
    return {"id": i, "s": total(own + counts), "c": len(own) + len(counts)}


PYTHON: dict[str, Callable[[int], Row | None]] = {
    "history of joined rows": joined_history,
    "where of joined rows": joined_where,
    "aggregate in an aggregate": inner_count,
    "subquery": subquery,
    "join onto windows": counted,
    "conditions on both sides": counted_where,
    "grouped": grouped,
    "window over windows": window_over_windows,
    "united with windows": united,
}


@pytest.fixture(scope="module", params=QUERIES)
def case(project: Any, request: pytest.FixtureRequest) -> tuple[str, Any, list[Row]]:
    """A query's name, its view and the features of the stored rows."""
    view = project.define("computed", QUERIES[request.param])
    return request.param, view, view.offline().to_pyarrow().to_pylist()


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name, columns, rows in (
        ("tx", shop.TX, shop.TX_ROWS),
        ("logins", shop.LOGINS, shop.LOGIN_ROWS),
        ("cards", shop.CARDS, shop.CARD_ROWS),
    ):
        connection.register("given", to_table(columns, rows))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    return connection


def test_values_are_those_of_plain_python(case: Any) -> None:
    name, _, rows = case
    assert rows
    if name in PYTHON:
        answers = [PYTHON[name](i) for i in range(len(shop.TX_ROWS))]
        assert rows == [row for row in answers if row is not None]


def test_requests_give_the_same(case: Any) -> None:
    _, view, rows = case
    report = view.check(rows="all")
    assert report.compared >= len(rows) and report.different == 0


def test_plain_sql_gives_the_same(case: Any, duck: duckdb.DuckDBPyConnection) -> None:
    _, view, rows = case
    got = duck.execute(view.to_sql()).to_arrow_table().to_pylist()
    assert sorted(map(str, got)) == sorted(map(str, rows))


def test_a_preview_and_a_spine_give_the_same(case: Any) -> None:
    _, view, rows = case
    shown = view.preview(9).to_pyarrow().to_pylist()
    assert shown and all(row in rows for row in shown)
    new = [dict(row, ts=row["ts"] + HOUR) for row in shop.TX_ROWS[::11]]
    answers = [view.request(row) for row in new]
    assert view.offline(spine=new).to_pyarrow().to_pylist() == [row for row in answers if row is not None]


def test_what_is_said_of_it(case: Any) -> None:
    """why() shows the rows of every value, in the names of the query; explain(), lint() and lineage() know them."""
    _, view, rows = case
    for row in rows[:: len(rows) // 2]:
        for feature in list(view.schema)[1:]:
            found = view.why(_seq(row["id"]), feature)
            assert found.value == row[feature]
            assert "__" not in repr(found)
    assert "__" not in view.explain()
    assert view.lint()
    tables = {column.table for feature in view.lineage() for column in feature.columns}
    assert tables == set(view.plan.tables())


def _seq(i: int) -> int:
    """The arrival number of a payment: 50 of them came before the logins and the cards."""
    return i + 1 if i < 50 else i + 1 + len(shop.LOGIN_ROWS) + len(shop.CARD_ROWS)


def test_explain_says_what_computed_rows_are(project: Any) -> None:
    text = project.define("told", QUERIES["united with windows"]).explain()
    assert "computed rows of logins: each row of logins, as of its own (at, arrival)" in text
    assert "  and the computed rows of logins with the same keys" in text
    text = project.define("told", QUERIES["history of joined rows"]).explain()
    assert "anchor rows: computed rows of tx" in text
    assert "computes sum(logins.score), max(logins.device)" in text


def test_an_overflow_names_the_feature_whatever_computes_it(project: Any) -> None:
    from workbench.errors import RowError

    view = project.define("over", """SELECT q.id AS id, q.big AS big, q.n AS n FROM (SELECT id, n,
        sum(id + 9223372036854775000) OVER (PARTITION BY card ORDER BY ts) AS big FROM tx) AS q""")  # fmt: skip
    with pytest.raises(RowError, match=r"an integer sum does not fit BIGINT \(big\)"):
        view.offline().to_pyarrow()
