"""SQLite: tables clustered on (key, time), one statement a request in this process."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.benchmarks.scenario import FEATURES, Scenario
from tests.benchmarks.scenario.sql import Dialect, request_sql

_MICROSECONDS = {"hour": 3_600_000_000, "day": 86_400_000_000}
_SCHEMA = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;
CREATE TABLE txns (card_id INT, ts INT, seq INT, amount REAL, merchant_id INT, mcc INT, country INT, is_online INT,
    PRIMARY KEY (card_id, ts, seq)) WITHOUT ROWID;
CREATE TABLE card_fails (card_id INT, ts INT, seq INT, PRIMARY KEY (card_id, ts, seq)) WITHOUT ROWID;
CREATE TABLE merchant_risk (merchant_id INT, ts INT, seq INT, risk REAL, PRIMARY KEY (merchant_id, ts, seq))
    WITHOUT ROWID;
"""
_DIALECT = Dialect(
    card=":card_id",
    ts=":ts",
    amount=":amount",
    merchant=":merchant_id",
    mcc=":mcc",
    interval=lambda count, unit: str(count * _MICROSECONDS[unit]),
    seconds=lambda later, earlier: f"({later} - {earlier}) / 1e6",
    deviation="sqrt(max(avg(amount * amount) - avg(amount) * avg(amount), 0))",
)


def start(scenario: Scenario, folder: Path) -> Sqlite:
    """Load the scenario once."""
    file = folder / "peer.sqlite"
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        _load(scenario, draft)
        draft.rename(file)
    return Sqlite(file)


def attach(folder: Path) -> Sqlite:
    """Read what was loaded."""
    return Sqlite(folder / "peer.sqlite")


class Sqlite:
    """Reads through the page cache and a memory map."""

    mode = "inline"

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._connection.execute("PRAGMA mmap_size = 2000000000")
        self._sql = request_sql(_DIALECT)

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        return dict(zip(FEATURES, self._connection.execute(self._sql, row).fetchone(), strict=True))

    def store_cpu(self) -> float:
        """It has no processes of its own."""
        return 0.0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _load(scenario: Scenario, file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(_SCHEMA)
    order = [("card_id", "ascending"), ("ts", "ascending")]
    columns = ["card_id", "ts", "txn_id", "amount", "merchant_id", "mcc", "country", "is_online"]
    _insert(connection, "txns", pq.read_table(scenario.path("txns")).sort_by(order).select(columns))
    kinds = [("kind", "in", ["login_fail", "pin_fail"])]
    events = pq.read_table(scenario.path("card_events"), filters=kinds)
    _insert(connection, "card_fails", events.select(["card_id", "ts", "event_id"]))
    risks = pq.read_table(scenario.path("merchant_risk"))
    numbered = risks.add_column(2, "seq", [list(range(risks.num_rows))])
    _insert(connection, "merchant_risk", numbered.select(["merchant_id", "ts", "seq", "risk"]))
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * rows.num_columns)})"
    for batch in rows.to_batches(max_chunksize=200_000):
        columns = [
            (batch.column(name).cast("int64") if name == "ts" else batch.column(name)).to_pylist()
            for name in rows.column_names
        ]
        connection.executemany(statement, zip(*columns, strict=True))
