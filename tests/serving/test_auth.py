from __future__ import annotations

import time

import pytest

from tests.serving.conftest import Served
from tests.serving.web import Web
from workbench.catalog import keys

ROW = {"card_id": 300, "amount": 1.0, "ts": "2026-01-03T00:00:00"}
RISK, ROWS = "/v1/features/card_risk", "/v1/tables/transactions/rows"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/metrics"])
def test_health_docs_and_on_loopback_metrics_need_no_key(web: Web, path: str) -> None:
    assert web.get(path, {"X-API-Key": None}).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", RISK),
        ("POST", ROWS),
        ("GET", "/v1/views"),
        ("POST", "/v1/views/card_risk/rollback"),
        ("GET", "/no"),
    ],
)
@pytest.mark.parametrize("key", [None, "", "wrong", "wb_" + "x" * 43, "ключ"])
def test_everything_else_does(web: Web, method: str, path: str, key: str | None) -> None:
    sent = key.encode().decode("latin-1") if key else key
    answer = web.send(method, path, ROW, {"X-API-Key": sent})
    assert answer.status == 401
    assert "X-API-Key" in answer.detail
    assert answer.headers["www-authenticate"] == "X-API-Key"


def test_a_key_lacking_the_scope_is_403_and_names_it(served: Served, web: Web) -> None:
    reader = web.another(keys.create(served.project.storage, ["read"], "reader"))
    writer = web.another(keys.create(served.project.storage, ["write"], "writer"))
    assert reader.post(RISK, ROW).status == 200
    assert writer.post(ROWS, ROW).status == 200
    for web_of_key, path, scope in (
        (reader, ROWS, "write"),
        (reader, f"{RISK}?append=true", "write"),
        (reader, "/v1/views/card_risk/rollback", "admin"),
        (writer, RISK, "read"),
        (writer, "/v1/views/card_risk/rollback", "admin"),
    ):
        answer = web_of_key.post(path, ROW)
        assert answer.status == 403
        assert f"lacks the scope '{scope}'" in answer.detail


def test_a_revoked_key_is_worthless_at_once(served: Served, web: Web) -> None:
    visitor = web.another(keys.create(served.project.storage, ["read"], "visitor"))
    assert visitor.post(RISK, ROW).status == 200
    keys.revoke(served.project.storage, "visitor")
    assert visitor.post(RISK, ROW).status == 401


def test_the_log_has_a_line_for_each_request_and_no_key(served: Served, web: Web) -> None:
    web.post(RISK, ROW | {"note": "a secret of the body"}, {"X-Request-ID": "find-me"})
    log = ""
    for _ in range(100):  # the line is written after the answer
        log = (served.path / "server.log").read_text()
        if "find-me" in log:
            break
        time.sleep(0.05)
    (line,) = [line for line in log.splitlines() if "find-me" in line]
    assert '"route":"features"' in line
    assert '"status":200' in line
    assert '"target":"card_risk"' in line
    assert str(web.key) not in log
    assert "a secret of the body" not in log


def test_the_owners_key_is_readable_by_the_owner_alone(served: Served) -> None:
    for name in ("api_key", "server.json", "server.log"):
        assert (served.path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("given", ["a b", "x" * 200, "\t"])
def test_an_unusable_request_id_is_replaced(web: Web, given: str) -> None:
    answer = web.get("/healthz", {"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 32
