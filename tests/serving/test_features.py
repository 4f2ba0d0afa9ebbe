from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.serving.conftest import Served
from tests.serving.web import Web

ROW = {"card_id": 7, "amount": 4.0, "ts": "2026-01-03T00:00:00"}


def count(served: Served) -> int:
    return int(served.project.table("transactions").count())


def token() -> dict[str, str | None]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_one_row_gives_its_features_with_version_time_and_arrival(web: Web) -> None:
    answer = web.post("/v1/features/card_risk", ROW, {"X-Request-ID": "abc-1"})
    assert answer.status == 200
    assert answer.json == {
        "view": "card_risk",
        "version": 1,
        "request_id": "abc-1",
        "as_of": "2026-01-03T00:00:00Z",
        "last_seq": answer.json["last_seq"],
        "features": {"card_id": 7, "cnt": 3, "total": 16.5},
    }
    assert answer.headers["x-request-id"] == "abc-1"


def test_a_row_without_time_is_answered_now(web: Web) -> None:
    answer = web.post("/v1/features/card_risk", {"card_id": 7, "amount": 4})
    assert answer.json["features"] == {"card_id": 7, "cnt": 1, "total": 4.0}
    assert answer.json["as_of"].endswith("Z")


def test_as_of_is_the_time_of_a_row_without_one(web: Web) -> None:
    answer = web.post("/v1/features/card_risk?as_of=2026-01-03T00:00:00Z", {"card_id": 7, "amount": 4})
    assert answer.json["as_of"] == "2026-01-03T00:00:00Z"
    assert answer.json["features"]["cnt"] == 3


def test_an_array_gives_an_answer_or_an_error_for_each_row(web: Web) -> None:
    answer = web.post("/v1/features/card_risk", [ROW, {"card_id": "x", "amount": 1}, 7, ROW])
    assert answer.status == 200
    document = answer.json
    assert document["failed"] == 2
    assert [("features" in one, "error" in one) for one in document["answers"]] == [
        (True, False),
        (False, True),
        (False, True),
        (True, False),
    ]
    assert document["answers"][1]["error"]["field"] == "card_id"
    assert document["answers"][1]["error"]["row"] == 1
    assert document["answers"][2]["error"]["row"] == 2


def test_an_empty_array_is_answered_by_no_answers(web: Web) -> None:
    assert web.post("/v1/features/card_risk", []).json["answers"] == []


def test_columns_that_the_view_does_not_use_may_be_given(web: Web) -> None:
    assert web.post("/v1/features/card_risk", ROW | {"note": "n", "tags": ["a"]}).status == 200


def test_json_without_a_content_type_is_accepted(web: Web) -> None:
    assert web.post("/v1/features/card_risk", ROW, {"Content-Type": None}).status == 200


WIRE: dict[str, Any] = {
    "card_id": -9223372036854775808,
    "amount": "NaN",
    "price": "123456789012345.678",
    "ts": "2026-01-03T01:02:03.000004Z",
    "note": 'ü "quoted" \u0000 \U0001f600',
    "payload": "AAH/",
    "ok": False,
    "day": "2026-02-28",
    "huge": "9" * 38,
    "tags": ["a", None, ""],
}


def test_every_wire_type_comes_back_as_it_was_sent(web: Web) -> None:
    answer = web.post("/v1/features/wire", WIRE)
    assert answer.json["features"] == WIRE


@pytest.mark.parametrize(
    ("column", "sent", "returned"),
    [
        ("amount", "Infinity", "Infinity"),
        ("amount", "-Infinity", "-Infinity"),
        ("amount", 1, 1.0),
        ("price", 5, "5.000"),
        ("huge", 12345678901234567890123, "12345678901234567890123"),
        ("ts", "2026-01-03T02:00:00+01:00", "2026-01-03T01:00:00Z"),
        ("note", None, None),
        ("tags", [], []),
    ],
)
def test_other_forms_of_a_value_are_understood(web: Web, column: str, sent: Any, returned: Any) -> None:
    answer = web.post("/v1/features/wire", WIRE | {column: sent})
    assert answer.json["features"][column] == returned


def test_append_answers_first_and_stores_then(served: Served, web: Web) -> None:
    before = count(served)
    row = {"card_id": 100, "amount": 4.0, "note": "kept"}
    first = web.post("/v1/features/card_risk?append=true", row).json
    assert first["features"]["cnt"] == 1
    assert first["appended"]["first_seq"] == first["appended"]["last_seq"] > first["last_seq"]
    second = web.post("/v1/features/card_risk?append=true", row).json
    assert second["features"]["cnt"] == 2
    assert count(served) == before + 2


def test_an_appended_row_is_stored_at_the_time_of_its_answer(served: Served, web: Web) -> None:
    answer = web.post("/v1/features/card_risk?append=true", {"card_id": 101, "amount": 4.0}).json
    found = served.project.sql("SELECT ts FROM transactions WHERE card_id = 101").to_pyarrow().to_pylist()
    assert [row["ts"].isoformat() + "Z" for row in found] == [answer["as_of"]]


def test_a_repeated_append_stores_nothing_and_answers_the_same(served: Served, web: Web) -> None:
    key, row = token(), {"card_id": 102, "amount": 4.0}
    first = web.post("/v1/features/card_risk?append=true", row, key)
    after = count(served)
    again = web.post("/v1/features/card_risk?append=true", row, key)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert {**first.json, "request_id": ""} == {**again.json, "request_id": ""}
    assert count(served) == after


def test_a_token_with_another_body_is_refused(served: Served, web: Web) -> None:
    key = token()
    web.post("/v1/features/card_risk?append=true", {"card_id": 103, "amount": 4.0}, key)
    before = count(served)
    answer = web.post("/v1/features/card_risk?append=true", {"card_id": 103, "amount": 5.0}, key)
    assert answer.status == 422
    assert "used with another body" in answer.detail
    assert count(served) == before


def test_append_stores_all_rows_or_none(served: Served, web: Web) -> None:
    before = count(served)
    rows = [{"card_id": 104, "amount": 4.0}, {"card_id": 104, "amount": "much"}]
    answer = web.post("/v1/features/card_risk?append=true", rows)
    assert answer.status == 422
    assert "nothing was appended" in answer.detail
    assert answer.json["errors"][0]["row"] == 1
    assert count(served) == before
    stored = web.post("/v1/features/card_risk?append=true", rows[:1] * 3).json
    assert [one["features"]["cnt"] for one in stored["answers"]] == [1, 1, 1]
    assert count(served) == before + 3


def test_an_appended_row_must_fit_the_table_too(served: Served, web: Web) -> None:
    before = count(served)
    answer = web.post("/v1/features/card_risk?append=true", {"card_id": 105, "amount": 4.0, "price": "cheap"})
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "price"
    assert count(served) == before


def test_a_view_of_computed_rows_is_asked_with_the_columns_of_its_table(own: Served) -> None:
    own.project.define(
        "computed",
        """SELECT card, cnt, sum(doubled) OVER w AS total
        FROM (SELECT card_id AS card, ts AS at, amount * 2 AS doubled,
                     count(*) OVER (PARTITION BY card_id ORDER BY ts ROWS 2 PRECEDING) AS cnt
              FROM transactions WHERE amount > 1) AS d
        WINDOW w AS (PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)""",
    ).deploy()
    described = own.web.get("/v1/views/computed").json
    assert described["request_columns"] == {"amount": "DOUBLE", "card_id": "BIGINT", "ts": "TIMESTAMP"}
    assert (described["time"], described["request_schema"]["required"]) == ("ts", ["amount", "card_id"])
    schema = own.web.get("/openapi.json").json["paths"]["/v1/features/computed"]["post"]["requestBody"]
    assert schema["content"]["application/json"]["schema"]["oneOf"][0]["required"] == ["amount", "card_id"]
    path = "/v1/features/computed"
    row = {"card_id": 7, "amount": 1.5, "ts": "2026-01-03T00:00:00Z"}
    assert own.web.post(path, row).json["features"] == {"card": 7, "cnt": 3, "total": 28.0}
    left_out, kept = own.web.post(path, [row | {"amount": 0.5}, row]).json["answers"]
    assert left_out["features"] is None and "WHERE" in left_out["reason"]
    assert kept["features"]["cnt"] == 3
    answer = own.web.post(f"{path}?append=true", {"card_id": 7, "amount": 1.5}).json
    assert answer["features"]["total"] == 3.0 and answer["appended"]["first_seq"] > 0
