from __future__ import annotations

from typing import Any

from tests.serving.web import Web

PREFIX = "/user/ann/proxy/8123"


def test_every_view_and_table_has_its_own_path(web: Web) -> None:
    document = web.get("/openapi.json").json
    assert {
        "/v1/features/{view}",
        "/v1/features/card_risk",
        "/v1/features/wire",
        "/v1/tables/transactions/rows",
        "/v1/views",
        "/v1/views/{view}",
        "/healthz",
        "/readyz",
        "/metrics",
    } <= set(document["paths"])


def test_request_and_answer_are_described_by_their_wire_types(web: Web) -> None:
    operation = web.get("/openapi.json").json["paths"]["/v1/features/wire"]["post"]
    one, many = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert many == {"type": "array", "items": one}
    assert one["additionalProperties"] is False
    assert "ts" not in one["required"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
    features = answer["properties"]["features"]["properties"]
    assert features["price"] == one["properties"]["price"]
    assert "string" in features["price"]["type"]
    assert "string" in str(features["amount"])  # NaN travels as text
    assert features["ts"]["format"] == "date-time"


def test_the_examples_of_the_document_are_answered(web: Web) -> None:
    paths = web.get("/openapi.json").json["paths"]
    for path in ("/v1/features/card_risk", "/v1/features/wire", "/v1/tables/transactions/rows"):
        content: dict[str, Any] = paths[path]["post"]["requestBody"]["content"]["application/json"]
        examples = [one["value"] for one in content.get("examples", {}).values()] or [content["example"]]
        for example in examples:
            answer = web.post(path, example)
            assert answer.status == 200, answer.body


def test_the_page_loads_behind_a_prefix_and_brings_everything_it_needs(web: Web) -> None:
    page = web.get("/docs", {"X-Forwarded-Prefix": PREFIX})
    assert page.status == 200
    text = page.body.decode()
    assert 'fetch("openapi.json")' in text  # relative: found below any prefix
    assert "http://" not in text
    assert "https://" not in text
    document = web.get("/openapi.json", {"X-Forwarded-Prefix": PREFIX}).json
    assert document["servers"] == [{"url": PREFIX}]
    home = web.get("/", {"X-Forwarded-Prefix": PREFIX + "/"})
    assert home.headers["location"] == f"{PREFIX}/docs"


def test_a_prefix_that_is_no_path_is_ignored(web: Web) -> None:
    for prefix in ('"><script>', "//evil.example", "javascript:x", "/a b"):
        assert "servers" not in web.get("/openapi.json", {"X-Forwarded-Prefix": prefix}).json


def test_metrics_count_requests_by_view_version_and_status(web: Web) -> None:
    web.post("/v1/features/card_risk", {"card_id": 7, "amount": 1.0})
    web.post("/v1/features/no_such_view", {})
    text = web.get("/metrics").body.decode()
    assert 'workbench_requests_total{route="features",status="200",target="card_risk",version="1"}' in text
    assert "workbench_request_seconds_bucket" in text
    assert "workbench_generation" in text
    assert "no_such_view" not in text  # names that callers invent make no series
