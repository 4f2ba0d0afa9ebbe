from __future__ import annotations

import io
import json
import time
import uuid

import pyarrow as pa
import pytest

from tests.serving.conftest import Served
from tests.serving.web import Web
from workbench.catalog import keys
from workbench.deployment import stop_server
from workbench.deployment.workers import is_running

PATH = "/v1/tables/transactions/rows"
NDJSON: dict[str, str | None] = {"Content-Type": "application/x-ndjson"}
ARROW: dict[str, str | None] = {"Content-Type": "application/vnd.apache.arrow.stream"}


def row(card: int, amount: float = 1.0) -> dict[str, object]:
    return {"card_id": card, "amount": amount, "ts": "2026-02-01T00:00:00Z"}


def stored(served: Served, card: int) -> int:
    found = served.project.sql(f"SELECT count(*) AS n FROM transactions WHERE card_id = {card}")
    return int(found.to_pyarrow().to_pylist()[0]["n"])


def stream(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)
    ) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_an_object_is_one_row(served: Served, web: Web) -> None:
    answer = web.post(PATH, row(200))
    assert answer.status == 200
    assert answer.json["accepted"] == 1
    assert answer.json["first_seq"] == answer.json["last_seq"]
    assert stored(served, 200) == 1


def test_an_array_gets_consecutive_numbers_in_its_order(served: Served, web: Web) -> None:
    answer = web.post(PATH, [row(201), row(201), row(201)]).json
    assert answer["accepted"] == 3
    assert answer["last_seq"] - answer["first_seq"] == 2
    assert stored(served, 201) == 3


def test_ndjson_is_one_row_a_line(served: Served, web: Web) -> None:
    body = b"\n".join(json.dumps(row(202, n)).encode() for n in range(4)) + b"\r\n\n"
    assert web.post(PATH, body, NDJSON).json["accepted"] == 4
    assert stored(served, 202) == 4


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_an_arrow_stream_is_rows(served: Served, web: Web, compression: str | None) -> None:
    before = stored(served, 203)
    times = pa.array([1_770_000_000_000_000] * 1000, pa.timestamp("us"))
    table = pa.table({"card_id": [203] * 1000, "amount": [1.0] * 1000, "ts": times})
    assert web.post(PATH, stream(table, compression), ARROW).json["accepted"] == 1000
    assert stored(served, 203) == before + 1000


def test_an_empty_array_stores_nothing(web: Web) -> None:
    assert web.post(PATH, []).json["accepted"] == 0


def test_one_bad_row_refuses_all(served: Served, web: Web) -> None:
    answer = web.post(PATH, [row(204), row(204) | {"amount": "much"}])
    assert answer.status == 422
    assert answer.json["errors"][0] | {"reason": ""} == {"field": "amount", "row": 1, "reason": ""}
    assert "nothing was stored" in answer.detail
    assert stored(served, 204) == 0


def test_a_repeated_token_answers_the_old_receipt(served: Served, web: Web) -> None:
    key: dict[str, str | None] = {"Idempotency-Key": uuid.uuid4().hex}
    first = web.post(PATH, [row(205)] * 2, key)
    again = web.post(PATH, [row(205)] * 2, key)
    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"
    assert stored(served, 205) == 2
    other = web.post(PATH, [row(205)], key)
    assert other.status == 422
    assert "used with another body" in other.detail


def test_stored_rows_are_seen_by_the_next_request(web: Web) -> None:
    for expected in (2, 3, 4):
        web.post(PATH, row(206))
        answer = web.post("/v1/features/card_risk", row(206) | {"ts": "2026-02-01T00:00:01Z"})
        assert answer.json["features"]["cnt"] == expected


def test_rows_of_known_ids_are_counted_and_asked_at_their_place(own: Served) -> None:
    columns = {"id": "VARCHAR", "k": "BIGINT", "ts": "TIMESTAMP"}
    own.project.create_table("events", columns, time="ts", id="id")
    query = (
        "SELECT count(*) OVER (PARTITION BY k ORDER BY ts ROWS_RANGE UNBOUNDED PRECEDING) AS n FROM events"
    )
    own.project.define("seen", query).deploy()
    event = {"id": "a", "k": 1, "ts": "2026-02-01T00:00:00Z"}
    path = "/v1/tables/events/rows"
    assert own.web.post(path, [event, event]).json | {"first_seq": 0, "last_seq": 0} == {
        "accepted": 1, "first_seq": 0, "last_seq": 0, "known": 1, "different": 0,
    }  # fmt: skip
    answer = own.web.post(path, [event | {"k": 2}, event | {"id": "b"}]).json
    assert (answer["accepted"], answer["known"], answer["different"]) == (1, 1, 1)
    assert own.web.post(path, event | {"id": None}).status == 422
    first = own.web.post("/v1/features/seen?append=true", event).json
    assert (first["features"]["n"], first["appended"]["known"]) == (1, 1)
    timeless = own.web.post("/v1/features/seen", {"id": "b", "k": 1}).json
    assert (timeless["features"]["n"], timeless["as_of"]) == (2, "2026-02-01T00:00:00Z")
    assert stored_events(own) == 2


def stored_events(served: Served) -> int:
    found = served.project.sql("SELECT count(*) AS n FROM events").to_pyarrow().to_pylist()
    return int(found[0]["n"])


def test_an_entity_is_erased_by_an_administrator(own: Served) -> None:
    web = own.web
    assert web.post(PATH, [row(7, 5.0), row(9, 6.0)]).status == 200
    answer = web.send("DELETE", PATH, {"key": {"card_id": 7}})
    assert answer.status == 200, answer.body
    assert answer.json == {"erased": 3, "scrubbed": True, "views": ["marker"]}
    assert (stored(own, 7), stored(own, 9)) == (0, 1)
    assert web.send("DELETE", PATH, {"key": {"card_id": 7}}).json["erased"] == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "the body is"),
        ({"key": 7}, "the body is"),
        ({"key": {"card_id": 7}, "more": 1}, "the body is"),
        ({"key": {}}, "which rows are to be erased"),
        ({"key": {"crad_id": 7}}, "has no column 'crad_id'"),
        ({"key": {"card_id": "seven"}}, "cannot be a value of column 'card_id'"),
    ],
)
def test_what_cannot_be_erased_is_said(web: Web, body: object, reason: str) -> None:
    answer = web.send("DELETE", PATH, body)
    assert answer.status == 422
    assert reason in answer.detail


def test_erasing_takes_the_scope_admin(served: Served, web: Web) -> None:
    key = keys.create(served.project.storage, ["read", "write"], f"writer-{uuid.uuid4()}")
    other = web.another(key)
    assert other.send("DELETE", PATH, {"key": {"card_id": 7}}).status == 403
    other.close()


def test_a_column_is_added_while_it_serves(own: Served) -> None:
    web, table = own.web, own.project.table("transactions")
    assert web.post(PATH, row(300)).status == 200
    table.add_column("channel", "VARCHAR", default="web")
    own.project.define("channels", "SELECT card_id, channel FROM transactions").deploy()
    assert web.post("/v1/features/marker", row(300) | {"channel": "shop"}).json["features"]["marker"] == 1
    assert web.post(PATH, [row(300) | {"channel": "app"}, row(300)]).status == 200
    assert web.post("/v1/features/marker?append=true", row(300) | {"channel": "shop"}).status == 200
    assert web.post("/v1/features/marker?append=true", row(300)).status == 200
    found = own.project.sql("SELECT channel FROM transactions WHERE card_id = 300").to_pyarrow()
    assert sorted(found.column("channel").to_pylist()) == ["app", "shop", "web", "web", "web"]
    asked = web.post("/v1/features/channels", row(300) | {"channel": "app"}).json
    assert asked["features"]["channel"] == "app"


def test_a_server_has_a_process_that_keeps_house(own: Served) -> None:
    storage = own.project.storage
    deadline = time.monotonic() + 30
    while (state := storage.housekeeping()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert own.web.post(PATH, row(301)).status == 200
    storage.flush_soon("transactions")
    while own.project.table("transactions").stats().log_rows:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop_server(own.path)
    while is_running(state.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert storage.housekeeping() is None
