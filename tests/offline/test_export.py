"""Training sets as CSV and LIBSVM: read back, and their hashes beside those that OpenMLDB's own suite expects."""

from __future__ import annotations

import csv
import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_svmlight_file

import workbench
from workbench.errors import NotFound, RowError, WorkbenchError
from workbench.kernels.farmhash import fingerprint
from workbench.offline import Result
from workbench.offline.hashing import hashes
from workbench.values.types import duckdb_type

ROWS: dict[str, list[Any]] = {
    "y": [True, False, True, False],
    "x": [0.1, -1.5e300, None, 1 / 3],
    "n": [1, None, -7, 2**53 + 1],
    "city": ["Bern", None, "", 'a "b", c'],
    "word": ["p", "q", "r", "p"],
    "z": [1.5, 2.5, 3.5, 4.5],
}


def result(
    rows: dict[str, list[Any]], kinds: dict[str, str] | None = None, label: tuple[str, ...] = ()
) -> Result:
    from workbench.plan.kinds import parse_kind

    table = pa.table(rows)
    batches = table.to_batches(max_chunksize=3)
    return Result(
        {field.name: duckdb_type(field.type) for field in table.schema},
        lambda: pa.RecordBatchReader.from_batches(table.schema, batches),
        kinds={name: parse_kind(kind) for name, kind in (kinds or {}).items()},
        label=label,
    )


# -- hashes


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (0, pa.int32(), -470600885322160961),
        (3, pa.int32(), 2681491882390849628),
        (1, pa.int64(), 5925585971146611297),
        (55, pa.int16(), -8280049305495806603),
        ("g1", pa.string(), 3208330103598489124),
        (2.0, pa.float64(), 1446482599179445476),
        (4.4, pa.float32(), -2386882153598325791),
        (datetime(2020, 5, 22, 2, 43, 40), pa.timestamp("us"), 4361965398422314040),
        (datetime(2020, 7, 15).date(), pa.date32(), -8740639806462273876),
        (True, pa.bool_(), 5161771770385946686),
        (False, pa.bool_(), -4728684028706075820),
        (None, pa.string(), None),
    ],
)
def test_hashes_are_those_of_openmldb(value: Any, type_: pa.DataType, expected: int | None) -> None:
    assert hashes(pa.array([value, value], type_)).to_pylist() == [expected, expected]


def test_a_bucket_is_the_unsigned_hash_modulo_their_number() -> None:
    assert fingerprint(b"a") < 0
    expected = (fingerprint(b"a") % 2**64) % 1000
    assert hashes(pa.array(["a", None]), 1000).to_pylist() == [expected, None]


# -- CSV


def test_floats_of_a_csv_read_back_as_the_same_floats(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = [*rng.standard_normal(500), *(rng.standard_normal(500) * 10.0 ** rng.integers(-300, 300, 500))]
    small = rng.standard_normal(1000) * 10.0 ** rng.integers(-40, 37, 1000)
    path = result({"x": values, "f": pa.array(np.float32(small))}).to_csv(tmp_path / "a.csv")
    with path.open() as file:
        read = list(csv.DictReader(file))
    assert [float(row["x"]) for row in read] == values
    assert [np.float32(row["f"]) for row in read] == list(np.float32(small))


def test_a_csv_tells_null_from_an_empty_text(tmp_path: Path) -> None:
    path = result(ROWS).to_csv(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    assert lines[0] == '"y","x","n","city","word","z"'
    assert lines[1] == 'true,0.1,1,"Bern","p",1.5'
    assert lines[2] == 'false,-1.5e+300,,,"q",2.5'
    assert lines[3] == 'true,,-7,"","r",3.5'
    assert lines[4] == 'false,0.3333333333333333,9007199254740993,"a ""b"", c","p",4.5'
    assert result(ROWS).to_csv(tmp_path / "b.csv", header=False).read_text().splitlines() == lines[1:]


def test_what_is_said_to_be_discrete_is_hashed_in_a_csv(tmp_path: Path) -> None:
    made = result(ROWS, {"city": "discrete", "word": "discrete:10"})
    frame = pd.read_csv(made.to_csv(tmp_path / "a.csv"), dtype={"city": "Int64"})
    assert frame["city"].tolist()[0] == fingerprint(b"Bern")
    assert frame["city"].isna().tolist() == [False, True, False, False]
    assert frame["word"].tolist() == [fingerprint(word.encode()) % 2**64 % 10 for word in ROWS["word"]]
    plain = pd.read_csv(made.to_csv(tmp_path / "b.csv", discrete="value"))
    assert plain["word"].tolist() == ROWS["word"]


def test_lists_and_structs_are_json_in_a_csv(tmp_path: Path) -> None:
    nested = {"l": [[1, 2], None], "s": [{"a": 1.5}, {"a": None}]}
    frame = pd.read_csv(result(nested).to_csv(tmp_path / "a.csv"))
    assert json.loads(frame["l"][0]) == [1, 2] and pd.isna(frame["l"][1])
    assert json.loads(frame["s"][0]) == {"a": 1.5}


def test_the_csv_of_openmldb(tmp_path: Path) -> None:
    rows = {
        "y": pa.array([6]),
        "x": [1.5],
        "k": pa.array([3], pa.int32()),
        "e": pa.array([None], pa.float64()),
        "n": [3],
        "b": [True],
    }
    made = result(rows, {"y": "multiclass_label", "k": "discrete"})
    text = made.to_csv(tmp_path / "a.csv", format="openmldb").read_text()
    assert text == "6,1.500000,2681491882390849628,,3,1\n"


# -- LIBSVM


def test_a_libsvm_file_reads_back(tmp_path: Path) -> None:
    made = result(ROWS, {"y": "binary_label", "word": "discrete:10"})
    path = made.to_libsvm(tmp_path / "a.svm", buckets=100)
    slots = made.libsvm_slots(buckets=100)
    assert slots == {
        "x": range(1, 2),
        "n": range(2, 3),
        "city": range(3, 103),
        "word": range(103, 113),
        "z": range(113, 114),
    }
    x, y = load_svmlight_file(str(path), n_features=113, zero_based=False)
    assert y.tolist() == [1, 0, 1, 0]
    dense = x.toarray()
    assert dense[:, 0].tolist() == [0.1, -1.5e300, 0.0, 1 / 3]
    assert dense[:, 1].tolist() == [1, 0, -7, 2**53]
    assert dense[:, 112].tolist() == ROWS["z"]
    for row, (city, word) in enumerate(zip(ROWS["city"], ROWS["word"], strict=True)):
        expected = np.zeros(110)
        if city is not None:
            expected[fingerprint(city.encode()) % 2**64 % 100] = 1
        expected[100 + fingerprint(word.encode()) % 2**64 % 10] = 1
        assert dense[row, 2:112].tolist() == expected.tolist()


def test_the_libsvm_of_openmldb(tmp_path: Path) -> None:
    rows = {
        "y": [6],
        "x": [1.5],
        "k": pa.array([3], pa.int32()),
        "e": pa.array([None], pa.float64()),
        "w": [0.1],
    }
    made = result(rows, {"y": "multiclass_label", "k": "discrete"})
    text = made.to_libsvm(tmp_path / "a.svm", format="openmldb").read_text()
    assert text == "6 1:1.500000 2681491882390849628:1 3:0.100000\n"


def test_special_floats_of_a_libsvm_file(tmp_path: Path) -> None:
    made = result({"y": [1.5, -2.25], "x": [math.inf, math.nan]}, label=("y",))
    x, y = load_svmlight_file(str(made.to_libsvm(tmp_path / "a.svm")))
    assert y.tolist() == [1.5, -2.25]
    assert x.toarray()[0, 0] == math.inf and math.isnan(x.toarray()[1, 0])


@pytest.mark.parametrize(
    ("rows", "arguments", "error", "message"),
    [
        ({"x": [1.0]}, {}, WorkbenchError, "no column is the label"),
        ({"x": [1.0]}, {"label": "y"}, NotFound, "no column 'y' to be the label"),
        ({"x": [1], "y": [1]}, {"kinds": {"x": "binary_label", "y": "binary_label"}}, WorkbenchError, "x, y are all"),
        ({"x": [1.0], "y": [1]}, {"label": "y", "kinds": {"x": "binary_label"}}, WorkbenchError, "BOOLEAN or an"),
        ({"x": [1.0], "y": [1]}, {"label": "y", "kinds": {"x": "regression_label"}}, WorkbenchError, "another label"),
        ({"x": [datetime(2024, 1, 1)], "y": [1]}, {"label": "y"}, WorkbenchError, "cannot be a feature"),
        ({"x": [[1]], "y": [1]}, {"label": "y"}, WorkbenchError, "cannot be a feature"),
        ({"x": [1, 2, 3, 4], "y": [1, 1, 1, None]}, {"label": "y"}, RowError, "row 3 has no label"),
        ({"x": [1.0], "y": [1]}, {"label": "y", "kinds": {"z": "discrete"}}, NotFound, "no column 'z' to give a kind"),
        ({"x": [1.0], "y": [1]}, {"label": "y", "kinds": {"x": "discreet"}}, WorkbenchError, "did you mean 'discrete'"),
        ({"x": [1.0], "y": [1]}, {"label": "y", "kinds": {"x": "discrete:0"}}, WorkbenchError, "is not a kind"),
        ({"x": ["a"], "y": [1]}, {"label": "y", "kinds": {"x": "continuous"}}, WorkbenchError, "takes a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_libsvm_file(
    tmp_path: Path, rows: dict[str, Any], arguments: dict[str, Any], error: type[WorkbenchError], message: str
) -> None:
    with pytest.raises(error, match=message):
        result(rows).to_libsvm(tmp_path / "a.svm", **arguments)


# -- from a query


def test_kinds_go_from_the_query_to_the_file(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "p")
    project.create_table(
        "tx", {"ts": "TIMESTAMP", "k": "VARCHAR", "x": "BIGINT", "bad": "BOOLEAN"}, time="ts"
    )
    start = datetime(2024, 1, 1)
    project.table("tx").append(
        [{"ts": start + timedelta(hours=n), "k": "ab"[n % 2], "x": n, "bad": n % 3 == 0} for n in range(6)]
    )
    view = project.define(
        "v", "SELECT discrete(k, 8), continuous(sum(x) OVER w) AS s, binary_label(bad) AS y FROM tx "
        "WINDOW w AS (PARTITION BY k ORDER BY ts)"
    )  # fmt: skip
    assert view.schema == {"k": "VARCHAR", "s": "BIGINT", "y": "BOOLEAN"}
    assert {name: str(kind) for name, kind in view.plan.kinds.items()} == {
        "k": "discrete:8", "s": "continuous", "y": "binary_label",
    }  # fmt: skip
    assert view.request({"ts": start, "k": "a", "x": 5, "bad": True}) == {"k": "a", "s": 5, "y": True}
    assert view.check(rows="all").ok
    x, y = load_svmlight_file(str(view.offline().to_libsvm(tmp_path / "a.svm")), n_features=9)
    assert y.tolist() == [1, 0, 0, 1, 0, 0]
    assert x.toarray()[:, 8].tolist() == [0, 1, 2, 4, 6, 9]
    assert view.plan.hash != project.define("w", view.sql.replace("k, 8", "k, 9")).plan.hash
    made = project.training_set(
        "tx", ["v"], label="bad", exclude=["y", "ts", "x"], kinds={"k": "discrete:16"}
    )
    assert made.metadata["kinds"] == "k=discrete:16, s=continuous"
    assert list(made.libsvm_slots()) == ["k", "s"]
