"""When a row is known (delay, known) and how long it is visible (ttl), on both sides and against plain Python."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.errors import DefinitionError

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1)
OPTIONS = [
    {"delay": "3h"},
    {"known": "kn"},
    {"ttl": "8h"},
    {"delay": "2h", "ttl": "9h"},
    {"known": "kn", "ttl": "10h"},
]
SQL = """
SELECT tx.id,
       count(*) OVER history AS history,
       list(x) OVER near AS near,
       list(x) OVER last_3 AS last_3,
       newest.x AS newest,
       greatest.x AS greatest,
       count(*) OVER both AS both,
       count(*) OVER by_o AS by_o
FROM tx
LAST JOIN ev AS newest ON newest.k = tx.k
LAST JOIN ev AS greatest ORDER BY greatest.o ON greatest.k = tx.k
WINDOW history AS (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 6h PRECEDING AND CURRENT ROW),
       near AS (FROM ev PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 8h PRECEDING AND 1h PRECEDING),
       last_3 AS (FROM ev PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
       both AS (UNION ev PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW),
       by_o AS (FROM ev PARTITION BY k ORDER BY o ROWS_RANGE BETWEEN 4 PRECEDING AND CURRENT ROW)
"""
Row = dict[str, Any]


def made(dice: random.Random, count: int) -> list[Row]:
    return [
        {
            "id": i,
            "k": dice.choice([1, 2, None]),
            "ts": START + dice.randint(0, 30) * HOUR,
            "x": float(dice.randint(0, 9)),
            "kn": dice.choice([None, *[START + dice.randint(0, 40) * HOUR for _ in range(6)]]),
            "o": dice.randint(0, 20),
        }
        for i in range(count)
    ]


def hours(text: str) -> timedelta:
    return int(text.removesuffix("h")) * HOUR


def available(row: Row, anchor: Row, options: dict[str, str]) -> bool:
    if "delay" in options and row["ts"] + hours(options["delay"]) > anchor["ts"]:
        return False
    if "known" in options and (row["kn"] is None or row["kn"] > anchor["ts"]):
        return False
    return "ttl" not in options or row["ts"] > anchor["ts"] - hours(options["ttl"])


def expected(i: int, tx: list[Row], ev: list[Row], own: dict[str, str], other: dict[str, str]) -> Row:
    anchor = tx[i]
    at, key = anchor["ts"], anchor["k"]
    past = [
        x for j, x in enumerate(tx) if x["k"] == key and (x["ts"], j) < (at, i) and available(x, anchor, own)
    ]
    order = sorted(range(len(ev)), key=lambda j: (ev[j]["ts"], j))
    group = [
        ev[j] for j in order if ev[j]["k"] == key and ev[j]["ts"] <= at and available(ev[j], anchor, other)
    ]
    matching = group if key is not None else []
    by_o = [x for x in ev if key is not None and x["k"] == key and available(x, anchor, other)]
    best = max(matching, key=lambda x: (x["o"], x["id"]), default=None)
    return {
        "id": anchor["id"],
        "history": 1 + sum(x["ts"] >= at - 6 * HOUR for x in past),
        "near": [x["x"] for x in matching if at - 8 * HOUR <= x["ts"] <= at - HOUR] or None,
        "last_3": [x["x"] for x in matching][-3:] or None,
        "newest": matching[-1]["x"] if matching else None,
        "greatest": best["x"] if best else None,
        "both": 1 + sum(x["ts"] >= at - 5 * HOUR for x in [*past, *group]),
        "by_o": sum(anchor["o"] - 4 <= x["o"] <= anchor["o"] for x in by_o),
    }


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
@pytest.mark.parametrize("seed", range(2))
def test_offline_request_and_plain_python_agree(tmp_path: Path, options: dict[str, str], seed: int) -> None:
    dice = random.Random(seed)
    tx, ev = made(dice, 25), made(dice, 40)
    own: dict[str, str] = options if seed % 2 else {}
    project = workbench.open(tmp_path)
    project.create_table("tx", tx, time="ts", **own)  # type: ignore[arg-type]
    project.create_table("ev", ev, time="ts", **options)  # type: ignore[arg-type]
    view = project.define("v", SQL)
    wanted = [expected(i, tx, ev, own, options) for i in range(len(tx))]
    assert view.offline().to_pyarrow().to_pylist() == wanted, f"seed {seed}"
    assert sorted(view.preview(25).to_pyarrow().to_pylist(), key=lambda row: row["id"]) == wanted, (
        f"seed {seed}"
    )
    assert view.check("all").different == 0, f"seed {seed}"
    spine = view.offline(spine=tx).to_pyarrow().to_pylist()
    assert [view.request(row, as_of=row["ts"]) for row in tx] == spine, f"seed {seed}"


#: The same of rows that are computed: events with how many there were before, payments with the event they saw.
DERIVED = """
SELECT id, history, scores, counts, newest.c AS newest, large
FROM (
    SELECT tx.id, tx.k, tx.ts,
           count(*) OVER history AS history,
           list(seen.x) OVER history AS scores,
           list(c) OVER near AS counts,
           count(*) OVER large AS large
    FROM tx
    LAST JOIN ev AS seen ON seen.k = tx.k
    WINDOW history AS (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 6h PRECEDING AND CURRENT ROW),
           near AS (FROM (SELECT k, ts, count(*) OVER (PARTITION BY k ORDER BY ts
                          ROWS_RANGE BETWEEN 4h PRECEDING AND CURRENT ROW) AS c FROM ev)
                    PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
           large AS (UNION (SELECT k, ts, x, x > 4 AS is_large FROM ev WHERE x > 4)
                     PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW)
) AS d
LAST JOIN (SELECT k, ts, count(*) OVER (PARTITION BY k ORDER BY ts
           ROWS_RANGE BETWEEN 4h PRECEDING AND CURRENT ROW) AS c FROM ev) AS newest ON newest.k = d.k
"""


def of_key(rows: list[Row], anchor: Row, options: dict[str, str], before: int | None = None) -> list[int]:
    """Places of the visible rows of the anchor's key, oldest first; ``before`` is its own place among them."""
    order = sorted(range(len(rows)), key=lambda j: (rows[j]["ts"], j))
    return [
        j
        for j in order
        if rows[j]["k"] == anchor["k"]
        and (rows[j]["ts"] <= anchor["ts"] if before is None else (rows[j]["ts"], j) < (anchor["ts"], before))
        and available(rows[j], anchor, options)
    ]


def expected_derived(i: int, tx: list[Row], ev: list[Row], own: dict[str, str], other: dict[str, str]) -> Row:
    def count(j: int) -> int:
        return 1 + sum(ev[i]["ts"] >= ev[j]["ts"] - 4 * HOUR for i in of_key(ev, ev[j], other, before=j))

    def score(i: int) -> float | None:
        found = of_key(ev, tx[i], other) if tx[i]["k"] is not None else []
        return ev[found[-1]]["x"] if found else None

    anchor = tx[i]
    history = [j for j in of_key(tx, anchor, own, before=i) if tx[j]["ts"] >= anchor["ts"] - 6 * HOUR]
    events = of_key(ev, anchor, other) if anchor["k"] is not None else []
    counts = [count(j) for j in events]
    near = [tx[j] for j in of_key(tx, anchor, own, before=i)] + [
        ev[j] for j in of_key(ev, anchor, other) if ev[j]["x"] > 4
    ]
    return {
        "id": anchor["id"],
        "history": 1 + len(history),
        "scores": [score(j) for j in [*history, i]],
        "counts": counts[-3:] or None,
        "newest": counts[-1] if counts else None,
        "large": 1 + sum(x["ts"] >= anchor["ts"] - 5 * HOUR for x in near),
    }


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
def test_computed_rows_are_known_when_their_rows_are(tmp_path: Path, options: dict[str, str]) -> None:
    seed = 2 + OPTIONS.index(options)
    dice = random.Random(seed)
    tx, ev = made(dice, 20), made(dice, 30)
    own: dict[str, str] = options if seed % 2 else {}
    project = workbench.open(tmp_path)
    project.create_table("tx", tx, time="ts", **own)  # type: ignore[arg-type]
    project.create_table("ev", ev, time="ts", **options)  # type: ignore[arg-type]
    view = project.define("v", DERIVED)
    wanted = [expected_derived(i, tx, ev, own, options) for i in range(len(tx))]
    assert view.offline().to_pyarrow().to_pylist() == wanted, f"seed {seed}"
    assert view.check("all").different == 0, f"seed {seed}"
    spine = view.offline(spine=tx).to_pyarrow().to_pylist()
    assert [view.request(row, as_of=row["ts"]) for row in tx] == spine, f"seed {seed}"


def test_a_frame_beyond_the_ttl_is_an_error(tmp_path: Path) -> None:
    project = workbench.open(tmp_path)
    project.create_table("tx", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts", ttl="1d")
    with pytest.raises(DefinitionError, match="the frame reaches beyond the ttl of tx"):
        project.define(
            "v", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts ROWS_RANGE 3d PRECEDING) AS n FROM tx"
        )


def test_an_anchor_without_time_cannot_say_what_was_known(tmp_path: Path) -> None:
    project = workbench.open(tmp_path)
    project.create_table("cards", {"k": "BIGINT", "ts": "TIMESTAMP"})
    project.create_table("tx", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts", delay="6h")
    with pytest.raises(DefinitionError, match="cards has no time column"):
        project.define("v", "SELECT count(*) OVER (FROM tx PARTITION BY k ORDER BY ts) AS n FROM cards")


def test_findings_of_availability(tmp_path: Path) -> None:
    project = workbench.open(tmp_path)
    project.create_table("tx", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts")
    rows = [{"ts": START, "k": 1, "kn": kn} for kn in (START - HOUR, START - HOUR, START + HOUR, None)]
    project.create_table("ev", rows, time="ts", known="kn")
    window = "SELECT count(*) OVER (FROM {} PARTITION BY k ORDER BY ts ROWS_RANGE 3d PRECEDING) AS n FROM tx"
    subquery = "(SELECT k, ts, count(*) OVER (PARTITION BY k ORDER BY ts ROWS 2 PRECEDING) AS c FROM ev)"
    for source in ("ev", subquery):
        found = {f.code: f.message for f in project.define("v", window.format(source)).lint()}
        assert found["known-before-time"].startswith("2 rows of ev are known (kn) before their time (ts)")
        assert found["never-known"].startswith("1 rows of ev have no kn")
    assert project.define("anchor", "SELECT k FROM ev").lint() == [], "no row sees another"
    kept = project.define("kept", window.format("tx"))
    assert "beyond-ttl" not in {f.code for f in kept.lint()}
    project.create_table("tx", [{"ts": START, "k": 1}], time="ts", ttl="1d", if_exists="replace")
    (finding,) = (f for f in kept.lint() if f.code == "beyond-ttl")
    assert "a window over tx reaches 3 days back, but its rows live for 1 days now" in finding.message
