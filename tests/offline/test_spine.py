"""Spines: rows that a training set is made for, in any form; they see the stored rows, and never each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests import shop
from workbench.errors import DefinitionError, RowError

AT = datetime(2024, 1, 1, 5)
SPINE: list[dict[str, Any]] = [
    {"ts": AT, "id": 900, "card": "a", "amount": 100.0},
    {"ts": AT, "id": 901, "card": "a", "amount": 1000.0},
    {"ts": AT - timedelta(hours=2), "id": 902, "card": None, "amount": 1.0},
]


def history(card: str | None, at: datetime, hours: int = 3) -> list[dict[str, Any]]:
    return [r for r in shop.TX_ROWS if r["card"] == card and at - timedelta(hours=hours) <= r["ts"] <= at]


def expected() -> list[tuple[int, int, float]]:
    rows = []
    for row in SPINE:
        seen = history(row["card"], row["ts"])
        total = sum(r["amount"] for r in seen if r["amount"] is not None) + row["amount"]
        rows.append((row["id"], len(seen) + 1, total))
    return rows


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows)


FORMS = [
    lambda rows: rows,
    pd.DataFrame,
    pl.DataFrame,
    as_table,
    lambda rows: as_table(rows).to_reader(),
    lambda rows: as_table(rows).select(["amount", "card", "id", "ts"]),
    lambda rows: [{**row, "ts": row["ts"].isoformat() + "Z"} for row in rows],
    lambda rows: [{**row, "ts": row["ts"].replace(tzinfo=UTC)} for row in rows],
    lambda rows: [{**row, "label": True, "other": object} for row in rows],
    lambda rows: pd.DataFrame(rows).assign(note="x"),
    lambda rows: pd.DataFrame(rows).rename(columns=str.upper),
]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_a_spine_of_any_form_sees_the_stored_rows_and_itself(view: Any, form: Any) -> None:
    found = view.offline(spine=form(SPINE)).to_pyarrow().to_pylist()
    assert [(row["id"], row["cnt"], row["total"]) for row in found] == expected()


def test_one_dict_is_a_spine_of_one_row(view: Any) -> None:
    assert view.offline(spine=SPINE[0]).to_pandas()["cnt"].tolist() == [expected()[0][1]]


def test_a_result_is_a_spine(project: Any, view: Any) -> None:
    spine = project.sql("SELECT ts, id, card, amount FROM tx WHERE id < 5")
    assert view.offline(spine=spine).to_pandas()["id"].tolist() == list(range(5))


def test_rows_with_seq_are_the_stored_rows(project: Any, view: Any) -> None:
    stored = view.offline().to_pyarrow().to_pylist()
    with project.storage.snapshot() as snapshot, project.storage.connect() as connection:
        rows = connection.execute(
            f"SELECT ts, id, card, amount, __seq AS seq FROM {snapshot.relation(connection, 'tx')} ORDER BY id DESC"
        ).to_arrow_table()
    assert view.offline(spine=rows).to_pyarrow().to_pylist() == stored[::-1]


def test_rows_with_and_without_seq_stand_beside_each_other(project: Any, view: Any) -> None:
    with project.storage.snapshot() as snapshot, project.storage.connect() as connection:
        (seq,) = connection.execute(
            f"SELECT __seq FROM {snapshot.relation(connection, 'tx')} WHERE id = 30"
        ).fetchone()
    row = {name: shop.TX_ROWS[30][name] for name in ("ts", "id", "card", "amount")}
    found = view.offline(spine=[{**row, "seq": seq}, {**row, "seq": None}]).to_pandas()["cnt"].tolist()
    stored = view.offline(where="id = 30").to_pandas()["cnt"].tolist()
    assert found[0] == stored[0]
    # Without seq the row is a new one, behind the stored one and its later twins of the same time.
    tied = [r for r in shop.TX_ROWS[30:] if r["card"] == row["card"] and r["ts"] == row["ts"]]
    assert found[1] == stored[0] + len(tied)


def test_an_empty_spine_gives_no_rows(view: Any) -> None:
    assert len(view.offline(spine=as_table(SPINE).slice(0, 0))) == 0
    assert len(view.offline(spine=[])) == 0
    assert view.offline(spine=pd.DataFrame(SPINE).head(0)).to_pandas().columns.tolist() == list(view.schema)


def test_rows_come_in_the_order_of_the_spine(view: Any) -> None:
    rows = [
        {"ts": AT - timedelta(hours=i % 5), "id": i, "card": "abc"[i % 3], "amount": 0.0} for i in range(40)
    ]
    assert view.offline(spine=rows).to_pandas()["id"].tolist() == list(range(40))


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (
            [{"ts": AT, "id": 1, "crd": "a", "amount": 1.0}],
            "no column 'card', which the view uses; did you mean 'crd'?",
        ),
        ([{"id": 1, "card": "a", "amount": 1.0}], "no column 'ts'"),
        ([SPINE[0], {**SPINE[0], "ts": None}], "the spine's time 'ts' is NULL"),
        ([{**SPINE[0], "amount": "much"}], "amount"),
        ([{**SPINE[0], "id": 1.5}], "id"),
        (pd.DataFrame([{**SPINE[0], "ts": "yesterday"}]), "ts"),
        (pd.DataFrame([{**SPINE[0], "seq": "x"}]), "seq"),
        (7, "a spine is a list of dicts, a DataFrame, an Arrow table or a Result"),
        ("rows.parquet", "a spine is"),
        ([SPINE[0], 2], "a row of the spine is a dict, not int"),
    ],
)
def test_a_spine_that_cannot_be_used(view: Any, spine: Any, message: str) -> None:
    with pytest.raises(RowError) as caught:
        view.offline(spine=spine).to_pyarrow()
    assert message in caught.value.message + str(caught.value.field)


def test_the_row_of_a_null_time_is_named(view: Any) -> None:
    with pytest.raises(RowError) as caught:
        view.offline(spine=[SPINE[0], {**SPINE[0], "ts": None}]).to_pyarrow()
    assert (caught.value.row, caught.value.field) == (1, "ts")


def test_where_restricts_the_answer_and_not_what_it_sees(view: Any) -> None:
    everything = {row["id"]: row for row in view.offline().to_pyarrow().to_pylist()}
    some = view.offline(where="id % 7 = 3 AND mcc IS NOT NULL").to_pyarrow().to_pylist()
    assert some and [row["id"] for row in some] == [
        r["id"] for r in shop.TX_ROWS if r["id"] % 7 == 3 and r["mcc"] is not None
    ]
    assert all(row == everything[row["id"]] for row in some)


def test_where_shows_its_own_place_and_goes_without_a_spine(view: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        view.offline(where="id > 3 AND\n  amont > 1")
    position = caught.value.position
    assert position is not None and (position.line, position.column) == (2, 3)
    assert "did you mean 'amount'?" in str(caught.value) and "^^^^^" in str(caught.value)
    with pytest.raises(DefinitionError, match="filter the spine itself"):
        view.offline(spine=SPINE, where="id > 1")


def test_a_spine_is_filtered_by_any_condition(view: Any) -> None:
    """DuckDB pushes conditions into the scan of a registered Arrow table, where some are refused."""
    odd = view.project.define("odd", "SELECT id FROM tx WHERE (id IS DISTINCT FROM 901) OR id = 4")
    assert odd.offline(spine=SPINE).to_pyarrow().to_pydict() == {"id": [900, 902]}
