"""``kill -9`` while rows are appended over HTTP: what was acknowledged is there, once."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections import Counter

from tests.serving.conftest import Served
from tests.serving.web import Web
from workbench.deployment import ensure_server

ROUNDS, WRITERS = 20, 3
PATH = "/v1/tables/transactions/rows"


class Writer(threading.Thread):
    """Appends rows with tokens, one request after the other, until the server is gone."""

    def __init__(self, web: Web, number: int) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.unknown: tuple[str, str] | None = None
        self._web = web
        self._number = number

    def run(self) -> None:
        while self.unknown is None:
            mark, token = uuid.uuid4().hex, uuid.uuid4().hex
            try:
                answer = append(self._web, mark, token)
            except Exception:
                self.unknown = (mark, token)
                return
            assert answer == 200
            self.acknowledged.append(mark)


def append(web: Web, mark: str, token: str) -> int:
    rows = [{"card_id": 400, "ts": "2026-01-01T00:00:00", "note": mark, "amount": part} for part in (0, 1)]
    return web.post(PATH, rows, {"Idempotency-Key": token}).status


def test_no_acknowledged_row_is_lost_or_doubled(own: Served) -> None:
    wanted: Counter[str] = Counter()
    for number in range(ROUNDS):
        server = ensure_server(own.path)
        writers = [Writer(own.web.another(), number) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        while sum(len(writer.acknowledged) for writer in writers) < 2 + number:
            threading.Event().wait(0.001)
        os.kill(server.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
            wanted.update(dict.fromkeys(writer.acknowledged, 2))
        again = ensure_server(own.path)
        assert (again.port, again.pid != server.pid) == (server.port, True)
        web = own.web.another()
        for writer in writers:
            assert writer.unknown is not None
            mark, token = writer.unknown
            assert append(web, mark, token) == 200  # repeated: stored now, or known to be stored
            wanted[mark] = 2
        web.close()
    found = own.project.sql("SELECT note FROM transactions WHERE card_id = 400").to_pyarrow()
    assert Counter(found.column("note").to_pylist()) == wanted
    answer = own.web.another().post("/v1/features/marker", {"card_id": 400})
    assert answer.status == 200
