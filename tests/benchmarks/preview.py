"""Preview: 20 rows of a five-window query over millions of rows, and whether they are exact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.cards import HISTORY, Cards
from tests.benchmarks.runner import Contender, Measurement, side_by_side

ROWS = 5_000_000
SHOWN = 20

QUERY = f"""
SELECT id, count(*) OVER w1 AS c1, sum(amount) OVER w7 AS s7, avg(amount) OVER w7 AS a7, max(amount) OVER l50 AS x50,
  count(*) OVER logins7 AS l7, count(*) FILTER (WHERE failed) OVER last20 AS f20, m.rating AS rating
FROM payments p LAST JOIN merchants m ORDER BY ts ON m.merchant_id = p.merchant_id
WINDOW
  w1 AS ({HISTORY} ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW),
  w7 AS ({HISTORY} ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
  l50 AS ({HISTORY} ROWS BETWEEN 50 PRECEDING AND 1 PRECEDING),
  logins7 AS (FROM logins {HISTORY} ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
  last20 AS (FROM logins {HISTORY} ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
"""

#: The same in plain SQL over the files that were loaded, written apart: a payment's ``id`` is its arrival.
EXPECTED = """
WITH a AS (SELECT * FROM '{payments}' WHERE id IN ({ids})),
h AS (
  SELECT a.id, r.id AS other, r.amount, a.ts - r.ts AS age, r.id = a.id AS own,
    row_number() OVER (PARTITION BY a.id ORDER BY r.ts DESC, r.id DESC) - 1 AS n
  FROM a JOIN '{payments}' r ON r.card_id = a.card_id AND (r.ts < a.ts OR r.ts = a.ts AND r.id <= a.id)),
l AS (
  SELECT a.id, r.failed, a.ts - r.ts AS age,
    row_number() OVER (PARTITION BY a.id ORDER BY r.ts DESC, r.file_row_number DESC) AS n
  FROM a JOIN read_parquet('{logins}', file_row_number = true) r ON r.card_id = a.card_id AND r.ts <= a.ts)
SELECT id,
  (SELECT count(*) FROM h WHERE h.id = a.id AND age <= INTERVAL 1 DAY) AS c1,
  (SELECT sum(amount) FROM h WHERE h.id = a.id AND age <= INTERVAL 7 DAYS) AS s7,
  (SELECT avg(amount) FROM h WHERE h.id = a.id AND age <= INTERVAL 7 DAYS) AS a7,
  (SELECT max(amount) FROM h WHERE h.id = a.id AND n BETWEEN 1 AND 50) AS x50,
  (SELECT count(*) FROM l WHERE l.id = a.id AND age <= INTERVAL 7 DAYS) AS l7,
  (SELECT count(*) FROM l WHERE l.id = a.id AND n <= 20 AND failed) AS f20,
  (SELECT arg_max(rating, (ts, file_row_number)) FROM read_parquet('{merchants}', file_row_number = true) m
   WHERE m.merchant_id = a.merchant_id AND m.ts <= a.ts) AS rating
FROM a ORDER BY id
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure the preview; an inexact one is an error."""
    cards = Cards(folder, int(ROWS * scale))
    project = cards.project("preview")
    view = project.define("preview", QUERY)
    check(cards, view)
    note = f"{SHOWN} rows, 5 windows and a LAST JOIN, {cards.rows:,} payments and as many logins; exact"
    lines = side_by_side(
        "preview", [Contender("preview", lambda: view.preview(SHOWN).to_pyarrow(), note=note)], 11
    )
    project.close()
    return lines


def check(cards: Cards, view: Any) -> None:
    """Raise unless the previewed values are those of the plain SQL."""
    shown = sorted(view.preview(SHOWN).to_pyarrow().to_pylist(), key=lambda row: row["id"])
    files = {name: cards.file(name) for name in ("payments", "logins", "merchants")}
    found = duckdb.sql(EXPECTED.format(ids=", ".join(str(row["id"]) for row in shown), **files))
    expected = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    if len(shown) != SHOWN or not all(_equal(*pair) for pair in zip(shown, expected, strict=True)):
        raise AssertionError(f"the preview is wrong:\n{shown}\n{expected}")


def _equal(shown: dict[str, Any], expected: dict[str, Any]) -> bool:
    return shown.keys() == expected.keys() and all(
        math.isclose(value, expected[name], rel_tol=1e-12)
        if isinstance(value, float)
        else value == expected[name]
        for name, value in shown.items()
    )
