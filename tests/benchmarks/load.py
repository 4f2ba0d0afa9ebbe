"""Bulk loads: from a Parquet file to a ready index, and what each step of it takes."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from tests.benchmarks.cards import Cards
from tests.benchmarks.runner import Measurement
from workbench.storage import IndexSpec

ROWS = 5_000_000
INDEX = IndexSpec("payments", ("card_id",), "ts")
INDEXED = ["amount", "merchant_id", "mcc", "country"]


def run(folder: Path, scale: float) -> list[Measurement]:
    """Return a line for each kind of source, and for the index that follows."""
    cards = Cards(folder, max(1_000, round(ROWS * scale)))
    parquet = cards.file("payments")
    csv = parquet.with_suffix(".csv")
    few = max(1_000, cards.rows // 10)
    duckdb.sql(f"SELECT * FROM '{parquet}' LIMIT {few}").write_csv(str(csv))
    sources: list[tuple[str, int, Callable[[], Any]]] = [
        ("Parquet to ready index", cards.rows, lambda: parquet),
        ("Arrow reader to ready index", cards.rows, lambda: pq.ParquetFile(parquet).iter_batches()),
        ("CSV to ready index", few, lambda: csv),
    ]
    lines = []
    for name, rows, source in sources:
        lines += one(folder / "load", name, rows, source())
    return lines


def one(path: Path, name: str, rows: int, source: Any) -> list[Measurement]:
    """Load once and build an index; the line of both together, then that of the load alone."""
    import workbench as wb

    if not isinstance(source, Path):
        import pyarrow as pa

        batches = list(source)
        source = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    shutil.rmtree(path, ignore_errors=True)
    project = wb.open(path)
    cpu, started = time.process_time(), time.perf_counter()
    project.create_table("payments", source, time="ts")
    loaded = time.perf_counter() - started
    project.storage.ensure_index(INDEX, INDEXED, live=True)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    project.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = f"{rows:,} rows; {cpu:.1f} s CPU; at most {peak:,.0f} MB"
    return [
        Measurement("load", name, "rows/s", rows / seconds, note=note),
        Measurement("load", "  of it the rows", "rows/s", rows / loaded, note=f"{loaded:.1f} s"),
    ]
