"""A small project with what is hard in it: equal times, NULL keys, rows on the edge of a window, late rows, nesting.

``tx`` has 60 rows of three cards and of none; ``logins`` and the static ``cards`` stand beside it, and two tables whose
rows are known later than they happen.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import workbench

START = datetime(2024, 1, 1)
TX = {
    "ts": "TIMESTAMP",
    "id": "BIGINT",
    "card": "VARCHAR",
    "amount": "DOUBLE",
    "n": "BIGINT",
    "mcc": "VARCHAR",
    "day": "DATE",
    "price": "DECIMAL(10,2)",
    "place": "STRUCT(city VARCHAR, zip INTEGER)",
    "tags": "VARCHAR[]",
    "Odd Name": "INTEGER",
}
LOGINS = {"at": "TIMESTAMP", "card": "VARCHAR", "device": "VARCHAR", "score": "BIGINT", "id": "BIGINT"}
RATES = {"at": "TIMESTAMP", "card": "VARCHAR", "rate": "DOUBLE", "n": "BIGINT"}
PAYOUTS = {"at": "TIMESTAMP", "card": "VARCHAR", "paid": "DOUBLE", "booked": "TIMESTAMP"}
CARDS = {"card": "VARCHAR", "limit_": "DOUBLE", "opened": "DATE"}


def tx_row(i: int) -> dict[str, Any]:
    """Two rows an hour at the same minute, so that a card's rows are 1.5 hours apart, or tied."""
    return {
        "ts": START + timedelta(hours=i // 4, minutes=0 if i % 5 else 30),
        "id": i,
        "card": None if i % 11 == 10 else "abc"[(i // 2) % 3],
        "amount": None if i % 13 == 12 else (i * 7 % 17) / 4 - 1,
        "n": i * i % 23,
        "mcc": ("food", "fuel", None)[i % 3],
        "day": date(2024, 1, 1) + timedelta(days=i // 9),
        "price": f"{i}.{i % 10}5",
        "place": {"city": f"c{i % 4}", "zip": i} if i % 7 else None,
        "tags": ["x", None, f"t{i % 3}"][: i % 4],
        "Odd Name": i % 3,
    }


def login_row(i: int) -> dict[str, Any]:
    return {
        "at": START + timedelta(hours=i // 2),
        "card": None if i % 8 == 7 else "abcd"[i % 4],
        "device": ("phone", "web", None)[i % 3],
        "score": i * 5 % 11,
        "id": 100 + i,
    }


TX_ROWS = [tx_row(i) for i in range(60)]
LOGIN_ROWS = [login_row(i) for i in range(24)]
CARD_ROWS = [
    {"card": "a", "limit_": 100.0, "opened": date(2020, 1, 1)},
    {"card": "b", "limit_": None, "opened": None},
    {"card": "a", "limit_": 150.0, "opened": date(2021, 1, 1)},
]

RATE_ROWS = [
    {
        "at": START + timedelta(hours=i, minutes=20 * (i % 3)),
        "card": None if i % 7 == 6 else "abc"[i % 3],
        "rate": (i % 5 - 1) / 2,
        "n": i % 4,
    }
    for i in range(16)
]
PAYOUT_ROWS = [
    {
        "at": START + timedelta(hours=i),
        "card": "abcd"[i * 3 % 4],
        "paid": None if i % 5 == 4 else i / 2,
        "booked": START + timedelta(hours=i + i % 4) if i % 6 else None,
    }
    for i in range(16)
]


def open_shop(path: Path) -> Any:
    """Return a new project at ``path`` with the tables, filled in several appends."""
    project = workbench.open(path)
    project.create_table("tx", TX, time="ts").append(TX_ROWS[:50])
    project.create_table("logins", LOGINS, time="at").append(LOGIN_ROWS)
    project.create_table("cards", CARDS).append(CARD_ROWS)
    project.table("tx").append(TX_ROWS[50:])
    project.create_table("rates", RATES, time="at", delay="1h", ttl="30d").append(RATE_ROWS)
    project.create_table("payouts", PAYOUTS, time="at", known="booked").append(PAYOUT_ROWS)
    return project


#: One view with a bit of everything, for tests that need any view.
VIEW = """
SELECT id,
       count(*) OVER w AS cnt,
       sum(amount) OVER w AS total,
       max(score) OVER l AS best,
       c.limit_ AS limit_
FROM tx
LAST JOIN cards AS c ON tx.card = c.card
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 3h PRECEDING AND CURRENT ROW),
       l AS (FROM logins PARTITION BY card ORDER BY at ROWS BETWEEN 5 PRECEDING AND CURRENT ROW)
"""
