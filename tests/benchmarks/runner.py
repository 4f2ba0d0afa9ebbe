"""What the benchmarks share: timing side by side, and the machine that it happened on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One line of the table. ``median``, ``worst`` and ``cpu`` are in ``unit``; a rate has no ``worst`` and ``cpu``.

    ``worst`` is the 99th percentile of many runs and the maximum of few. ``ratio`` is to the first line of the group.
    """

    group: str
    name: str
    unit: str
    median: float
    worst: float | None = None
    cpu: float | None = None
    ratio: float | None = None
    runs: int = 1
    note: str = ""


@dataclass
class Contender:
    """Something to measure: a call, and the CPU seconds that whoever does the work has used so far."""

    name: str
    call: Callable[[], Any]
    cpu: Callable[[], float] = time.process_time
    note: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Call once and note how long it took."""
        cpu, started = self.cpu(), time.perf_counter()
        self.call()
        self.seconds.append(time.perf_counter() - started)
        self.cpu_seconds.append(self.cpu() - cpu)


_SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6}


def side_by_side(
    group: str, contenders: Sequence[Contender], runs: int, *, warm: int = 1, unit: str = "ms"
) -> list[Measurement]:
    """Run the contenders in turns, so that a busy machine treats them alike, and return a line for each."""
    for number in range(warm + runs):
        for contender in contenders:
            contender.run()
            if number < warm:
                contender.seconds.clear()
                contender.cpu_seconds.clear()
    scale = _SCALES[unit]
    first = statistics.median(contenders[0].seconds)
    return [
        Measurement(
            group,
            contender.name,
            unit,
            statistics.median(contender.seconds) * scale,
            _worst(contender.seconds) * scale,
            statistics.fmean(contender.cpu_seconds) * scale,
            statistics.median(contender.seconds) / first if len(contenders) > 1 else None,
            runs,
            contender.note,
        )
        for contender in contenders
    ]


def rate(
    group: str, name: str, rows: int, call: Callable[[], Any], *, runs: int = 1, note: str = ""
) -> Measurement:
    """Call several times and return the median rate in rows per second."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return Measurement(group, name, "rows/s", rows / statistics.median(seconds), runs=runs, note=note)


def cpu_of(pid: int) -> Callable[[], float]:
    """Return what tells the CPU seconds that a process has used so far (Linux)."""

    def seconds() -> float:
        tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    return seconds


def machine() -> dict[str, Any]:
    """Return the facts without which the numbers say little."""
    import duckdb

    return {
        "cores": os.cpu_count(),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
    }


def _worst(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) >= 100 else max(seconds)
