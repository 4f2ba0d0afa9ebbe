import datetime as dt
import sqlite3
from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.storage.support import BY_CARD, COLUMNS, START, payments, stored_rows, table_of
from workbench.errors import Conflict, NotFound, RowError, StorageError, WorkbenchError
from workbench.storage import Storage


def test_a_table_keeps_what_it_was_made_with(storage: Storage) -> None:
    with storage.transaction() as tx:
        made = storage.create_table(tx, "payments", COLUMNS, "at", {"owner": "me", "nested": [1]})
    assert storage.table("payments") == made
    assert storage.tables() == [made]
    assert list(made.columns.items()) == list(COLUMNS.items())
    assert made.options == {"owner": "me", "nested": [1]}


def test_a_name_is_taken_once(storage: Storage, make: Callable[..., None]) -> None:
    make()
    with pytest.raises(Conflict, match="'payments' exists already"):
        make()


def test_an_unknown_table_gets_a_suggestion(storage: Storage, make: Callable[..., None]) -> None:
    make()
    for use in (
        storage.table,
        storage.row_count,
        storage.table_stats,
        storage.flush,
        lambda name: storage.append(name, payments()),
        lambda name: storage.bulk_load(name, payments().to_reader()),
    ):
        with pytest.raises(NotFound, match="no table 'paymets'") as caught:
            use("paymets")
        assert caught.value.hint == "did you mean 'payments'?"


@pytest.mark.parametrize(
    ("columns", "time", "message"),
    [
        ({}, None, "no columns"),
        ({"__seq": "BIGINT"}, None, "reserved"),
        ({"a": "BIGINT", "A": "BIGINT"}, None, "case only"),
        ({"a": "INTERVAL"}, None, "INTERVAL"),
        ({"a": "TIMESTAMP WITH TIME ZONE"}, None, "cannot be TIMESTAMP WITH TIME ZONE"),
        ({"a": "BIGINT"}, "a", "must be TIMESTAMP or DATE"),
        ({"a": "BIGINT"}, "at", "no column 'at'"),
    ],
)
def test_impossible_tables_are_refused(
    storage: Storage, columns: dict[str, str], time: str | None, message: str
) -> None:
    with pytest.raises(WorkbenchError, match=message), storage.transaction() as tx:
        storage.create_table(tx, "t", columns, time)
    assert storage.tables() == []


def test_a_dropped_table_takes_rows_files_and_indexes_along(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")), token="t")
    storage.flush()
    storage.append("payments", payments((1, 2, 1.0, "a")))
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = storage.reader(BY_CARD)
    with storage.transaction() as tx:
        storage.drop_table(tx, "payments")
    assert storage.tables() == []
    assert storage.indexes() == []
    with pytest.raises(NotFound):
        reader.read((1,), ["amount"])
    make()
    assert storage.row_count("payments") == 0
    assert not storage.append("payments", payments((1, 3, 1.0, "b")), token="t").replayed
    storage.flush()
    assert stored_rows(storage, "payments") == [(1, START + dt.timedelta(seconds=3), 1.0, "b", 3)]
    assert len(list((storage.path / "lake").iterdir())) == 1
    assert list((storage.path / "segments").iterdir()) == []


def test_a_table_loaded_aside_takes_the_place_of_another(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "old")))
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    aside = storage.new_table("payments_new", COLUMNS, "at")

    def swap(tx: sqlite3.Connection) -> None:
        with pytest.raises(Conflict):
            storage.rename_table(tx, "payments_new", "payments")
        storage.drop_table(tx, "payments")
        storage.rename_table(tx, "payments_new", "payments")

    reader = storage.reader(BY_CARD)
    storage.bulk_load(aside, payments((1, 2, 2.0, "new")).to_reader(), tx_extra=swap)
    assert [table.name for table in storage.tables()] == ["payments"]
    assert [row[3] for row in stored_rows(storage, "payments")] == ["new"]
    storage.append("payments", payments((1, 3, 3.0, "newer")))
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    assert reader.read((1,), ["shop"]).column("shop").to_pylist() == ["newer", "new"]


def test_rows_must_have_a_time(storage: Storage, make: Callable[..., None]) -> None:
    make()
    rows = table_of(COLUMNS, [(1, START, 1.0, "a"), (1, None, 1.0, "a")])
    for store in (
        lambda: storage.append("payments", rows),
        lambda: storage.bulk_load("payments", rows.to_reader()),
    ):
        with pytest.raises(RowError, match="row 1 has no time") as caught:
            store()
        assert (caught.value.field, caught.value.row) == ("at", 1)
    assert storage.row_count("payments") == 0


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE"])
def test_times_in_the_future_are_refused(storage: Storage, kind: str) -> None:
    with storage.transaction() as tx:
        storage.create_table(tx, "t", {"at": kind}, "at")
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    fine = [now, now + dt.timedelta(minutes=4)] if kind == "TIMESTAMP" else [now.date()]
    storage.append("t", table_of({"at": kind}, [(at,) for at in fine]))
    late = now + dt.timedelta(days=2) if kind == "DATE" else now + dt.timedelta(minutes=6)
    rows = table_of({"at": kind}, [(fine[0],), (late if kind == "TIMESTAMP" else late.date(),)])
    for store in (lambda: storage.append("t", rows), lambda: storage.bulk_load("t", rows.to_reader(1))):
        with pytest.raises(RowError, match="row 1 is in the future") as caught:
            store()
        assert (caught.value.field, caught.value.row) == ("at", 1)


def test_rows_must_have_exactly_the_columns_in_any_order(storage: Storage, make: Callable[..., None]) -> None:
    make()
    rows = payments((1, 1, 1.0, "a"))
    storage.append(
        "payments", rows.select(["shop", "amount", "at", "card"]).replace_schema_metadata({"pandas": "x"})
    )
    strict = pa.schema([field.with_nullable(False) for field in rows.schema])
    storage.append("payments", rows.cast(strict))
    storage.bulk_load("payments", rows.cast(strict).select(["at", "card", "amount", "shop"]).to_reader())
    assert [row[3] for row in stored_rows(storage, "payments")] == ["a"] * 3
    with pytest.raises(StorageError, match="'shop'"):
        storage.append("payments", rows.drop_columns(["shop"]))
    with pytest.raises(StorageError, match="'amount' is double, the rows have float"):
        storage.append("payments", rows.set_column(2, "amount", rows.column("amount").cast(pa.float32())))
