"""The scenario's truth: two hand-written DuckDB forms, which must agree with each other."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.scenario.data import FEATURES, Scenario
from tests.benchmarks.scenario.sql import BATCH_JOIN, BATCH_WINDOW, FAILS

#: Values of the truth and of a peer may differ by so much, relative to the greater of 1 and the value.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Truth:
    """The truth about a scenario, kept beside its data once it was computed."""

    scenario: Scenario

    @property
    def spine(self) -> Path:
        """The Parquet file of the spine's features by ``req_id``."""
        path = self.scenario.folder / "truth_spine.parquet"
        if not path.exists():
            with prepared(self.scenario) as connection:
                compute(connection, BATCH_JOIN, "joined")
                compute(connection, BATCH_WINDOW, "windowed")
                different = differences(connection, "joined", "windowed")
                assert not different, f"the two forms of the truth differ: {different}"
                connection.execute(f"COPY (FROM joined ORDER BY req_id) TO '{path}'")
        return path

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The features of the online requests."""
        path = self.scenario.folder / "truth_requests.json"
        if not path.exists():
            path.write_text(json.dumps(self._requests()))
        found: list[dict[str, Any]] = json.loads(path.read_text())
        return found

    def _requests(self) -> list[dict[str, Any]]:
        self.scenario.path("txns")
        with prepared(self.scenario) as connection:
            connection.execute(
                "CREATE TEMP TABLE asked AS SELECT row_number() OVER () - 1 AS req_id, card_id,"
                " make_timestamp(ts) AS ts, amount, merchant_id, mcc FROM read_json(?, columns="
                "{card_id: 'BIGINT', ts: 'BIGINT', amount: 'DOUBLE', merchant_id: 'INTEGER', mcc: 'INTEGER'})",
                [str(self.scenario.folder / "requests.jsonl")],
            )
            form = BATCH_JOIN.format(spine="asked")
            rows = connection.execute(
                f"SELECT {', '.join(FEATURES)} FROM ({form}) ORDER BY req_id"
            ).fetchall()
        return [
            {n: None if v is None else float(v) for n, v in zip(FEATURES, row, strict=True)} for row in rows
        ]


def prepared(scenario: Scenario) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB session that holds the scenario's tables, sorted by key and time as somebody would."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, source, keys in (
        ("txns", f"SELECT * FROM '{scenario.path('txns')}'", "card_id, ts"),
        (
            "card_fails",
            f"SELECT card_id, ts FROM '{scenario.path('card_events')}' WHERE {FAILS}",
            "card_id, ts",
        ),
        ("merchant_risk", f"SELECT * FROM '{scenario.path('merchant_risk')}'", "merchant_id, ts"),
        ("spine", f"SELECT * FROM '{scenario.path('spine')}'", "req_id"),
    ):
        connection.execute(f"CREATE TABLE {name} AS {source} ORDER BY {keys}")
    return connection


def compute(connection: duckdb.DuckDBPyConnection, form: str, name: str) -> float:
    """Compute the spine's features by one of the forms into a table; return the seconds."""
    started = time.perf_counter()
    query = f"SELECT req_id, {', '.join(FEATURES)} FROM ({form.format(spine='spine')})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    return time.perf_counter() - started


def differences(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> dict[str, int]:
    """Return how many rows of two relations differ, by feature; features without a difference are left out."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE NOT (a.{name} IS NOT DISTINCT FROM b.{name}"
        f" OR abs(a.{name} - b.{name}) <= {TOLERANCE} * greatest(1, abs(a.{name})))) AS {name}"
        for name in FEATURES
    )
    found = connection.execute(
        f"SELECT count(*), {counts} FROM {one} a JOIN {other} b USING (req_id)"
    ).fetchone()
    expected = connection.execute(f"SELECT count(*) FROM {one}").fetchone()
    assert found is not None
    assert expected is not None
    assert found[0] == expected[0], f"{expected[0]} rows expected, {found[0]} found"
    return {name: count for name, count in zip(FEATURES, found[1:], strict=True) if count}


def wrong(answers: Iterable[Mapping[str, Any]], truth: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many answers differ from the truth, by feature; features without a difference are left out."""
    counts: dict[str, int] = {}
    for answer, expected in zip(answers, truth, strict=True):
        for name in FEATURES:
            if not _close(answer.get(name), expected[name]):
                counts[name] = counts.get(name, 0) + 1
    return counts


def _close(value: Any, expected: float | None) -> bool:
    if value is None or expected is None:
        return value is None and expected is None
    return math.isclose(value, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
