"""Windows over several tables, and windows without the anchor's time or history, against plain Python."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1)
Row = dict[str, Any]


def made(dice: random.Random, count: int, first: int) -> list[Row]:
    return [
        {
            "id": first + i,
            "k": dice.choice([1, 2, None]),
            "ts": START + dice.randint(0, 12) * HOUR,
            "x": dice.choice([None, *range(9)]),
        }
        for i in range(count)
    ]


def drawn(dice: random.Random) -> dict[str, Any]:
    """A window: which tables it merges, its frame and attributes."""
    unit = dice.choice(["ROWS", "ROWS_RANGE"])
    end = dice.choice([0, 0, 1, 2])
    start = dice.choice([None, end, end + 1, end + 4])
    return {
        "union": dice.choice([[], ["ev"], ["ev", "lo"], ["lo"]]),
        "frame": (unit, start, end),
        "maxsize": dice.choice([None, None, 2, 3]),
        "row": dice.random() < 0.3,
        "time": dice.random() < 0.4,
        "instance": dice.random() < 0.3,
    }


def rendered(window: dict[str, Any]) -> str:
    unit, start, end = window["frame"]
    suffix = "h" if unit == "ROWS_RANGE" else ""
    bounds = ["UNBOUNDED PRECEDING" if start is None else f"{start}{suffix} PRECEDING"]
    bounds.append("CURRENT ROW" if end == 0 else f"{end}{suffix} PRECEDING")
    # The second table lacks nothing but names its columns otherwise; the subquery also filters.
    tables = {"ev": "ev", "lo": "(SELECT kk AS k, at AS ts, y AS x FROM lo WHERE y IS NULL OR y < 7) AS lo"}
    parts = [f"UNION {', '.join(tables[name] for name in window['union'])}"] if window["union"] else []
    parts += [f"PARTITION BY k ORDER BY ts {unit} BETWEEN {' AND '.join(bounds)}"]
    parts += ["EXCLUDE CURRENT_ROW"] if window["row"] else []
    parts += ["EXCLUDE CURRENT_TIME"] if window["time"] else []
    parts += ["INSTANCE_NOT_IN_WINDOW"] if window["instance"] else []
    parts += [f"MAXSIZE {window['maxsize']}"] if window["maxsize"] else []
    return f"({' '.join(parts)})"


def rows_of(anchor: Row, past: list[Row], others: dict[str, list[Row]], window: dict[str, Any]) -> list[Row]:
    """The rows in the window of an anchor, oldest first. ``past`` is its visible history, oldest first."""
    key, at = anchor["k"], anchor["ts"]
    # Newest first: by time, then the anchor's table before the others as listed, then by arrival.
    seen = [] if window["instance"] else [(x["ts"], 0, i, x) for i, x in enumerate(past) if x["k"] == key]
    for rank, name in enumerate(window["union"], start=1):
        seen += [
            (x["ts"], -rank, i, x)
            for i, x in enumerate(others[name])
            if x["k"] == key and x["ts"] <= at and (name == "ev" or x["x"] is None or x["x"] < 7)
        ]
    seen.sort(key=lambda item: item[:3], reverse=True)
    if window["time"]:
        seen = [item for item in seen if item[0] != at]
    numbered = list(enumerate([anchor, *(item[3] for item in seen)]))
    unit, start, end = window["frame"]

    def distance(position: int, row: Row) -> float:
        return position if unit == "ROWS" else (at - row["ts"]) / HOUR

    framed = [
        (p, row)
        for p, row in numbered
        if distance(p, row) >= end and (start is None or distance(p, row) <= start)
    ]
    if window["row"]:
        framed = [(p, row) for p, row in framed if p > 0]
    if window["maxsize"]:
        framed = framed[: window["maxsize"]]
    return [row for _, row in reversed(framed)]


@pytest.mark.parametrize("seed", range(12))
def test_offline_request_and_plain_python_agree(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    tx, ev, lo = made(dice, 20, 0), made(dice, 15, 100), made(dice, 15, 200)
    project = workbench.open(tmp_path)
    project.create_table("ev", ev, time="ts")
    renamed = [{"kk": r["k"], "at": r["ts"], "y": r["x"]} for r in lo]
    project.create_table("lo", renamed, time="at")
    project.create_table("tx", tx, time="ts")
    windows = [drawn(dice) for _ in range(6)]
    features = [
        f"count(*) OVER w{i} AS n{i}, list(x) OVER w{i} AS l{i}, sum(x) OVER w{i} AS s{i}" for i in range(6)
    ]
    named = [f"w{i} AS {rendered(window)}" for i, window in enumerate(windows)]
    sql = f"SELECT id, {', '.join(features)} FROM tx WINDOW {', '.join(named)}"
    view = project.define("v", sql)
    others = {"ev": ev, "lo": lo}

    def answer(anchor: Row, past: list[Row]) -> Row:
        result: Row = {"id": anchor["id"]}
        for i, window in enumerate(windows):
            values = [row["x"] for row in rows_of(anchor, past, others, window)]
            known = [value for value in values if value is not None]
            result |= {f"n{i}": len(values), f"l{i}": values or None, f"s{i}": sum(known) if known else None}
        return result

    order = sorted(range(len(tx)), key=lambda i: (tx[i]["ts"], i))
    stored = {i: answer(tx[i], [tx[j] for j in order[: order.index(i)]]) for i in order}
    assert view.offline().to_pyarrow().to_pylist() == [stored[i] for i in range(len(tx))], (
        f"seed {seed}: {sql}"
    )
    assert view.check("all").different == 0, f"seed {seed}: {sql}"
    for anchor in [{**row, "id": 900 + row["id"]} for row in tx[:6]]:
        new = answer(anchor, [tx[j] for j in order if tx[j]["ts"] <= anchor["ts"]])
        assert view.request(anchor, as_of=anchor["ts"]) == new, f"seed {seed}: {sql}"
        assert view.offline(spine=[anchor]).to_pyarrow().to_pylist() == [new], f"seed {seed}: {sql}"


def test_a_column_that_a_union_lacks_is_null(tmp_path: Path) -> None:
    project = workbench.open(tmp_path)
    project.create_table("ev", [{"k": 1, "ts": START}], time="ts")
    project.create_table("tx", [{"k": 1, "ts": START, "x": 5}], time="ts")
    view = project.define(
        "v",
        "SELECT count(*) OVER w AS n, count(x) OVER w AS x FROM tx WINDOW w AS (UNION ev PARTITION BY k ORDER BY ts)",
    )
    assert view.offline().to_pyarrow().to_pylist() == [{"n": 2, "x": 1}]
