"""What a caller reads when a request is wrong: the status and the sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.serving.web import Web

RISK = "/v1/features/card_risk"
ROWS = "/v1/tables/transactions/rows"
GOOD = {"card_id": 7, "amount": 4.0}
STORED = {"card_id": 7, "amount": 4.0, "ts": "2026-01-03T00:00:00"}
TEXT = {"Content-Type": "text/plain"}
NDJSON = {"Content-Type": "application/x-ndjson"}
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}


@dataclass(frozen=True)
class Case:
    """A request, and the status and parts of the sentence it must get."""

    name: str
    status: int
    says: tuple[str, ...]
    body: Any = field(default_factory=lambda: dict(GOOD))
    path: str = RISK
    method: str = "POST"
    headers: dict[str, str | None] = field(default_factory=dict)
    field: str | None = None
    row: int | None = None


CASES = [
    # bodies that are not JSON
    Case("not JSON", 400, ("not JSON", "line 1 column 1"), b"card_id=7"),
    Case("cut short", 400, ("not JSON", "unexpected end of data"), b'{"card_id": 7'),
    Case("two documents", 400, ("unexpected content after document",), b'{"card_id": 7}{"card_id": 8}'),
    Case("single quotes", 400, ("not JSON",), b"{'card_id': 7}"),
    Case("trailing comma", 400, ("trailing comma",), b'{"card_id": 7,}'),
    Case("empty body", 400, ("the body is empty",), b""),
    Case("only spaces", 400, ("the body is empty",), b" \n "),
    Case(
        "NaN literal", 400, ("NaN is not a JSON number", 'the string "NaN"'), b'{"card_id": 7, "amount": NaN}'
    ),
    Case(
        "Infinity literal", 400, ("-Infinity is not a JSON number",), b'{"card_id": 7, "amount": -Infinity}'
    ),
    Case(
        "number out of range",
        400,
        ("too large for JSON at line 1 column 26",),
        b'{"card_id": 7, "amount": 1e999}',
    ),
    Case("invalid UTF-8", 400, ("not UTF-8",), b'{"card_id": 7, "amount": 1, "note": "\xff"}'),
    Case("byte order mark", 400, ("byte order mark",), b'\xef\xbb\xbf{"card_id": 7}'),
    Case("lone surrogate", 400, ("surrogate",), b'{"card_id": 7, "note": "\\ud800"}'),
    Case("deep nesting", 400, ("nested deeper than 64",), b'{"tags": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    Case("deep objects", 400, ("nested deeper than 64",), b'{"a":' * 200 + b"1" + b"}" * 200),
    # JSON that is no row
    Case("a number", 422, ("a JSON number", "an object"), b"7"),
    Case("a string", 422, ("a JSON string",), b'"row"'),
    Case("null", 422, ("a JSON null",), b"null"),
    Case(
        "field twice",
        422,
        ("'amount' is given twice",),
        b'{"card_id": 7, "amount": 1, "amount": 2}',
        field="amount",
    ),
    Case(
        "field twice, nested",
        422,
        ("'a' is given twice",),
        b'{"card_id": 7, "note": "\\":", "tags": [{"a":1,"a":2}]}',
    ),
    # fields
    Case("unknown field", 422, ("amuont", "did you mean 'amount'?"), GOOD | {"amuont": 1}, field="amuont"),
    Case("missing field", 422, ("amount",), {"card_id": 7}, field="amount"),
    Case("text for a number", 422, ("card_id", "BIGINT"), GOOD | {"card_id": "seven"}, field="card_id"),
    Case("fraction for an integer", 422, ("card_id", "1.5"), GOOD | {"card_id": 1.5}, field="card_id"),
    Case("integer too big", 422, ("card_id",), GOOD | {"card_id": 2**63}, field="card_id"),
    Case("boolean for a number", 422, ("amount",), GOOD | {"amount": True}, field="amount"),
    Case("list for a number", 422, ("amount",), GOOD | {"amount": [1]}, field="amount"),
    Case("object for a text", 422, ("note",), GOOD | {"note": {}}, field="note"),
    Case("not a time", 422, ("ts", "yesterday"), GOOD | {"ts": "yesterday"}, field="ts"),
    Case("no such day", 422, ("ts",), GOOD | {"ts": "2026-02-30T00:00:00"}, field="ts"),
    Case("nanoseconds", 422, ("ts",), GOOD | {"ts": "2026-01-01T00:00:00.123456789"}, field="ts"),
    Case("null time", 422, ("ts", "leave it out"), GOOD | {"ts": None}, field="ts"),
    Case("time in the future", 422, ("ts", "clock"), GOOD | {"ts": "2999-01-01T00:00:00"}, field="ts"),
    Case("too many decimals", 422, ("price",), GOOD | {"price": "1.2345"}, field="price"),
    Case("not base64", 422, ("payload",), GOOD | {"payload": "***"}, field="payload"),
    # parameters and headers
    Case(
        "unknown parameter",
        422,
        ("apend", "did you mean 'append'?"),
        path=f"{RISK}?apend=true",
        field="apend",
    ),
    Case("parameter twice", 422, ("twice",), path=f"{RISK}?version=1&version=1", field="version"),
    Case("version is no number", 422, ("version must be",), path=f"{RISK}?version=latest", field="version"),
    Case(
        "version is endless", 422, ("version must be",), path=f"{RISK}?version={'9' * 5000}", field="version"
    ),
    Case("append is no boolean", 422, ("append must be",), path=f"{RISK}?append=maybe", field="append"),
    Case("as_of is no time", 422, ("as_of",), path=f"{RISK}?as_of=now", field="as_of"),
    Case("as_of with append", 422, ("as_of",), path=f"{RISK}?append=1&as_of=2026-01-01", field="as_of"),
    Case(
        "token with a space",
        422,
        ("Idempotency-Key",),
        headers={"Idempotency-Key": "a b"},
        field="Idempotency-Key",
    ),
    Case("content type", 415, ("'text/plain'", "application/json"), headers=TEXT),
    Case("charset", 415, ("latin-1", "UTF-8"), headers={"Content-Type": "application/json; charset=latin-1"}),
    Case("compressed", 415, ("gzip", "uncompressed"), headers={"Content-Encoding": "gzip"}),
    Case("NDJSON for features", 415, ("application/json",), headers=NDJSON),
    # names and methods
    Case("unknown view", 404, ("'card_rsk'", "did you mean 'card_risk'?"), path="/v1/features/card_rsk"),
    Case("unknown version", 404, ("version 99", "served: 1"), path=f"{RISK}?version=99"),
    Case("unknown table", 404, ("did you mean 'transactions'?",), path="/v1/tables/transaction/rows"),
    Case("unknown route", 404, ("/v2/features", "/docs"), path="/v2/features/card_risk"),
    Case("empty view", 404, ("no route",), path="/v1/features/"),
    Case("a path in the name", 404, ("no route",), path="/v1/features/a/b"),
    Case("an encoded path in the name", 404, ("no ",), path="/v1/features/..%2f..%2fetc"),
    Case("wrong method", 405, ("does not take GET", "POST"), None, method="GET"),
    Case("wrong method for rows", 405, ("does not take PUT",), None, ROWS, "PUT"),
    Case("wrong method for views", 405, ("does not take POST", "GET"), path="/v1/views"),
    # rows
    Case("row without time", 422, ("ts",), GOOD, ROWS, field="ts"),
    Case(
        "second row wrong",
        422,
        ("card_id",),
        [STORED, STORED | {"card_id": "x"}],
        ROWS,
        field="card_id",
        row=1,
    ),
    Case("row in the future", 422, ("ts",), STORED | {"ts": "2999-01-01"}, ROWS, field="ts"),
    Case("row is no object", 422, ("7",), [STORED, 7], ROWS, row=1),
    Case("bad line", 400, ("line 2",), b'{"card_id": 7}\n{"card_id":', ROWS, headers=NDJSON),
    Case(
        "field twice in a line",
        422,
        ("line 1", "twice"),
        b'{"ok":true,"ok":true}',
        ROWS,
        headers=NDJSON,
        field="ok",
        row=0,
    ),
    Case("no lines", 400, ("empty",), b"\n\n", ROWS, headers=NDJSON),
    Case("not Arrow", 400, ("not an Arrow IPC stream",), b"ARROW1 nonsense", ROWS, headers=ARROW),
    Case("empty Arrow", 400, ("not an Arrow IPC stream",), b"", ROWS, headers=ARROW),
    Case("CSV", 415, ("text/csv", "x-ndjson"), b"a,b", ROWS, headers={"Content-Type": "text/csv"}),
    Case(
        "parameter of rows", 422, ("unknown query parameter",), STORED, f"{ROWS}?append=true", field="append"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_request_gets_its_sentence(web: Web, case: Case) -> None:
    answer = web.send(case.method, case.path, case.body, case.headers)
    detail = answer.detail
    assert answer.status == case.status, detail
    for part in case.says:
        assert part in detail
    if case.field:
        assert answer.json["errors"][0]["field"] == case.field
    if case.row is not None:
        assert answer.json["errors"][0]["row"] == case.row


@pytest.mark.parametrize("path", [RISK, ROWS])
def test_a_body_over_the_limit_is_413(web: Web, path: str) -> None:
    limit = {RISK: 16 << 20, ROWS: 256 << 20}[path]
    answer = web.send("POST", path, b"", {"Content-Length": str(limit + 1)})
    assert answer.status == 413
    assert f"{limit:,} bytes" in answer.detail
    web.close()


def test_a_chunked_body_over_the_limit_is_413(web: Web) -> None:
    many = json.dumps([{"card_id": 7, "note": "x" * 1000}] * 17_000).encode()
    answer = web.post(RISK, many, {"Transfer-Encoding": None})
    assert answer.status == 413


def test_too_many_rows_are_413(web: Web) -> None:
    answer = web.post(RISK, [{}] * 10_001)
    assert answer.status == 413
    assert "10,000" in answer.detail


def test_the_server_still_answers_after_all_that(web: Web) -> None:
    assert web.post(RISK, GOOD).status == 200
