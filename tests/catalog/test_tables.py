"""Tables are created whole or not at all, and running the same cell again changes nothing."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tests.catalog.plans import constant, define
from workbench.catalog import deployments, tables, views
from workbench.catalog.tables import TableSpec, create_table
from workbench.errors import Conflict, NotFound, RowError, WorkbenchError
from workbench.storage import Storage
from workbench.table import Table

ROWS = [
    {"card": card, "ts": datetime(2026, 1, 1) + timedelta(hours=card), "amount": 1.5} for card in range(10)
]
FRAME = pd.DataFrame(ROWS)


def lake_files(storage: Storage) -> list[Path]:
    return [path for path in (storage.path / "lake").rglob("*") if path.is_file()]


@pytest.mark.parametrize("obj", [ROWS, FRAME, pa.Table.from_pylist(ROWS)], ids=["dicts", "pandas", "arrow"])
def test_a_table_with_its_rows(storage: Storage, obj: Any) -> None:
    spec = create_table(storage, "tx", obj, time="TS")
    assert spec == tables.get(storage, "Tx")
    assert spec == TableSpec("tx", {"card": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}, "ts")
    assert storage.row_count("tx") == 10
    assert tables.list(storage) == [spec]


def test_an_empty_table_from_its_definition(storage: Storage) -> None:
    spec = TableSpec("tx", {"id": "int8", "at": "timestamptz"}, time="at")
    assert tables.create(storage, spec).columns == {"id": "BIGINT", "at": "TIMESTAMP"}
    assert storage.row_count("tx") == 0
    assert create_table(storage, "tx", {"id": "BIGINT", "at": "TIMESTAMP"}, time="at").name == "tx", (
        "the same: no-op"
    )


def test_progress_tells_rows_and_share(storage: Storage) -> None:
    seen: list[tuple[str, float]] = []
    create_table(storage, "tx", FRAME, progress=lambda step, share: seen.append((step, share)))
    assert re.fullmatch(r"10 rows read, [\d,]+ a second", seen[0][0]) and seen[0][1] == 1.0
    stream = pa.Table.from_pylist(ROWS).to_reader(max_chunksize=4)
    create_table(storage, "stream", stream, progress=lambda step, share: seen.append((step, share)))
    steps = [(step.partition(",")[0], share) for step, share in seen[1:]]
    assert steps == [("4 rows read", 0.0), ("8 rows read", 0.0), ("10 rows read", 0.0)]


# --- what cannot be ---


@pytest.mark.parametrize("name", ["", "1a", "a b", "a-b", "a.b", "é", "__a", "a" * 200, None, "x;drop"])
def test_names_are_identifiers(storage: Storage, name: Any) -> None:
    with pytest.raises(WorkbenchError) as caught:
        create_table(storage, name, ROWS)
    assert "use letters, digits and _" in str(caught.value) or "reserved" in str(caught.value)


def test_the_id_is_part_of_the_definition(storage: Storage) -> None:
    made = create_table(storage, "tx", {"card": "BIGINT"}, id="card")
    assert made.id == "card" == tables.get(storage, "tx").id
    assert tables.create(storage, TableSpec("other", {"a": "BIGINT"}, id="a")).id == "a"
    assert create_table(storage, "tx", {"card": "BIGINT"}, id="card", if_exists="replace").id == "card"
    with pytest.raises(Conflict, match="its id is card, not None"):
        create_table(storage, "tx", {"card": "BIGINT"})
    with pytest.raises(WorkbenchError, match="the column id='cart' is not there; did you mean 'card'"):
        create_table(storage, "more", {"card": "BIGINT"}, id="cart")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": "soon"}, "'soon' is not a duration"),
        ({"ttl": "30"}, "'30' is not a duration"),
        ({"delay": "0h"}, "delay= is longer than nothing"),
        ({"known": "landed"}, "known='landed' is not there"),
        ({"known": "card"}, "known='card' is BIGINT, not TIMESTAMP"),
        ({"known": "ts", "delay": "1h"}, "both say when a row becomes known"),
    ],
)
def test_when_rows_are_known_is_checked(storage: Storage, options: dict[str, str], message: str) -> None:
    with pytest.raises(WorkbenchError, match=message):
        tables.create(storage, TableSpec("tx", {"card": "BIGINT", "ts": "TIMESTAMP"}, "ts", **options))


def test_when_rows_are_known_belongs_to_the_definition(storage: Storage) -> None:
    spec = TableSpec("tx", {"card": "BIGINT", "ts": "TIMESTAMP"}, "ts", ttl="30d", delay="6h")
    assert tables.create(storage, spec) == spec
    assert tables.get(storage, "tx") == spec
    with pytest.raises(Conflict, match="its delay is 6h, not None"):
        tables.create(storage, TableSpec("tx", spec.columns, "ts", ttl="30d"))


def test_they_need_a_time(storage: Storage) -> None:
    with pytest.raises(WorkbenchError, match="ttl= needs a time column"):
        tables.create(storage, TableSpec("tx", {"card": "BIGINT"}, ttl="1d"))


def test_if_exists_is_one_of_three(storage: Storage) -> None:
    with pytest.raises(WorkbenchError, match="if_exists='append' is not known"):
        create_table(storage, "tx", ROWS, if_exists="append")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pa.table({"ts": pa.array([datetime(2026, 1, 1), None])}), "row 1 has no time"),
        (
            pa.table({"ts": [datetime(2026, 1, 1), datetime(2999, 1, 1)]}),
            "the time of row 1 is in the future",
        ),
        (
            pa.table({"ts": pa.array([0, 1], pa.timestamp("ns"))}),
            "row 1, column 'ts': 1970-01-01 00:00:00.000000001",
        ),
        (
            pa.table({"ts": pa.array([0, 1], pa.timestamp("ns"))}).to_reader(max_chunksize=1),
            "row 1, column 'ts'",
        ),
    ],
)
def test_a_failed_load_leaves_nothing_behind(storage: Storage, rows: Any, said: str) -> None:
    with pytest.raises(RowError) as caught:
        create_table(storage, "tx", rows, time="ts")
    assert said in caught.value.message
    assert (caught.value.field, caught.value.row) == ("ts", 1)
    assert tables.list(storage) == []
    assert lake_files(storage) == []
    assert create_table(storage, "tx", ROWS, time="ts").name == "tx"


def test_a_name_that_a_view_has(storage: Storage) -> None:
    define(storage, "Risk", constant())
    with pytest.raises(Conflict, match="'Risk' is a view already"):
        create_table(storage, "risk", ROWS)


def test_two_at_once_make_one_table(storage: Storage) -> None:
    outcomes: list[object] = []

    def work(amount: float) -> None:
        try:
            outcomes.append(create_table(storage, "tx", FRAME.assign(amount=amount), time="ts"))
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work, args=(amount,)) for amount in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Conflict", "TableSpec"]
    assert storage.row_count("tx") == 10


# --- the table exists ---


def test_the_same_cell_again_changes_nothing(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    Table(storage, "tx").append({"card": 99, "ts": datetime(2026, 2, 1)})
    for obj in (ROWS, FRAME, pa.Table.from_pylist(ROWS).to_reader(max_chunksize=3)):
        create_table(storage, "tx", obj, time="ts")
        assert storage.row_count("tx") == 11, "rows appended since stay"


@pytest.mark.parametrize(
    ("obj", "time", "said"),
    [
        (FRAME.assign(amount=2.5), "ts", "was created from other rows"),
        (FRAME.iloc[:5], "ts", "was created from other rows"),
        (FRAME.iloc[::-1], "ts", "was created from other rows"),
        (FRAME.assign(amount=2), "ts", "its column 'amount' is DOUBLE, not BIGINT"),
        (FRAME.assign(more=1), "ts", "has no column 'more'"),
        (FRAME.drop(columns="amount"), "ts", "has a further column 'amount'"),
        (FRAME[["ts", "card", "amount"]], "ts", "its columns stand in another order"),
        (FRAME, None, "its time column is 'ts', not None"),
    ],
)
def test_another_table_of_that_name_is_a_conflict(
    storage: Storage, obj: Any, time: str | None, said: str
) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    with pytest.raises(Conflict, match=f"table 'tx' exists and {said}") as caught:
        create_table(storage, "TX", obj, time=time)
    assert 'if_exists="replace"' in str(caught.value.hint)
    create_table(storage, "tx", obj, time=time, if_exists="skip")
    assert storage.row_count("tx") == 10


def test_replace_swaps_in_one_step(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    with storage.snapshot() as before, storage.connect() as connection:
        spec = create_table(storage, "Tx", FRAME.iloc[:3].assign(more="x"), time="ts", if_exists="replace")
        old = connection.execute(f"SELECT count(*) FROM {before.relation(connection, 'tx')}").fetchone()
    assert old == (10,), "who reads the old table reads it to the end"
    assert spec.name == "tx" and "more" in spec.columns
    assert [table.name for table in tables.list(storage)] == ["tx"]
    table = Table(storage, "tx")
    assert list(table.head()["card"]) == [0, 1, 2]
    assert table.append({"card": 4, "ts": datetime(2026, 2, 1)}).accepted == 1
    assert table.count() == 4


def test_replace_by_the_same_rows_keeps_the_table(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    before = storage.table("tx").id
    create_table(storage, "tx", FRAME, time="ts", if_exists="replace")
    assert storage.table("tx").id == before
    Table(storage, "tx").append({"card": 99, "ts": datetime(2026, 2, 1)})
    create_table(storage, "tx", FRAME, time="ts", if_exists="replace")
    assert storage.row_count("tx") == 10, "exactly these rows were asked for"


def test_a_failed_replace_keeps_the_table(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    files = lake_files(storage)
    with pytest.raises(RowError, match="in the future"):
        create_table(storage, "tx", FRAME.assign(ts=datetime(2999, 1, 1)), time="ts", if_exists="replace")
    assert storage.row_count("tx") == 10
    assert lake_files(storage) == files


def test_replace_keeps_what_views_read(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    define(storage, "risk", constant())
    create_table(storage, "tx", FRAME.iloc[:3].assign(more=1), time="ts", if_exists="replace")
    assert storage.row_count("tx") == 3
    for obj, time, what in (
        (FRAME.assign(amount="a"), "ts", "column 'amount'"),
        (FRAME.assign(more=1), None, "the time"),
    ):
        with pytest.raises(Conflict, match=f"table 'tx' is used by view 'risk', and {what}"):
            create_table(storage, "tx", obj, time=time, if_exists="replace")
    deployments.deploy(storage, "risk", views.cut(storage, views.get(storage, "risk")).version)
    with pytest.raises(Conflict, match="is read by deployed view 'risk'"):
        create_table(storage, "tx", FRAME.assign(more=1), time="ts", if_exists="replace")


# --- dropping ---


def test_drop_names_the_views_that_rely_on_a_table(storage: Storage) -> None:
    create_table(storage, "tx", ROWS, time="ts")
    for view in ("b", "a"):
        define(storage, view, constant())
    with pytest.raises(Conflict, match="table 'tx' is used by views 'a', 'b'") as caught:
        tables.drop(storage, "tx")
    assert caught.value.hint == "drop the views first"
    for view in ("b", "a"):
        views.drop(storage, view)
    tables.drop(storage, "TX")
    assert tables.list(storage) == []
    with pytest.raises(NotFound, match="there is no table 'tx'"):
        tables.get(storage, "tx")


def test_versions_rely_on_a_table_even_when_the_draft_does_not(storage: Storage) -> None:
    for name in ("tx", "other"):
        create_table(storage, name, ROWS, time="ts")
    define(storage, "risk", constant(table="tx"))
    views.cut(storage, views.get(storage, "risk"))
    define(storage, "risk", constant(table="other"))
    assert tables.dependants(storage, "tx") == ["risk"]


def test_unknown_tables_come_with_a_guess(storage: Storage) -> None:
    with pytest.raises(NotFound) as caught:
        tables.get(storage, "tx")
    assert caught.value.hint == "there are no tables yet"
    create_table(storage, "transactions", ROWS)
    with pytest.raises(NotFound) as caught:
        tables.drop(storage, "transaction")
    assert caught.value.hint == "did you mean 'transactions'?"
