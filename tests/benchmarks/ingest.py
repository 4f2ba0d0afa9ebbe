"""Durable ingest over HTTP: batches in every format, and single rows, at several connections (needs wrk)."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.benchmarks.runner import Measurement, cpu_of
from workbench.deployment import ServerInfo, ensure_server, stop_server
from workbench.deployment.workers import live_workers

BATCH = 1_000
WORKERS = 2
SECONDS = 4
TIME = np.datetime64("2026-07-01T00:00:00", "us")
COLUMNS = {
    "txn_id": "BIGINT",
    "card_id": "BIGINT",
    "ts": "TIMESTAMP",
    "amount": "DOUBLE",
    "merchant_id": "INTEGER",
    "mcc": "SMALLINT",
    "country": "SMALLINT",
    "is_online": "TINYINT",
}
JSON, NDJSON = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"

_SCRIPT = """
local body = io.open({body!r}, "rb"):read("*a")
local request_ = wrk.format("POST", nil, {{["Content-Type"]={kind!r}, ["X-API-Key"]={key!r}}}, body)
function request() return request_ end
function done(s, l, r)
  io.write(string.format("JSON [%d,%.4f,%.3f,%.3f,%d]\\n", s.requests, s.duration / 1e6, l:percentile(50) / 1000,
    l:percentile(99) / 1000, s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """One kind of load."""

    name: str
    kind: str
    body: bytes
    rows: int
    connections: int


def run(folder: Path, scale: float) -> list[Measurement]:
    """Return what the project's server takes with two workers."""
    if shutil.which("wrk") is None:
        return [Measurement("ingest", "skipped", "", 0, note="wrk is not installed")]
    import workbench as wb

    path = folder / "ingest"
    shutil.rmtree(path, ignore_errors=True)
    project = wb.open(path)
    project.create_table("txns", COLUMNS, time="ts")
    try:
        server = ensure_server(path, workers=WORKERS)
        before = project.storage.row_count("txns")
        lines, answered = [], 0
        for load in loads():
            line, rows = measure(folder, path, server, load, max(1, round(SECONDS * scale)), project.storage)
            lines.append(line)
            answered += rows
        stored = project.storage.row_count("txns") - before
        # wrk does not wait for the answers of its last requests; every other row that was answered is there, once.
        assert answered <= stored <= answered + sum(load.rows * load.connections for load in loads())
        return lines
    finally:
        stop_server(path)
        project.close()


def loads() -> list[Load]:
    """Return the kinds of load."""
    rows = [row(number) for number in range(BATCH)]
    array = json.dumps(rows).encode()
    lines = b"\n".join(json.dumps(one).encode() for one in rows)
    return [
        Load("JSON array", JSON, array, BATCH, 8),
        Load("NDJSON", NDJSON, lines, BATCH, 8),
        Load("Arrow stream", ARROW, arrow(BATCH), BATCH, 8),
        *(Load("single rows", JSON, json.dumps(row(1)).encode(), 1, count) for count in (1, 8, 32)),
    ]


def row(number: int) -> dict[str, Any]:
    """Return one transaction."""
    return {
        "txn_id": number,
        "card_id": number * 7919 % 100_000,
        "ts": f"{TIME + np.timedelta64(number * 1000, 'us')}Z",
        "amount": number % 4000 / 4,
        "merchant_id": number % 20_000,
        "mcc": number % 300,
        "country": number % 60,
        "is_online": number % 2,
    }


def arrow(rows: int) -> bytes:
    """Return transactions as an Arrow stream."""
    from workbench.values.coerce import to_table

    table: pa.Table = to_table(COLUMNS, [row(number) for number in range(rows)])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def measure(
    folder: Path, project: Path, server: ServerInfo, load: Load, seconds: int, storage: Any
) -> tuple[Measurement, int]:
    """Return the line of one load, and how many rows were answered."""
    body, script = folder / "body", folder / "ingest.lua"
    body.write_bytes(load.body)
    key = (project / "api_key").read_text().strip()
    script.write_text(_SCRIPT.format(body=str(body), kind=load.kind, key=key))
    cpu = _cpu_of_all([worker.pid for worker in live_workers(storage)])
    used = cpu()
    url = f"http://127.0.0.1:{server.port}/v1/tables/txns/rows"
    command = [
        "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
        url,
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^JSON (\[.*\])$", output, re.MULTILINE)
    assert found, output
    requests, duration, median, worst, errors = json.loads(found[1])
    used = (cpu() - used) / requests * 1e6
    note = f"{load.connections} connections; p50 {median} ms, p99 {worst} ms, {used:,.0f} µs CPU a request"
    note += f"; {errors} ERRORS" if errors else ""
    rate = load.rows * requests / duration
    unit = "rows/s" if load.rows > 1 else "requests/s"
    return Measurement("ingest", load.name, unit, rate, note=note), (requests - errors) * load.rows


def _cpu_of_all(pids: list[int]) -> Callable[[], float]:
    counters = [cpu_of(pid) for pid in pids]
    return lambda: sum(counter() for counter in counters)
