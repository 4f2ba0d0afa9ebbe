"""A table's pandera schema: rows that fail are refused, or quarantined, however they come."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from tests.serving.asgi import Caller, running
from workbench.catalog import keys
from workbench.errors import Conflict, RowError, WorkbenchError
from workbench.serving.app import create_app

pa = pytest.importorskip("pandera.pandas")
AT = datetime(2026, 1, 1)
GOOD = {"card": 1, "at": AT, "amount": 5.0, "country": "DE"}
BAD = [{**GOOD, "amount": -1.0}, {**GOOD, "country": "XX", "amount": None}]


def schema() -> Any:
    return pa.DataFrameSchema(
        {
            "card": pa.Column(int, pa.Check.gt(0)),
            "amount": pa.Column(float, pa.Check.in_range(0, 10), nullable=True),
            "country": pa.Column(str, [pa.Check.isin(["DE", "FR"]), pa.Check.str_matches("[A-Z]+$")]),
        }
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    opened = wb.open(tmp_path / "project")
    yield opened
    opened.close()


def rows(project: Any, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.sql(f"SELECT * FROM {table}").to_pyarrow().to_pylist()
    return found


def test_reject_names_rows_columns_and_checks_and_stores_nothing(project: Any) -> None:
    project.create_table("tx", [GOOD], time="at", schema=schema())
    with pytest.raises(RowError) as refused:
        project.table("tx").append([GOOD, *BAD])
    assert (refused.value.row, refused.value.field) == (1, "amount")
    assert "row 1, column 'amount': -1.0 fails in_range(" in refused.value.message
    assert "row 2, column 'country': 'XX' fails isin(" in refused.value.message
    assert len(rows(project, "tx")) == 1
    project.table("tx").append(GOOD)
    with pytest.raises(RowError, match="row 1, column 'amount'"):
        project.create_table("other", [GOOD, BAD[0]], time="at", schema=schema())
    assert project.list_tables() == ["tx"]


def test_quarantine_keeps_them_with_reason_row_and_content(project: Any) -> None:
    frame = pd.DataFrame([GOOD, *BAD])
    project.create_table("tx", frame, time="at", schema=schema(), on_invalid="quarantine")
    assert len(rows(project, "tx")) == 1
    receipt = project.table("tx").append([BAD[0], GOOD, GOOD], token="t")
    assert (receipt.accepted, receipt.quarantined) == (2, 1)
    again = project.table("tx").append([BAD[0], GOOD, GOOD], token="t")
    assert again.replayed and (again.accepted, again.quarantined) == (2, 1)
    found = rows(project, "tx_quarantine")
    assert [row["row"] for row in found] == [1, 2, 0]
    assert "fails in_range" in found[0]["reason"] and "fails isin" in found[1]["reason"]
    assert json.loads(found[2]["content"]) == {**BAD[0], "at": "2026-01-01T00:00:00Z"}
    project.table("tx").append(json.loads(found[2]["content"]) | {"amount": 1.0})  # mended
    project.storage.flush()
    assert len(rows(project, "tx")) == 4 and len(rows(project, "tx_quarantine")) == 3


def test_checks_hold_after_a_restart_and_in_workers_without_pandera(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.create_table("tx", [GOOD], time="at", schema=schema(), on_invalid="quarantine")
    key = keys.owner_key(project.storage)
    monkeypatch.setitem(sys.modules, "pandera", None)

    async def work(call: Caller) -> None:
        async def post(document: Any) -> Any:
            sent = {"content-type": "application/json", "x-api-key": key}
            body = json.dumps(document, default=lambda at: f"{at.isoformat()}Z").encode()
            return await call("POST", "/v1/tables/tx/rows", body, sent)

        answers = await asyncio.gather(post(BAD[0]), post([GOOD, *BAD] * 50), post(GOOD))
        assert [answer.json["quarantined"] for answer in answers] == [1, 100, 0]
        assert [answer.json["accepted"] for answer in answers] == [0, 50, 1]

    running(create_app(project.path), work)
    assert len(rows(project, "tx")) == 52 and len(rows(project, "tx_quarantine")) == 101


def test_other_checks_are_another_table(project: Any) -> None:
    project.create_table("tx", [GOOD], time="at", schema=schema())
    project.create_table("tx", [GOOD], time="at", schema=schema())
    with pytest.raises(Conflict, match="its checks"):
        project.create_table("tx", [GOOD], time="at")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (lambda: pa.Column(float, pa.Check(lambda x: x > 1)), "it is a function"),
        (lambda: pa.Column(float, unique=True), "id="),
        (lambda: pa.Column(float, pa.Check.isin(["a"])), "cannot be used for column 'amount'"),
    ],
)
def test_what_cannot_be_kept_is_refused(project: Any, column: Any, reason: str) -> None:
    with pytest.raises(WorkbenchError, match=reason):
        project.create_table("tx", [GOOD], time="at", schema=pa.DataFrameSchema({"amount": column()}))
    with pytest.raises(WorkbenchError, match="not a pandera schema"):
        project.create_table("tx", [GOOD], time="at", schema={"amount": "DOUBLE"})
    with pytest.raises(WorkbenchError, match="needs checks"):
        project.create_table("tx", [GOOD], time="at", on_invalid="quarantine")
    assert project.list_tables() == []
