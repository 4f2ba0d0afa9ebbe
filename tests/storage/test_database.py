import sqlite3
import threading
from pathlib import Path

import pytest

from workbench.errors import Conflict, StorageError
from workbench.storage import Storage

NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);\nCREATE INDEX notes_by_text ON notes (text);"


def test_an_exception_rolls_everything_back(storage: Storage) -> None:
    storage.ensure_schema("notes", NOTES)
    with pytest.raises(ZeroDivisionError), storage.transaction() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')").fetchall()[1 // 0]
    assert storage.query("SELECT * FROM notes") == []


def test_a_transaction_sees_its_own_changes_and_others_do_not(storage: Storage) -> None:
    storage.ensure_schema("notes", NOTES)
    seen_by_other: list[int] = []
    with storage.transaction() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
        assert len(storage.query("SELECT * FROM notes")) == 1
        other = threading.Thread(
            target=lambda: seen_by_other.append(len(storage.query("SELECT * FROM notes")))
        )
        other.start()
        other.join()
    assert seen_by_other == [0]
    assert [row["text"] for row in storage.query("SELECT text FROM notes WHERE id = ?", (1,))] == ["a"]


def test_transactions_do_not_nest(storage: Storage) -> None:
    with (
        storage.transaction(),
        pytest.raises(StorageError, match="already inside a transaction"),
        storage.transaction(),
    ):
        pass


def test_mistakes_in_sql_stay_what_they_are(storage: Storage) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        storage.query("SELECT * FROM missing")
    storage.ensure_schema("notes", NOTES)
    with pytest.raises(sqlite3.IntegrityError), storage.transaction() as tx:
        tx.execute("INSERT INTO notes (id) VALUES (1), (1)")


def test_a_schema_is_made_once(storage: Storage) -> None:
    for _ in range(2):
        storage.ensure_schema("notes", NOTES)
    again = Storage.open(storage.path)
    again.ensure_schema("notes", NOTES)
    with pytest.raises(Conflict, match="another version"):
        again.ensure_schema("notes", NOTES + "\n")
    again.close()


def test_the_change_counter_moves_with_every_commit_of_anybody(storage: Storage) -> None:
    storage.ensure_schema("notes", NOTES)
    other = Storage.open(storage.path)
    seen = {storage.change_counter()}
    assert storage.change_counter() in seen
    for writer in (storage, other, storage):
        with writer.transaction() as tx:
            tx.execute("INSERT INTO notes (text) VALUES ('a')")
        assert storage.change_counter() not in seen
        seen.add(storage.change_counter())
    other.close()


def test_many_threads_may_write(storage: Storage) -> None:
    storage.ensure_schema("notes", NOTES)

    def write() -> None:
        for _ in range(20):
            with storage.transaction() as tx:
                tx.execute("INSERT INTO notes (text) VALUES ('a')")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.query("SELECT count(*) FROM notes")[0][0] == 80


def test_a_closed_project_says_so(storage: Storage) -> None:
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        storage.query("SELECT 1")


def test_a_damaged_database_is_reported(tmp_path: Path) -> None:
    Storage.open(tmp_path).close()
    (tmp_path / "workbench.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match="database") as caught:
        Storage.open(tmp_path)
    assert caught.value.hint is not None and "copy" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        Storage.open(tmp_path / "file" / "project")


@pytest.mark.parametrize("name", ["pro*ject", "project?", "project [old]"])
def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="contains one of the signs") as caught:
        Storage.open(tmp_path / name)
    assert caught.value.hint is not None and "rename" in caught.value.hint


def test_opening_twice_is_fine_and_the_project_keeps_its_id(storage: Storage) -> None:
    again = Storage.open(str(storage.path))
    assert again.project_id == storage.project_id
    again.close()
    assert storage.tables() == []
