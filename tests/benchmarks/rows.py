"""Rows coming in: bulk loads, appends in process and over HTTP, index builds, the deployment."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.cards import FEATURES, Cards
from tests.benchmarks.request import Caller
from tests.benchmarks.runner import Contender, Measurement, cpu_of, rate, side_by_side
from workbench.deployment import find_server, stop_server
from workbench.storage import IndexSpec

ROWS = 1_000_000
BATCH = 1_000


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure what a row costs on its way in."""
    cards = Cards(folder, int(ROWS * scale))
    for table in ("payments", "logins", "merchants"):
        cards.file(table)
    path = folder / "rows"
    shutil.rmtree(path, ignore_errors=True)
    loads = [load(folder / "rows", cards)]
    project = cards.project("rows")
    try:
        return [*loads, index(project, cards), *deploy(project), *append(project, cards)]
    finally:
        stop_server(project.path)
        project.close()


def load(path: Path, cards: Cards) -> Measurement:
    """Load a Parquet file."""
    import workbench as wb

    project = wb.open(path)
    columns = "7 columns from Parquet"
    line = rate(
        "rows",
        "bulk load",
        cards.rows,
        lambda: project.create_table("payments", cards.file("payments"), time="ts"),
        note=f"{cards.rows:,} rows, {columns}",
    )
    project.close()
    return line


def index(project: Any, cards: Cards) -> Measurement:
    """Build an index of three columns."""
    spec = IndexSpec("payments", ("card_id",), "ts")
    columns = ["amount", "country", "mcc"]
    build = lambda: project.storage.ensure_index(spec, columns, live=False)  # noqa: E731
    return rate("rows", "index build", cards.rows, build, note=f"{cards.rows:,} rows, {len(columns)} columns")


def deploy(project: Any) -> list[Measurement]:
    """Deploy: the first time with indexes and a server start, then again."""
    lines = []
    for name, query in (("first deploy", FEATURES), ("next deploy", FEATURES.replace("relative", "rel"))):
        view = project.define("rows", query)
        started = time.perf_counter()
        view.deploy()
        seconds = time.perf_counter() - started
        note = "indexes and server start included" if name == "first deploy" else "the server runs"
        lines.append(Measurement("rows", name, "s", seconds, note=note))
    return lines


def append(project: Any, cards: Cards) -> list[Measurement]:
    """Append single rows and batches, in process and over HTTP, in turns."""
    server = find_server(project.path)
    assert server is not None
    table, numbers = project.table("payments"), itertools.count()
    post = Caller(server.port, "/v1/tables/payments/rows", (project.path / "api_key").read_text().strip())
    one = lambda: cards.row(next(numbers))  # noqa: E731
    many = [cards.row(number) for number in range(BATCH)]
    contenders = [
        Contender("append 1 row in process", lambda: table.append(one())),
        Contender("append 1 row over HTTP", lambda: post(one()), cpu_of(server.pid)),
        Contender(f"append {BATCH:,} rows in process", lambda: table.append(many)),
        Contender(f"append {BATCH:,} rows over HTTP", lambda: post(many), cpu_of(server.pid)),
    ]
    return side_by_side("append", contenders, 50, warm=3)
