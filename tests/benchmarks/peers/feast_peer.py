"""Feast's own feature server on SQLite and on Redis: it looks up what a daily batch has computed.

Feast cannot answer the scenario from raw events; its user writes and schedules the batch SQL below. It runs in a
virtual environment of its own, ``$FEAST_ENVIRONMENT``, because of what it depends on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.benchmarks.peers import Missing, cpu_of_processes
from tests.benchmarks.scenario import Scenario
from tests.benchmarks.scenario.truth import prepared

SERVICES = {"Feast on SQLite": "sqlite", "Feast on Redis": "redis"}

_INTEGERS = [
    "txn_cnt_1h",
    "txn_cnt_1d",
    "txn_cnt_7d",
    "txn_cnt_30d",
    "merch_nunique_30d",
    "country_nunique_7d",
]
_FLOATS = ["amt_sum_1h", "amt_sum_1d", "amt_sum_7d", "amt_sum_30d", "amt_avg_30d", "amt_max_30d"]
_FLOATS += ["amt_min_30d", "amt_std_30d", "online_ratio_7d"]
_INTEGERS += ["same_card_cnt_90d", "active_days_90d", "merch_nunique_90d"]
_FLOATS += ["amt_sum_90d", "amt_max_90d"]

_REPOSITORY = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

card = Entity(name="card", join_keys=["card_id"], value_type=ValueType.INT64)
card_stats = FeatureView(
    name="card_stats", entities=[card], ttl=timedelta(days=3), online=True,
    schema=[Field(name=n, dtype=Int64) for n in {integers}] + [Field(name=n, dtype=Float64) for n in {floats}],
    source=FileSource(name="cards", path="{snapshot}", timestamp_field="event_timestamp"),
)
service = FeatureService(name="lookup20", features=[card_stats])
"""

#: One daily snapshot of every card, as of the end of the data.
_SNAPSHOT = """
SELECT card_id, now::TIMESTAMPTZ AS event_timestamp,
  count(*) FILTER (WHERE ts >= now - INTERVAL 1 HOUR) AS txn_cnt_1h,
  count(*) FILTER (WHERE ts >= now - INTERVAL 1 DAY) AS txn_cnt_1d,
  count(*) FILTER (WHERE ts >= now - INTERVAL 7 DAY) AS txn_cnt_7d,
  count(*) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS txn_cnt_30d,
  count(DISTINCT merchant_id) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS merch_nunique_30d,
  count(DISTINCT country) FILTER (WHERE ts >= now - INTERVAL 7 DAY) AS country_nunique_7d,
  coalesce(sum(amount) FILTER (WHERE ts >= now - INTERVAL 1 HOUR), 0) AS amt_sum_1h,
  coalesce(sum(amount) FILTER (WHERE ts >= now - INTERVAL 1 DAY), 0) AS amt_sum_1d,
  coalesce(sum(amount) FILTER (WHERE ts >= now - INTERVAL 7 DAY), 0) AS amt_sum_7d,
  coalesce(sum(amount) FILTER (WHERE ts >= now - INTERVAL 30 DAY), 0) AS amt_sum_30d,
  avg(amount) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS amt_avg_30d,
  max(amount) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS amt_max_30d,
  min(amount) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS amt_min_30d,
  stddev_pop(amount) FILTER (WHERE ts >= now - INTERVAL 30 DAY) AS amt_std_30d,
  avg(is_online) FILTER (WHERE ts >= now - INTERVAL 7 DAY) AS online_ratio_7d,
  count(*) AS same_card_cnt_90d, count(DISTINCT ts::DATE) AS active_days_90d,
  count(DISTINCT merchant_id) AS merch_nunique_90d, sum(amount) AS amt_sum_90d, max(amount) AS amt_max_90d
FROM txns, (SELECT TIMESTAMP '2026-07-01' AS now) GROUP BY card_id, now
"""

_STORES = {
    "sqlite": "{{type: sqlite, path: {folder}/online.db}}",
    "redis": '{{type: redis, connection_string: "127.0.0.1:{port}"}}',
}


@dataclass
class Feast:
    """A running feature server."""

    process: subprocess.Popen[bytes]
    url: str
    bodies: list[bytes]
    redis: subprocess.Popen[bytes] | None

    def store_cpu(self) -> float:
        """CPU seconds of Redis, where it is the store."""
        return cpu_of_processes("redis-server") if self.redis else 0.0

    def close(self) -> None:
        """End the server and its store."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()
        if self.redis is not None:
            self.redis.terminate()
            self.redis.wait()


def start(name: str, scenario: Scenario, folder: Path) -> Feast:
    """Make the repository, materialize the snapshot and serve it."""
    program = shutil.which("feast", path=str(Path(os.environ.get("FEAST_ENVIRONMENT", ""), "bin")))
    if program is None:
        raise Missing(
            'python -m venv E && E/bin/pip install "feast[redis,duckdb]==0.67.0"; FEAST_ENVIRONMENT=E'
        )
    kind = SERVICES[name]
    if kind == "redis" and shutil.which("redis-server") is None:
        raise Missing("apt-get install redis-server")
    repository = folder / f"feast-{kind}"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    port = _free_port()
    redis = None
    if kind == "redis":
        command = [
            "redis-server",
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        redis = subprocess.Popen([*command, "--dir", str(repository)], stdout=subprocess.DEVNULL)
    _write_repository(repository, kind, port, _snapshot(scenario, folder))
    for words in (
        ["apply"],
        ["materialize", "2026-06-30T12:00:00", "2026-07-01T00:00:01"],
    ):
        done = subprocess.run([program, *words], cwd=repository, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"feast {words[0]} failed: {done.stderr[-300:]}")
    serving = _free_port()
    command = [program, "serve", "-h", "127.0.0.1", "-p", str(serving), "--no-access-log", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--max-requests", "0"],
        cwd=repository,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    bodies = [
        json.dumps({"feature_service": "lookup20", "entities": {"card_id": [request["card_id"]]}}).encode()
        for request in scenario.requests
    ]
    return Feast(process, f"http://127.0.0.1:{serving}/get-online-features", bodies, redis)


def _snapshot(scenario: Scenario, folder: Path) -> Path:
    file = folder / "feast_cards.parquet"
    if not file.exists():
        connection: duckdb.DuckDBPyConnection
        with prepared(scenario) as connection:
            connection.execute(f"COPY ({_SNAPSHOT}) TO '{file}'")
    return file


def _write_repository(repository: Path, kind: str, port: int, snapshot: Path) -> None:
    text = _REPOSITORY.format(integers=_INTEGERS, floats=_FLOATS, snapshot=snapshot)
    (repository / "features.py").write_text(text)
    store = _STORES[kind].format(folder=repository, port=port)
    (repository / "feature_store.yaml").write_text(
        f"project: scenario\nregistry: {repository}/registry.db\nprovider: local\noffline_store: {{type: duckdb}}\n"
        f"online_store: {store}\nentity_key_serialization_version: 3\n"
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
