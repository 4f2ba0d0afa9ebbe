"""Numbers about requests, for Prometheus and for the status of a deployment."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import asdict, dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from workbench.serving.call import Call
from workbench.serving.settings import SHARED_FOLDER

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
MILLISECONDS = (
    *(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500),
    *(1_000, 2_500, 5_000, 10_000),
)


@dataclass(frozen=True)
class Traffic:
    """What one endpoint did since the server started; times in milliseconds, estimated from a histogram."""

    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return it as JSON shows it."""
        return asdict(self)


class Metrics:
    """The counters of one worker; with several workers each adds to files that any of them can read."""

    def __init__(self) -> None:
        self._shared = bool(os.environ.get(SHARED_FOLDER))
        self._own = CollectorRegistry()
        registry = None if self._shared else self._own
        if not self._shared:
            ProcessCollector(registry=self._own)
        self._requests = Counter(
            "workbench_requests", "Requests.", ["route", "target", "version", "status"], registry=registry
        )
        self._seconds = Histogram(
            "workbench_request_seconds",
            "Time to answer a request.",
            ["route", "target"],
            buckets=[ms / 1000 for ms in MILLISECONDS],
            registry=registry,
        )
        self._rows = Counter(
            "workbench_rows", "Rows answered or stored.", ["route", "target"], registry=registry
        )
        self._in_flight = Gauge(
            "workbench_requests_in_flight",
            "Requests being worked on.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._generation = Gauge(
            "workbench_generation",
            "Generation of the catalog that is served; the lowest of the workers.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def begin(self, in_flight: int, generation: int) -> None:
        """Note how many requests are being worked on and what is served."""
        self._in_flight.set(in_flight)
        self._generation.set(generation)

    def record(self, call: Call, status: int, seconds: float) -> None:
        """Note one request that is done."""
        self._requests.labels(call.route, call.target, call.version, str(status)).inc()
        self._seconds.labels(call.route, call.target).observe(seconds)
        if call.rows and status < 400:
            self._rows.labels(call.route, call.target).inc(call.rows)

    def registry(self) -> CollectorRegistry:
        """Return what all workers counted."""
        if not self._shared:
            return self._own
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry

    def text(self) -> bytes:
        """Return the Prometheus exposition."""
        return generate_latest(self.registry())

    def traffic(self, target: str, route: str = "features") -> Traffic:
        """Return what happened on the route of one view since the server started."""
        requests = errors = 0
        buckets: dict[float, float] = defaultdict(float)
        for family in self.registry().collect():
            for sample in family.samples:
                if sample.labels.get("target") != target or sample.labels.get("route") != route:
                    continue
                if sample.name == "workbench_requests_total":
                    requests += int(sample.value)
                    errors += int(sample.value) if int(sample.labels["status"]) >= 400 else 0
                elif sample.name == "workbench_request_seconds_bucket":
                    buckets[float(sample.labels["le"])] += sample.value
        return Traffic(requests, errors, _quantile(buckets, 0.5), _quantile(buckets, 0.99))


def _quantile(cumulative: dict[float, float], share: float) -> float | None:
    """Return a quantile in milliseconds, interpolated inside its bucket."""
    bounds = sorted(cumulative)
    if not bounds or not cumulative[bounds[-1]]:
        return None
    wanted, below, lower = share * cumulative[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if cumulative[bound] >= wanted:
            if bound == float("inf"):
                return round(lower * 1000, 3)
            inside = (wanted - below) / ((cumulative[bound] - below) or 1)
            return round((lower + (bound - lower) * inside) * 1000, 3)
        below, lower = cumulative[bound], bound
    return None
