"""The table that every example of the catalogue reads: the visits of one card."""

from __future__ import annotations

import datetime as dt

#: Columns of the table ``visits``, ordered by ``at``.
COLUMNS = {
    "id": "BIGINT",
    "card": "VARCHAR",
    "at": "TIMESTAMP",
    "amount": "DOUBLE",
    "items": "BIGINT",
    "shop": "VARCHAR",
    "ok": "BOOLEAN",
    "tags": "VARCHAR",
}
_ROWS = [
    (1, "ann", dt.datetime(2024, 1, 1, 10), 10.0, 1, "food", True, "a:1,b:2"),
    (2, "ann", dt.datetime(2024, 1, 1, 12), 20.0, 3, "fuel", False, "b:3"),
    (3, "ann", dt.datetime(2024, 1, 2, 12), None, 2, "food", None, None),
    (4, "ann", dt.datetime(2024, 1, 3, 0), 40.0, 2, None, True, "a:5,c:1"),
    (5, "ann", dt.datetime(2024, 1, 3, 6), 30.0, 5, "food", True, "c:2"),
]
#: Its rows, oldest first. The examples are evaluated for the newest one.
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in _ROWS]


def query(example: str) -> str:
    """Return the feature query of an example.

    >>> print(query("sum(items) OVER w"))
    SELECT id, sum(items) OVER w AS result
    FROM visits
    WINDOW w AS (PARTITION BY card ORDER BY at ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
    """
    return (
        f"SELECT id, {example} AS result\nFROM visits\n"
        "WINDOW w AS (PARTITION BY card ORDER BY at ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)"
    )
