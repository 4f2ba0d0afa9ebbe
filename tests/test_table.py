"""The handle on a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from workbench.catalog.tables import create_table
from workbench.errors import Conflict, NotFound, RowError, WorkbenchError
from workbench.storage import Storage
from workbench.table import Table

START = datetime(2026, 1, 1)
COLUMNS = {"card": "BIGINT", "ts": "TIMESTAMP", "amount": "DECIMAL(9,2)", "note": "VARCHAR"}


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "project")
    yield opened
    opened.close()


@pytest.fixture
def table(storage: Storage) -> Table:
    create_table(storage, "tx", COLUMNS, time="ts")
    return Table(storage, "TX")


def test_what_it_is(table: Table) -> None:
    assert (table.name, table.columns, table.time) == ("tx", COLUMNS, "ts")


def test_an_unknown_table(storage: Storage) -> None:
    with pytest.raises(NotFound, match="there is no table 'tx'"):
        Table(storage, "tx")


ROW = {"card": 1, "ts": START, "amount": None, "note": "a"}


@pytest.mark.parametrize(
    "rows",
    [
        {"card": 1, "ts": "2026-01-01T00:00:00Z", "note": "a"},
        [ROW],
        pd.DataFrame([{"card": 1, "ts": START, "note": "a"}]),
        pl.DataFrame([{"card": 1, "ts": START, "note": "a"}]),
        pa.table({"card": [1], "ts": [START], "note": ["a"]}),
        pa.table({"card": [1], "ts": [START], "note": ["a"]}).to_reader(),
        ibis.memtable({"card": [1], "ts": [START], "note": ["a"]}),
    ],
    ids=["dict", "dicts", "pandas", "polars", "arrow", "stream", "ibis"],
)
def test_rows_of_every_kind_are_appended(table: Table, rows: Any) -> None:
    receipt = table.append(rows)
    assert (receipt.accepted, receipt.first_seq, receipt.last_seq, receipt.replayed) == (1, 1, 1, False)
    assert table.count() == 1
    assert table.head().iloc[0][["card", "ts", "note"]].to_list() == [1, pd.Timestamp(START), "a"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW, {**ROW, "card": 1.5}], "row 1, column 'card': 1.5 is not an integer"),
        ([{**ROW, "crad": 1}], "unknown column 'crad'"),
        ([{"card": 1}], "column 'ts' (TIMESTAMP) is missing"),
        ([{**ROW, "ts": None}], "has no time"),
        ([{**ROW, "ts": datetime.now() + timedelta(days=2)}], "in the future"),
        (pa.table({"card": [1]}).to_reader(), "column 'ts' (TIMESTAMP) is missing"),
    ],
)
def test_all_or_nothing(table: Table, rows: Any, said: str) -> None:
    with pytest.raises(RowError) as caught:
        table.append(rows)
    assert said in caught.value.message
    assert table.count() == 0


def test_a_token_stores_once(table: Table) -> None:
    first = table.append([ROW], token="batch-1")
    again = table.append(pd.DataFrame([ROW]), token="batch-1")
    assert again.replayed and (again.first_seq, again.last_seq) == (first.first_seq, first.last_seq)
    assert table.count() == 1
    with pytest.raises(Conflict, match="'batch-1' was used for other rows"):
        table.append([{**ROW, "card": 2}], token="batch-1")


def test_no_rows_are_appended_as_nothing(table: Table) -> None:
    assert table.append([]).accepted == 0
    assert table.count() == 0


def test_long_streams_are_all_or_nothing_too(table: Table) -> None:
    count = 600_000
    rows = pa.table({"card": np.arange(count), "ts": pa.array(np.full(count, START, "datetime64[us]"))})
    broken = pa.Table.from_arrays([rows["card"].cast(pa.float64()), rows["ts"]], names=["card", "ts"])
    bad = pa.table({"card": [0.5], "ts": [START]})
    with pytest.raises(RowError, match=f"row {count}, column 'card': 0.5 is not an integer"):
        table.append(pa.concat_tables([broken, bad]).to_reader(max_chunksize=50_000))
    assert table.count() == 0
    receipt = table.append(rows.to_reader(max_chunksize=50_000))
    assert (receipt.accepted, receipt.first_seq, receipt.last_seq) == (count, 1, count)
    assert table.append(rows).accepted == count
    assert table.count() == 2 * count


def test_head_and_tail_follow_time_then_arrival(table: Table) -> None:
    for card, hours in ((1, 2), (2, 0), (3, 1), (4, 1)):
        table.append({"card": card, "ts": START + timedelta(hours=hours)})
    assert table.head()["card"].to_list() == [2, 3, 4, 1]
    assert table.head(2)["card"].to_list() == [2, 3]
    assert table.tail(2)["card"].to_list() == [4, 1]
    assert table.tail()["card"].to_list() == [2, 3, 4, 1]
    assert list(table.head(0).columns) == list(COLUMNS)
    with pytest.raises(WorkbenchError, match="cannot be -1"):
        table.head(-1)


def test_tables_without_time_follow_arrival(storage: Storage) -> None:
    create_table(storage, "dim", [{"k": value} for value in (3, 1, 2)])
    table = Table(storage, "dim")
    assert table.head(2)["k"].to_list() == [3, 1]
    assert table.tail(2)["k"].to_list() == [1, 2]
    assert "ordered by arrival" in repr(table)


def test_stats_and_how_it_shows(table: Table) -> None:
    table.append([ROW, {**ROW, "ts": START + timedelta(days=1)}])
    stats = table.stats()
    assert (stats.rows, stats.first_time, stats.last_time, stats.last_seq) == (
        2,
        START,
        START + timedelta(days=1),
        2,
    )
    assert repr(table).startswith(
        "Table('tx', 2 rows, time ts: card BIGINT, ts TIMESTAMP, amount DECIMAL(9,2)"
    )
    page = table._repr_html_()
    assert "2 rows" in page and "DECIMAL(9,2)" in page and "2026-01-02" in page


def test_names_are_shown_as_text_in_html(storage: Storage) -> None:
    create_table(storage, "t", {"<script>": "BIGINT"})
    assert "<script>" not in Table(storage, "t")._repr_html_()


def test_a_column_more(table: Table, storage: Storage) -> None:
    table.append(ROW)
    older = Table(storage, "tx")
    assert table.add_column("level", "INTEGER", default=3) is table
    table.append([{**ROW, "level": None}, ROW, {**ROW, "LEVEL": 4}])
    older.append(pd.DataFrame([{"card": 1, "ts": START, "note": "a"}]))
    older.append(pa.table({"card": [1], "ts": [START]}).to_reader())
    assert older.columns == {**COLUMNS, "level": "INTEGER"}
    assert [row["level"] for row in rows_of(storage, "tx")] == [3, None, 3, 4, 3, 3]
    with pytest.raises(WorkbenchError, match="has a column 'level' already"):
        older.add_column("Level", "VARCHAR")
    # The cell that created the table may run again.
    create_table(storage, "tx", COLUMNS, time="ts")


def test_the_same_rows_under_a_token_after_a_column_was_added(table: Table) -> None:
    first = table.append([ROW], token="t")
    table.add_column("level", "INTEGER", default=3)
    again = table.append([ROW], token="t")
    assert again.replayed and again.first_seq == first.first_seq


def rows_of(storage: Storage, name: str) -> list[dict[str, Any]]:
    with storage.snapshot() as snapshot, storage.connect() as connection:
        relation = snapshot.relation(connection, name)
        found: pa.Table = connection.execute(f"SELECT * FROM {relation} ORDER BY __seq").to_arrow_table()
        return found.to_pylist()
