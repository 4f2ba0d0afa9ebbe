"""Card payments of any size, the same at every run: payments, logins, merchants whose rating changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

import workbench as wb

DAYS = 90
#: The end of the data: a request at this time sees full windows.
END = "2026-04-01T00:00:00Z"

_START = "TIMESTAMP '2026-01-01'"
#: Amounts are quarters, so that sums are exact in any order. Times are whole minutes, so that there are ties, and rows
#: arrive up to three hours late.
_PAYMENTS = """
SELECT i AS id, (hash(i) % {cards})::BIGINT AS card_id, (hash(i + 1) % {merchants})::BIGINT AS merchant_id,
    {start} + to_minutes(greatest(i * {days} * 1440 // {rows} - (hash(i + 2) % 180)::BIGINT, 0)) AS ts,
    (hash(i + 3) % 4000)::DOUBLE / 4 AS amount,
    (hash(i + 4) % 20)::INTEGER AS mcc, ['DE', 'FR', 'US', 'JP'][(hash(i + 5) % 4)::BIGINT + 1] AS country
FROM range({rows}) t(i)
"""
_LOGINS = """
SELECT (hash(i + 7) % {cards})::BIGINT AS card_id,
    {start} + to_minutes(greatest(i * {days} * 1440 // {rows} - (hash(i + 8) % 180)::BIGINT, 0)) AS ts,
    hash(i + 9) % 10 = 0 AS failed, (hash(i + 10) % 6)::INTEGER AS device
FROM range({rows}) t(i)
"""
_MERCHANTS = """
SELECT (hash(i) % {merchants})::BIGINT AS merchant_id, {start} + to_minutes((i * 13 % ({days} * 1440))::BIGINT) AS ts,
    (hash(i + 11) % 100)::INTEGER AS rating
FROM range({merchants} * 3) t(i)
"""

HISTORY = "PARTITION BY card_id ORDER BY ts"

#: 20 features: three windows of history, one of another table, a LAST JOIN.
FEATURES = f"""
SELECT
  {
    ", ".join(
        f"{function} OVER w{days} AS {name}_{days}d"
        for days in (1, 7, 30)
        for name, function in {
            "count": "count(*)",
            "sum": "sum(amount)",
            "avg": "avg(amount)",
            "max": "max(amount)",
            "countries": "count(DISTINCT country)",
        }.items()
    )
},
  amount / nullif(avg(amount) OVER w30, 0) AS relative,
  count(*) OVER l7 AS logins, count(*) FILTER (WHERE failed) OVER l7 AS failed, max(device) OVER l7 AS device,
  m.rating AS rating
FROM payments p LAST JOIN merchants m ORDER BY ts ON m.merchant_id = p.merchant_id
WINDOW
  {
    ", ".join(
        f"w{days} AS ({HISTORY} ROWS_RANGE BETWEEN {days}d PRECEDING AND CURRENT ROW)" for days in (1, 7, 30)
    )
},
  l7 AS (FROM logins {HISTORY} ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)
"""


@dataclass(frozen=True)
class Cards:
    """Parquet files of the data, and projects made of them.

    Parameters
    ----------
    folder
        Where files and projects go.
    rows
        How many payments, and how many logins; a card has about a hundred of each.
    """

    folder: Path
    rows: int

    @property
    def cards(self) -> int:
        """How many cards there are."""
        return max(self.rows // 100, 10)

    def file(self, table: str) -> Path:
        """Return the Parquet file of a table, made when missing."""
        sql = {"payments": _PAYMENTS, "logins": _LOGINS, "merchants": _MERCHANTS}[table]
        path = self.folder / f"{table}_{self.rows}.parquet"
        if not path.exists():
            numbers = {"rows": self.rows, "cards": self.cards, "merchants": max(self.rows // 500, 10)}
            duckdb.sql(sql.format(**numbers, start=_START, days=DAYS)).write_parquet(str(path))
        return path

    def project(self, name: str) -> Any:
        """Return a project with all tables, made when missing."""
        project = wb.open(self.folder / name)
        for table in ("payments", "logins", "merchants"):
            project.create_table(table, self.file(table), time="ts", if_exists="skip")
        return project

    def row(self, number: int) -> dict[str, Any]:
        """A request row; neighbours are of different cards."""
        return {
            "id": -1,
            "card_id": number * 7919 % self.cards,
            "merchant_id": number % 20,
            "ts": END,
            "amount": 12.25,
            "mcc": number % 20,
            "country": "FR",
        }
