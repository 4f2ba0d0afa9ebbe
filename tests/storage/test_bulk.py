from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from tests.storage.support import BY_CARD, COLUMNS, payments, stored_rows
from workbench.errors import Conflict, NotFound
from workbench.storage import Receipt, Storage


def many(rows: int) -> pa.RecordBatchReader:
    return payments(*((number % 3, number, float(number), "a") for number in range(rows))).to_reader(
        max_chunksize=7
    )


def breaking(rows: int) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from many(rows)
        raise ConnectionError("the source went away")

    return pa.RecordBatchReader.from_batches(payments().schema, batches())


def data_files(storage: Storage) -> list[str]:
    return [path.name for folder in ("lake", "segments", "tmp") for path in (storage.path / folder).iterdir()]


def test_a_load_gets_its_seq_at_the_end(storage: Storage, make: Callable[..., None]) -> None:
    make()
    seen: list[int] = []

    def progress(rows: int) -> None:
        seen.append(rows)
        assert storage.row_count("payments") == len(seen) - 1
        storage.append("payments", payments((9, len(seen), 9.0, "log")))

    assert storage.bulk_load("payments", many(20), progress=progress) == Receipt(20, 4, 23)
    assert seen == [7, 14, 20]
    rows = stored_rows(storage, "payments")
    assert [row[4] for row in rows] == list(range(1, 24))
    assert [row[2] for row in rows[3:]] == [float(number) for number in range(20)]


def test_a_source_that_breaks_leaves_nothing(storage: Storage, make: Callable[..., None]) -> None:
    make()
    with pytest.raises(ConnectionError):
        storage.bulk_load("payments", breaking(20))
    assert storage.row_count("payments") == 0
    assert storage.last_seq() == 0
    assert data_files(storage) == []


def test_further_changes_are_in_the_same_commit(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    storage.ensure_schema("notes", "CREATE TABLE notes (text TEXT UNIQUE);")
    note = "INSERT INTO notes VALUES ('loaded')"
    storage.bulk_load("payments", many(5), tx_extra=lambda tx: tx.execute(note) and None)
    files = data_files(storage)
    with pytest.raises(Exception, match="UNIQUE"):
        storage.bulk_load("payments", many(5), tx_extra=lambda tx: tx.execute(note) and None)
    assert storage.row_count("payments") == 5
    assert data_files(storage) == files
    assert storage.reader(BY_CARD).read((0,), ["amount"]).column("amount").to_pylist() == [3.0, 0.0]


def test_a_table_is_made_and_filled_in_one_commit(storage: Storage) -> None:
    table = storage.new_table("payments", COLUMNS, "at", {"owner": "me"})
    with pytest.raises(ConnectionError):
        storage.bulk_load(table, breaking(5))
    assert storage.tables() == []
    storage.bulk_load(table, many(5))
    assert storage.table("payments").options == {"owner": "me"}
    assert storage.row_count("payments") == 5
    with pytest.raises(Conflict):
        storage.bulk_load(table, many(5))
    assert storage.row_count("payments") == 5
    assert len(data_files(storage)) == 1


def test_a_load_of_nothing(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    assert storage.bulk_load("payments", many(0)) == Receipt(0, 1, 0)
    assert data_files(storage) == []


def test_a_table_dropped_meanwhile(storage: Storage, make: Callable[..., None]) -> None:
    make()

    def drop(_: int) -> None:
        if storage.tables():
            with storage.transaction() as tx:
                storage.drop_table(tx, "payments")

    with pytest.raises(NotFound, match="was dropped"):
        storage.bulk_load("payments", many(20), progress=drop)
    assert data_files(storage) == []
