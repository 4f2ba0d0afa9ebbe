"""Numbers about requests, for Prometheus and for the status of a deployment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.serving.call import Call
from workbench.serving.counters import SECONDS, Cell, Counted, Counters, counted, gauges, read_folder
from workbench.serving.settings import SHARED_FOLDER

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


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
    """The counters of one worker; with several workers any of them can tell what all of them did."""

    def __init__(self) -> None:
        folder = os.environ.get(SHARED_FOLDER)
        self._folder = Path(folder) if folder else None
        self._counters = Counters(self._folder)

    def cell(self, route: str, target: str, version: str, status: int) -> Cell:
        """Return where requests of one kind are counted, for who counts many."""
        return self._counters.cell(route, target, version, status)

    def in_flight(self, number: int) -> None:
        """Note how many requests are being worked on."""
        self._counters.in_flight(number)

    def generation(self, number: int) -> None:
        """Note which generation of the catalog is served."""
        self._counters.generation(number)

    def record(self, call: Call, status: int, seconds: float) -> None:
        """Note one request that is done."""
        cell = self._counters.cell(call.route, call.target, call.version, status)
        cell.add(seconds, call.rows if status < 400 else 0)

    def text(self) -> bytes:
        """Return the Prometheus exposition of all workers."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
        from prometheus_client.registry import Collector

        live, ended = self._maps()

        class Ours(Collector):
            def collect(self) -> Iterable[Metric]:
                return _families([one for raw in live + ended for one in counted(raw)], live)

        registry = CollectorRegistry()
        registry.register(Ours())
        if self._folder is None:
            ProcessCollector(registry=registry)
        return generate_latest(registry)

    def traffic(self, target: str, route: str = "features") -> Traffic:
        """Return what happened on the route of one view since the server started."""
        live, ended = self._maps()
        found = [
            one for raw in live + ended for one in counted(raw) if (one.route, one.target) == (route, target)
        ]
        buckets = [sum(column) for column in zip(*(one.buckets for one in found), strict=True)]
        return Traffic(
            sum(one.requests for one in found),
            sum(one.requests for one in found if one.status >= 400),
            _quantile(buckets, 0.5),
            _quantile(buckets, 0.99),
        )

    def _maps(self) -> tuple[list[bytes], list[bytes]]:
        return ([self._counters.raw()], []) if self._folder is None else read_folder(self._folder)


def _families(found: list[Counted], live: list[bytes]) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily(
        "workbench_requests", "Requests.", labels=["route", "target", "version", "status"]
    )
    rows = CounterMetricFamily("workbench_rows", "Rows answered or stored.", labels=["route", "target"])
    seconds = HistogramMetricFamily(
        "workbench_request_seconds", "Time to answer a request.", labels=["route", "target"]
    )
    for label, count in _summed(found, lambda one: (one.route, one.target, one.version, str(one.status))):
        requests.add_metric(label, count.requests)
    for label, count in _summed(found, lambda one: (one.route, one.target)):
        if count.rows:
            rows.add_metric(label, count.rows)
        bounds = [*(repr(bound) for bound in SECONDS), "+Inf"]
        seconds.add_metric(
            label, list(zip(bounds, accumulate(count.buckets), strict=True)), sum_value=count.seconds
        )
    now = [gauges(raw) for raw in live]
    in_flight = GaugeMetricFamily(
        "workbench_requests_in_flight", "Requests being worked on.", value=sum(one[0] for one in now)
    )
    generation = GaugeMetricFamily(
        "workbench_generation",
        "Generation of the catalog that is served; the lowest of the workers.",
        value=min((one[1] for one in now), default=0),
    )
    return [requests, seconds, rows, in_flight, generation]


def _summed(
    found: Iterable[Counted], label: Callable[[Counted], tuple[str, ...]]
) -> Iterable[tuple[tuple[str, ...], Counted]]:
    """Return the sums of what has the same label, in the order of labels."""
    sums: dict[tuple[str, ...], Counted] = {}
    for one in found:
        before = sums.get(label(one))
        sums[label(one)] = one if before is None else before.plus(one)
    return sorted(sums.items(), key=itemgetter(0))


def _quantile(buckets: Sequence[int], share: float) -> float | None:
    """Return a quantile in milliseconds, interpolated inside its bucket."""
    total = sum(buckets)
    if not total:
        return None
    wanted, below, lower = share * total, 0, 0.0
    for upper, inside in zip(SECONDS, buckets, strict=False):
        if below + inside >= wanted:
            return round((lower + (upper - lower) * (wanted - below) / (inside or 1)) * 1000, 3)
        below, lower = below + inside, upper
    return round(lower * 1000, 3)
