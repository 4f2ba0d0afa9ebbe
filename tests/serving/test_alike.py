"""The declared routes, the hot ones and the fast lane give the same answers to thousands of random requests."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.fuzz.raw import Raw, Reply
from tests.fuzz.requests import Request, Requests
from tests.serving import cards
from workbench.catalog import keys
from workbench.deployment import stop_server
from workbench.serving import state
from workbench.serving.app import create_app
from workbench.serving.protocol import Protocol

REQUESTS = 2000
TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A closed project with two deployed views, and keys to it."""
    path = tmp_path_factory.mktemp("alike") / "cards"
    made = cards.make(path)
    for name, text in (("card_risk", cards.RISK), ("wire", cards.WIRE)):
        made.define(name, text).deploy()
    stop_server(path)
    owner = keys.owner_key(made.storage)
    found = [owner, owner, owner, owner, keys.create(made.storage, ["read"], "reader")]
    made.close()
    return path, found


@contextmanager
def serving(path: Path, *, declared: bool) -> Iterator[tuple[int, Any]]:
    """Serve a project in a thread; yields its port and its application."""
    app = create_app(path, hot=not declared)
    protocol: Any = "httptools" if declared else partial(Protocol, app.fast)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1], app
    finally:
        server.should_exit = True
        thread.join()


def load_quick(storage: Any, plan: Any) -> Any:
    """An engine that answers plain rows at once, whatever the plan: where no kernel does, the reference driver."""
    engine = load(storage, plan)
    if engine.quick is not None:
        return engine

    def quick(row: dict[str, Any]) -> Any:
        return engine.request([row])[0]

    engine.quick = quick
    return engine


load = state.load_engine


def test_random_requests_are_answered_alike(
    project: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, owners), seed = project, 7
    monkeypatch.setattr(state, "load_engine", load_quick)
    copies = [Path(shutil.copytree(path, tmp_path / name)) for name in ("declared", "fast")]
    stream, seen, fast = Requests(seed, owners), Counter[int](), Counter[bool]()
    with serving(copies[0], declared=True) as (first, _), serving(copies[1], declared=False) as (second, app):
        answered = app.fast.answer

        def answer(*args: Any) -> Any:
            found = answered(*args)
            fast[found is not None] += 1
            return found

        app.fast.answer = answer
        sides = Raw("127.0.0.1", first), Raw("127.0.0.1", second)
        for number in range(REQUESTS):
            request = stream.next()
            declared, hot = (comparable(request, side.exchange(request)) for side in sides)
            assert declared == hot, f"seed {seed}, request {number}: {request}\n{declared}\n{hot}"
            seen[declared[0]] += 1
        for side in sides:
            side.close()
    assert set(seen) >= {200, 400, 401, 404, 405, 415, 422}, seen
    assert fast[True] > REQUESTS / 50 and fast[False] > REQUESTS / 50, fast  # both ways were compared
    assert seen[200] > REQUESTS / 4, seen


def comparable(request: Request, reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """Leave out what must differ: the date, a request id of the server's own, the clock where a row has no time."""
    headers = {name: value for name, value in reply.headers.items() if name != "date"}
    body = TIME.sub(lambda found: b"" if is_now(found[0]) else found[0], reply.body)
    body = re.sub(rb"\.[0-9]{6}(?=Z)", b"", body)
    given = dict(request.headers).get("X-Request-ID")
    own = headers.get("x-request-id", "")
    if own and own != given:
        assert len(own) == 32
        headers["x-request-id"] = ""
        body = body.replace(own.encode(), b"")
    return reply.status, headers, body


def is_now(text: bytes) -> bool:
    return abs(datetime.fromisoformat(text.decode() + "Z") - datetime.now(UTC)) < timedelta(hours=1)
