"""What the HTTP side costs: the endpoint next to a bare FastAPI route, interleaved call by call.

    python -m tests.serving.bench_http [CALLS]

Prints, for each, the client's median and 99th percentile and the server's CPU time per request (Linux), in µs.
``refused`` is the endpoint's answer to an unknown field: everything but the engine. ``bare`` is FastAPI with a
pydantic model in and out, on the same uvicorn settings.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.serving import cards
from tests.serving.web import owner
from workbench.deployment import find_server, stop_server

BARE = """
import socket, sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

class Row(BaseModel):
    card_id: int
    amount: float
    note: str | None = None

class Features(BaseModel):
    card_id: int
    cnt: int
    total: float

app = FastAPI()

@app.post("/")
async def answer(row: Row) -> Features:
    return Features(card_id=row.card_id, cnt=1, total=row.amount)

config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def bare() -> tuple[subprocess.Popen[bytes], int]:
    """Start the bare server; return it and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", BARE, str(listener.fileno())]
        return subprocess.Popen(command, pass_fds=[listener.fileno()]), listener.getsockname()[1]


class Target:
    """Something to measure, and what was measured."""

    def __init__(
        self, name: str, port: int, pid: int, path: str, row: dict[str, object], key: str = ""
    ) -> None:
        self.name = name
        self.pid = pid
        self.path = path
        self.body = json.dumps(row).encode()
        self.headers = {"Content-Type": "application/json", "X-API-Key": key}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.times: list[float] = []
        self.cpu = 0.0

    def call(self) -> None:
        cpu, started = self._cpu(), time.perf_counter()
        self.connection.request("POST", self.path, self.body, self.headers)
        self.connection.getresponse().read()
        self.times.append((time.perf_counter() - started) * 1e6)
        self.cpu += self._cpu() - cpu

    def _cpu(self) -> float:
        total = 0.0
        for task in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0]) / 1000
        return total

    def line(self) -> str:
        centiles = statistics.quantiles(self.times, n=100)
        cpu = self.cpu / len(self.times)
        return f"{self.name:<10} p50 {centiles[49]:8.0f}   p99 {centiles[98]:8.0f}   cpu {cpu:8.0f}"


def main(calls: int = 1000) -> None:
    """Measure and print."""
    row = {"card_id": 7, "amount": 4.0, "note": "a note"}
    with tempfile.TemporaryDirectory() as folder:
        project = cards.make(Path(folder) / "cards")
        project.define("card_risk", cards.RISK).deploy()
        server, (other, port) = find_server(project.path), bare()
        assert server is not None
        key, path = owner(project.path), "/v1/features/card_risk"
        try:
            targets = [
                Target("bare", port, other.pid, "/", row),
                Target("refused", server.port, server.pid, path, row | {"unknown": 1}, key),
                Target("features", server.port, server.pid, path, row, key),
                Target("append", server.port, server.pid, f"{path}?append=true", row, key),
            ]
            for number in range(calls + 50):
                for target in targets:
                    target.call()
                    if number < 50:
                        target.times.clear()
                        target.cpu = 0.0
            print(f"µs, {calls} calls each, load {os.getloadavg()[0]:.1f}")
            for target in targets:
                print(target.line())
        finally:
            other.terminate()
            other.wait()
            stop_server(project.path)
            project.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
