"""Rows under load: nothing acknowledged is lost or doubled, whatever workers and callers do."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.serving import cards
from tests.serving.asgi import Caller, running
from tests.serving.web import Web, owner
from workbench.catalog import keys
from workbench.deployment import ensure_server, live_workers, stop_server
from workbench.serving.app import create_app
from workbench.serving.settings import Settings
from workbench.storage import Storage

PATH = "/v1/tables/transactions/rows"
PAIRS = 1_000

#: One worker on a socket; with a flag it is killed as soon as a commit is on disk, before it says so.
WORKER = """
import os, signal, socket, sys
from pathlib import Path
from workbench.serving.server import run_worker
from workbench.storage import log
if sys.argv[3] == "dies":
    log.Append.finish = lambda append: os.kill(os.getpid(), signal.SIGKILL)
run_worker(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
"""


def row(card: int, amount: float = 1.0) -> dict[str, Any]:
    return {"card_id": card, "amount": amount, "ts": "2026-02-01T00:00:00Z"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    made = cards.make(tmp_path / "cards")
    keys.owner_key(made.storage)
    yield made
    made.close()


def count(project: Any, where: str = "true") -> int:
    found = project.sql(f"SELECT count(*) AS n FROM transactions WHERE {where}")
    return int(found.to_pyarrow().to_pylist()[0]["n"])


def test_every_worker_sees_what_any_worker_has_acknowledged(project: Any) -> None:
    server = ensure_server(project.path, workers=2)
    try:
        project.define("card_risk", cards.RISK).deploy()
        assert len(live_workers(project.storage)) == 2
        failures: list[str] = []

        def pairs(number: int) -> None:
            # Connections are spread over the workers; each pair writes on one and reads on another.
            webs = [Web(server.url, owner(project.path)) for _ in range(6)]
            for turn in range(PAIRS // 2):
                card = 10_000 + 2 * turn + number
                written = webs[turn % 6].post(PATH, row(card))
                asked = webs[(turn + 1 + turn // 6) % 6].post("/v1/features/card_risk", row(card))
                if written.status != 200 or asked.json["features"]["cnt"] != 2:
                    failures.append(f"{card}: {written.body!r} {asked.body!r}")
            for web in webs:
                web.close()

        threads = [threading.Thread(target=pairs, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:3]
        assert count(project, "card_id >= 10000") == PAIRS
    finally:
        stop_server(project.path)


def test_a_worker_killed_between_commit_and_answer_stores_once(project: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        web = Web(f"http://127.0.0.1:{listener.getsockname()[1]}", owner(project.path))
        body, headers = [row(300), row(300)], {"Idempotency-Key": "once"}
        with worker(project.path, listener, "dies") as dying:
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                web.post(PATH, body, headers)
            assert dying.wait(30) == -9
        assert count(project, "card_id = 300") == 2  # on disk, and nobody was told
        with worker(project.path, listener, "lives"):
            again = web.post(PATH, body, headers)
            assert again.status == 200 and again.headers["idempotency-replayed"] == "true"
            assert again.json["accepted"] == 2
            assert web.post(PATH, [row(301)], headers).status == 422
        assert count(project, "card_id >= 300") == 2


class worker:
    """A worker process on a listening socket, killed at the end."""

    def __init__(self, path: Path, listener: socket.socket, fate: str) -> None:
        command = [sys.executable, "-c", WORKER, str(path), str(listener.fileno()), fate]
        self._process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.parametrize("rows", [1, 20])
def test_more_than_it_can_take_is_refused_and_then_it_recovers(project: Any, rows: int) -> None:
    other = keys.create(project.storage, ["write"], "other")
    third_key = keys.create(project.storage, ["write"], "third")
    mine = owner(project.path)
    body = json.dumps([row(400)] * rows).encode()
    settings = Settings(max_ingest_bytes=len(body) * 40)
    before = count(project)

    async def work(call: Caller) -> None:
        def post(key: str) -> asyncio.Task[Any]:
            sent = {"content-type": "application/json", "x-api-key": key, "content-length": str(len(body))}
            return asyncio.create_task(call("POST", PATH, body, sent))

        async def settled(tasks: list[asyncio.Task[Any]], expected: int) -> None:
            while sum(task.done() for task in tasks) < expected:
                await asyncio.sleep(0)

        with stalled(project.path):  # nothing reaches the disk meanwhile
            first = [post(mine) for _ in range(50)]
            await settled(first, 30)
            refused = Counter(task.result().status for task in first if task.done())
            assert refused == {429: 30}  # half of the room is what one key may have
            second = [post(other) for _ in range(20)]
            third = [post(third_key) for _ in range(5)]
            await settled(third, 5)
            assert {task.result().status for task in third} == {503}
            assert all(
                task.result().headers["retry-after"] == "1" for task in [*third, *first] if task.done()
            )
        answers = [await task for task in [*first, *second]]
        accepted = sum(answer.json["accepted"] for answer in answers if answer.status == 200)
        assert accepted == 40 * rows
        numbers = [
            seq
            for answer in answers
            if answer.status == 200
            for seq in range(answer.json["first_seq"], answer.json["last_seq"] + 1)
        ]
        assert len(set(numbers)) == accepted
        assert (await post(mine)).status == 200

    running(create_app(project.path, settings), work)
    assert count(project) - before == 41 * rows


class stalled:
    """Somebody holds the project's write lock."""

    def __init__(self, path: Path) -> None:
        self._storage = Storage.open(path)

    def __enter__(self) -> None:
        self._transaction = self._storage.transaction()
        self._transaction.__enter__()

    def __exit__(self, *_: object) -> None:
        self._transaction.__exit__(None, None, None)
        self._storage.close()


def test_small_requests_of_one_moment_are_told_apart(project: Any) -> None:
    mine = owner(project.path)

    async def work(call: Caller) -> None:
        def post(document: Any) -> asyncio.Task[Any]:
            sent = {"content-type": "application/json", "x-api-key": mine}
            return asyncio.create_task(call("POST", PATH, json.dumps(document).encode(), sent))

        tasks = {
            "good": [post(row(500 + number)) for number in range(20)],
            "future": [post(row(600) | {"ts": "2999-01-01T00:00:00Z"})],
            "null": [post(row(600) | {"ts": None})],
            "wrong": [post(row(600) | {"amount": "much"})],
            "several": [post([row(700), row(700)])],
        }
        answers = {name: [await task for task in some] for name, some in tasks.items()}
        assert [answer.status for answer in answers["good"]] == [200] * 20
        assert len({answer.json["first_seq"] for answer in answers["good"]}) == 20
        assert "future" in answers["future"][0].detail and "no time" in answers["null"][0].detail
        assert "'amount'" in answers["wrong"][0].detail
        assert answers["several"][0].json["accepted"] == 2

    running(create_app(project.path), work)
    assert count(project, "card_id BETWEEN 500 AND 519") == 20
    assert count(project, "card_id = 600") == 0
    assert count(project, "card_id = 700") == 2


def test_a_table_that_was_replaced_is_found_by_a_worker_that_knew_the_old_one(project: Any) -> None:
    mine = owner(project.path)

    async def work(call: Caller) -> None:
        async def post(document: Any) -> Any:
            sent = {"content-type": "application/json", "x-api-key": mine}
            return await call("POST", PATH, json.dumps(document).encode(), sent)

        assert (await post(row(1))).status == 200
        more = [{**known[0], "more": 1}]
        project.create_table("transactions", more, time="ts", if_exists="replace")
        assert (await post(row(2) | {"more": 2})).status == 200
        project.drop_table("transactions")
        assert (await post(row(3))).status == 404

    known = [{"card_id": 1, "amount": 1.0, "ts": datetime(2026, 1, 1)}]
    project.create_table("transactions", known, time="ts", if_exists="replace")
    running(create_app(project.path), work)
