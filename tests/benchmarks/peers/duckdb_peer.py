"""DuckDB: sorted tables with an index on the key, one prepared query a request."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.scenario import FEATURES, Scenario
from tests.benchmarks.scenario.sql import FAILS, Dialect, request_sql

_EPOCH = datetime(1970, 1, 1)
_DIALECT = Dialect(
    card="$card_id",
    ts="$ts",
    amount="$amount",
    merchant="$merchant_id",
    mcc="$mcc",
    interval=lambda count, unit: f"INTERVAL {count} {unit}",
    seconds=lambda later, earlier: f"(epoch_us({later}) - epoch_us({earlier})) / 1e6",
)


def start(scenario: Scenario, folder: Path) -> DuckDb:
    """Load the scenario once."""
    file = folder / "peer.duckdb"
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        _load(scenario, draft)
        draft.rename(file)
    return DuckDb(file)


def attach(folder: Path) -> DuckDb:
    """Read what was loaded."""
    return DuckDb(folder / "peer.duckdb")


class DuckDb:
    """A cursor for each thread, one thread a query."""

    mode = "thread"

    def __init__(self, file: Path) -> None:
        self._connection = duckdb.connect(str(file), read_only=True)
        self._connection.execute("SET threads = 1")
        self._sql = request_sql(_DIALECT)
        self._local = threading.local()

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
        asked = row | {"ts": _EPOCH + timedelta(microseconds=row["ts"])}
        found = cursor.execute(self._sql, asked).fetchone()
        return {n: None if v is None else float(v) for n, v in zip(FEATURES, found, strict=True)}

    def store_cpu(self) -> float:
        """It has no processes of its own."""
        return 0.0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _load(scenario: Scenario, file: Path) -> None:
    connection = duckdb.connect(str(file))
    fails = f"SELECT card_id, ts FROM '{scenario.path('card_events')}' WHERE {FAILS}"
    for name, source, key in (
        ("txns", f"FROM '{scenario.path('txns')}'", "card_id"),
        ("card_fails", fails, "card_id"),
        ("merchant_risk", f"FROM '{scenario.path('merchant_risk')}'", "merchant_id"),
    ):
        connection.execute(f"CREATE TABLE {name} AS FROM ({source}) ORDER BY {key}, ts")
        connection.execute(f"CREATE INDEX {name}_by_key ON {name} ({key})")
    connection.close()
