"""Point-in-time cases small enough to read: what a row may know, and what would be a leak."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench

TRANSACTIONS = {"ts": "TIMESTAMP", "id": "BIGINT", "card": "VARCHAR", "amount": "BIGINT"}
RATES = {"at": "TIMESTAMP", "card": "VARCHAR", "rate": "BIGINT"}


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 3, 1, hour, minute)


def paid(hour: int, id_: int, amount: int, card: str | None = "a") -> dict[str, Any]:
    return {"ts": at(hour), "id": id_, "card": card, "amount": amount}


def rated(hour: int, rate: int, card: str | None = "a") -> dict[str, Any]:
    return {"at": at(hour), "card": card, "rate": rate}


@pytest.fixture
def project(tmp_path: Path) -> Any:
    opened = workbench.open(tmp_path / "project")
    opened.create_table("tx", TRANSACTIONS, time="ts")
    opened.create_table("rates", RATES, time="at")
    opened.create_table("cards", {"card": "VARCHAR", "tier": "VARCHAR"})
    return opened


def offline(view: Any, **options: Any) -> dict[int, Any]:
    """The only feature of every anchor, by id."""
    rows = view.offline(**options).to_pyarrow().to_pylist()
    return {row["id"]: row["out"] for row in rows}


def define(project: Any, output: str, rest: str = "FROM tx") -> Any:
    return project.define("v", f"SELECT tx.id AS id, {output} AS out {rest}")


HISTORY = "FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"
FROM_RATES = "FROM tx WINDOW w AS (FROM rates PARTITION BY card ORDER BY at)"


def test_of_rows_with_equal_times_the_later_arrived_is_not_seen(project: Any) -> None:
    """SQL's RANGE frame would give both rows the sum 30: the first one would know of a row that came after it."""
    project.table("tx").append([paid(1, 1, 10), paid(1, 2, 20)])
    view = define(project, "sum(amount) OVER w", HISTORY)
    assert offline(view) == {1: 10, 2: 30}
    assert view.request(paid(1, 3, 5))["out"] == 35, "a request comes after every stored row of its time"
    assert view.check(rows="all").different == 0


def test_a_late_row_is_seen_by_rows_after_it_in_time(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(5, 2, 20)])
    project.table("tx").append([paid(3, 3, 400)])
    view = define(project, "sum(amount) OVER w", HISTORY)
    assert offline(view) == {1: 10, 3: 410, 2: 430}
    assert view.request(paid(4, 4, 1))["out"] == 411


def test_a_request_in_the_past_does_not_see_what_came_after_it(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(5, 2, 20)])
    view = define(project, "sum(amount) OVER w", HISTORY)
    assert view.request(paid(2, 3, 1))["out"] == 11
    assert view.request({"card": "a", "id": 3, "amount": 1}, as_of=at(2))["out"] == 11


def test_rows_of_another_table_are_seen_at_equal_times_whenever_they_arrived(project: Any) -> None:
    project.table("tx").append([paid(2, 1, 10)])
    project.table("rates").append([rated(1, 1), rated(2, 2), rated(3, 4)])
    assert offline(define(project, "sum(rate) OVER w", FROM_RATES)) == {1: 3}
    join = "FROM tx LAST JOIN rates ON tx.card = rates.card"
    assert offline(define(project, "rates.rate", join)) == {1: 2}


def test_a_last_join_is_of_the_past_without_saying_so(project: Any) -> None:
    """A plain join would give every row the newest rate: the future."""
    project.table("rates").append([rated(1, 1), rated(3, 3), rated(3, 4)])
    project.table("tx").append([paid(0, 1, 0), paid(2, 2, 0), paid(3, 3, 0), paid(9, 4, 0)])
    view = define(project, "rates.rate", "FROM tx LAST JOIN rates ON tx.card = rates.card")
    assert offline(view) == {1: None, 2: 1, 3: 4, 4: 4}, "of equal times the later arrived"
    assert view.check(rows="all").different == 0


def test_a_last_join_of_the_own_table_is_strictly_before(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(1, 2, 20), paid(2, 3, 30)])
    view = project.define(
        "v", "SELECT r.id AS id, p.amount AS out FROM tx AS r LAST JOIN tx AS p ON r.card = p.card"
    )
    assert offline(view) == {1: None, 2: 10, 3: 20}
    assert view.request(paid(1, 4, 1))["out"] == 20
    assert view.check(rows="all").different == 0


def test_a_window_from_the_own_table_does_not_hold_the_row_itself(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(1, 2, 20), paid(2, 3, 30)])
    sql = """SELECT r.id AS id, sum(amount) OVER w AS out FROM tx AS r
             WINDOW w AS (FROM tx PARTITION BY card ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"""
    view = project.define("v", sql)
    assert offline(view) == {1: None, 2: 10, 3: 20}
    assert view.request(paid(2, 4, 1))["out"] == 30
    assert view.check(rows="all").different == 0


def test_the_own_table_through_a_subquery_is_still_the_own_table(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(1, 2, 20)])
    sql = """WITH big AS (SELECT * FROM tx WHERE amount > 5)
             SELECT r.id AS id, p.amount AS out FROM tx AS r LAST JOIN big AS p ON r.card = p.card"""
    view = project.define("v", sql)
    assert offline(view) == {1: None, 2: 10}
    assert view.check(rows="all").different == 0


def test_now_is_the_time_of_the_anchor(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(4, 2, 20)])
    assert offline(define(project, "date_diff('hour', ts, now())")) == {1: 0, 2: 0}
    view = define(project, "sum(date_diff('hour', ts, now())) OVER w", HISTORY)
    assert offline(view) == {1: 0, 2: 3}, "also for the rows of its history"
    assert view.request({"card": "a", "id": 3, "amount": 0}, as_of=at(6))["out"] == 5 + 2 + 0
    recent = "count(*) FILTER (WHERE ts > now() - INTERVAL 3 HOUR) OVER w"
    assert offline(define(project, recent, HISTORY)) == {1: 1, 2: 1}
    project.table("rates").append([rated(1, 1), rated(3, 3)])
    assert offline(define(project, "sum(date_diff('hour', at, now())) OVER w", FROM_RATES)) == {
        1: 0,
        2: 3 + 1,
    }


def test_spine_rows_see_stored_rows_of_their_time_and_never_each_other(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(1, 2, 20)])
    view = define(project, "sum(amount) OVER w", HISTORY)
    spine = [paid(1, 100, 1), paid(1, 101, 2), paid(9, 102, 3), paid(0, 103, 4)]
    assert offline(view, spine=spine) == {100: 31, 101: 32, 102: 33, 103: 4}
    requests = {row["id"]: view.request(row)["out"] for row in spine}
    assert requests == offline(view, spine=spine)


def test_null_keys_are_a_group_in_a_window_and_match_nothing_in_a_join(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10, None), paid(2, 2, 20, None), paid(3, 3, 30, "")])
    project.table("rates").append([rated(1, 1, None), rated(1, 2, "")])
    assert offline(define(project, "sum(amount) OVER w", HISTORY)) == {1: 10, 2: 30, 3: 30}
    assert offline(define(project, "sum(rate) OVER w", FROM_RATES)) == {1: None, 2: None, 3: 2}
    view = define(project, "rates.rate", "FROM tx LAST JOIN rates ON tx.card = rates.card")
    assert offline(view) == {1: None, 2: None, 3: 2}
    assert view.check(rows="all").different == 0


def test_where_hides_rows_from_the_answer_and_from_history(project: Any) -> None:
    project.table("tx").append([paid(1, 1, 10), paid(2, 2, -5), paid(3, 3, 30)])
    view = define(
        project, "sum(amount) OVER w", "FROM tx WHERE amount > 0 WINDOW w AS (PARTITION BY card ORDER BY ts)"
    )
    assert offline(view) == {1: 10, 3: 40}
    assert view.request(paid(4, 4, 1))["out"] == 41
    assert view.request(paid(4, 4, -1)) is None
    assert view.check(rows="all").different == 0


def test_a_static_table_is_read_at_its_newest_row(project: Any) -> None:
    project.table("cards").append([{"card": "a", "tier": "blue"}])
    project.table("tx").append([paid(1, 1, 10)])
    view = define(project, "cards.tier", "FROM tx LAST JOIN cards ON tx.card = cards.card")
    assert offline(view) == {1: "blue"}
    project.table("cards").append([{"card": "a", "tier": "gold"}])
    assert offline(view) == {1: "gold"}
    assert view.request(paid(1, 2, 0))["out"] == "gold"
    assert any("cards" in str(finding) for finding in view.lint()), "and said so"


def test_frame_ends_are_exact_to_the_microsecond(project: Any) -> None:
    tick = timedelta(microseconds=1)
    times = [at(1) - tick, at(1), at(1) + tick, at(2) - tick, at(2)]
    rows = [{"ts": time, "id": n, "card": "a", "amount": 10**n} for n, time in enumerate(times)]
    project.table("tx").append(rows)
    window = "FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN {} AND {})"

    def last(start: str, end: str) -> Any:
        view = define(project, "sum(amount) OVER w", window.format(start, end))
        assert view.check(rows="all").different == 0
        return offline(view)[4]

    assert last("1h PRECEDING", "CURRENT ROW") == 11110
    assert last("1h OPEN PRECEDING", "CURRENT ROW") == 11100
    assert last("1h PRECEDING", "0s OPEN PRECEDING") == 1110
    assert last("UNBOUNDED PRECEDING", "1h PRECEDING") == 11
    assert last("UNBOUNDED PRECEDING", "1h OPEN PRECEDING") == 1


def test_ask_then_append_is_what_offline_shows(project: Any) -> None:
    view = define(project, "sum(amount) OVER w", HISTORY)
    answers = {}
    for row in [paid(1, 1, 10), paid(1, 2, 20), paid(1, 3, 40), paid(2, 4, 80)]:
        answers[row["id"]] = view.request(row)["out"]
        project.table("tx").append(row)
    assert answers == offline(view) == {1: 10, 2: 30, 3: 70, 4: 150}


def test_an_integer_column_may_stand_for_time(project: Any) -> None:
    project.table("tx").append([paid(1, 7, 10), paid(2, 5, 20), paid(3, 5, 40), paid(4, 9, 80)])
    view = define(project, "sum(amount) OVER w", "FROM tx WINDOW w AS (PARTITION BY card ORDER BY id)")
    rows = view.offline().to_pyarrow().to_pylist()
    assert sorted((row["id"], row["out"]) for row in rows) == [(5, 20), (5, 60), (7, 70), (9, 150)]
    near = (
        "FROM tx WINDOW w AS (PARTITION BY card ORDER BY id ROWS_RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING)"
    )
    assert view.check(rows="all").different == 0
    assert define(project, "sum(amount) OVER w", near).request(paid(9, 7, 1000))["out"] == 60
