"""A project about card payments with two deployed views, for the tests of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import workbench as wb

COLUMNS = {
    "card_id": "BIGINT",
    "amount": "DOUBLE",
    "price": "DECIMAL(18,3)",
    "ts": "TIMESTAMP",
    "note": "VARCHAR",
    "payload": "BLOB",
    "ok": "BOOLEAN",
    "day": "DATE",
    "huge": "HUGEINT",
    "tags": "VARCHAR[]",
}

RISK = """
SELECT card_id, count(*) OVER w AS cnt, sum(amount) OVER w AS total
FROM transactions
WINDOW w AS (PARTITION BY card_id ORDER BY ts RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW)
"""

WIRE = "SELECT card_id, amount, price, ts, note, payload, ok, day, huge, tags FROM transactions"

ROWS: list[dict[str, Any]] = [
    {"card_id": 7, "amount": 10.0, "ts": "2026-01-01T00:00:00"},
    {"card_id": 7, "amount": 2.5, "ts": "2026-01-02T00:00:00"},
    {"card_id": 8, "amount": 1.0, "ts": "2026-01-02T00:00:00"},
]


def make(path: Path) -> Any:
    """Create the project with its table and rows; nothing is deployed."""
    project = wb.open(path)
    project.create_table("transactions", COLUMNS, time="ts")
    project.table("transactions").append(ROWS)
    return project


def constant(number: int) -> str:
    """A version of a view that tells itself from others."""
    return f"SELECT card_id, {number} AS marker FROM transactions"
