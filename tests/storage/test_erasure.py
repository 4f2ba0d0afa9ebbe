"""Erasing an entity: one commit for everything that is read, and no byte left."""

import datetime as dt
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.support import BY_CARD, START, payments, run_python, stored_rows
from workbench.errors import WorkbenchError
from workbench.storage import IndexSpec, Storage
from workbench.storage.erasure import SCRUB

BY_SHOP = IndexSpec("payments", ("shop",), "at")
MARK = "Zebra-Crossing-4711"


def holding(folder: Path, mark: str = MARK) -> list[str]:
    """The files that hold a text; Parquet and segments compress or encode it nowhere in these tests."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()]


def fill(storage: Storage) -> None:
    """Rows of card 7 in two parts, in a flushed log and in the log's tail, among others."""
    storage.ensure_index(BY_CARD, ["amount", "shop"], live=True)
    storage.ensure_index(BY_SHOP, ["card"], live=True)
    for step in range(4):
        rows = payments((1, step, 1.0, "other"), (7, step, 2.0, f"{MARK} {step}"), (8, step, 3.0, "another"))
        storage.append("payments", rows)
        if step < 2:
            storage.flush()
    storage.bulk_load("payments", payments((7, 9, 2.0, f"{MARK} bulk")).to_reader())


def test_everything_of_a_key_goes_and_its_bytes_too(storage: Storage, make: Callable[..., None]) -> None:
    make()
    fill(storage)
    before = [row for row in stored_rows(storage, "payments") if row[0] != 7]
    assert holding(storage.path)
    reader = storage.reader(BY_CARD)
    assert reader.read((7,), ["shop"]).num_rows == 5
    erased = storage.erase("payments", {"card": 7})
    assert (erased.rows, erased.scrubbed) == (5, True)
    assert stored_rows(storage, "payments") == before
    assert reader.read((7,), ["shop"]).num_rows == 0
    assert reader.read((8,), ["shop"]).num_rows == 4
    assert storage.reader(BY_SHOP).read((f"{MARK} 0",), ["card"]).num_rows == 0
    assert holding(storage.path) == []
    assert storage.erase("payments", {"card": 7}).rows == 0
    assert storage.append("payments", payments((7, 20, 1.0, "again"))).first_seq == 14
    assert reader.read((7,), ["shop"]).column("shop").to_pylist() == ["again"]


def test_rows_that_came_meanwhile_go_too(storage: Storage, make: Callable[..., None]) -> None:
    """Appended between reading the log and the commit: their records are cut into the runs that stay."""
    make()
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    storage.append("payments", payments((7, 1, 1.0, MARK)))
    reader = storage.reader(BY_CARD)
    assert reader.read((7,), ["shop"]).num_rows == 1
    other = Storage.open(storage.path)
    tail = other.reader(BY_CARD)
    publish = storage._eraser._publisher.publish

    def late(*arguments: object) -> bool:
        mixed = [(1, 2, 1.0, "a"), (7, 3, 1.0, MARK), (7, 4, 1.0, MARK), (1, 5, 1.0, "b"), (7, 6, 1.0, MARK)]
        other.append("payments", payments(*mixed, (1, 7, 1.0, "c"), (2, 8, 1.0, "d")))
        assert tail.read((7,), ["shop"]).num_rows == 4
        return publish(*arguments)  # type: ignore[arg-type]

    storage._eraser._publisher.publish = late  # type: ignore[method-assign, assignment]
    erased = storage.erase("payments", {"card": 7})
    assert erased.rows == 4
    expected = [("a", 2), ("b", 5), ("c", 7), ("d", 8)]
    for view in (storage, other):
        assert [(row[3], row[4]) for row in stored_rows(view, "payments")] == expected
        assert view.reader(BY_CARD).read((7,), ["shop"]).num_rows == 0
        assert view.reader(BY_CARD).read((1,), ["shop"]).column("shop").to_pylist() == ["c", "b", "a"]
    (record,) = storage.query("SELECT * FROM log WHERE first_seq = 7")
    assert record["rows"] == 2
    assert record["last_time"] - record["first_time"] == 1_000_000
    other.append("payments", payments((9, 1, 1.0, "e")))
    storage.flush()
    assert [row[3] for row in stored_rows(other, "payments")] == ["a", "b", "c", "d", "e"]
    assert storage.row_count("payments") == 5
    other.close()
    storage.scrub()
    assert holding(storage.path) == []


def test_old_files_stay_for_those_who_read_them(storage: Storage, make: Callable[..., None]) -> None:
    make()
    fill(storage)
    pinned = storage.snapshot()
    with storage.connect() as connection:
        relation = pinned.relation(connection, "payments")
        erased = storage.erase("payments", {"card": 7})
        assert (erased.rows, erased.scrubbed) == (5, False)
        count = connection.execute(f"SELECT count(*) FROM {relation} WHERE card = 7").fetchone()
        assert count == (5,)
    assert holding(storage.path)
    pinned.close()
    assert storage.scrub()
    assert holding(storage.path) == []


def test_several_columns_null_and_types(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, None), (7, 2, 2.0, "it's"), (8, 3, 2.0, None)))
    storage.flush()
    assert storage.erase("payments", {"card": 7, "shop": None}).rows == 1
    assert storage.erase("payments", {"shop": "it's", "at": START + dt.timedelta(seconds=2)}).rows == 1
    assert [row[0] for row in stored_rows(storage, "payments")] == [8]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "which rows"),
        ({"crad": 7}, "no column 'crad'"),
        ({"card": "seven"}, "the value 'seven' cannot be a value of column 'card'"),
    ],
)
def test_refusals(
    storage: Storage, make: Callable[..., None], values: dict[str, object], message: str
) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    with pytest.raises(WorkbenchError, match=message):
        storage.erase("payments", values)
    assert storage.row_count("payments") == 1


def test_readers_and_writers_never_see_half_of_it(storage: Storage, make: Callable[..., None]) -> None:
    make()
    fill(storage)
    reader = storage.reader(BY_CARD)
    stop = threading.Event()
    seen: set[int] = set()
    counted: set[int] = set()

    def reading() -> None:
        while not stop.is_set():
            seen.add(reader.read((7,), ["shop"]).num_rows)

    def counting() -> None:
        while not stop.is_set():
            counted.add(sum(row[0] == 7 for row in stored_rows(storage, "payments")))

    threads = [threading.Thread(target=work) for work in (reading, counting)]
    for thread in threads:
        thread.start()
    while not seen or not counted:
        pass
    storage.erase("payments", {"card": 7})
    while 0 not in seen or 0 not in counted:
        pass
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == counted == {0, 5}


ERASER = """
import sys
from workbench.storage import Storage
storage = Storage.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
storage.erase("payments", {"card": 7})
print("erased", flush=True)
"""


def test_kill_9_in_the_middle_is_all_or_nothing(storage: Storage, make: Callable[..., None]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    make()
    fill(storage)
    whole = stored_rows(storage, "payments")
    rest = [row for row in whole if row[0] != 7]
    outcomes = set()
    for round_number in range(8):
        eraser = run_python(ERASER, str(storage.path))
        assert eraser.stdin is not None and eraser.stdout is not None
        eraser.stdout.readline()
        eraser.stdin.write("go\n")
        eraser.stdin.flush()
        if round_number == 7:
            assert eraser.stdout.readline() == "erased\n"
        threading.Event().wait(rng.uniform(0, 0.12))  # where it is killed is what the test is about
        eraser.send_signal(signal.SIGKILL)
        eraser.communicate()
        after = stored_rows(storage, "payments")
        assert after in (whole, rest)
        outcomes.add(len(after))
        keys = storage.reader(BY_CARD).read((7,), ["shop"]).num_rows
        assert keys == sum(row[0] == 7 for row in after)
        if after == rest:
            break
    assert len(rest) in outcomes
    storage.files.remove_orphans()
    assert storage.scrub()
    assert not storage.query("SELECT 1 FROM meta WHERE key = ?", (SCRUB,))
    assert holding(storage.path) == []
