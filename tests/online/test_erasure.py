"""Erasing an entity while requests read it by several indexes."""

from __future__ import annotations

import threading
from pathlib import Path

import workbench as wb

SQL = """
SELECT count(*) OVER by_card AS a, count(*) OVER by_shop AS b, sum(amount) OVER by_both AS c
FROM tx
WINDOW by_card AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 30d PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW),
  by_shop AS (PARTITION BY shop ORDER BY ts ROWS_RANGE BETWEEN 30d PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW),
  by_both AS (PARTITION BY card, shop ORDER BY ts ROWS_RANGE BETWEEN 30d PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW)
"""


def test_no_request_sees_half_of_it(tmp_path: Path) -> None:
    project = wb.open(tmp_path / "project")
    columns = {"card": "BIGINT", "shop": "VARCHAR", "ts": "TIMESTAMP", "amount": "DOUBLE"}
    table = project.create_table("tx", columns, time="ts")
    rows = [
        {"card": 7, "shop": "seven", "ts": f"2026-01-01T00:00:{n:02d}Z", "amount": 1.0} for n in range(20)
    ]
    others = [{**row, "card": n, "shop": "other"} for n in range(5) for row in rows]
    view = project.define("v", SQL)
    asked = {"card": 7, "shop": "seven", "ts": "2026-01-02T00:00:00Z", "amount": 1.0}
    table.append(others)
    view.request(asked)
    other = wb.open(tmp_path / "project")
    seen: set[tuple[object, ...]] = set()
    wrong: set[tuple[object, ...]] = set()
    stop = threading.Event()

    def asking() -> None:
        asking_view = other.view("v")
        while not stop.is_set():
            found = asking_view.request(asked)
            seen.add((found["a"], found["b"], found["c"]))

    thread = threading.Thread(target=asking)
    thread.start()
    for number in range(12):
        table.append(rows)
        if number % 3 == 0:
            project.storage.flush("tx")
        while (20, 20, 20.0) not in seen:
            assert thread.is_alive()
        assert table.erase({"card": 7, "shop": "seven"}).rows == 20
        while (0, 0, None) not in seen:
            assert thread.is_alive()
        wrong |= seen - {(20, 20, 20.0), (0, 0, None)}
        seen.clear()
    stop.set()
    thread.join()
    assert not wrong
    other.storage.close()
    project.storage.close()
