"""The check compares every value of its sample, counts honestly, and finds what was planted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

import workbench
from tests import shop
from tests.plan.conftest import NAMES, SNAPSHOTS
from workbench.consistency import check as check_module
from workbench.errors import WorkbenchError
from workbench.online import Answer, Engine
from workbench.online.compiled.drivers import CompiledDrivers
from workbench.storage import IndexReader

LOGGED = """SELECT id, count(*) OVER l AS logins, max(score) OVER l AS best
FROM tx WINDOW l AS (FROM logins PARTITION BY card ORDER BY at)"""


@pytest.mark.parametrize("name", NAMES)
def test_request_and_offline_agree_on_the_catalogue(project: Any, name: str) -> None:
    view = project.define(f"c_{name}", (SNAPSHOTS / f"{name}.sql").read_text())
    report = view.check("all")
    assert report.ok, repr(report)
    assert report.complete and report.rows == report.total_rows > 0


def test_a_whole_check_counts_every_value_and_needs_no_bound(project: Any) -> None:
    view = project.define("whole", shop.VIEW)
    report = view.check()
    assert (report.view, report.rows, report.total_rows, report.complete) == ("whole", 60, 60, True)
    assert (report.compared, report.different, report.by_feature, report.examples) == (300, 0, {}, ())
    assert report.bound is None and report.cut == project.storage.last_seq()
    assert sum(report.drivers.values()) == 60
    assert (
        report.summary() == "whole: 300 values of 60 rows compared, all equal; every stored row was checked"
    )
    assert "✓" in report._repr_html_()


def test_times_that_python_cannot_hold_are_texts_on_both_sides(project: Any) -> None:
    view = project.define(
        "beyond", "SELECT ts + INTERVAL 9000 YEAR AS late, ts::DATE - 1000000 AS early FROM tx"
    )
    assert view.request(shop.TX_ROWS[0]) == {"late": "11024-01-01 00:30:00", "early": "0715-02-03 (BC)"}
    report = view.check("all")
    assert report.compared == 120 and report.ok


def test_a_sample_says_what_is_not_known_of_the_rest(project: Any) -> None:
    report = project.define("some", shop.VIEW).check(30)
    assert (report.rows, report.compared, report.complete) == (30, 150, False)
    assert report.bound == pytest.approx(3 / 30)
    assert "of the 30 rows not sampled at most 10.000% differ (95 %)" in report.summary()
    assert report.to_dict()["bound"] == report.bound
    assert project.view("some").check(2).bound == 1.0, "never more than all of them"


def test_rows_that_the_view_leaves_out_are_compared_too(project: Any) -> None:
    report = project.define("large", "SELECT id, n FROM tx WHERE amount > 1").check()
    kept = sum(row["amount"] is not None and row["amount"] > 1 for row in shop.TX_ROWS)
    assert report.ok and (report.rows, report.compared) == (60, 2 * kept + 60 - kept)
    nothing = project.define("nothing", "SELECT id FROM tx WHERE id < 0").check()
    assert nothing.ok and nothing.compared == 60


def test_an_empty_table_has_nothing_to_compare(project: Any) -> None:
    project.create_table("empty", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts")
    report = project.define("of_empty", "SELECT k FROM empty").check()
    assert (report.rows, report.compared, report.bound) == (0, 0, None)
    assert "nothing to compare" in report.summary()


@pytest.mark.parametrize("rows", [0, -5, 1.5, "some", None])
def test_how_many_is_a_number_or_all(project: Any, rows: Any) -> None:
    view = project.define("whole", shop.VIEW)
    with pytest.raises(WorkbenchError, match="rows is a whole number, at least 1"):
        view.check(rows)


def test_progress_rises_to_done(project: Any) -> None:
    shares: list[float] = []
    project.define("whole", shop.VIEW).check(progress=lambda step, done: shares.append(done))
    assert shares == sorted(shares) and shares[-1] == 1.0


# -- planted differences


def corrupt(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let requests answer with what ``change`` makes of an answer and the seq of its row."""
    replay = Engine.replay

    def corrupted(self: Engine, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> list[Answer]:
        return [change(answer, seq) for answer, seq in zip(replay(self, rows, seqs, cut), seqs, strict=True)]

    monkeypatch.setattr(Engine, "replay", corrupted)


def seq_of(project: Any, id: int) -> int:
    with project.storage.snapshot() as snapshot, project.storage.connect() as connection:
        relation = snapshot.relation(connection, "tx")
        (seq,) = connection.execute(f"SELECT __seq FROM {relation} WHERE id = {id}").fetchone()
    return int(seq)


@pytest.mark.parametrize(
    ("feature", "value"),
    [("cnt", 99), ("cnt", None), ("total", 1e-6), ("total", float("nan")), ("best", "9")],
)
def test_one_wrong_value_is_found_and_its_row_is_named(
    project: Any, monkeypatch: pytest.MonkeyPatch, feature: str, value: Any
) -> None:
    wrong = seq_of(project, 40)

    def change(answer: Answer, seq: int | None) -> Answer:
        if seq != wrong:
            return answer
        features = dict(answer.features or {})
        features[feature] = features[feature] + value if value == 1e-6 else value
        return msgspec.structs.replace(answer, features=features)

    corrupt(monkeypatch, change)
    if value == "9":
        with pytest.raises(Exception):  # noqa: B017 - a value of another type does not even pass the codec
            project.define("whole", shop.VIEW).check()
        return
    report = project.define("whole", shop.VIEW).check()
    assert (report.different, report.by_feature, report.ok) == (1, {feature: 1}, False)
    assert report.bound is None
    (example,) = report.examples
    assert (example.feature, example.seq, example.row["id"], example.row["card"]) == (
        feature, wrong, 40, shop.TX_ROWS[40]["card"],
    )  # fmt: skip
    assert "1 different" in report.summary()
    assert f"{feature}: offline" in repr(report) and "'id': 40" in repr(report)
    assert "✗" in report._repr_html_() and feature in report._repr_html_()


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("exact", [True, False])
def test_a_last_bit_of_a_float_is_a_difference_where_kernels_compute_both_sides(
    project: Any, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    def change(answer: Answer, seq: int | None) -> Answer:
        features = dict(answer.features or {})
        features["total"] = features["total"] and features["total"] * (1 + 1e-12)
        return msgspec.structs.replace(answer, features=features)

    corrupt(monkeypatch, change)
    if not exact:
        monkeypatch.setattr("workbench.offline.features.load_kernels", lambda *_: False)
    report = project.define("whole", shop.VIEW).check()
    assert (report.ok, report.exact_rows) == ((False, report.rows) if exact else (True, 0))


def test_a_row_that_only_one_side_leaves_out(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    view = project.define("large", "SELECT id, n FROM tx WHERE amount > 1")
    kept, left = (
        seq_of(
            project,
            next(r["id"] for r in shop.TX_ROWS if r["amount"] is not None and (r["amount"] > 1) == large),
        )
        for large in (True, False)
    )

    def change(answer: Answer, seq: int | None) -> Answer:
        if seq == kept:
            return msgspec.structs.replace(answer, features=None, reason="left out")
        return (
            msgspec.structs.replace(answer, features={"id": 1, "n": 2}, reason=None)
            if seq == left
            else answer
        )

    corrupt(monkeypatch, change)
    report = view.check()
    assert report.by_feature == {"id": 1, "n": 1, "WHERE": 1}
    assert {example.seq for example in report.examples} == {kept, left}


def test_many_differences_are_counted_and_the_first_are_shown(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt(
        monkeypatch,
        lambda answer, seq: msgspec.structs.replace(answer, features={**answer.features, "cnt": -1}),
    )
    report = project.define("whole", shop.VIEW).check()
    assert (report.different, len(report.examples)) == (60, check_module.EXAMPLES)


def test_a_row_missing_from_an_index_is_found(own_project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    view = own_project.define("logged", LOGGED)
    assert view.check("all").ok
    read = IndexReader.read

    def short(self: IndexReader, key: tuple[Any, ...], *args: Any, **options: Any) -> pa.Table:
        rows = read(self, key, *args, **options)
        return rows.slice(1) if key == ("b",) and rows.num_rows > 1 else rows

    monkeypatch.setattr(IndexReader, "read", short)
    monkeypatch.setattr(CompiledDrivers, "answer", lambda self, rows, seqs, cut: [None] * rows.num_rows)
    report = view.check("all")
    assert report.by_feature["logins"] > 0
    assert {example.row["card"] for example in report.examples} == {"b"}
    assert all(
        example.offline == example.request + 1 for example in report.examples if example.feature == "logins"
    )


def test_places_by_id_are_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = workbench.open(tmp_path)
    rows = [{"id": f"r{i}", "ts": datetime(2024, 1, 1), "k": i % 2} for i in range(6)]
    project.create_table("t", rows, time="ts", id="id")
    view = project.define("v", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts) AS n FROM t")
    report = view.check("all")
    assert (report.compared, report.different) == (12, 0)
    seqs = IndexReader.seqs
    monkeypatch.setattr(IndexReader, "seqs", lambda self, ids: [1, *seqs(self, ids)[1:-1], None])
    report = view.check("all")
    assert (report.by_feature, report.examples[0].row) == ({"place by id": 1}, {"id": "r5"})
