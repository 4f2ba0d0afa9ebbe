"""Stages on kernels give what DuckDB gives: for stored rows, spines, several partitions, and beside what has none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import workbench as wb
from workbench.errors import RowError
from workbench.kernels import warm
from workbench.offline import OfflineFeatures, sorted_rows
from workbench.offline.kernel_parts import uses_kernels
from workbench.plan.kernel_bulk import whole_in_bulk

ROWS = 3000

QUERIES = {
    "history": """
        SELECT id, count(*) OVER w AS n, sum(x) OVER w AS sx, avg(i) OVER w AS ai, min(s) OVER w AS least,
            max(d) OVER w AS latest, stddev_samp(x) OVER r AS spread, first(s) OVER r AS oldest, last(x) OVER r AS x0,
            lag(s, 2) OVER r AS before, count(DISTINCT s) OVER w AS kinds, median(x) OVER r AS middle,
            sum(p) OVER w AS money, max(b) OVER w AS any_b, min(t) OVER w AS since, sum(x) OVER e AS others
        FROM tx WINDOW w AS (PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW),
            r AS (PARTITION BY k ORDER BY t ROWS BETWEEN 9 PRECEDING AND CURRENT ROW),
            e AS (PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 2d PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW)
    """,
    "other table": """
        SELECT id, count(*) OVER w AS n, count(*) FILTER (WHERE s = tx.s) OVER w AS same, avg(x) OVER w AS mean,
            sum(x) FILTER (WHERE i > 0) OVER w AS positive, max(s) OVER w AS greatest
        FROM tx WINDOW w AS (FROM ev WHERE b PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 3d PRECEDING AND 1s PRECEDING)
    """,
    "united": """
        SELECT id, count(*) OVER w AS n, sum(x) OVER w AS sx, first(s) OVER w AS oldest
        FROM tx WINDOW w AS (UNION ev PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 2d PRECEDING AND CURRENT ROW)
    """,
    "not the instance": """
        SELECT id, sum(x) OVER w AS sx, count(*) OVER w AS n
        FROM tx WINDOW w AS (UNION ev PARTITION BY k ORDER BY t ROWS BETWEEN 20 PRECEDING AND CURRENT ROW
            INSTANCE_NOT_IN_WINDOW EXCLUDE CURRENT_TIME MAXSIZE 7)
    """,
    "beside lists": """
        SELECT id, avg(x) OVER w AS mean, string_agg(s, ',') OVER w AS words, list(i) OVER v AS numbers
        FROM tx WINDOW w AS (PARTITION BY k ORDER BY t ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
            v AS (PARTITION BY s ORDER BY t ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)
    """,
    "computed rows": """
        SELECT id, sum(z) OVER w AS sz, max(z) OVER w AS top FROM (
            SELECT id, k, t, x * 2 + count(*) OVER (PARTITION BY s ORDER BY t ROWS BETWEEN 5 PRECEDING AND CURRENT ROW)
                AS z FROM tx) q
        WINDOW w AS (PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
    """,
    "filtered": """
        SELECT id, sum(x) OVER w AS sx FROM tx WHERE i > 0
        WINDOW w AS (PARTITION BY k ORDER BY t ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
    """,
    "no key": """
        SELECT id, sum(x) OVER w AS sx, count(*) OVER w AS n FROM tx
        WINDOW w AS (ORDER BY t ROWS_RANGE BETWEEN 2h PRECEDING AND CURRENT ROW)
    """,
}


def rows_of(seed: int, count: int) -> pa.Table:
    """Rows with ties, NULLs, NULL keys; every lane."""
    random = np.random.default_rng(seed)

    def some(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=random.random(count) < 0.1)

    cents = random.integers(-999, 999, count)
    times = np.sort(random.integers(0, 86_400 * 20, count)) * 1_000_000
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "k": some(random.integers(0, 12, count) ** 2, pa.int64()),
            "t": pa.array(times, pa.timestamp("us")),
            "x": some(random.normal(size=count) * 10.0 ** random.integers(-2, 5, count), pa.float64()),
            "i": some(random.integers(-50, 50, count), pa.int32()),
            "s": some(random.choice(["", "a", "bb", "Zürich", "東京"], count), pa.string()),
            "d": some(random.integers(19_000, 20_000, count).astype(np.int32), pa.int32()).cast(pa.date32()),
            "b": some(random.random(count) < 0.5, pa.bool_()),
            "p": pa.array([None if n == 3 else Decimal(int(n)) / 100 for n in cents], pa.decimal128(12, 2)),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    project = wb.open(tmp_path_factory.mktemp("kernels") / "project")
    project.create_table("tx", rows_of(1, ROWS), time="t")
    project.create_table("ev", rows_of(2, ROWS), time="t")
    yield project
    project.close()


class OnDuckDB(OfflineFeatures):
    """Computes all windows with DuckDB."""

    def _has_kernels(self, compile: bool) -> bool:
        return False


def spine() -> list[dict[str, Any]]:
    """Rows that are not stored, of known and unknown keys and times in between."""
    row = {"x": 1.5, "i": 3, "s": "bb", "d": None, "b": True, "p": "1.25", "id": 0}
    return [
        {**row, "id": n, "k": k, "t": f"1970-01-{day:02d}T12:00:00"}
        for n, (k, day) in enumerate((k, day) for k in (0, 1, 25, 7777, None) for day in (1, 9, 20, 28))
    ]


def same(left: pa.Table, right: pa.Table) -> None:
    """Equal, floats within the digits that DuckDB's sums have."""
    assert left.schema == right.schema and left.num_rows == right.num_rows
    for name in left.column_names:
        pairs = zip(left.column(name).to_pylist(), right.column(name).to_pylist(), strict=True)
        for row, (a, b) in enumerate(pairs):
            close = (
                isinstance(a, float)
                and isinstance(b, float)
                and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
            )
            assert a == b or close, (name, row, a, b)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", QUERIES)
def test_values_are_those_of_duckdb(project: Any, name: str) -> None:
    plan = project.define("v", QUERIES[name]).plan
    assert uses_kernels(plan)
    kernels, duckdb = OfflineFeatures(project.storage, plan), OnDuckDB(project.storage, plan)
    same(kernels.stored().to_pyarrow(), duckdb.stored().to_pyarrow())
    same(kernels.spine(spine()).to_pyarrow(), duckdb.spine(spine()).to_pyarrow())
    same(
        kernels.at(range(5, ROWS, 7), ROWS - 400).to_pyarrow(),
        duckdb.at(range(5, ROWS, 7), ROWS - 400).to_pyarrow(),
    )
    same(kernels.preview(15).to_pyarrow(), duckdb.preview(15).to_pyarrow())


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", ["history", "other table", "united"])
def test_partitions_change_no_bit(project: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = project.define("v", QUERIES[name]).plan
    whole = OfflineFeatures(project.storage, plan).stored().to_pyarrow()
    monkeypatch.setattr(sorted_rows, "PARTITION_BYTES", 60_000)
    steps: list[tuple[str, float]] = []
    parts = (
        OfflineFeatures(project.storage, plan, lambda what, done: steps.append((what, done)))
        .stored()
        .to_pyarrow()
    )
    assert parts.equals(whole)
    shares = [done for _, done in steps]
    assert shares == sorted(shares) and len(steps) > 8


@pytest.mark.usefixtures("kernels")
def test_stored_rows_in_a_spine_have_the_bits_of_their_own(project: Any) -> None:
    plan = project.define("v", QUERIES["history"]).plan
    offline = OfflineFeatures(project.storage, plan)
    whole = offline.stored().to_pyarrow()
    rows = rows_of(1, ROWS).append_column("seq", pa.array(range(ROWS), pa.int64()))
    assert (
        offline.spine(rows.take(pa.array(range(0, ROWS, 11))))
        .to_pyarrow()
        .equals(whole.take(pa.array(range(0, ROWS, 11))))
    )


@pytest.mark.usefixtures("kernels")
def test_what_kernels_refuse_comes_from_duckdb(tmp_path: Any) -> None:
    project = wb.open(tmp_path / "project")
    project.create_table("tx", {"k": "BIGINT", "t": "TIMESTAMP", "x": "DOUBLE", "n": "BIGINT"}, time="t")
    at = "2026-01-01T00:00:0"
    project.table("tx").append(
        [{"k": 1, "t": f"{at}{i}", "x": x, "n": 2**62} for i, x in enumerate((1.0, math.inf))]
    )
    window = "WINDOW w AS (PARTITION BY k ORDER BY t ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)"
    infinite = project.define("a", f"SELECT max(x) OVER w AS m, count(x) OVER w AS c FROM tx {window}")
    assert infinite.offline().to_pyarrow().to_pylist() == [{"m": 1.0, "c": 1}, {"m": math.inf, "c": 2}]
    with pytest.raises(RowError):
        project.define("b", f"SELECT sum(n) OVER w AS s FROM tx {window}").offline().to_pyarrow()
    project.close()


@pytest.mark.usefixtures("kernels")
def test_a_training_set_on_kernels_needs_no_single_thread(project: Any) -> None:
    plan = project.define("v", QUERIES["history"]).plan
    assert whole_in_bulk(plan)
    assert not whole_in_bulk(project.define("v", QUERIES["beside lists"]).plan)
    twice = [OfflineFeatures(project.storage, plan, repeatable=True).stored().to_pyarrow() for _ in range(2)]
    assert twice[0].equals(twice[1])


def test_without_kernels_duckdb_computes(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = project.define("v", QUERIES["history"]).plan
    expected = OnDuckDB(project.storage, plan).stored().to_pyarrow()
    monkeypatch.setattr(warm, "available", lambda: False)
    monkeypatch.setattr(warm, "warm", lambda folder, progress=None: False)
    monkeypatch.setattr(warm, "load", lambda folder: False)
    same(OfflineFeatures(project.storage, plan).stored().to_pyarrow(), expected)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", ["history", "other table", "united", "filtered"])
def test_requests_have_the_same_bits(project: Any, name: str) -> None:
    report = project.define("v", QUERIES[name]).check(600)
    assert report.ok, report
    assert report.drivers["compiled"] == report.rows == report.exact_rows
    assert "floats equal to the bit" in repr(report)
