"""The engine answers batches in which every row stands for itself: good, bad, left out, of its own time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests import shop
from workbench.errors import RowError
from workbench.online import Answer
from workbench.online.engine import FILTERED, TOLERANCE

AT = datetime(2024, 1, 1, 5)
GOOD = {"id": 7, "card": "a", "amount": 2.0, "ts": AT}


def exactly_one(answer: Answer) -> bool:
    return sum(part is not None for part in (answer.features, answer.reason, answer.error)) == 1


def test_a_bad_row_is_an_error_in_its_place(engine: Any) -> None:
    rows: list[Any] = [
        GOOD,
        {"id": 8, "card": "a"},
        {**GOOD, "id": "x"},
        {**GOOD, "unknown": 1},
        {**GOOD, "ts": None},
        "a row",
        {},
        {**GOOD, "card": None},
    ]
    answers = engine.request(rows)
    assert [answer.features is not None for answer in answers] == [True, *[False] * 6, True]
    assert all(map(exactly_one, answers))
    fields = [answer.error.field for answer in answers if answer.error]
    assert fields[:4] == ["amount", "id", "unknown", "ts"]
    assert [answer.error.row for answer in answers if answer.error] == [1, 2, 3, 4, 5, 6]
    assert answers[0].features == engine.request([GOOD])[0].features


def test_an_empty_batch(engine: Any) -> None:
    assert engine.request([]) == []


def test_a_batch_gives_what_its_rows_give_alone(engine: Any) -> None:
    rows = [{**GOOD, "card": row["card"], "amount": row["amount"], "ts": row["ts"]} for row in shop.TX_ROWS]
    together = [answer.features for answer in engine.request(rows)]
    assert together == [engine.request([row])[0].features for row in rows]


def test_rows_of_a_batch_never_see_each_other(engine: Any) -> None:
    one, two = engine.request([GOOD, GOOD])
    assert one.features == two.features == engine.request([GOOD])[0].features


def test_a_value_that_cannot_be_computed_is_the_error_of_its_row_alone(project: Any) -> None:
    view = project.define("fails", "SELECT id, mcc::INTEGER AS code, sum(n) OVER w AS s FROM tx "
                          "WINDOW w AS (PARTITION BY card ORDER BY ts)")  # fmt: skip
    view.request({"id": 0, "card": "a", "mcc": "1", "n": 1})
    answers = project.engine(view.plan).request(
        [
            {"id": i, "card": "a", "mcc": mcc, "n": n}
            for i, (mcc, n) in enumerate([("1", 1), ("x", 1), (None, 1), ("2", 2**63 - 1)])
        ]
    )
    assert [answer.features is not None for answer in answers] == [True, False, True, False]
    assert "Could not convert string 'x'" in str(answers[1].error)
    assert "does not fit BIGINT (s)" in str(answers[3].error)


def test_a_row_that_the_view_leaves_out_gives_the_reason(project: Any) -> None:
    view = project.define("large", "SELECT id FROM tx WHERE amount > 1")
    answers = project.engine(view.plan).request([{"id": 1, "amount": a} for a in (2.0, 0.5, None)])
    assert [(answer.features, answer.reason, answer.error) for answer in answers] == [
        ({"id": 1}, None, None),
        (None, FILTERED, None),
        (None, FILTERED, None),
    ]


def test_a_row_that_is_left_out_has_no_values_that_could_fail(project: Any) -> None:
    view = project.define("numbers", "SELECT mcc::INTEGER AS code FROM tx WHERE mcc SIMILAR TO '[0-9]+'")
    assert view.check().ok
    assert view.request({"mcc": "12"}) == {"code": 12}
    assert view.request({"mcc": "food"}) is None


# -- time


def test_without_a_time_a_row_is_answered_as_of_now(engine: Any) -> None:
    row = {name: value for name, value in GOOD.items() if name != "ts"}
    before = datetime.now(UTC).replace(tzinfo=None)
    (answer,) = engine.request([row])
    assert before <= answer.as_of <= datetime.now(UTC).replace(tzinfo=None)
    assert answer.features["cnt"] == 1, "the stored rows are long ago"


@pytest.mark.parametrize(
    "time",
    [
        AT,
        AT.replace(tzinfo=UTC),
        datetime(2024, 1, 1, 7, tzinfo=timezone(timedelta(hours=2))),
        "2024-01-01T05:00:00Z",
    ],
)
def test_the_time_of_the_row_is_utc_however_it_is_written(engine: Any, time: Any) -> None:
    (answer,) = engine.request([{**GOOD, "ts": time}])
    assert answer.as_of == AT
    seen = [r for r in shop.TX_ROWS if r["card"] == "a" and AT - timedelta(hours=3) <= r["ts"] <= AT]
    assert answer.features["cnt"] == len(seen) + 1


def test_as_of_takes_the_place_of_the_rows_time(engine: Any) -> None:
    later = AT + timedelta(hours=5)
    answers = engine.request([GOOD, GOOD, GOOD], as_of=[None, later, later.astimezone(UTC)])
    assert [answer.as_of for answer in answers] == [AT, later, later]
    assert answers[1].features == engine.request([{**GOOD, "ts": later}])[0].features


def test_clocks_may_differ_a_little(engine: Any) -> None:
    now = datetime.now(UTC)
    near, far = engine.request([GOOD, GOOD], as_of=[now + TOLERANCE * 0.9, now + TOLERANCE * 1.1])
    assert near.features is not None
    assert far.error.field == "ts" and "later than the clock" in far.error.message
    assert isinstance(far.error, RowError) and "UTC" in str(far.error)


def test_columns_that_the_view_does_not_use_may_be_left_out_or_sent(engine: Any) -> None:
    sent = {**GOOD, "mcc": "food", "place": {"city": "c", "zip": 1}, "tags": ["x"], "day": "2024-01-01"}
    assert engine.request([sent])[0].features == engine.request([GOOD])[0].features


def test_names_of_columns_are_taken_in_any_case(engine: Any) -> None:
    upper = {name.upper(): value for name, value in GOOD.items()}
    assert engine.request([upper])[0].features == engine.request([GOOD])[0].features
    assert engine.request([{**upper, "TS": None}])[0].error.field == "ts"


# -- what is known


def test_an_appended_row_is_seen_by_the_next_request(tmp_path: Path) -> None:
    project = shop.open_shop(tmp_path / "shop")
    view = project.define("features", shop.VIEW)
    before = view.request(GOOD)
    receipt = project.table("tx").append([GOOD])
    after = view.request(GOOD)
    assert (after["cnt"], after["total"]) == (before["cnt"] + 1, before["total"] + GOOD["amount"])
    (answer,) = project.engine(view.plan).request([GOOD])
    assert answer.last_seq == receipt.last_seq
    project.storage.flush()
    assert view.request(GOOD) == after


def test_threads_share_an_engine(engine: Any) -> None:
    rows = [{**GOOD, "card": "abc"[i % 3], "amount": float(i)} for i in range(60)]
    expected = [engine.request([row])[0].features for row in rows]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: engine.request([row])[0].features, rows * 5))
    assert found == expected * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_answers_with_sessions_of_its_own(tmp_path: Path) -> None:
    """As a server does: loaded and used before the fork, used by parent and child after it."""
    code = """
        import os, sys
        from pathlib import Path
        from tests import shop
        project = shop.open_shop(Path(sys.argv[1]))
        view = project.define("features", shop.VIEW)
        row = {"id": 7, "card": "a", "amount": 2.0, "ts": "2024-01-01T05:00:00Z"}
        engine = (view.request(row), project.engine(view.plan))[1]
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            answers = [repr(engine.request([row] * n)[-1].features) for n in (1, 3)]
            os.write(write, "|".join(answers).encode())
            os._exit(0)
        mine = [repr(engine.request([row] * n)[-1].features) for n in (1, 3)]
        theirs = os.read(read, 10_000).decode().split("|")
        status = os.waitpid(child, 0)[1]
        print(status, len(set(mine + theirs)), mine[0])
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(tmp_path / "shop")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith("0 1 {'id': 7, 'cnt': 5"), done.stdout + done.stderr
