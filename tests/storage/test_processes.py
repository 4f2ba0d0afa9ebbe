"""Several real processes on one project: writers side by side, kill -9, fork."""

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.support import BY_CARD, payments, run_python, stored_rows
from workbench.errors import StorageError
from workbench.storage import IndexSpec, Storage

BY_KEY = IndexSpec("events", ("k",), None)
EVENTS = {"k": "BIGINT", "id": "BIGINT", "batch": "VARCHAR", "size": "BIGINT"}

WRITER = """
import random, sys, threading
import pyarrow as pa
from workbench.storage import IndexSpec, Storage

path, name, seed, appends, loads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
storage = Storage.open(path)
random.seed(seed)
output = threading.Lock()

def rows(batch, size):
    ids = [random.getrandbits(62) for _ in range(size)]
    return pa.table({"k": pa.array([i % 5 for i in ids]), "id": pa.array(ids),
                     "batch": pa.array([batch] * size), "size": pa.array([size] * size)})

def say(*words):
    with output:
        print(*words, flush=True)

def appending():
    for n in range(appends):
        batch = f"{name}-a{n}"
        size = random.randrange(1, 20)
        storage.append("events", rows(batch, size))
        say("stored", batch, size)

def loading():
    for n in range(loads):
        batch = f"{name}-b{n}"
        size = random.randrange(1, 2000)
        storage.bulk_load("events", rows(batch, size).to_reader(max_chunksize=100))
        say("stored", batch, size)

def keeping_house():
    while not done.is_set():
        storage.flush("events")
        storage.ensure_index(IndexSpec("events", ("k",), None), random.sample(["id", "batch"], 1), live=True)

done = threading.Event()
threads = [threading.Thread(target=work) for work in (appending, loading)]
house = threading.Thread(target=keeping_house)
for thread in [*threads, house]:
    thread.start()
for thread in threads:
    thread.join()
done.set()
house.join()
storage.close()
print("done", flush=True)
"""


def make_events(path: Path) -> Storage:
    storage = Storage.open(path)
    with storage.transaction() as tx:
        storage.create_table(tx, "events", EVENTS, None)
    storage.ensure_index(BY_KEY, ["id"], live=True)
    return storage


def check_project(storage: Storage, acknowledged: dict[str, int]) -> None:
    """Everything acknowledged is there exactly once, batches are whole, and index and snapshot agree."""
    rows = stored_rows(storage, "events")
    ids = [row[1] for row in rows]
    assert len(set(ids)) == len(ids)
    seqs = [row[4] for row in rows]
    assert len(set(seqs)) == len(seqs)
    sizes = Counter(row[2] for row in rows)
    declared = {row[2]: row[3] for row in rows}
    assert dict(sizes) == declared
    assert {batch: sizes[batch] for batch in acknowledged} == acknowledged
    assert storage.row_count("events") == len(rows) == storage.table_stats("events")["rows"]
    storage.ensure_index(BY_KEY, ["id"], live=True)
    for key in range(5):
        read = storage.reader(BY_KEY).read((key,), ["id"])
        assert read.column("__seq").to_pylist() == [row[4] for row in reversed(rows) if row[0] == key]
        assert read.column("id").to_pylist() == [row[1] for row in reversed(rows) if row[0] == key]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    make_events(tmp_path / "project").close()
    acknowledged: dict[str, int] = {}
    for round_number in range(20):
        writers = [
            run_python(
                WRITER,
                str(tmp_path / "project"),
                f"{round_number}.{n}",
                str(rng.random())[2:],
                "100000",
                "100000",
            )
            for n in range(1 + round_number % 2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 60)):
                words = writer.stdout.readline().split()
                acknowledged[words[1]] = int(words[2])
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            output, errors = writer.communicate()
            assert "Error" not in errors, errors
            for line in output.splitlines():
                words = line.split()
                if len(words) == 3 and line.startswith("stored"):
                    acknowledged[words[1]] = int(words[2])
        storage = Storage.open(tmp_path / "project")
        check_project(storage, acknowledged)
        storage.close()
    assert not left_over(tmp_path / "project")


def left_over(path: Path) -> set[str]:
    """Data files on disk that the database does not name."""
    storage = Storage.open(path)
    named = {
        row["path"]
        for row in storage.query(
            "SELECT path FROM parts UNION SELECT path FROM segment_files UNION SELECT path FROM removals"
        )
    }
    storage.close()
    return {f"{d}/{name}" for d in ("lake", "segments", "tmp") for name in os.listdir(path / d)} - named


def test_two_processes_append_load_and_flush_at_once(tmp_path: Path) -> None:
    storage = make_events(tmp_path / "project")
    writers = [run_python(WRITER, str(storage.path), f"w{n}", str(n), "200", "6") for n in range(2)]
    acknowledged: dict[str, int] = {}
    for writer in writers:
        output, errors = writer.communicate(timeout=120)
        assert errors == ""
        assert output.splitlines()[-1] == "done"
        words = [line.split() for line in output.splitlines()[:-1]]
        acknowledged |= {batch: int(size) for _, batch, size in words}
    assert len(acknowledged) == 412
    check_project(storage, acknowledged)
    storage.close()


def test_another_process_sees_a_commit_as_soon_as_append_returned(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = run_python(
        """
import sys
from workbench.storage import IndexSpec, Storage
storage = Storage.open(sys.argv[1])
reader = storage.reader(IndexSpec("payments", ("card",), "at"))
print("ready", flush=True)
for line in sys.stdin:
    print(reader.read((7,), ["amount"]).num_rows, storage.last_seq(), flush=True)
""",
        str(storage.path),
    )
    assert reader.stdin is not None and reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for number in range(1, 30):
        storage.append("payments", payments((7, number, 1.0, "a")))
        if number % 10 == 0:
            storage.flush()
        reader.stdin.write("read\n")
        reader.stdin.flush()
        assert reader.stdout.readline().split() == [str(number), str(number)]
    reader.stdin.close()
    assert reader.wait() == 0


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked child and return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_goes_on_using_the_project(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = storage.reader(BY_CARD)
    snapshot = storage.snapshot()
    assert reader.read((7,), ["amount"]).num_rows == 1

    def work() -> None:
        storage.append("payments", payments((7, 2, 2.0, "b")))
        assert reader.read((7,), ["amount"]).num_rows == 2
        storage.flush()
        assert reader.read((7,), ["amount"]).column("amount").to_pylist() == [2.0, 1.0]
        assert storage.row_count("payments") == 2
        storage.close()

    assert in_child(work) == 0
    assert reader.read((7,), ["amount"]).num_rows == 2
    assert len(os.listdir(storage.path / "leases")) == 1
    snapshot.close()
    storage.append("payments", payments((7, 3, 3.0, "c")))
    assert [row[4] for row in stored_rows(storage, "payments")] == [1, 2, 3]


def test_fork_waits_for_the_transactions_of_other_threads(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    stop = threading.Event()

    def append() -> None:
        while not stop.is_set():
            storage.append("payments", payments((7, 1, 1.0, "a")))

    threads = [threading.Thread(target=append) for _ in range(3)]
    for thread in threads:
        thread.start()
    codes = [in_child(lambda: append_one(storage)) for _ in range(10)]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 10
    rows = stored_rows(storage, "payments")
    assert sum(row[3] == "child" for row in rows) == 10
    assert storage.query("PRAGMA integrity_check")[0][0] == "ok"


def append_one(storage: Storage) -> None:
    storage.append("payments", payments((7, 1, 1.0, "child")))


def test_a_fork_inside_a_transaction_is_told_to_the_child(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()

    def refused() -> None:
        with pytest.raises(StorageError, match="forked inside a transaction"):
            storage.query("SELECT 1")

    with storage.transaction() as tx:
        storage.create_table(tx, "other", {"a": "BIGINT"}, None)
        assert in_child(refused) == 0
    assert [table.name for table in storage.tables()] == ["other", "payments"]
