"""Load on an HTTP endpoint by ``wrk``, with the CPU time of the processes that answer.

Latencies on a machine that also runs the client say little; CPU per request says how many requests a core answers.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCRIPT = """
local bodies, n, i = {}, 0, 0
function init(args)
  for line in io.lines(args[1]) do n = n + 1; bodies[n] = line end
  wrk.method = "POST"
end
function request() i = i % n + 1; return wrk.format(nil, nil, nil, bodies[i]) end
function done(s, l, r)
  io.write(string.format('JSON {"requests":%d,"rate":%.1f,"p50":%.3f,"p99":%.3f,"refused":%d,"failed":%d}\\n',
    s.requests, s.requests / (s.duration / 1e6), l:percentile(50) / 1000, l:percentile(99) / 1000,
    s.errors.status, s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What a run gave: requests per second, latencies in ms, CPU in µs a request, refused and failed requests."""

    rate: float
    p50: float
    p99: float
    cpu: float
    requests: int
    wrong: int


@dataclass
class Endpoint:
    """An endpoint under load.

    Parameters
    ----------
    url
        Where requests are posted.
    bodies
        Their bodies, sent in turns.
    cpu
        Returns the CPU seconds that the processes behind the endpoint have used.
    headers
        Headers besides the content type.
    """

    url: str
    bodies: Sequence[bytes]
    cpu: Callable[[], float]
    headers: dict[str, str] = field(default_factory=dict)

    def load(self, connections: int, seconds: float, rounds: int = 1) -> Load:
        """Load the endpoint and return the medians of the rounds."""
        headers = {"Content-Type": "application/json"} | self.headers
        words = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        with tempfile.TemporaryDirectory() as folder:
            script, bodies = Path(folder, "wrk.lua"), Path(folder, "bodies")
            script.write_text(_SCRIPT)
            bodies.write_bytes(b"\n".join(self.bodies))
            command = [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{seconds:g}s",
                "-s",
                str(script),
                *words,
                self.url,
            ]
            before = self.cpu()
            found = [_run([*command, "--", str(bodies)]) for _ in range(rounds)]
            used = self.cpu() - before
        count = sum(run["requests"] for run in found)
        return Load(
            *(statistics.median(run[name] for run in found) for name in ("rate", "p50", "p99")),
            cpu=used / max(count, 1) * 1e6,
            requests=count,
            wrong=sum(run["refused"] + run["failed"] for run in found),
        )


def available() -> bool:
    """Whether ``wrk`` is installed."""
    return shutil.which("wrk") is not None


def cpu_of_group(pid: int) -> Callable[[], float]:
    """Return what tells the CPU seconds of the living processes of a process group (Linux)."""

    def seconds() -> float:
        total = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                rest = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(rest[2]) == pid:
                total += int(rest[11]) + int(rest[12])
        return total / os.sysconf("SC_CLK_TCK")

    return seconds


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    found: dict[str, Any] = json.loads(line[5:])
    return found
