"""Redis: a sorted set a key (score: time, member: the packed row), the rows fetched and added up in Python."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.benchmarks.peers import Missing, cpu_of_processes
from tests.benchmarks.scenario import Scenario

HOUR, DAY = 3_600_000_000, 86_400_000_000
_ROW = struct.Struct("<qdihhbI")  # time, amount, merchant, mcc, country, online, number (keeps members apart)
_RISK = struct.Struct("<qd")


def start(scenario: Scenario, folder: Path) -> Redis:
    """Start a server of our own and load the scenario."""
    try:
        import redis
    except ImportError:
        raise Missing("pip install redis hiredis") from None
    if shutil.which("redis-server") is None:
        raise Missing("apt-get install redis-server") from None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    deadline = time.monotonic() + 30
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.02)
    (folder / "redis.port").write_text(str(port))
    _load(scenario, port)
    return Redis(port, process)


def attach(folder: Path) -> Redis:
    """Use the server that was started."""
    return Redis(int((folder / "redis.port").read_text()))


class Redis:
    """One pipeline of three commands a request."""

    mode = "async"

    def __init__(self, port: int, process: subprocess.Popen[bytes] | None = None) -> None:
        import redis
        import redis.asyncio

        self._client = redis.Redis(port=port)
        self._async = redis.asyncio.Redis(port=port, max_connections=64)
        self._process = process

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        return _features(row, *_commands(self._client.pipeline(transaction=False), row).execute())

    async def afeatures(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        return _features(row, *await _commands(self._async.pipeline(transaction=False), row).execute())

    def store_cpu(self) -> float:
        """CPU seconds of the server."""
        return cpu_of_processes("redis-server")

    def close(self) -> None:
        """Stop the server."""
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _commands(pipeline: Any, row: dict[str, Any]) -> Any:
    now = row["ts"]
    pipeline.zrangebyscore(f"t:{row['card_id']}", now - 30 * DAY, f"({now}")
    pipeline.zcount(f"e:{row['card_id']}", now - DAY, f"({now}")
    pipeline.zrevrangebyscore(f"m:{row['merchant_id']}", now, "-inf", start=0, num=1)
    return pipeline


def _features(row: dict[str, Any], packed: list[bytes], fails: int, risk: list[bytes]) -> dict[str, Any]:
    now = row["ts"]
    rows = [_ROW.unpack(member) for member in packed]
    amounts = [r[1] for r in rows]
    week = [r for r in rows if r[0] >= now - 7 * DAY]
    day = [r[1] for r in week if r[0] >= now - DAY]
    hour = [r[1] for r in week if r[0] >= now - HOUR]
    count, total = len(rows), sum(amounts)
    average = total / count if count else None
    squares = sum(amount * amount for amount in amounts)
    return {
        "txn_cnt_1h": len(hour),
        "txn_cnt_1d": len(day),
        "txn_cnt_7d": len(week),
        "txn_cnt_30d": count,
        "amt_sum_1h": sum(hour) if hour else None,
        "amt_sum_1d": sum(day) if day else None,
        "amt_sum_7d": sum(r[1] for r in week) if week else None,
        "amt_sum_30d": total if count else None,
        "amt_avg_30d": average,
        "amt_max_30d": max(amounts, default=None),
        "amt_min_30d": min(amounts, default=None),
        "amt_std_30d": None if average is None else max(squares / count - average * average, 0.0) ** 0.5,
        "merch_nunique_30d": len({r[2] for r in rows}),
        "country_nunique_7d": len({r[4] for r in week}),
        "online_ratio_7d": sum(r[5] for r in week) / len(week) if week else None,
        "secs_since_last": (now - rows[-1][0]) / 1e6 if rows else None,
        "same_mcc_cnt_30d": sum(r[3] == row["mcc"] for r in rows),
        "amt_over_avg_30d": row["amount"] / average if average else None,
        "fail_cnt_1d": fails,
        "merchant_risk": _RISK.unpack(risk[0])[1] if risk else None,
    }


def _load(scenario: Scenario, port: int) -> None:
    pipe = subprocess.Popen(
        ["redis-cli", "-p", str(port), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert pipe.stdin is not None
    for command in _additions(scenario):
        pipe.stdin.write(command)
    pipe.stdin.close()
    pipe.wait()


def _additions(scenario: Scenario) -> Iterator[bytes]:
    """ZADD commands of the wire protocol."""
    order = [("card_id", "ascending"), ("ts", "ascending")]
    names = ["card_id", "ts", "amount", "merchant_id", "mcc", "country", "is_online", "txn_id"]
    current, members = None, []
    for card, now, *values, number in _rows(pq.read_table(scenario.path("txns")).sort_by(order), names):
        if card != current or len(members) >= 4000:
            if members:
                yield _command(b"ZADD", b"t:%d" % current, *members)
            current, members = card, []
        members += [b"%d" % now, _ROW.pack(now, *values, number & 0xFFFFFFFF)]
    yield _command(b"ZADD", b"t:%d" % current, *members)
    kinds = [("kind", "in", ["login_fail", "pin_fail"])]
    events = pq.read_table(scenario.path("card_events"), filters=kinds)
    for card, now, number in _rows(events, ["card_id", "ts", "event_id"]):
        yield _command(b"ZADD", b"e:%d" % card, b"%d" % now, b"%d" % number)
    risks = pq.read_table(scenario.path("merchant_risk"))
    for merchant, now, risk in _rows(risks, ["merchant_id", "ts", "risk"]):
        yield _command(b"ZADD", b"m:%d" % merchant, b"%d" % now, _RISK.pack(now, risk))


def _rows(table: Any, names: list[str]) -> Iterator[tuple[Any, ...]]:
    for batch in table.select(names).to_batches(max_chunksize=200_000):
        columns = [(c.cast("int64") if n == "ts" else c) for n, c in zip(names, batch.columns, strict=True)]
        yield from zip(*(column.to_pylist() for column in columns), strict=True)


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
