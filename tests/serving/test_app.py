"""The application itself, without a server around it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.serving import cards
from tests.serving.asgi import Caller, running
from tests.serving.conftest import Served
from tests.serving.test_malformed import CASES
from tests.serving.web import JSON
from workbench.catalog import keys
from workbench.errors import Unavailable
from workbench.serving import state
from workbench.serving.app import create_app
from workbench.serving.settings import Settings

GOOD = b'{"card_id": 7, "amount": 4.0, "ts": "2026-01-03T00:00:00"}'


@pytest.fixture
def headers(served: Served) -> dict[str, str]:
    return {"X-API-Key": keys.owner_key(served.project.storage), "Content-Type": JSON, "X-Request-ID": "same"}


def test_importing_it_loads_neither_ibis_nor_sqlglot_nor_pandas() -> None:
    code = (
        "import sys, workbench.serving.app, workbench.online;"
        "print([name for name in ('ibis', 'sqlglot', 'pandas', 'numba', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_running_server_has_loaded_none_of_them(served: Served, web: Any) -> None:
    web.post("/v1/features/card_risk", {"card_id": 7, "amount": 1.0})
    web.post("/v1/tables/transactions/rows", {"card_id": 301, "ts": "2026-01-01"})
    maps = Path(f"/proc/{web.get('/healthz').json['pid']}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    assert "/pyarrow/" in maps.read_text()  # what is loaded shows by its shared libraries
    assert "/pandas/" not in maps.read_text()


def test_the_hot_routes_and_the_declared_ones_answer_alike(served: Served, headers: dict[str, str]) -> None:
    requests: list[tuple[str, str, bytes, dict[str, str]]] = [
        ("POST", "/v1/features/card_risk", GOOD, {}),
        ("POST", "/v1/features/card_risk", b"[" + GOOD + b", 7]", {}),
        ("POST", "/v1/tables/transactions/rows", b"[]", {}),
    ]
    requests += [
        (case.method, case.path, case.body, {k: v for k, v in case.headers.items() if v is not None})
        for case in CASES
        if isinstance(case.body, bytes)
    ]
    answers: dict[bool, list[Any]] = {True: [], False: []}
    for hot, found in answers.items():

        async def ask(call: Caller, found: list[Any] = found) -> None:
            for method, path, body, more in requests:
                answer = await call(method, path, body, headers | more)
                found.append((answer.status, answer.headers, answer.body))

        running(create_app(served.path, hot=hot), ask)
    assert answers[True] == answers[False]
    assert {status for status, _, _ in answers[True]} >= {200, 400, 415, 422}


def test_metrics_from_another_machine_need_a_key(served: Served, headers: dict[str, str]) -> None:
    async def ask(call: Caller) -> None:
        assert (await call("GET", "/metrics", client="192.0.2.1")).status == 401
        assert (await call("GET", "/metrics", headers=headers, client="192.0.2.1")).status == 200
        assert (await call("GET", "/metrics", client="::1")).status == 200
        assert (await call("GET", "/healthz", client="192.0.2.1")).status == 200

    running(create_app(served.path), ask)


def test_a_prefix_counts_from_this_machine_only(served: Served) -> None:
    async def ask(call: Caller) -> None:
        prefix = {"X-Forwarded-Prefix": "/proxy/1"}
        assert "servers" in (await call("GET", "/openapi.json", headers=prefix)).json
        assert "servers" not in (await call("GET", "/openapi.json", headers=prefix, client="192.0.2.1")).json

    running(create_app(served.path), ask)


def test_more_requests_than_the_limit_are_503_with_retry_after(
    served: Served, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    real = state.load_engine

    def slow(*args: Any) -> Any:
        engine = real(*args)
        answer = engine.request
        engine.request = lambda *a, **k: (released.wait(30), answer(*a, **k))[1]
        return engine

    monkeypatch.setattr(state, "load_engine", slow)

    async def ask(call: Caller) -> None:
        waiting = [
            asyncio.create_task(call("POST", "/v1/features/card_risk", GOOD, headers)) for _ in range(2)
        ]
        await asyncio.sleep(0)
        refused = await call("POST", "/v1/features/card_risk", GOOD, headers)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert "try again" in refused.detail
        assert (await call("GET", "/healthz")).status == 200
        released.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200]

    running(create_app(served.path, Settings(max_in_flight=2)), ask)


def test_our_own_faults_are_500_without_a_trace_and_name_the_log(
    served: Served, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise ZeroDivisionError("a secret of the code")

    monkeypatch.setattr("workbench.serving.features.ask", broken)

    async def ask(call: Caller) -> None:
        answer = await call("POST", "/v1/features/card_risk", GOOD, headers)
        assert answer.status == 500
        assert "request id same" in answer.detail
        assert b"secret" not in answer.body
        assert b"Zero" not in answer.body

    running(create_app(served.path), ask)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_says_so(
    own: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = state.load_engine

    def picky(storage: Any, plan: Any) -> Any:
        if "2" in str(plan.outputs[-1].expr):
            raise RuntimeError("no memory")
        return real(storage, plan)

    headers = {"X-API-Key": str(own.web.key)}
    monkeypatch.setattr(state, "load_engine", picky)

    async def ask(call: Caller) -> None:
        view = own.project.define("marker", cards.constant(2))
        with pytest.raises(Unavailable, match="version 2 of 'marker' cannot be loaded"):
            await asyncio.to_thread(view.deploy)
        ready = await call("GET", "/readyz")
        assert ready.status == 503
        assert "version 2 of 'marker' cannot be loaded: RuntimeError: no memory" in ready.json["missing"]
        answer = await call("POST", "/v1/features/marker", b'{"card_id": 1}', headers)
        assert answer.json["version"] == 1

    running(create_app(own.path), ask)
