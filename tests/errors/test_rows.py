"""Rows and requests that cannot be accepted, and what their senders read: the field, the row, and why."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import Conflict, DefinitionError, NotFound, RowError, WorkbenchError

GOOD = {"ts": datetime(2024, 1, 2), "id": 5, "card": "a", "amount": 1.0, "n": 1, "mcc": "x", "ok": True}


def changed(**values: Any) -> dict[str, Any]:
    return {**GOOD, **values}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


BAD_ROWS: list[tuple[str, Any, str | None, int | None, str]] = [
    # name, rows, field, row, phrase
    ("text for a number", changed(n="seven"), "n", 0, "BIGINT"),
    ("fraction for a whole number", changed(n=1.5), "n", 0, "BIGINT"),
    ("number for a text", changed(card=7), "card", 0, "VARCHAR"),
    ("number for a boolean", changed(ok=2), "ok", 0, "BOOLEAN"),
    ("text for a boolean", changed(ok="maybe"), "ok", 0, "BOOLEAN"),
    ("text for a float", changed(amount="abc"), "amount", 0, "DOUBLE"),
    ("list for a number", changed(n=[1]), "n", 0, "BIGINT"),
    ("too large for a tinyint", changed(small=300), "small", 0, "TINYINT"),
    ("too large for a bigint", changed(n=2**63), "n", 0, "BIGINT"),
    ("not a date", changed(day="2024-13-01"), "day", 0, "DATE"),
    ("not a time", changed(ts="yesterday"), "ts", 0, "TIMESTAMP"),
    ("boolean for a time", changed(ts=True), "ts", 0, "TIMESTAMP"),
    ("unknown field", changed(amont=1.0), "amont", None, "did you mean 'amount'"),
    ("hidden field", changed(__seq=4), "__seq", None, "__seq"),
    ("missing time", without("ts"), "ts", 0, "time"),
    ("null time", changed(ts=None), "ts", 0, "time"),
    ("time in the future", changed(ts=datetime.now() + timedelta(days=2)), "ts", 0, "future"),
    ("finer than a microsecond", changed(ts="2024-01-01T00:00:00.1234567"), "ts", 0, "microsecond"),
    ("third row of several", [GOOD, GOOD, changed(n="x"), GOOD], "n", 2, "BIGINT"),
    ("not a row at all", 7, None, None, "row"),
    ("list of numbers", [1, 2], None, 0, "row"),
    ("text for a decimal-like float", changed(amount="1,5"), "amount", 0, "DOUBLE"),
]


@pytest.mark.parametrize(
    ("rows", "field", "row", "phrase"), [c[1:] for c in BAD_ROWS], ids=[c[0] for c in BAD_ROWS]
)
def test_bad_rows_name_field_and_row(
    project: Any, rows: Any, field: str | None, row: int | None, phrase: str
) -> None:
    before = project.table("tx").count()
    with pytest.raises(RowError) as caught:
        project.table("tx").append(rows)
    error = caught.value
    said = f"{error.message} {error.hint or ''}"
    assert phrase.casefold() in said.casefold(), said
    assert error.field == field, said
    if row is not None:
        assert (error.row or 0) == row, said
    assert project.table("tx").count() == before, "all or nothing"


def test_nanoseconds_of_a_frame_are_an_error_that_names_rows(project: Any) -> None:
    times = pd.to_datetime(["2024-01-01", "2024-01-01T00:00:00.000000001"], format="ISO8601").astype(
        "datetime64[ns]"
    )
    with pytest.raises(RowError, match="microsecond") as caught:
        project.table("logins").append(pd.DataFrame({"at": times, "card": ["a", "b"]}))
    assert caught.value.field == "at"
    assert caught.value.row == 1


def test_arrow_columns_of_another_type_are_an_error(project: Any) -> None:
    rows = pa.table({"at": pa.array([datetime(2024, 1, 1)], pa.timestamp("us")), "score": ["high"]})
    with pytest.raises(RowError) as caught:
        project.table("logins").append(rows)
    assert caught.value.field == "score"


def test_what_looks_bad_but_is_exact_is_accepted(project: Any) -> None:
    table = project.create_table(
        "wide", {"ts": "TIMESTAMP", "n": "BIGINT", "f": "DOUBLE", "p": "DECIMAL(9,2)"}, time="ts"
    )
    zone = timezone(timedelta(hours=2))
    table.append(
        [
            {"ts": "2024-01-01T02:00:00+02:00", "n": 2.0, "f": 1, "p": "1.50"},
            {"ts": datetime(2024, 1, 1, 2, tzinfo=zone), "n": None, "f": "NaN", "p": Decimal("1.5")},
        ]
    )
    stored = project.sql("SELECT ts, n, p FROM wide ORDER BY n NULLS LAST").to_pyarrow().to_pylist()
    assert [row["ts"] for row in stored] == [datetime(2024, 1, 1)] * 2
    assert [row["n"] for row in stored] == [2, None]
    assert [row["p"] for row in stored] == [Decimal("1.50")] * 2


@pytest.fixture(scope="module")
def view(project: Any) -> Any:
    return project.define(
        "asked",
        "SELECT n + small AS m, sum(amount) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)",
    )


ASKED = {"ts": datetime(2024, 1, 2), "card": "a", "amount": 1.0, "n": 1, "small": 1}


def test_a_request_may_leave_out_what_the_view_does_not_use(view: Any) -> None:
    assert view.request(ASKED) == {"m": 2, "s": 4.5}
    assert view.request({**ASKED, "small": None})["m"] is None


@pytest.mark.parametrize(
    ("row", "field", "phrase"),
    [
        ({k: v for k, v in ASKED.items() if k != "amount"}, "amount", "missing"),
        ({**ASKED, "amount": "much"}, "amount", "DOUBLE"),
        ({**ASKED, "amont": 1.0}, "amont", "did you mean 'amount'"),
        ({**ASKED, "ts": "noon"}, "ts", "TIMESTAMP"),
        ({**ASKED, "small": 128}, "small", "TINYINT"),
        ({**ASKED, "n": 2**63 - 1}, None, "overflow"),
    ],
    ids=["missing column", "wrong type", "unknown column", "not a time", "too large", "overflow"],
)
def test_bad_requests_name_the_field(view: Any, row: dict[str, Any], field: str | None, phrase: str) -> None:
    with pytest.raises(RowError) as caught:
        view.request(row)
    said = f"{caught.value.message} {caught.value.hint or ''}"
    assert phrase.casefold() in said.casefold(), said
    assert caught.value.field == field, said


def test_a_sum_that_overflows_is_an_error_on_both_sides(project: Any) -> None:
    project.create_table("big", {"ts": "TIMESTAMP", "n": "BIGINT"}, time="ts")
    view = project.define("big_sum", "SELECT sum(n) OVER (ORDER BY ts) AS s FROM big")
    project.table("big").append([{"ts": datetime(2024, 1, 1), "n": 2**63 - 1}])
    with pytest.raises(RowError, match=r"(?i)overflow|BIGINT"):
        view.request({"ts": datetime(2024, 1, 2), "n": 1})
    project.table("big").append([{"ts": datetime(2024, 1, 2), "n": 1}])
    with pytest.raises(WorkbenchError, match=r"(?i)overflow|BIGINT"):
        view.offline().to_pyarrow()


def test_spine_rows_are_checked_like_requests(view: Any) -> None:
    with pytest.raises(RowError) as caught:
        view.offline(spine=[{**ASKED, "amount": "much"}]).to_pyarrow()
    assert caught.value.field == "amount"
    with pytest.raises(RowError) as caught:
        view.offline(spine=[{k: v for k, v in ASKED.items() if k != "ts"}]).to_pyarrow()
    assert caught.value.field == "ts"


# ---- projects, tables and views


def test_unknown_names_suggest_the_close_ones(project: Any, view: Any) -> None:
    with pytest.raises(NotFound, match="did you mean 'logins'"):
        project.table("login")
    with pytest.raises(NotFound, match="did you mean 'asked'"):
        project.view("askd")
    with pytest.raises(NotFound, match="version"):
        project.view("asked", version=99)
    with pytest.raises(NotFound, match="nowhere"):
        project.drop_table("nowhere")
    with pytest.raises(NotFound):
        project.deployment("asked")


def test_a_table_in_use_is_not_dropped(project: Any, view: Any) -> None:
    with pytest.raises(Conflict, match="asked"):
        project.drop_table("tx")


def test_a_table_exists_already(project: Any) -> None:
    with pytest.raises(Conflict, match="logins") as caught:
        project.create_table("logins", {"at": "TIMESTAMP"}, time="at")
    assert "if_exists" in str(caught.value)


BAD_TABLES: list[tuple[str, str, Any, dict[str, Any], str]] = [
    ("name with a space", "a b", {"ts": "TIMESTAMP"}, {"time": "ts"}, "name"),
    ("hidden name", "__tables", {"ts": "TIMESTAMP"}, {"time": "ts"}, "name"),
    ("empty name", "", {"ts": "TIMESTAMP"}, {"time": "ts"}, "name"),
    ("no columns", "bad", {}, {}, "column"),
    ("hidden column", "bad", {"__seq": "BIGINT"}, {}, "__seq"),
    ("unknown type", "bad", {"a": "BIGINTT"}, {}, "BIGINT"),
    ("unknown time column", "bad", {"at": "TIMESTAMP"}, {"time": "att"}, "the columns are at"),
    ("time that is text", "bad", {"at": "VARCHAR"}, {"time": "at"}, "TIMESTAMP"),
    ("names that differ in case", "bad", {"a": "BIGINT", "A": "BIGINT"}, {}, "A"),
    ("unknown option", "bad", {"a": "BIGINT"}, {"if_exists": "maybe"}, "if_exists"),
    ("ttl", "bad", {"at": "TIMESTAMP"}, {"time": "at", "ttl": "a month"}, "'a month' is not a duration"),
    ("delay", "bad", {"at": "TIMESTAMP"}, {"delay": "6h"}, "delay= needs a time column"),
    ("unknown id", "bad", {"at": "TIMESTAMP", "n": "BIGINT"}, {"time": "at", "id": "m"}, "'m'"),
    ("missing file", "bad", "/nowhere/at/all.parquet", {"time": "at"}, "/nowhere/at/all.parquet"),
    ("not a table", "bad", 7, {}, "int"),
    ("null times", "bad", pa.table({"at": pa.array([None], pa.timestamp("us"))}), {"time": "at"}, "at"),
    (
        "future times",
        "bad",
        pa.table({"at": pa.array([datetime(2200, 1, 1)], pa.timestamp("us"))}),
        {"time": "at"},
        "future",
    ),
]
TABLE_IDS = [case[0] for case in BAD_TABLES]


@pytest.mark.parametrize(
    ("name", "obj", "options", "phrase"), [c[1:] for c in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_bad_tables_say_why(project: Any, name: str, obj: Any, options: dict[str, Any], phrase: str) -> None:
    before = list(project.list_tables())
    with pytest.raises(WorkbenchError) as caught:
        project.create_table(name, obj, **options)
    said = f"{caught.value.message} {caught.value.hint or ''} {caught.value.field or ''}"
    assert phrase.casefold() in said.casefold(), said
    assert list(project.list_tables()) == before, "nothing was created"


def test_a_token_with_other_rows_is_a_conflict(project: Any) -> None:
    project.create_table("tokens", {"at": "TIMESTAMP"}, time="at")
    first = project.table("tokens").append([{"at": datetime(2024, 1, 1)}], token="one")
    again = project.table("tokens").append([{"at": datetime(2024, 1, 1)}], token="one")
    assert (again.first_seq, again.last_seq) == (first.first_seq, first.last_seq)
    with pytest.raises(Conflict, match="one"):
        project.table("tokens").append([{"at": datetime(2024, 1, 2)}], token="one")
    assert project.table("tokens").count() == 1


def test_errors_are_definitions_or_rows_never_foreign(project: Any) -> None:
    assert issubclass(DefinitionError, WorkbenchError)
    with pytest.raises(WorkbenchError):
        project.define("v", 7)
    with pytest.raises(WorkbenchError):
        project.define("v", None)
