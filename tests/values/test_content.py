"""The fingerprint sees values, and nothing of how Arrow lays them out."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from tests.values.samples import STORED_TYPES, seed, values
from workbench.values.coerce import to_table
from workbench.values.content import Fingerprint


def fingerprint(*parts: pa.Table) -> str:
    running = Fingerprint(parts[0].schema)
    for part in parts:
        running.add(part)
    return running.hex()


@pytest.mark.parametrize("kind", STORED_TYPES)
def test_cutting_and_offsets_do_not_matter_but_every_value_does(kind: str) -> None:
    rng = random.Random(seed())
    rows = to_table({"x": kind}, [{"x": value} for value in values(kind, rng, 60)])
    whole = fingerprint(rows)
    cut = sorted(rng.sample(range(61), 3))
    assert fingerprint(*(rows.slice(a, b - a) for a, b in zip([0, *cut], [*cut, 60], strict=True))) == whole
    assert fingerprint(to_table({"x": kind}, rows.to_pylist())) == whole
    for at in rng.sample(range(60), 5):
        changed = rows["x"].to_pylist()
        changed[at] = (
            next(v for v in values(kind, rng, 1000) if v is not None) if changed[at] is None else None
        )
        assert fingerprint(to_table({"x": kind}, [{"x": value} for value in changed])) != whole


def test_what_lies_under_nulls_does_not_matter() -> None:
    clean = pa.table({"x": pa.array([1, None])})
    data = pa.array([1, 99]).buffers()[1]
    dirty = pa.table({"x": pa.Array.from_buffers(pa.int64(), 2, [clean["x"].chunk(0).buffers()[0], data])})
    assert dirty["x"].to_pylist() == [1, None]
    assert fingerprint(dirty) == fingerprint(clean)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"x": [1, 2]}, {"x": [2, 1]}),
        ({"x": ["ab", "c"]}, {"x": ["a", "bc"]}),
        ({"x": [[1], [2, 3]]}, {"x": [[1, 2], [3]]}),
        ({"x": [[1], []]}, {"x": [[1], None]}),
        ({"x": [""]}, {"x": pa.array([None], pa.string())}),
        ({"x": [1]}, {"y": [1]}),
        ({"x": [1]}, {"x": [1.0]}),
        ({"x": [1]}, {"x": [1, 1]}),
    ],
)
def test_rows_that_differ(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert fingerprint(pa.table(left)) != fingerprint(pa.table(right))
