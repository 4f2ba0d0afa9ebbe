"""A single request is answered from slots where they can hold what it sees, a batch never: both answer alike."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.online.slots import CAPACITY, supported

COLUMNS = {
    "k": "BIGINT",
    "ts": "TIMESTAMP",
    "i": "INTEGER",
    "u": "UTINYINT",
    "f": "DOUBLE",
    "g": "FLOAT",
    "b": "BOOLEAN",
    "s": "VARCHAR",
    "d": "DATE",
}
WINDOW = "PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 30d PRECEDING AND CURRENT ROW"
LISTS = ", ".join(f"list({name}) OVER w AS {name}s" for name in COLUMNS)
QUERY = (
    f"SELECT {LISTS}, count(*) OVER w AS n, m.f AS last "
    f"FROM t LAST JOIN t m ORDER BY ts ON m.k = t.k WINDOW w AS ({WINDOW})"
)
START = dt.datetime(2026, 1, 1)


def row(number: int, **values: Any) -> dict[str, Any]:
    """A row of key 1 with a value in every column."""
    return {
        "k": 1,
        "ts": START + dt.timedelta(minutes=number),
        "i": -number,
        "u": number % 256,
        "f": number / 4,
        "g": 0.5,
        "b": number % 2 == 0,
        "s": "ä\0" * (number % 3),
        "d": dt.date(1960, 2, 3) + dt.timedelta(days=number),
    } | values


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def test_slots_are_read_anew_by_this_duckdb() -> None:
    assert supported()


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS | {"p": "DECIMAL(9,2)"}], ids=["plain", "decimal"])
def test_a_request_alone_is_answered_as_in_a_batch(columns: dict[str, str], tmp_path: Path) -> None:
    with wb.open(tmp_path / "project") as project:
        table = project.create_table("t", columns, time="ts")
        extra = {"p": Decimal("1.50")} if "p" in columns else {}
        lists = ", list(p) OVER w AS ps" if extra else ""
        view = project.define("v", QUERY.replace(", count(*)", f"{lists}, count(*)"))
        empty = dict.fromkeys(columns)
        stored = [
            [],
            [row(number, **extra) for number in range(3)],
            [row(3) | empty | {"k": 1, "ts": START}],
            [row(4, f=math.nan, **extra), row(5, f=-math.inf, g=math.nan, **extra)],
            [row(number, **extra) for number in range(6, CAPACITY - 1)],
            [row(number, **extra) for number in range(CAPACITY, CAPACITY + 3)],
        ]
        request = row(5000, **extra)
        seen = 0
        for rows in stored:
            if rows:
                table.append(rows)
            seen += len(rows)
            for asked in (
                request,
                request | dict.fromkeys(COLUMNS.keys() - {"k", "ts"}),
                request | {"f": math.nan},
            ):
                alone = view.request(asked)
                again = view._engine().request([asked, request | {"k": 2}])[0].features
                assert alone is not None and alone.keys() == view.schema.keys()
                assert alone["n"] == seen + 1 and len(alone["is"]) == seen + 1
                assert all(alike(alone[name], again[name]) for name in alone), (alone, again)
        assert view.request(request | {"k": None})["n"] == 1
        assert view.request(request | {"k": 2})["fs"] == [1250.0]


def test_texts_that_mean_more_are_of_their_type_on_all_paths(tmp_path: Path) -> None:
    name = "123e4567-e89b-12d3-a456-42661417400A"
    with wb.open(tmp_path / "project") as project:
        project.create_table("t", {"k": "UUID", "ts": "TIMESTAMP"}, time="ts").append(
            [{"k": name, "ts": START}] * 2
        )
        query = f"SELECT k = '{name}' AS same, list(typeof(k)) OVER w AS types FROM t WINDOW w AS ({WINDOW})"
        view = project.define("v", query)
        assert view.check("all").ok
        asked = {"k": name, "ts": START}
        wanted = {"same": True, "types": ["UUID"] * 3}
        assert view.request(asked) == wanted
        assert [answer.features for answer in view._engine().request([asked, asked])] == [wanted, wanted]
