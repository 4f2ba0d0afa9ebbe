from __future__ import annotations

from tests.serving.conftest import Served
from tests.serving.web import Web


def test_the_list_names_what_is_deployed(web: Web) -> None:
    document = web.get("/v1/views").json
    assert [(one["view"], one["version"]) for one in document["views"]] == [("card_risk", 1), ("wire", 1)]
    assert document["views"][0]["path"] == "/v1/features/card_risk"


def test_a_view_tells_its_schema_query_plan_and_traffic(web: Web) -> None:
    before = web.get("/v1/views/card_risk").json
    web.post("/v1/features/card_risk", {"card_id": 7, "amount": 1.0})
    web.post("/v1/features/card_risk", {"card_id": 7})
    view = web.get("/v1/views/card_risk").json
    assert view["features"] == {"card_id": "BIGINT", "cnt": "BIGINT", "total": "DOUBLE"}
    assert view["request_columns"]["card_id"] == "BIGINT"
    assert view["request_schema"]["required"] == ["amount", "card_id"]
    assert view["response_schema"]["properties"]["features"]["required"] == ["card_id", "cnt", "total"]
    assert "OVER w AS cnt" in view["sql"]
    assert view["plan"]["table"] == "transactions"
    assert view["traffic"]["requests"] == before["traffic"]["requests"] + 2
    assert view["traffic"]["errors"] == before["traffic"]["errors"] + 1
    assert 0 < view["traffic"]["p50_ms"] <= view["traffic"]["p99_ms"]


def test_the_example_of_a_view_is_answered(web: Web) -> None:
    for name in ("card_risk", "wire"):
        example = web.get(f"/v1/views/{name}").json["example"]
        assert web.post(f"/v1/features/{name}", example).status == 200


def test_an_unknown_view_is_404_with_the_closest_name(web: Web) -> None:
    answer = web.get("/v1/views/card_rsk")
    assert answer.status == 404
    assert "did you mean 'card_risk'?" in answer.detail


def test_a_view_is_found_whatever_the_case_of_its_name(web: Web) -> None:
    answer = web.post("/v1/features/Card_Risk", {"card_id": 7, "amount": 1.0}).json
    assert answer["view"] == "card_risk"


def test_a_first_version_cannot_be_rolled_back(web: Web) -> None:
    answer = web.post("/v1/views/card_risk/rollback", None)
    assert answer.status == 409
    assert "first that was deployed" in answer.detail


def test_the_server_is_alive_and_ready(served: Served, web: Web) -> None:
    alive = web.get("/healthz").json
    assert alive["status"] == "ok"
    assert alive["project_id"] == served.project.storage.project_id
    ready = web.get("/readyz")
    assert ready.status == 200
    assert ready.json["ready"] is True
    assert ready.json["views"] == {"card_risk": 1, "wire": 1}
