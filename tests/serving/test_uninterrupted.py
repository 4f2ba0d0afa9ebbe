"""Bulk loads, new indexes and new columns beside requests: none fails, and none waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tests.serving.conftest import Served
from tests.serving.web import Web

ROWS = 300_000
PATH = "/v1/features/marker"
ROW = {"card_id": 1, "note": "n1", "ts": "2026-01-03T00:00:00"}
BY_NOTE = """SELECT card_id, 1 AS marker, count(*) OVER (PARTITION BY note ORDER BY ts
    ROWS_RANGE UNBOUNDED PRECEDING) AS n FROM transactions"""


class Hammer:
    """A thread that asks until the work is done, and how long each answer took."""

    def __init__(self, web: Web) -> None:
        self.seconds: list[float] = []
        self.wrong: list[Any] = []
        self._web = web
        self._stop = threading.Event()

    def during(self, work: Callable[[], object]) -> float:
        """Do the work while requests are sent; return its seconds."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            started = time.perf_counter()
            work()
            return time.perf_counter() - started
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.perf_counter()
            answer = self._web.post(PATH, ROW)
            self.seconds.append(time.perf_counter() - started)
            if answer.status != 200:
                self.wrong.append(answer.body)


def loaded() -> pa.Table:
    moments = pa.array([1_767_225_600_000_000 + number for number in range(ROWS)], pa.int64())
    return pa.table(
        {
            "card_id": pa.array(range(ROWS), pa.int64()),
            "note": pa.array([f"n{number % 1000}" for number in range(ROWS)]),
            "ts": moments.cast(pa.timestamp("us")),
        }
    )


def test_a_bulk_load_a_new_index_and_a_new_column_pause_no_request(own: Served) -> None:
    table, rows = own.project.table("transactions"), loaded()

    def work() -> None:
        table.append(rows)
        own.project.define("by_note", BY_NOTE).deploy()
        table.add_column("channel", "VARCHAR", default="web")
        own.project.define("marker", BY_NOTE).deploy()

    hammer = Hammer(own.web.another())
    seconds = hammer.during(work)
    assert hammer.wrong == []
    worst = max(hammer.seconds)
    assert len(hammer.seconds) > 50
    assert worst < max(0.25, seconds / 4), (worst, seconds, len(hammer.seconds))
    assert own.web.post(PATH, ROW).json["features"]["n"] >= ROWS // 1000
