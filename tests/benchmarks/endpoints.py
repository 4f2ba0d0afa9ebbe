"""The scenario's 20 features over HTTP: our endpoint next to an empty FastAPI endpoint and to what people use instead.

Every endpoint runs one worker. CPU per request is that of all processes that answer, the store's included.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import wrk
from tests.benchmarks.peers import PEERS, Missing, feast_peer, start
from tests.benchmarks.runner import Measurement
from tests.benchmarks.scenario import Scenario
from tests.benchmarks.scenario.project import VIEW, loaded, request_row
from tests.benchmarks.scenario.truth import Truth, wrong
from workbench.deployment import ensure_server, stop_server

CONNECTIONS = (1, 8, 32)
ROUNDS, SECONDS = 3, 3.0
EMPTY = "empty FastAPI + pydantic"
#: How many answers of each endpoint are compared with the truth.
COMPARED = 500


@dataclass
class _Contender:
    """An endpoint, its name, and how its answer reads."""

    name: str
    endpoint: wrk.Endpoint
    features: Callable[[bytes], dict[str, object]] | None = json.loads
    note: str = ""


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure all endpoints that can run here; one after the other, round by round."""
    if not wrk.available():
        return [
            Measurement("endpoints", "all", "µs", float("nan"), runs=0, note="left out: apt-get install wrk")
        ]
    scenario = Scenario.at(folder, scale)
    truth = Truth(scenario).requests
    with _endpoints(scenario, folder) as (contenders, missing):
        for contender in contenders:
            contender.note = _verdict(contender, truth)
            contender.endpoint.load(8, 1.0)
        lines = []
        for connections in CONNECTIONS:
            lines += _measure(contenders, connections)
    return lines + missing


def _measure(contenders: Sequence[_Contender], connections: int) -> list[Measurement]:
    loads: dict[str, list[wrk.Load]] = {contender.name: [] for contender in contenders}
    for _ in range(ROUNDS):
        for contender in contenders:
            loads[contender.name].append(contender.endpoint.load(connections, SECONDS))
    first: float | None = None
    lines = []
    for contender in contenders:
        found = sorted(loads[contender.name], key=lambda load: load.cpu)[ROUNDS // 2]
        rate = sorted(load.rate for load in loads[contender.name])[ROUNDS // 2]
        bad = sum(load.wrong for load in loads[contender.name])
        first = first or found.cpu
        note = f"{rate:,.0f} requests/s; {contender.note}" + (f"; {bad} FAILED" if bad else "")
        group = f"endpoints, {connections} connection{'s' if connections > 1 else ''}"
        lines.append(
            Measurement(
                group,
                contender.name,
                "µs",
                found.p50 * 1e3,
                found.p99 * 1e3,
                found.cpu,
                found.cpu / first,
                ROUNDS,
                note,
            )
        )
    return lines


@contextmanager
def _endpoints(scenario: Scenario, folder: Path) -> Iterator[tuple[list[_Contender], list[Measurement]]]:
    project, view, _ = loaded(scenario, folder / "endpoints")
    server = ensure_server(project.path, workers=1)
    deployment = view.deploy()
    stops: list[Callable[[], object]] = [project.close, lambda: stop_server(project.path)]
    bodies = [json.dumps(request).encode() for request in scenario.requests]
    ours = wrk.Endpoint(
        f"{server.url}/v1/features/{VIEW}",
        [json.dumps(request_row(request)).encode() for request in scenario.requests],
        wrk.cpu_of_group(os.getpgid(server.pid)),
        {"X-API-Key": deployment.api_key},
    )
    contenders = [_Contender("workbench", ours, lambda body: json.loads(body)["features"])]
    missing = []
    try:
        for name in (EMPTY, *PEERS, *feast_peer.SERVICES):
            try:
                if name in feast_peer.SERVICES:
                    contender, stop = _feast(name, scenario)
                else:
                    contender, stop = _peer(name, scenario, bodies)
            except Missing as reason:
                note = f"left out: {reason}"
                missing.append(Measurement("endpoints", name, "µs", float("nan"), runs=0, note=note))
            else:
                contenders.append(contender)
                stops.append(stop)
        yield contenders, missing
    finally:
        for stop in reversed(stops):
            stop()


def _peer(name: str, scenario: Scenario, bodies: list[bytes]) -> tuple[_Contender, Callable[[], object]]:
    peer = None if name == EMPTY else start(name, scenario, scenario.folder)
    listener = socket.create_server(("127.0.0.1", 0))
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.peers.serve",
        str(listener.fileno()),
        str(scenario.folder),
    ]
    with listener:
        process = subprocess.Popen(
            [*command, *([name] if peer else [])], pass_fds=[listener.fileno()], start_new_session=True
        )
        port = listener.getsockname()[1]
    own = wrk.cpu_of_group(process.pid)
    cpu = own if peer is None else lambda: own() + peer.store_cpu()

    def stop() -> None:
        ended(process)
        if peer is not None:
            peer.close()

    endpoint = wrk.Endpoint(f"http://127.0.0.1:{port}/", bodies, cpu)
    wait_for(endpoint, process)
    return _Contender(name, endpoint, None if peer is None else json.loads), stop


def _feast(name: str, scenario: Scenario) -> tuple[_Contender, Callable[[], object]]:
    feast = feast_peer.start(name, scenario, scenario.folder)
    own = wrk.cpu_of_group(feast.process.pid)
    endpoint = wrk.Endpoint(feast.url, feast.bodies, lambda: own() + feast.store_cpu())
    wait_for(endpoint, feast.process)
    return _Contender(name, endpoint, None, "looks up values of a daily batch"), feast.close


def wait_for(endpoint: wrk.Endpoint, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Return when the endpoint answers its first body."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            post(endpoint, endpoint.bodies[0])
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.05)


def post(endpoint: wrk.Endpoint, body: bytes) -> bytes:
    """Post one body and return the answer."""
    headers = {"Content-Type": "application/json"} | endpoint.headers
    with urllib.request.urlopen(urllib.request.Request(endpoint.url, body, headers), timeout=30) as answer:
        content: bytes = answer.read()
    return content


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group."""
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _verdict(contender: _Contender, truth: list[dict[str, float | None]]) -> str:
    if contender.features is None:
        return contender.note
    bodies = itertools.islice(contender.endpoint.bodies, COMPARED)
    answers = [contender.features(post(contender.endpoint, body)) for body in bodies]
    different = wrong(answers, truth[:COMPARED])
    return f"WRONG in {different}" if different else f"{len(answers)} answers equal the truth"
