"""The change counter: no commit of anybody is missed once it was acknowledged."""

import os
import selectors
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.support import run_python
from workbench.errors import StorageError
from workbench.storage import watch
from workbench.storage.database import Database

#: Commits, and says so; every tenth time with what may disturb the log: a checkpoint, a new connection.
WRITER = """
import sqlite3, sys
from pathlib import Path
from workbench.storage.database import Database
path, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
database = Database(path)
for number in range(1, rounds + 1):
    with database.transaction() as connection:
        connection.execute("UPDATE acknowledged SET number = ? WHERE name = ?", (number, name))
    print(number, flush=True)
    if number % 10 == 0:
        with database._handle().lock:
            database._connection(database._handle()).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if number % 25 == 0:
        database.close()
        database = Database(path)
"""


@pytest.fixture(params=["header", "data_version"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    if request.param == "data_version":
        monkeypatch.setattr(watch, "_mapped", lambda path: iter(()))
    opened = Database(tmp_path / "some name.db")
    with opened.transaction() as connection:
        connection.execute("CREATE TABLE acknowledged (name TEXT PRIMARY KEY, number INTEGER)")
        connection.executemany("INSERT INTO acknowledged VALUES (?, 0)", [("a",), ("b",)])
    yield opened
    opened.close()


def numbers(database: Database) -> dict[str, int]:
    with database.watching() as connection:
        return {row["name"]: row["number"] for row in connection.execute("SELECT * FROM acknowledged")}


def bump(database: Database, name: str = "a") -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE acknowledged SET number = number + 1 WHERE name = ?", (name,))


def undone(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE acknowledged SET number = 7")
        raise ZeroDivisionError


def test_the_header_is_found_on_linux(tmp_path: Path) -> None:
    database = Database(tmp_path / "found.db")
    assert isinstance(database.change_counter()[1], bytes)
    database.close()


def test_no_acknowledged_commit_of_other_processes_is_missed(database: Database) -> None:
    rounds = 300
    writers = {name: run_python(WRITER, str(database.path), name, str(rounds)) for name in ("a", "b")}
    known, counter, looked = numbers(database), database.change_counter(), 0
    with selectors.DefaultSelector() as selector:
        for name, writer in writers.items():
            assert writer.stdout is not None
            selector.register(writer.stdout, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    selector.unregister(key.fileobj)
                    continue
                now = database.change_counter()
                if now != counter:  # as readers do: the counter first, then the data
                    counter, known, looked = now, numbers(database), looked + 1
                assert known[key.data] >= int(line)
    assert [writer.wait(30) for writer in writers.values()] == [0, 0]
    assert numbers(database) == {"a": rounds, "b": rounds} and looked > 3


def test_it_stands_still_while_nobody_commits(database: Database) -> None:
    before = database.change_counter()
    numbers(database)
    assert database.change_counter() == before
    with pytest.raises(ZeroDivisionError):
        undone(database)
    assert database.change_counter() == before


def test_commits_of_this_process_count_in_every_thread(database: Database) -> None:
    seen = {database.change_counter()}
    for _ in range(50):
        thread = threading.Thread(target=bump, args=(database,))
        thread.start()
        thread.join()
        assert database.change_counter() not in seen
        seen.add(database.change_counter())


def test_it_differs_after_the_log_was_removed_and_made_anew(database: Database) -> None:
    before = database.change_counter()
    database._before_fork()  # closes all connections, the last of which takes the log away
    try:
        assert not Path(f"{database.path}-shm").exists()
        with sqlite3.connect(database.path) as other:
            other.execute("UPDATE acknowledged SET number = 5")
        other.close()
    finally:
        database._after_fork_in_parent()
    assert database.change_counter() != before
    assert numbers(database) == {"a": 5, "b": 5}


def test_both_sides_of_a_fork_see_each_others_commits(database: Database) -> None:
    database.change_counter()
    to_child, from_child = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            counter = database.change_counter()
            os.write(from_child[1], b"r")
            os.read(to_child[0], 1)
            assert database.change_counter() != counter
            bump(database, "b")
            os._exit(0)
        finally:
            os._exit(1)
    os.read(from_child[0], 1)
    bump(database, "a")
    counter = database.change_counter()
    os.write(to_child[1], b"g")
    assert os.waitpid(child, 0)[1] == 0
    assert database.change_counter() != counter
    assert numbers(database) == {"a": 1, "b": 1}


def test_closing_while_others_poll_is_an_error_not_a_crash(database: Database) -> None:
    polling, ended = threading.Event(), []

    def poll() -> None:
        try:
            while True:
                database.change_counter()
                polling.set()
        except StorageError as error:
            ended.append(error)

    threads = [threading.Thread(target=poll) for _ in range(4)]
    for thread in threads:
        thread.start()
    polling.wait()
    database.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 4 and "closed" in ended[0].message
