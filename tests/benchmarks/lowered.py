"""The lowered SQL of windows against the naive RANGE form, and a join inside the history against a stored column.

Both run in one DuckDB of limited memory, in turns. What takes longer than a limit is cut off and says so.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.benchmarks.runner import Contender, Measurement, side_by_side
from workbench.plan.plain_sql import plain_sql
from workbench.plan.tables import SourceTable
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

SIZES = (1_000_000,)
RUNS = 3
#: Windows of so many days, five features each: twenty in all.
DAYS = (1, 3, 7, 30)
MEMORY = "8GB"
SECONDS = 120.0  # after which a query is cut off

COLUMNS = {
    "card": "BIGINT",
    "shop": "BIGINT",
    "ts": "TIMESTAMP",
    "amount": "DOUBLE",
    "rating": "INTEGER",
}
SHOPS = {"shop": "BIGINT", "ts": "TIMESTAMP", "rating": "INTEGER"}
_AGGREGATES = {
    "n": "count(*)",
    "total": "sum(amount)",
    "mean": "avg(amount)",
    "least": "min(amount)",
    "most": "max(amount)",
}

#: Half a year of whole minutes, so that there are ties. Skewed: a quarter of the rows are of one card, the cards of the
#: others are log-uniform. The rating of a shop changes; ``rating`` is what it was.
_PAYMENTS = """
CREATE TABLE payments AS
SELECT r.* EXCLUDE (u), s.rating FROM (
    SELECT CASE WHEN {skewed} AND hash(i + 1) % 4 = 0 THEN 0
                WHEN {skewed} THEN floor(pow({cards}, u))::BIGINT
                ELSE (hash(i) % {cards})::BIGINT END AS card,
           (hash(i + 2) % 2000)::BIGINT AS shop, u,
           TIMESTAMP '2026-01-01' + to_minutes(i * 260000 // {rows}) AS ts,
           (hash(i + 3) % 4000)::DOUBLE / 4 AS amount
    FROM (SELECT i, (hash(i) % 1000003) / 1000003 AS u FROM range({rows}) t(i))
) r ASOF LEFT JOIN shops s ON s.shop = r.shop AND r.ts >= s.ts
"""
_SHOPS = """
CREATE TABLE shops AS
SELECT (i % 2000)::BIGINT AS shop, TIMESTAMP '2025-12-01' + to_minutes(i * 30) AS ts,
    (hash(i + 4) % 100)::INTEGER AS rating
FROM range(10000) t(i)
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure windows of two numbers of features and two kinds of keys; then the join."""
    lines: list[Measurement] = []
    for size in SIZES:
        for keys in ("skewed", "uniform"):
            with _Data(folder, int(size * scale), keys == "skewed") as data:
                for days in ((7,), DAYS):
                    group = f"{data.rows:,} rows, {keys} keys, {5 * len(days)} features"
                    pair = [data.contender("lowered", data.lowered(feature_query(days)))]
                    pair.append(data.contender("naive RANGE", naive(days)))
                    lines += _measured(group, pair, RUNS)
                lines += _measured(f"{data.rows:,} rows, {keys} keys", data.joined(), RUNS)
    return lines


def naive(days: tuple[int, ...]) -> str:
    """The features as one writes them in plain SQL, where rows of the same time see each other."""
    frame = "RANGE BETWEEN INTERVAL {} DAY PRECEDING AND CURRENT ROW"
    return _select(days) + ", ".join(
        f"w{d} AS (PARTITION BY card ORDER BY ts {frame.format(d)})" for d in days
    )


def prepare(connection: duckdb.DuckDBPyConnection, rows: int, skewed: bool) -> None:
    """Make the tables ``shops`` and ``payments``."""
    connection.execute(_SHOPS)
    connection.execute(_PAYMENTS.format(rows=rows, cards=max(rows // 100, 10), skewed=str(skewed).lower()))


def feature_query(days: tuple[int, ...]) -> str:
    """Return five features of each of some windows, in our language."""
    frame = "ROWS_RANGE BETWEEN {}d PRECEDING AND CURRENT ROW"
    return _select(days) + ", ".join(
        f"w{d} AS (PARTITION BY card ORDER BY ts {frame.format(d)})" for d in days
    )


def _select(days: tuple[int, ...]) -> str:
    columns = [f"{call} OVER w{d} AS {name}_{d}d" for d in days for name, call in _AGGREGATES.items()]
    return f"SELECT {', '.join(columns)} FROM payments WINDOW "


@dataclass
class _Cut:
    """Whether a query was cut off."""

    happened: bool = False


class _Data:
    """Tables in a DuckDB of limited memory that spills into a folder."""

    def __init__(self, folder: Path, rows: int, skewed: bool) -> None:
        self.rows, self.skewed = rows, skewed
        self.connection = duckdb.connect(
            config={"memory_limit": MEMORY, "temp_directory": str(folder / "spill")}
        )
        self.functions = Functions(connect(threads=1))
        self.tables = {
            "payments": SourceTable("payments", COLUMNS, "ts"),
            "shops": SourceTable("shops", SHOPS, "ts"),
        }

    def __enter__(self) -> _Data:
        prepare(self.connection, self.rows, self.skewed)
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def lowered(self, query: str) -> str:
        """What the package makes of a feature query."""
        plan = define(query, self.tables, self.functions)
        return plain_sql(plan, {"payments": COLUMNS, "shops": SHOPS})

    def joined(self) -> list[Contender]:
        """A rating as of each payment's time inside a window: found by a join, or stored with the payment."""
        window = (
            "WINDOW w AS (PARTITION BY card ORDER BY p.ts ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)"
        )
        call = "avg({0}.rating) OVER w AS mean, max({0}.rating) OVER w AS best"
        stored = f"SELECT {call.format('p')} FROM payments p {window}"
        join = f"SELECT {call.format('s')} FROM payments p LAST JOIN shops s ON s.shop = p.shop {window}"
        return [
            self.contender("stored column in the window", self.lowered(stored)),
            self.contender("LAST JOIN in the window", self.lowered(join)),
        ]

    def contender(self, name: str, sql: str) -> Contender:
        """A query that is read to its end, or cut off."""
        cut = _Cut()

        def read() -> None:
            if cut.happened:  # once is enough
                return
            late = threading.Event()

            def stop() -> None:
                late.set()
                self.connection.interrupt()

            timer = threading.Timer(SECONDS, stop)
            timer.start()
            try:
                for _ in self.connection.execute(sql).to_arrow_reader(100_000):
                    pass
            except (duckdb.InterruptException, OSError):  # the second from Arrow, which passes it on
                if not late.is_set():
                    raise
                cut.happened = True
                contender.note = f"cut off after {SECONDS:.0f} s"
            finally:
                timer.cancel()

        contender = Contender(name, read, time.process_time)
        return contender


def _measured(group: str, contenders: list[Contender], runs: int) -> list[Measurement]:
    """The last contender may be cut off: then its time is a lower bound, of the one run that there was."""
    lines = side_by_side(group, contenders, runs, warm=0, unit="s")
    if not any(contender.note for contender in contenders):
        return lines
    return _first_runs(group, contenders)


def _first_runs(group: str, contenders: list[Contender]) -> list[Measurement]:
    """Lines of the first runs that were measured already."""
    first = contenders[0].seconds[0]
    return [
        Measurement(group, c.name, "s", c.seconds[0], None, c.cpu_seconds[0], c.seconds[0] / first, 1, c.note)
        for c in contenders
    ]
