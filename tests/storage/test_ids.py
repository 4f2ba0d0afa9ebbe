"""A row of a known id is not stored again: within an append, after restarts, past the log, after kill -9."""

import random
import signal
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from tests.storage.support import run_python, stored_rows, table_of
from workbench.errors import RowError, WorkbenchError
from workbench.storage import Receipt, Storage
from workbench.storage.ids import id_index
from workbench.storage.storage import BULK_IDS

COLUMNS = {"id": "BIGINT", "at": "TIMESTAMP", "x": "DOUBLE"}
AT = 1_700_000_000_000_000


def rows(*ids: int | None, x: float = 1.0) -> pa.Table:
    schema = table_of(COLUMNS, []).schema
    return pa.table([list(ids), pa.array([AT] * len(ids), pa.timestamp("us")), [x] * len(ids)], schema=schema)


@pytest.fixture
def named(storage: Storage) -> Storage:
    with storage.transaction() as tx:
        storage.create_table(tx, "t", COLUMNS, "at", {"id": "id"})
    return storage


def ids(storage: Storage) -> list[int]:
    return [row[0] for row in stored_rows(storage, "t")]


def test_a_known_id_is_a_no_op(named: Storage) -> None:
    assert named.append("t", rows(1, 2)) == Receipt(2, 1, 2)
    assert named.append("t", rows(2, 3, 3)) == Receipt(1, 3, 3, known=2)
    assert named.append("t", rows(1, 2, 3)) == Receipt(0, 4, 3, known=3)
    assert ids(named) == [1, 2, 3]
    named.flush("t")
    assert named.append("t", rows(3, 4)) == Receipt(1, 4, 4, known=1)
    assert named.append("t", rows()) == Receipt(0, 5, 4)
    assert ids(named) == [1, 2, 3, 4]


def test_another_content_under_a_known_id_is_counted(named: Storage) -> None:
    named.append("t", rows(1, 2))
    named.flush()
    named.append("t", rows(3))
    assert named.append("t", rows(1, 3, 4, x=2.0)) == Receipt(1, 4, 4, known=2, different=2)
    mixed = pa.concat_tables([rows(5), rows(5, 5, x=2.0), rows(5)])
    assert named.append("t", mixed) == Receipt(1, 5, 5, known=3, different=2)
    assert [row[2] for row in stored_rows(named, "t")] == [1.0, 1.0, 1.0, 2.0, 1.0]


def test_ids_outlive_the_process(named: Storage) -> None:
    named.append("t", rows(1))
    named.close()
    again = Storage.open(named.path)
    assert again.append("t", rows(1, 2)) == Receipt(1, 2, 2, known=1)
    again.close()


def test_a_null_id_is_refused_with_its_row(named: Storage) -> None:
    with pytest.raises(RowError, match="row 1 has no id") as refused:
        named.append("t", rows(1, None, 2))
    assert (refused.value.row, refused.value.field) == (1, "id")
    with pytest.raises(RowError, match="row 3 has no id"):
        named.bulk_load("t", pa.concat_tables([rows(1, 2, 3), rows(None)]).to_reader(2))
    assert ids(named) == []


@pytest.mark.parametrize(
    ("column", "message"), [("idd", "is not there; did you mean 'id'"), ("x", "is DOUBLE")]
)
def test_what_an_id_can_be(storage: Storage, column: str, message: str) -> None:
    with pytest.raises(WorkbenchError, match=message):
        storage.new_table("t", COLUMNS, "at", {"id": column})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("VARCHAR", ["a", "", "ä", "a\0"]),
        ("UUID", [f"123e4567-e89b-12d3-a456-42661417400{n}" for n in range(4)]),
        ("BLOB", [b"", b"\0", b"\0\0", b"x"]),
        ("UBIGINT", [0, 1, 2**63, 2**64 - 1]),
        ("TINYINT", [-128, -1, 0, 127]),
    ],
)
def test_types_of_ids(storage: Storage, kind: str, values: list[object]) -> None:
    made = table_of({"id": kind}, [(value,) for value in values])
    with storage.transaction() as tx:
        storage.create_table(tx, "t", {"id": kind}, None, {"id": "id"})
    assert storage.append("t", made.slice(0, 2)) == Receipt(2, 1, 2)
    storage.flush()
    assert storage.append("t", made.slice(1)) == Receipt(2, 3, 4, known=1)
    assert storage.bulk_load("t", made.to_reader()) == Receipt(0, 5, 4, known=4)


def test_an_append_of_many_rows_and_a_load(named: Storage) -> None:
    named.append("t", rows(5, 7))
    named.flush()
    named.append("t", rows(9))
    many = range(BULK_IDS + 10)
    assert named.append("t", rows(*many, x=1.0)) == Receipt(BULK_IDS + 7, 4, BULK_IDS + 10, known=3)
    assert len(set(ids(named))) == len(ids(named)) == BULK_IDS + 10
    loaded = pa.concat_tables([rows(1, x=3.0), rows(-1, -2, -1), rows(-2, x=0.0)])
    receipt = named.bulk_load("t", loaded.to_reader(2))
    assert (receipt.accepted, receipt.known, receipt.different) == (2, 3, 2)
    assert ids(named)[-2:] == [-1, -2]
    again = named.bulk_load("t", loaded.to_reader())
    assert (again.accepted, again.known) == (0, 5)
    reader = named.reader(id_index(named.table("t")))
    assert reader.seqs([-1, -2, -3]) == [receipt.first_seq, receipt.last_seq, None]


def test_a_new_table_is_loaded_without_repeated_ids(storage: Storage) -> None:
    table = storage.new_table("t", COLUMNS, "at", {"id": "id"})
    assert storage.bulk_load(table, rows(3, 1, 3, 2, 1).to_reader(2)) == Receipt(3, 1, 3, known=2)
    assert ids(storage) == [3, 1, 2]
    assert storage.append("t", rows(1, 4)) == Receipt(1, 4, 4, known=1)


def test_a_token_answers_before_the_ids_do(named: Storage) -> None:
    named.append("t", rows(1))
    first = named.append("t", rows(1, 2), token="a")
    assert first == Receipt(1, 2, 2, known=1)
    assert named.append("t", rows(1, 2), token="a") == Receipt(1, 2, 2, replayed=True, known=1)
    big = rows(*range(BULK_IDS + 1))
    stored = named.append("t", big, token="b")
    assert stored.known == 2
    again = named.append("t", big, token="b")
    assert (again.replayed, again.accepted, again.known) == (True, stored.accepted, 2)


def test_appends_that_come_between_a_load_and_its_commit(
    named: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    named.append("t", rows(0))
    sift, overtakers = named._bulk._ids.sift, [rows(2), rows(4), rows(100)]

    def overtaken(*args: object) -> object:
        done = sift(*args)  # type: ignore[arg-type]
        if overtakers:
            named.append("t", overtakers.pop(0))
        return done

    monkeypatch.setattr(named._bulk._ids, "sift", overtaken)
    receipt = named.bulk_load("t", rows(1, 2, 3, 4).to_reader())
    assert (receipt.accepted, receipt.known) == (2, 2)
    assert sorted(ids(named)) == [0, 1, 2, 3, 4, 100]
    assert not list((named.path / "tmp").iterdir())
    assert len(list((named.path / "lake").iterdir())) == 1


def test_threads_that_append_the_same_ids(named: Storage) -> None:
    receipts: list[Receipt] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(20):
            receipts.append(named.append("t", rows(*(rng.randrange(300) for _ in range(10)))))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ids(named)
    assert len(found) == len(set(found)) == sum(r.accepted for r in receipts)
    assert all(r.accepted + r.known == 10 and not r.different for r in receipts)


WRITER = """
import random, sys, threading
import pyarrow as pa
from workbench.storage import Storage

storage = Storage.open(sys.argv[1])
random.seed(int(sys.argv[2]))
output = threading.Lock()

def say(*words):
    with output:
        print(*words, flush=True)

def rows(size):
    ids = [random.randrange(3000) for _ in range(size)]
    at = pa.array([1_700_000_000_000_000] * size, pa.timestamp("us"))
    return pa.table({"id": pa.array(ids, pa.int64()), "at": at, "x": pa.array([1.0] * size)}), ids

def keeping_house():
    while True:
        storage.flush("t")

def loading():
    while True:
        table, ids = rows(50)
        storage.bulk_load("t", table.to_reader())
        say("stored", *ids)

for work in (keeping_house, loading):
    threading.Thread(target=work, daemon=True).start()
while True:
    table, ids = rows(random.randrange(1, 20))
    storage.append("t", table)
    say("stored", *ids)
"""


def test_ids_are_stored_once_by_two_processes_that_are_killed(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "project")
    with storage.transaction() as tx:
        storage.create_table(tx, "t", COLUMNS, "at", {"id": "id"})
    storage.close()
    acknowledged: set[int] = set()
    for round_number in range(3):
        writers = [
            run_python(WRITER, str(tmp_path / "project"), str(round_number * 10 + n)) for n in range(2)
        ]
        lines: list[str] = []
        for writer in writers:
            assert writer.stdout is not None
            lines += [writer.stdout.readline() for _ in range(20)]
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            output, errors = writer.communicate()
            assert "Error" not in errors, errors
            lines += output.splitlines()[:-1]
        acknowledged |= {int(word) for line in lines for word in line.split()[1:]}
        storage = Storage.open(tmp_path / "project")
        found = ids(storage)
        assert len(found) == len(set(found))
        assert acknowledged <= set(found)
        assert storage.append("t", rows(*found)).accepted == 0
        storage.close()
