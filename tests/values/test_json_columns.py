"""The fast way from JSON to columns stores exactly what the other way stores, or leaves the body to it."""

import json
import random
from typing import Any

import pyarrow as pa
import pytest

from workbench.errors import RowError
from workbench.serving.bodies import json_rows, ndjson_rows
from workbench.serving.problems import Problem
from workbench.values.coerce import to_table
from workbench.values.json_columns import json_columns

COLUMNS = {
    "id": "BIGINT",
    "small": "TINYINT",
    "x": "DOUBLE",
    "single": "FLOAT",
    "price": "DECIMAL(18,3)",
    "name": "VARCHAR",
    "ok": "BOOLEAN",
    "at": "TIMESTAMP",
    "day": "DATE",
    "huge": "HUGEINT",
    "tags": "VARCHAR[]",
    "odd 'name' :": "BLOB",
}
VALUES: dict[str, list[Any]] = {
    "id": [0, -5, 2**63 - 1, 2**63, 3.0, 3.5, "7", True],
    "small": [1, 127, 128, -129],
    "x": [1, 1.5, -0.0, 2**53 + 1, 2**60, 1e300, "NaN", "Infinity", True],
    "single": [1, 1.5, 0.1, 1e300],
    "price": [1, 1.5, "1.234", "1.2345"],
    "name": ["", "a", 'say ":"', "é", "\ud800", " x", 1, '{"id": 1}'],
    "ok": [True, False, 1],
    "at": [
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04:05.5",
        "2026-01-02T03:04:05.123456+02:00",
        "2026-01-02T03:04:05.1234567Z",
        "0000-01-02T03:04:05",
        "2026-02-30T00:00:00",
        "2026-01-02",
        "20260102T030405",
        1,
    ],
    "day": ["2026-01-02", "2026-01-02T00:00:00", "2026-13-01", "0000-01-01", 1],
    "huge": [1, str(2**100), 2**100],
    "tags": [["a", None], [], "a"],
    "odd 'name' :": ["AAAA", "not base64"],
}


def official(body: bytes, lines: bool) -> pa.Table | None:
    try:
        return to_table(COLUMNS, ndjson_rows(body) if lines else json_rows(body)[0])
    except (RowError, Problem):
        return None


def row(random: random.Random, unusual: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in VALUES.items():
        if random.random() < 0.1:
            continue
        found[name] = random.choice(values) if random.random() < unusual else random.choice([values[0], None])
    if random.random() < unusual / 4:
        found["unknown"] = 1
    return found


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_store_the_same(seed: int) -> None:
    print("seed", seed)
    chosen = random.Random(seed)
    decoder, fast = json_columns(COLUMNS), 0
    for number in range(250):
        rows = [row(chosen, (0, 0, 0.1, 0.5)[number % 4]) for _ in range(chosen.randint(1, 6))]
        lines = chosen.random() < 0.3
        separators = chosen.choice([None, (",", ":"), (", ", " : ")])
        texts = [json.dumps(one, separators=separators) for one in rows]
        body = ("\n".join(texts) if lines else f"[{','.join(texts)}]").encode()
        if chosen.random() < 0.1:  # a name is there twice
            body = body.replace(b'{"', b'{"id" :1,"', 1)
        found = decoder.table(body, lines=lines)
        fast += found is not None
        if found is not None:
            expected = official(body, lines)
            assert expected is not None and expected.schema.equals(found.schema)
            assert repr(expected.to_pylist()) == repr(found.to_pylist()), body
    assert fast > 60


def test_what_is_usual_goes_the_fast_way() -> None:
    rows = [{name: values[0] for name, values in VALUES.items()}] * 3
    decoder = json_columns(COLUMNS)
    for body, lines in [
        (json.dumps(rows).encode(), False),
        (json.dumps(rows[0]).encode(), False),
        ("\n".join(json.dumps(one) for one in rows).encode() + b"\n\n", True),
        (json.dumps(rows, indent=1).encode(), False),
    ]:
        found = decoder.table(body, lines=lines)
        assert found is not None and found.equals(official(body, lines))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[1]",
        b"1",
        b'[{"id": 1}, 2]',
        b'[{"id": 1',
        b'[{"id": 1, "id": 2}]',
        b'[{"ID": 1}]',
        b"\xff",
    ],
)
def test_the_rest_is_left_to_the_other_way(body: bytes) -> None:
    assert json_columns({"id": "BIGINT"}).table(body) is None


def test_a_required_column_is_not_made_up() -> None:
    assert json_columns({"id": "BIGINT", "x": "DOUBLE"}, ["x"]).table(b'[{"id": 1}]') is None
    assert json_columns({"id": "BIGINT", "x": "DOUBLE"}).table(b'[{"id": 1}]') is not None
