"""Housekeeping: one process that flushes, merges and tidies; appending processes do it when none lives."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.support import BY_CARD, payments, run_python, stored_rows
from workbench.storage import Storage
from workbench.storage.housekeeping import Housekeeper
from workbench.storage.log import FLUSH_RECORDS


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def keeper(storage: Storage) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Start housekeeping processes; they are gone afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "workbench.deployment.housekeeping", str(storage.path)]
        process = subprocess.Popen([*command, "--parent", str(os.getpid())], stderr=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wants_flush(storage: Storage) -> None:
    """Make the log look as if it had very many records, and append one more."""
    with storage.transaction() as tx:
        tx.execute("UPDATE tables SET tail_records = ?", (FLUSH_RECORDS,))
    storage.append("payments", payments((7, 1, 1.0, "a")))


def log_rows(storage: Storage) -> int:
    found: int = storage.table_stats("payments")["log_rows"]
    return found


def test_it_flushes_on_request_and_is_seen(
    storage: Storage, make: Callable[..., None], keeper: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    make()
    assert storage.housekeeping() is None
    process = keeper()
    eventually(storage.housekeeping)
    state = storage.housekeeping()
    assert state is not None and state.pid == process.pid and state.problem is None
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.flush_soon("payments")
    eventually(lambda: log_rows(storage) == 0)
    assert storage.table_stats("payments")["flushed_at"] is not None
    process.terminate()
    assert process.wait(20) == 0
    assert storage.housekeeping() is None


def test_who_appends_leaves_flushing_to_it_while_it_lives(
    storage: Storage, make: Callable[..., None], keeper: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    make()
    process = keeper()
    eventually(storage.housekeeping)
    storage._housekeeping._looked = float("-inf")
    wants_flush(storage)
    assert storage._flusher._thread is None
    eventually(lambda: log_rows(storage) == 0)
    assert storage._flusher._thread is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    storage._housekeeping._looked = float("-inf")
    wants_flush(storage)
    eventually(lambda: log_rows(storage) == 0)
    assert storage._flusher._thread is not None


def test_there_is_one_and_the_next_takes_over(
    storage: Storage, keeper: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    first = keeper()
    eventually(lambda: (state := storage.housekeeping()) is not None and state.pid == first.pid)
    assert not Housekeeper(storage, dict).run(threading.Event(), once=True)
    second = keeper()
    first.send_signal(signal.SIGKILL)
    first.wait()
    eventually(lambda: (state := storage.housekeeping()) is not None and state.pid == second.pid)


def test_it_ends_with_its_parent(storage: Storage) -> None:
    parent = run_python(
        """
import sys, time
from pathlib import Path
from workbench.deployment.housekeeping import HousekeepingProcess
with HousekeepingProcess(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.readline()
""",
        str(storage.path),
    )
    eventually(storage.housekeeping)
    state = storage.housekeeping()
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)  # another is started
    eventually(lambda: (now := storage.housekeeping()) is not None and now.pid != state.pid)
    again = storage.housekeeping()
    assert again is not None
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    eventually(lambda: not Path(f"/proc/{again.pid}").exists() or _is_zombie(again.pid))


def _is_zombie(pid: int) -> bool:
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_once_flushes_merges_and_tidies(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    for number in range(5):
        storage.append("payments", payments((7, number, 1.0, "a")))
        if number < 4:
            storage.flush()
    before = stored_rows(storage, "payments")
    assert Housekeeper(storage, dict).run(threading.Event(), once=True)
    stats = storage.table_stats("payments")
    assert (stats["log_rows"], stats["parts"]) == (0, 2)
    assert stats["merged_at"] is not None
    assert stored_rows(storage, "payments") == before
    assert storage.housekeeping() is None


def test_what_goes_wrong_is_said_and_the_rest_goes_on(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))

    def broken() -> dict[str, int]:
        raise ValueError("no horizon")

    keeper = Housekeeper(storage, broken)
    assert keeper.run(threading.Event(), once=True)
    assert keeper._problem == "expiring rows: ValueError: no horizon"
    assert log_rows(storage) == 0


def test_the_database_log_and_the_handles_stay_bounded(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    rows = payments(*((n % 50, n, 1.0, "x" * 50) for n in range(2000)))
    reader = storage.reader(BY_CARD)
    handles = []
    for number in range(24):
        storage.append("payments", rows)
        assert reader.read((7,), ["shop"]).num_rows == 40 * (number + 1)
        if number % 2:
            storage.flush()
            handles.append(len(os.listdir("/proc/self/fd")))
    wal = storage.path / "workbench.db-wal"
    assert wal.stat().st_size < 64 << 20
    assert max(handles[4:]) <= max(handles[:4]) + 4
    named = storage.query("SELECT path FROM parts UNION SELECT path FROM segment_files")
    files = [*(storage.path / "lake").iterdir(), *(storage.path / "segments").iterdir()]
    assert len(files) == len(named)


def test_compact_leaves_one_file_and_the_same_rows(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    for number in range(3):
        storage.append("payments", payments((7, number, float(number), "a"), (8, number, 1.0, "b")))
        storage.flush()
    with storage.transaction() as tx:
        storage.add_column(tx, "payments", "level", "INTEGER", 3)
    storage.append("payments", payments((7, 9, 9.0, "c")))
    before = stored_rows(storage, "payments")
    stop = threading.Event()
    wrong: list[object] = []

    def reading() -> None:
        reader = storage.reader(BY_CARD)
        while not stop.is_set():
            found = reader.read((7,), ["amount"]).column("amount").to_pylist()
            if found[-4:] != [9.0, 2.0, 1.0, 0.0]:
                wrong.append(found)

    thread = threading.Thread(target=reading)
    thread.start()
    shares: list[float] = []
    storage.compact("payments", shares.append)
    stop.set()
    thread.join()
    assert not wrong
    assert storage.table_stats("payments")["parts"] == 1
    assert stored_rows(storage, "payments") == before
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert storage.query("SELECT columns FROM parts")[0]["columns"] == 5
