"""Hours of mixed load on a server with two workers: memory, file handles and latency stay flat."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import workbench as wb
from tests.safety.worker import CARDS, COLUMNS, START, TABLE, VIEWS, batch_of
from workbench.deployment import ensure_server, live_workers, stop_server
from workbench.project import Project

#: How long one sample is, and the pauses that keep the load moderate: latencies are then the server's.
SAMPLE_SECONDS = 30.0
ASK_PAUSE, APPEND_PAUSE = 0.004, 0.02
APPENDED = 25
#: So many samples say something about growth.
LONG_RUN = 20


@dataclass
class Sample:
    """One stretch of the run: private memory and file handles of all server processes, latencies in ms."""

    seconds: float
    requests: int
    appended: int
    failed: int
    p50: float
    p99: float
    private_mb: float
    handles: int
    rows: int
    project_mb: float


@dataclass
class _Counts:
    latencies: list[float] = field(default_factory=list)
    appended: int = 0
    failures: Counter[str] = field(default_factory=Counter)


class Client(threading.Thread):
    """Sends one kind of request until told to stop."""

    def __init__(
        self, port: int, key: str, counts: _Counts, stop: threading.Event, seed: int, kind: str
    ) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"X-API-Key": key, "Content-Type": "application/json"}
        self._counts = counts
        self._stop_asking = stop
        self._random = random.Random(seed)
        self._kind = kind

    def run(self) -> None:
        """Ask or append."""
        for number in itertools.count():
            if self._stop_asking.wait(ASK_PAUSE if self._kind == "ask" else APPEND_PAUSE):
                return
            if self._kind == "ask":
                self._ask()
            else:
                self._append(number)

    def _ask(self) -> None:
        view = self._random.choice(list(VIEWS))
        row = {"card": self._random.randrange(CARDS), "id": 1, "batch": "asked", "amount": 1.5}
        row |= {"size": self._random.randrange(1, 40), "at": _moment(self._random.randrange(90_000))}
        started = time.perf_counter()
        self._post(f"/v1/features/{view}", row)
        self._counts.latencies.append((time.perf_counter() - started) * 1e3)

    def _append(self, number: int) -> None:
        rows = batch_of(self._random, f"{self.name}-{number}", APPENDED).to_pylist()
        rows = [row | {"at": row["at"].isoformat() + "Z"} for row in rows]
        if self._post(f"/v1/tables/{TABLE}/rows", rows):
            self._counts.appended += APPENDED

    def _post(self, path: str, document: Any) -> bool:
        try:
            self._connection.request("POST", path, json.dumps(document), self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._counts.failures[type(error).__name__] += 1
            return False
        if answer.status != 200:
            self._counts.failures[str(answer.status)] += 1
        return answer.status == 200


def run(folder: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Load a server for a while and print a line a sample; return the samples and the verdict.

    Raises
    ------
    AssertionError
        When a request failed, rows were lost, or memory or handles grew.
    """
    project = wb.open(folder / "project")
    project.create_table(TABLE, COLUMNS, time="at", ttl="2000d")
    server = ensure_server(project.path, workers=2)
    deployments = [project.define(name, sql).deploy() for name, sql in VIEWS.items()]
    counts, stop = _Counts(), threading.Event()
    kinds = ("ask", "ask", "ask", "append")
    clients = [
        Client(server.port, deployments[0].api_key, counts, stop, seed + number, kind)
        for number, kind in enumerate(kinds)
    ]
    for client in clients:
        client.start()
    samples: list[Sample] = []
    appended = 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            samples.append(_sample(project, counts, min(SAMPLE_SECONDS, seconds / 4)))
            appended += samples[-1].appended
            print(json.dumps(asdict(samples[-1])), flush=True)
            if len(samples) % 10 == 5:
                project.view("short").deploy()
    finally:
        stop.set()
        for client in clients:
            client.join(60)
        appended += counts.appended
        stop_server(project.path)
    stored = project.storage.row_count(TABLE)
    project.close()
    report = {"samples": [asdict(sample) for sample in samples], "appended": appended, "stored": stored}
    _judge(samples, appended, stored)
    return report


def _sample(project: Project, counts: _Counts, seconds: float) -> Sample:
    before, started = len(counts.latencies), time.monotonic()
    threading.Event().wait(seconds)
    latencies = counts.latencies[before:]
    del counts.latencies[:before]
    appended, counts.appended = counts.appended, 0
    failed = counts.failures.total()
    pids = {worker.pid for worker in live_workers(project.storage)}
    return Sample(
        round(time.monotonic() - started, 1),
        len(latencies),
        appended,
        failed,
        round(statistics.median(latencies), 3),
        round(statistics.quantiles(latencies, n=100)[98], 3),
        round(sum(map(_private, pids)) / 1e6, 1),
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        project.storage.row_count(TABLE),
        round(_size(project.path) / 1e6, 1),
    )


def _size(folder: Path) -> int:
    """Bytes of all files in a folder, some of which come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _private(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _judge(samples: list[Sample], appended: int, stored: int) -> None:
    """Nothing failed or was lost; in a long run the last quarter is as the second one but for noise."""
    assert stored == appended, f"{appended} rows were acknowledged, {stored} are stored"
    assert samples[-1].failed == 0, f"{samples[-1].failed} requests failed"
    if len(samples) < LONG_RUN:
        return
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def median(of: list[Sample], name: str) -> float:
        return statistics.median(getattr(sample, name) for sample in of)

    for name, factor, slack in (("private_mb", 1.15, 30), ("handles", 1.2, 20), ("p99", 2.0, 5)):
        before, after = median(early, name), median(late, name)
        print(f"{name}: {before:g} in the second quarter, {after:g} in the last")
        assert after <= before * factor + slack, f"{name} grew from {before:g} to {after:g}"


def _moment(second: int) -> str:
    moment: datetime = START + timedelta(seconds=second)
    return moment.isoformat() + "Z"
