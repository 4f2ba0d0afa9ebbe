"""Training sets: a spine with the features of several views, each as of the row's own time, at one cut."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests import shop
from workbench.errors import Conflict, NotFound, RowError, WorkbenchError

COUNTS = """SELECT count(*) OVER w AS cnt, sum(amount) OVER w AS total
FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"""
LOGINS = "SELECT device, score FROM tx LAST JOIN logins ON tx.card = logins.card"
SPINE: list[dict[str, Any]] = [
    {
        "ts": datetime(2024, 1, 1, 4 + i),
        "card": "abc"[i % 3],
        "amount": float(i),
        "fraud": i % 2 == 0,
        "note": f"n{i}",
    }
    for i in range(6)
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = shop.open_shop(tmp_path_factory.mktemp("training") / "shop")
    opened.define("counts", COUNTS)
    opened.define("logged", LOGINS)
    return opened


def test_the_spine_then_the_features_of_each_view_then_the_label(project: Any) -> None:
    result = project.training_set(SPINE, ["counts", project.view("logged")], label="fraud")
    assert list(result.columns) == [
        "ts",
        "card",
        "amount",
        "note",
        "cnt",
        "total",
        "device",
        "score",
        "fraud",
    ]
    frame = result.to_pandas()
    assert list(frame.columns) == list(result.columns)
    for name in ("counts", "logged"):
        alone = project.view(name).offline(spine=SPINE).to_pandas()
        pd.testing.assert_frame_equal(frame[list(alone.columns)], alone)
    assert frame["fraud"].tolist() == [row["fraud"] for row in SPINE]
    assert frame["note"].tolist() == [row["note"] for row in SPINE]


def test_exclude_leaves_columns_of_the_spine_and_of_views_out(project: Any) -> None:
    result = project.training_set(SPINE, ["counts"], label="fraud", exclude=["note", "total", "ts"])
    assert list(result.to_pandas().columns) == ["card", "amount", "cnt", "fraud"]


@pytest.mark.parametrize(
    "spine",
    [pd.DataFrame(SPINE), [{**row, "ts": row["ts"].isoformat() + "Z"} for row in SPINE]],
    ids=["pandas", "ISO text"],
)
def test_spines_of_other_forms(project: Any, spine: Any) -> None:
    found = project.training_set(spine, ["counts"]).to_pandas()
    assert found["cnt"].tolist() == project.training_set(SPINE, ["counts"]).to_pandas()["cnt"].tolist()


def test_one_view_and_one_column_need_no_list(project: Any) -> None:
    expected = project.training_set(SPINE, ["counts"], exclude=["note"]).to_pandas()
    for view in ("counts", project.view("counts")):
        pd.testing.assert_frame_equal(project.training_set(SPINE, view, exclude="note").to_pandas(), expected)


def test_no_view_and_no_row(project: Any) -> None:
    assert project.training_set(SPINE, []).to_pandas()["note"].tolist() == [row["note"] for row in SPINE]
    assert project.training_set(pd.DataFrame(SPINE).head(0), ["counts"]).to_pandas().shape == (0, 7)


def test_the_metadata_says_which_versions_at_which_cut(project: Any, tmp_path: Path) -> None:
    path = project.training_set(SPINE, ["counts", "logged"], label="fraud").to_parquet(
        tmp_path / "train.parquet"
    )
    views = [project.view("counts"), project.view("logged")]
    metadata = {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}
    assert metadata["workbench.versions"] == "counts@1, logged@1"
    assert metadata["workbench.plan_hashes"] == ", ".join(view.plan.hash for view in views)
    assert metadata["workbench.cut"] == str(project.storage.last_seq())
    assert metadata["workbench.label"] == "fraud"


def test_a_draft_becomes_a_version(project: Any) -> None:
    draft = project.define("drafted", "SELECT n + 1 AS m FROM tx")
    assert draft.version is None
    project.training_set([{"ts": datetime(2024, 1, 2), "n": 3}], [draft])
    assert project.view("drafted").version == 1
    project.training_set([{"ts": datetime(2024, 1, 2), "n": 3}], [draft, "drafted"][:1])
    assert project.view("drafted").version == 1, "an equal plan is the same version"


def test_rows_that_a_view_leaves_out_are_not_in_the_set(project: Any) -> None:
    project.define("large", "SELECT amount * 2 AS twice FROM tx WHERE amount >= 2")
    frame = project.training_set(SPINE, ["counts", "large", "logged"], label="fraud").to_pandas()
    assert frame["amount"].tolist() == [2.0, 3.0, 4.0, 5.0]
    assert frame["twice"].tolist() == [4.0, 6.0, 8.0, 10.0]
    alone = project.view("counts").offline(spine=SPINE).to_pandas()
    assert frame["cnt"].tolist() == alone["cnt"].tolist()[2:]


def test_rows_that_arrive_later_are_not_in_a_set_that_is_computed_later(project: Any) -> None:
    project.create_table("events", {"ts": "TIMESTAMP", "k": "BIGINT"}, time="ts")
    project.table("events").append([{"ts": "2024-01-01", "k": 1}])
    project.define("seen", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts) AS c FROM events")
    result = project.training_set([{"ts": datetime(2024, 1, 2), "k": 1}], ["seen"])
    project.table("events").append([{"ts": "2024-01-01", "k": 1}])
    assert result.to_pandas()["c"].tolist() == [2]
    assert project.training_set([{"ts": datetime(2024, 1, 2), "k": 1}], ["seen"]).to_pandas()[
        "c"
    ].tolist() == [3]


def test_a_feature_that_repeats_a_column_of_the_spine_stands_once(project: Any) -> None:
    project.define("repeats", "SELECT CARD, amount, n + 1 AS m FROM tx")
    spine = [{**row, "n": 1} for row in SPINE]
    assert list(project.training_set(spine, ["repeats"]).to_pandas().columns) == [
        "ts", "card", "amount", "fraud", "note", "n", "m",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT amount + 1 AS amount FROM tx", "both the spine and view 'clash' have a column 'amount'"),
        (
            "SELECT count(*) OVER (PARTITION BY card ORDER BY ts) AS cnt FROM tx",
            "both view 'counts' and view 'clash'",
        ),
        ("SELECT amount + 1 AS FRAUD FROM tx", "both the spine and view 'clash' have a column 'FRAUD'"),
    ],
)
def test_two_columns_of_one_name_are_a_conflict(project: Any, query: str, message: str) -> None:
    view = project.define("clash", query)
    with pytest.raises(Conflict) as caught:
        project.training_set(SPINE, ["counts", view])
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"label": "fraudd"}, NotFound, "no column 'fraudd' to be the label; did you mean 'fraud'?"),
        ({"exclude": ["nte"]}, NotFound, "no column 'nte' to exclude; did you mean 'note'?"),
        ({"features": ["count"]}, NotFound, "counts"),
        ({"spine": [{"ts": datetime(2024, 1, 1), "amount": 1.0}]}, RowError, "no column 'card'"),
        ({"spine": 5}, RowError, "a spine is"),
    ],
)
def test_what_cannot_be_a_training_set(
    project: Any, arguments: dict[str, Any], error: type[WorkbenchError], message: str
) -> None:
    given: dict[str, Any] = {"spine": SPINE, "features": ["counts"], **arguments}
    spine, features = given.pop("spine"), given.pop("features")
    with pytest.raises(error) as caught:
        project.training_set(spine, features, **given).to_pyarrow()
    assert message in str(caught.value)


# -- the stored rows of a table, and labels of the project


def test_a_table_as_spine_is_its_stored_rows(project: Any) -> None:
    result = project.training_set("tx", ["counts", "logged"])
    assert list(result.columns) == [*shop.TX, "cnt", "total", "device", "score"]
    table = result.to_pyarrow()
    assert table.select(["id"]).to_pylist() == [{"id": row["id"]} for row in shop.TX_ROWS]
    for name in ("counts", "logged"):
        alone = project.view(name).offline().to_pyarrow()
        assert table.select(alone.column_names).equals(alone)


LABEL = """SELECT sum(n) OVER w AS later FROM tx
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 0s OPEN FOLLOWING AND 3h FOLLOWING)"""


def test_a_label_of_the_project_comes_last_and_leaves_out_what_is_not_known(project: Any) -> None:
    label = project.define_label("busy", LABEL)
    result = project.training_set("tx", ["counts"], label="busy", exclude=["tags", "place", "price"])
    table = result.to_pyarrow()
    assert table.column_names[-1] == "later" and result.label == ("later",)
    newest = max(row["ts"] for row in shop.TX_ROWS)
    kept = [row for row in shop.TX_ROWS if (newest - row["ts"]).total_seconds() >= 3 * 3600]
    assert table.column("id").to_pylist() == [row["id"] for row in kept]
    assert result.metadata["dropped"] == str(len(shop.TX_ROWS) - len(kept))
    assert table.column("later").to_pylist() == label.offline().to_pyarrow().column("later").to_pylist()
    assert result.metadata["label"] == "busy@1"
    assert result.metadata["label_plan_hash"] == label.plan.hash and result.metadata["dialect"] == "workbench"
    later = project.training_set("tx", ["counts"], label=label, as_of="2025-01-01")
    assert len(later) == 60 and later.metadata["as_of"] == "2025-01-01T00:00:00"
    spine = project.training_set(SPINE, ["counts"], label="busy").to_pandas()
    assert set(spine["ts"]) == {
        row["ts"] for row in SPINE if (newest - row["ts"]).total_seconds() >= 3 * 3600
    }


def test_metadata_of_the_file_knows_what_was_dropped(project: Any, tmp_path: Path) -> None:
    project.define_label("busy", LABEL)
    result = project.training_set("tx", ["counts"], label="busy", exclude=["tags", "place"])
    path = result.to_parquet(tmp_path / "a.parquet")
    metadata = {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}
    assert metadata["workbench.dropped"] == result.metadata["dropped"] != "0"
    assert metadata["workbench.spine"] == "tx"


def test_the_same_cut_gives_the_same_bytes(tmp_path: Path) -> None:
    project = shop.open_shop(tmp_path / "shop")
    project.define("counts", COUNTS)
    project.define_label("busy", LABEL)
    first = project.training_set("tx", ["counts"], label="busy", exclude=["tags", "place"])
    before = first.to_parquet(tmp_path / "a.parquet").read_bytes()
    project.table("tx").append([{**row, "id": row["id"] + 100} for row in shop.TX_ROWS])
    cut = int(first.metadata["cut"])
    again = project.training_set("tx", ["counts"], label="busy", exclude=["tags", "place"], cut=cut)
    assert again.to_parquet(tmp_path / "b.parquet").read_bytes() == before
    assert len(project.training_set("tx", ["counts"], exclude=["tags", "place"])) == 120
    for wrong in (cut + 1000, -1, True, "5"):
        with pytest.raises(WorkbenchError, match="cut is an arrival number"):
            project.training_set("tx", ["counts"], cut=wrong)


# -- views of several anchors


def test_views_may_have_different_anchors(project: Any) -> None:
    project.define(
        "scores", "SELECT max(score) OVER w AS best FROM logins WINDOW w AS (PARTITION BY card ORDER BY at)"
    )
    spine = [{**row, "at": row["ts"], "score": 3} for row in SPINE]
    frame = project.training_set(spine, ["counts", "scores"], exclude=["at"]).to_pandas()
    assert frame["cnt"].tolist() == project.view("counts").offline(spine=spine).to_pandas()["cnt"].tolist()
    assert frame["best"].tolist() == project.view("scores").offline(spine=spine).to_pandas()["best"].tolist()
    # seq is a row of tx; for the view of logins these are new rows
    stored = [{**shop.TX_ROWS[n], "at": shop.TX_ROWS[n]["ts"], "score": 3, "seq": n + 1} for n in (5, 20, 44)]
    frame = project.training_set(stored, ["counts", "scores"]).to_pandas()
    counts = project.view("counts").offline().to_pandas()["cnt"]
    assert frame["cnt"].tolist() == [counts[n] for n in (5, 20, 44)]
    without = [{name: value for name, value in row.items() if name != "seq"} for row in stored]
    expected = project.view("scores").offline(spine=without).to_pandas()["best"]
    assert frame["best"].tolist() == expected.tolist()
    mixed = [{**stored[0]}, {**stored[1], "seq": 60}]
    with pytest.raises(RowError, match="1 of the spine's 2 rows with seq are stored in"):
        project.training_set(mixed, ["counts", "scores"]).to_pyarrow()
    with pytest.raises(RowError, match="no column 'at'"):
        project.training_set(SPINE, ["counts", "scores"]).to_pyarrow()


def test_a_table_as_spine_may_serve_a_view_of_another_table(project: Any) -> None:
    project.define("doubled", "SELECT 2 * id AS twice FROM logins")
    project.create_table("copies", {"at": "TIMESTAMP", "id": "BIGINT"}, time="at")
    project.table("copies").append([{"at": datetime(2024, 1, 3), "id": id} for id in (7, 5, 6)])
    frame = project.training_set("copies", ["doubled"]).to_pandas()
    assert frame["twice"].tolist() == [14, 10, 12] and list(frame.columns) == ["at", "id", "twice"]


# -- names


def test_names_that_clash_may_be_prefixed(project: Any) -> None:
    project.define(
        "other", "SELECT n, count(*) OVER w AS cnt FROM tx WINDOW w AS (PARTITION BY mcc ORDER BY ts)"
    )
    spine = [{**row, "n": 1, "mcc": "food"} for row in SPINE]
    with pytest.raises(Conflict, match="both view 'counts' and view 'other' have a column 'cnt'") as caught:
        project.training_set(spine, ["counts", "other"])
    assert "prefix=True" in (caught.value.hint or "")
    result = project.training_set(spine, ["counts", "other"], label="fraud", prefix=True)
    names = list(result.columns)
    assert names[-4:] == ["counts_cnt", "counts_total", "other_cnt", "fraud"] and "other_n" not in names


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("cnt", ["total", "device", "score"]),
        (["*t*l"], ["cnt", "device", "score"]),
        (["counts.*"], ["device", "score"]),
        (["logged.SCORE", "CNT"], ["total", "device"]),
    ],
)
def test_columns_are_left_out_by_pattern(project: Any, exclude: Any, left: list[str]) -> None:
    result = project.training_set(SPINE, ["counts", "logged"], exclude=exclude)
    assert list(result.columns) == ["ts", "card", "amount", "fraud", "note", *left]
    assert list(result.to_pandas().columns) == list(result.columns)


def test_a_label_has_one_meaning(project: Any) -> None:
    project.define_label("busy", LABEL)
    with pytest.raises(Conflict, match="a column of the spine and a label of the project"):
        project.training_set([{**row, "busy": 1} for row in SPINE], ["counts"], label="busy")
    with pytest.raises(NotFound, match=r"no label 'bussy'.*did you mean 'busy'"):
        project.training_set(SPINE, ["counts"], label="bussy")
    with pytest.raises(NotFound, match="txx"):
        project.training_set("txx", ["counts"])


def test_many_rows_come_in_batches(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.training import spine

    whole = project.training_set("tx", ["counts", "logged"]).to_pyarrow()
    monkeypatch.setattr(spine, "BATCH_ROWS", 7)
    project.define("large", "SELECT amount * 2 AS twice FROM tx WHERE amount >= 2")
    parts = project.training_set("tx", ["counts", "logged"])
    assert len(list(parts.to_reader())) == 9 and parts.to_pyarrow().equals(whole)
    some = project.training_set("tx", ["counts", "large"]).to_pyarrow()
    assert some.column("id").to_pylist() == [
        row["id"] for row in shop.TX_ROWS if row["amount"] is not None and row["amount"] >= 2
    ]
