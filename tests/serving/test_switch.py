"""Deploys, rollbacks and shutdowns while requests are running: none is dropped."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import Any

from tests.serving import cards
from tests.serving.conftest import Served
from tests.serving.web import Web
from workbench.deployment import ensure_server, live_workers, stop_server

PATH = "/v1/features/marker"
ROW = {"card_id": 1, "ts": "2026-01-03T00:00:00"}


class Load:
    """Threads that post until told to stop, and everything they were answered."""

    def __init__(self, web: Web, threads: int = 4) -> None:
        self.seen: Counter[tuple[int, int | None, int | None]] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(web.another(),)) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: int, count: int = 20) -> None:
        """Return when ``count`` more requests were answered by a version."""
        wanted = self._answered(version) + count
        while self._answered(version) < wanted and not self.failures:
            threading.Event().wait(0.005)

    def _answered(self, version: int) -> int:
        with self._lock:
            return sum(number for (_, found, _), number in self.seen.items() if found == version)

    def _run(self, web: Web) -> None:
        while not self._stop.is_set():
            try:
                answer = web.post(PATH, ROW)
            except Exception as error:
                self.failures.append(repr(error))
                return
            document: dict[str, Any] = answer.json
            features = document.get("features") or {}
            with self._lock:
                self.seen[answer.status, document.get("version"), features.get("marker")] += 1


def test_deploys_and_rollbacks_drop_no_request(own: Served) -> None:
    first = own.project.define("marker", cards.constant(1))
    with Load(own.web) as load:
        load.wait_for(1)
        for _ in range(4):
            deployment = own.project.define("marker", cards.constant(2)).deploy()
            assert own.web.post(PATH, ROW).json["version"] == 2  # at once, not eventually
            load.wait_for(2)
            deployment.rollback()
            assert own.web.post(PATH, ROW).json["version"] == 1
            load.wait_for(1)
    assert load.failures == []
    assert set(load.seen) == {(200, 1, 1), (200, 2, 2)}
    assert first.sql == cards.constant(1)


def test_the_version_before_can_be_asked_for_while_it_is_loaded(own: Served) -> None:
    own.project.define("marker", cards.constant(2)).deploy()
    assert own.web.post(f"{PATH}?version=1", ROW).json["features"]["marker"] == 1
    assert own.web.post(f"{PATH}?version=2", ROW).json["features"]["marker"] == 2
    assert own.web.post(PATH, ROW).json["version"] == 2
    assert "served: 2 and 1" in own.web.post(f"{PATH}?version=3", ROW).detail


def test_rollback_over_http_is_served_when_it_answers(own: Served) -> None:
    own.project.define("marker", cards.constant(2)).deploy()
    assert own.web.post("/v1/views/marker/rollback", None).json == {"view": "marker", "version": 1}
    assert own.web.post(PATH, ROW).json["version"] == 1


def test_a_stopped_endpoint_is_404_and_the_others_stay(own: Served) -> None:
    other = own.project.define("other", cards.constant(9)).deploy()
    own.project.deployment("marker").stop()
    assert own.web.post(PATH, ROW).status == 404
    assert other.request(ROW) == {"card_id": 1, "marker": 9}


def test_several_workers_share_the_port_and_switch_together(own: Served) -> None:
    stop_server(own.path)
    server = ensure_server(own.path, workers=2)
    with Load(own.web) as load:
        load.wait_for(1)
        workers = live_workers(own.project.storage)
        assert len(workers) == 2
        own.project.define("marker", cards.constant(2)).deploy()
        generations = {worker.generation for worker in live_workers(own.project.storage)}
        assert len(generations) == 1
        versions = {own.web.another().post(PATH, ROW).json["version"] for _ in range(20)}
        assert versions == {2}
    assert load.failures == []
    assert set(load.seen) == {(200, 1, 1), (200, 2, 2)}
    total = sum(load.seen.values()) + 20
    counted = own.web.get("/v1/views/marker").json["traffic"]["requests"]
    assert counted == total  # whichever worker is asked, it knows what all of them did
    os.kill(workers[0].pid, signal.SIGKILL)
    while {worker.pid for worker in workers} & {w.pid for w in live_workers(own.project.storage)} != {
        workers[1].pid
    } or len(live_workers(own.project.storage)) < 2:
        threading.Event().wait(0.02)
    assert ensure_server(own.path) == server
    own.web.close()
    assert own.web.post(PATH, ROW).status == 200


def test_shutdown_finishes_the_request_that_is_running(own: Served) -> None:
    import http.client

    connection = http.client.HTTPConnection(own.web.host, own.web.port, timeout=30)
    body = b"[" + b",".join([b'{"card_id": 1}'] * 2000) + b"]"
    connection.putrequest("POST", PATH)
    for name, value in {"X-API-Key": str(own.web.key), "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:1000])
    while "in_flight 2.0" not in own.web.get("/metrics").body.decode():  # this one, and the one that asks
        threading.Event().wait(0.005)
    own.web.close()
    server = own.project.deployment("marker").status()
    os.kill(server["pid"], signal.SIGTERM)
    connection.send(body[1000:])
    response = connection.getresponse()
    assert response.status == 200
    assert b'"failed":0' in response.read()
    connection.close()


def test_indexes_live_as_long_as_a_deployment_needs_them(own: Served) -> None:
    def by(view: str, key: str) -> Any:
        window = f"PARTITION BY {key} ORDER BY ts ROWS_RANGE UNBOUNDED PRECEDING"
        return own.project.define(view, f"SELECT count(*) OVER ({window}) AS n FROM transactions")

    def live() -> dict[str, bool]:
        return {index.spec.keys[0]: index.live for index in own.project.storage.indexes()}

    by("one", "card_id").deploy()
    other = by("other", "card_id").deploy()
    by("one", "note").deploy()
    assert live() == {"card_id": True, "note": True}
    by("one", "ok")
    third = by("one", "ok").deploy()
    assert live() == {"card_id": True, "note": True, "ok": True}, "a rollback goes back to note"
    other.stop()
    assert live() == {"card_id": False, "note": True, "ok": True}, "the definition of other is there still"
    own.project.drop_view("other")
    assert live() == {"note": True, "ok": True}
    third.rollback()
    assert live() == {"card_id": True, "note": True, "ok": False}
    third.rollback()
    assert live() == {"card_id": True, "ok": False}
    third.stop()
    assert live() == {"ok": False}


def test_a_new_index_drops_no_request(own: Served) -> None:
    rows = [
        {"card_id": number % 50, "note": f"n{number % 7}", "amount": 1.0, "ts": "2026-01-01T00:00:00"}
        for number in range(5_000)
    ]
    own.project.table("transactions").append(rows)
    window = "PARTITION BY note ORDER BY ts ROWS_RANGE UNBOUNDED PRECEDING"
    counting = f"SELECT card_id, 2 AS marker, count(*) OVER ({window}) AS n FROM transactions"
    with Load(own.web) as load:
        load.wait_for(1)
        deployment = own.project.define("marker", counting).deploy()
        assert own.web.post(PATH, ROW | {"note": "n1"}).json["features"]["n"] == 716
        deployment.rollback()
        load.wait_for(1)
    assert load.failures == []
    assert {status for status, _, _ in load.seen} <= {200, 422}, load.seen  # 422: version 2 needs a note
    assert {version for status, version, _ in load.seen if status == 200} == {1}
