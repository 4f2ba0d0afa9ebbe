"""What the tests of storage share: a table of payments, rows for it, and real processes."""

import datetime as dt
import subprocess
import sys
from typing import Any

import pyarrow as pa

from workbench.storage import IndexSpec, Storage
from workbench.values.types import arrow_schema

COLUMNS = {"card": "BIGINT", "at": "TIMESTAMP", "amount": "DOUBLE", "shop": "VARCHAR"}
BY_CARD = IndexSpec("payments", ("card",), "at")
START = dt.datetime(2026, 1, 1)


def payments(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows (card, seconds after START, amount, shop) as an Arrow table."""
    return table_of(
        COLUMNS, [(card, START + dt.timedelta(seconds=s), amount, shop) for card, s, amount, shop in rows]
    )


def table_of(columns: dict[str, str], rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = arrow_schema(columns)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table([pa.array(v, field.type) for v, field in zip(values, schema, strict=True)], schema=schema)


def stored_rows(storage: Storage, table: str, cut: int | None = None) -> list[tuple[Any, ...]]:
    """Every row of a snapshot in the order of seq, ``__seq`` last."""
    with storage.snapshot(cut) as snapshot, storage.connect() as connection:
        return connection.execute(
            f"SELECT * FROM {snapshot.relation(connection, table)} ORDER BY __seq"
        ).fetchall()


def run_python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a real process."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
