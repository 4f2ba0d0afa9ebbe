"""The compiled driver: what it answers is what the reference driver answers, and what it cannot, that one does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests import shop
from workbench.errors import RowError
from workbench.online import Engine

FRAME = "ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW"
VIEWS = {
    "history": f"""SELECT id, sum(n) OVER w AS a, avg(amount) OVER w AS b, last_value(mcc) OVER w AS c,
        count(DISTINCT mcc) OVER w AS d, lag(n, 2) OVER w AS e, sum(price) OVER w AS f, first_value(tags) OVER w AS g,
        max(day) OVER w AS h, count(*) FILTER (WHERE mcc = 'food') OVER w AS i, stddev(amount) OVER w AS j
        FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})""",
    "another table": """SELECT max(score) OVER w AS a, last_value(device) OVER w AS b,
        count(*) FILTER (WHERE score < tx.n) OVER w AS c, count(*) FILTER (WHERE device = tx.mcc) OVER w AS d
        FROM tx WINDOW w AS (FROM logins PARTITION BY card ORDER BY at ROWS BETWEEN 4 PRECEDING AND CURRENT ROW)""",
    "joins": """SELECT l.device AS a, l.score + 1 AS b, c.limit_ AS c, r.rate AS d
        FROM tx LAST JOIN logins l ON l.card = tx.card LAST JOIN cards c ON c.card = tx.card
        LAST JOIN rates r ON r.card = tx.card AND r.n = l.score % 4""",
    "two histories": f"""SELECT sum(n) OVER w AS a, count(*) OVER w AS b FROM tx
        WINDOW w AS (UNION (SELECT at AS ts, card, n FROM rates) PARTITION BY card ORDER BY ts {FRAME})""",
    "known later": """SELECT sum(paid) OVER w AS a FROM tx WINDOW w AS
        (FROM payouts PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 9h PRECEDING AND CURRENT ROW)""",
    "filtered": f"""SELECT sum(n) OVER w AS a FROM tx WHERE n % 2 = 0
        WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})""",
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    project = shop.open_shop(tmp_path_factory.mktemp("compiled") / "shop")
    if not project.warmup():
        pytest.skip("no compiled kernels here")
    yield project
    project.close()


def engine_of(project: Any, sql: str) -> Engine:
    return project.define("v", sql)._engine()


def both(project: Any, engine: Engine) -> tuple[list[Any], list[Any]]:
    """What the drivers answer for rows like the stored ones, asked anew."""
    table = project.sql("SELECT * FROM tx").to_pyarrow().select(list(engine.plan.request_columns))
    cut, seqs = project.storage.last_seq(), [None] * table.num_rows
    return engine._compiled.answer(table, seqs, cut), engine._by_reference(table, seqs, cut)


@pytest.mark.parametrize("flushed", [False, True], ids=["log", "files"])
@pytest.mark.parametrize("name", VIEWS)
def test_the_drivers_agree(project: Any, name: str, flushed: bool) -> None:
    if flushed:
        project.storage.flush()
    engine = engine_of(project, VIEWS[name])
    assert engine.driver.name == "compiled", engine.driver.reasons
    compiled, reference = both(project, engine)
    assert None not in compiled, engine._compiled.why
    for ours, theirs in zip(compiled, reference, strict=True):
        assert [type(value) for value in ours] == [type(value) for value in theirs]
        assert list(ours) == [pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for v in theirs]


def test_stored_rows_are_answered_at_their_own_position(project: Any) -> None:
    for name in ("history", "joins"):
        report = project.define("v", VIEWS[name]).check(rows="all")
        assert report.ok and report.drivers == {"compiled": report.rows, "reference": 0}
        assert "the compiled driver" in repr(report)


def test_where_nothing_is_found_by_another_order_the_reference_driver_looks(project: Any) -> None:
    sql = "SELECT l.id AS a FROM tx LAST JOIN logins l ORDER BY l.score ON l.card = tx.card"
    engine = engine_of(project, sql)
    compiled, reference = both(project, engine)
    assert [
        theirs if ours is None else ours for ours, theirs in zip(compiled, reference, strict=True)
    ] == reference
    assert 0 < compiled.count(None) < len(compiled)
    assert engine._compiled.left == compiled.count(None)


def test_rows_of_the_log_are_seen_at_once(project: Any) -> None:
    frame = "ROWS BETWEEN 99 PRECEDING AND CURRENT ROW"
    view = project.define(
        "v",
        f"""SELECT count(*) OVER w AS n, last_value(device) OVER w AS d
            FROM tx WINDOW w AS (FROM logins PARTITION BY card ORDER BY at {frame})""",
    )
    row = {"ts": shop.START + timedelta(days=9), "card": "new"}
    assert view.request(row) == {"n": 0, "d": None}
    for count, device in enumerate(["phone", None, "Ürümqi"], start=1):
        project.table("logins").append([{**shop.LOGIN_ROWS[0], "card": "new", "device": device}])
        assert view.request(row) == {"n": count, "d": device}
    project.storage.flush()
    assert view.request(row) == {"n": 3, "d": "Ürümqi"}


def test_overflow_is_told_by_the_reference_driver(project: Any) -> None:
    view = project.define(
        "v", f"SELECT sum(n) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})"
    )
    assert view.request({"ts": shop.START, "card": "of", "n": 2**63 - 1}) == {"s": 2**63 - 1}
    project.table("tx").append([{**shop.TX_ROWS[0], "id": 999, "card": "of", "n": 2**63 - 1}])
    assert view._engine().quick({"ts": shop.START + timedelta(hours=1), "card": "of", "n": 1}) is None
    with pytest.raises(RowError):
        view.request({"ts": shop.START + timedelta(hours=1), "card": "of", "n": 1})


@pytest.mark.parametrize(
    "row",
    [{"card": "a"}, {"card": "a", "n": "x"}, {"card": "a", "n": 1, "wrong": 2}, {"card": 1, "n": 1},
     {"N": 1, "card": "a"},
     {"card": "a", "n": 1, "ts": None}, {"card": "a", "n": 1, "id": "x"}, {"card": "a", "n": 1, "ts": "2999-01-01"}],
)  # fmt: skip
def test_a_row_that_is_anything_unusual_goes_the_other_way(project: Any, row: dict[str, Any]) -> None:
    engine = engine_of(
        project, f"SELECT sum(n) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})"
    )
    assert engine.quick is not None and engine.quick(row) is None


def test_a_plain_row_is_answered_as_the_other_way_does(project: Any) -> None:
    engine = engine_of(project, VIEWS["history"])
    for stored in shop.TX_ROWS:
        quick, (slow,) = engine.quick(stored), engine.request([stored])
        assert quick == slow


def test_without_kernels_the_reference_driver_answers(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    view = project.define(
        "v", f"SELECT sum(n) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})"
    )
    view._engine()
    monkeypatch.setattr("workbench.kernels.warm.load", lambda folder: False)
    engine = Engine(project.storage, view.plan)
    assert engine.driver.name == "reference" and "workbench warmup" in engine.driver.reasons[0]
    assert engine.quick is None
    assert engine.request([{"card": "a", "n": 3}])[0].features is not None
    assert "not compiled because" in view.explain()


def test_explain_says_why_and_what_is_linear(project: Any) -> None:
    text = project.define(
        "v", f"SELECT mode(mcc) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})"
    )
    assert "mode() has no kernel: mode(mcc)" in text.explain()
    assert (
        "linear in its rows for count(*) where"
        in project.define(
            "v",
            VIEWS["another table"].replace("ROWS BETWEEN 4 PRECEDING", "ROWS BETWEEN UNBOUNDED PRECEDING"),
        ).explain()
    )


def test_a_view_over_another_view_is_answered_by_both_drivers_of_it(project: Any) -> None:
    project.define("inner_view", f"""SELECT ts, card, n + 1 AS m, sum(n) OVER w AS s, tags FROM tx WHERE n % 2 = 0
        WINDOW w AS (PARTITION BY card ORDER BY ts {FRAME})""")  # fmt: skip
    engine = engine_of(
        project,
        "SELECT s + m AS a, l.device AS b, tags AS t FROM inner_view i LAST JOIN logins l ON l.card = i.card",
    )
    assert engine.driver.name == "compiled", engine.driver.reasons
    compiled, reference = both(project, engine)
    assert compiled == reference and reference[1][0] is False


def test_batches_hold_answers_and_errors_in_their_places(project: Any) -> None:
    engine = engine_of(project, VIEWS["history"])
    rows = [*shop.TX_ROWS[:5], {"card": "a"}, shop.TX_ROWS[7]]
    answers = engine.request(rows)
    assert [answer.error is None for answer in answers] == [True] * 5 + [False, True]
    assert answers[0].features == engine.quick(rows[0]).features


def test_both_drivers_of_a_view_over_a_view_know_the_same(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = f"PARTITION BY card ORDER BY ts {FRAME}"
    project.define(
        "inner_view",
        f"SELECT ts, last_value(card) OVER w AS k, count(*) OVER w AS n FROM tx WINDOW w AS ({frame})",
    )
    engine = engine_of(
        project, "SELECT i.n, l.device AS d FROM inner_view i LAST JOIN logins l ON l.card = i.k"
    )
    driver = engine._compiled.take()
    anchor = driver.lanes([{"ts": shop.START, "card": "both"}])[0]
    assert driver.one(anchor) == (True, 1, None)
    below, asked = driver._below.one, []

    def late(*arguments: Any) -> Any:
        found = below(*arguments)
        if not asked:
            project.table("tx").append([{**shop.TX_ROWS[0], "id": 998, "ts": shop.START, "card": "both"}])
            project.table("logins").append(
                [{**shop.LOGIN_ROWS[0], "at": shop.START, "card": "both", "device": "late"}]
            )
        asked.append(found)
        return found

    monkeypatch.setattr(driver._below, "one", late)
    assert driver.one(anchor) == (True, 2, "late")
    assert driver.last_seq == driver._below.last_seq == project.storage.last_seq()


def test_rows_with_a_column_that_was_added_are_plain_again(tmp_path: Path) -> None:
    with wb.open(tmp_path / "project") as project:
        table = project.create_table("t", {"k": "BIGINT", "ts": "TIMESTAMP"}, time="ts")
        engine = engine_of(
            project, f"SELECT count(*) OVER w AS n FROM t WINDOW w AS (PARTITION BY k ORDER BY ts {FRAME})"
        )
        if engine.quick is None:
            pytest.skip("no compiled kernels here")
        table.add_column("country", "VARCHAR")
        row = {"k": 1, "country": "CH"}
        assert engine.quick(row) is None
        assert engine.request([row])[0].features == {"n": 1}
        assert engine.quick(row).features == {"n": 1}
