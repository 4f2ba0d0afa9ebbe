"""Requests of a 20-feature view, in process and over HTTP, next to a bare FastAPI endpoint of as many values."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.cards import FEATURES, Cards
from tests.benchmarks.runner import Contender, Measurement, cpu_of, side_by_side
from workbench.deployment import ensure_server, find_server, stop_server

ROWS = 1_000_000
CALLS = 1000

#: The same columns in, as many features out, on the settings of the project's server.
BARE = """
import datetime, socket, sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model

class Row(BaseModel):
    id: int
    card_id: int
    merchant_id: int
    ts: datetime.datetime
    amount: float
    mcc: int
    country: str | None = None

Features = create_model("Features", **{f"f{i}": (float, ...) for i in range(int(sys.argv[2]))})
app = FastAPI()

@app.post("/")
async def answer(row: Row) -> Features:
    return Features(**{name: row.amount + i for i, name in enumerate(Features.model_fields)})

config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure all three in turns."""
    cards = Cards(folder, int(ROWS * scale))
    project = cards.project("request")
    view = project.define("request", FEATURES)
    ensure_server(project.path, workers=1)  # one process, whose CPU is measured
    deployment = view.deploy()
    server = find_server(project.path)
    assert server is not None
    numbers = itertools.count()
    try:
        with bare(len(view.schema)) as (pid, port):
            plain = Caller(port, "/")
            endpoint = Caller(server.port, "/v1/features/request", deployment.api_key)
            contenders = [
                Contender("bare FastAPI + pydantic", lambda: plain(cards.row(next(numbers))), cpu_of(pid)),
                Contender(
                    "endpoint over HTTP", lambda: endpoint(cards.row(next(numbers))), cpu_of(server.pid)
                ),
                Contender(
                    "view.request in process",
                    lambda: view.request(cards.row(next(numbers))),
                    note=f"{len(view.schema)} features of 5 windows and a LAST JOIN, {cards.rows:,} rows",
                ),
            ]
            return side_by_side("request", contenders, max(int(CALLS * min(scale, 1.0)), 100), warm=50)
    finally:
        stop_server(project.path)
        project.close()


class Caller:
    """Posts rows over one connection that is kept open."""

    def __init__(self, port: int, path: str, key: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._path = path
        self._headers = {"Content-Type": "application/json", "X-API-Key": key}

    def __call__(self, document: Any) -> None:
        self._connection.request("POST", self._path, json.dumps(document).encode(), self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise AssertionError(body.decode())


@contextmanager
def bare(features: int) -> Iterator[tuple[int, int]]:
    """Run the bare server; yields its pid and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", BARE, str(listener.fileno()), str(features)]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        port = listener.getsockname()[1]
    try:
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()
