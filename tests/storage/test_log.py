import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tests.storage.support import payments, run_python, stored_rows
from workbench.errors import Conflict, StorageError, Throttled, Unavailable
from workbench.storage import Receipt, Storage, log
from workbench.storage import storage as storage_module


def test_seq_is_contiguous_and_global(storage: Storage, make: Callable[..., None]) -> None:
    make()
    make("other", {"a": "BIGINT"}, None)
    assert storage.last_seq() == 0
    assert storage.append("payments", payments((1, 1, 1.0, "a"), (2, 2, 2.0, "b"))) == Receipt(2, 1, 2)
    assert storage.append("other", pa.table({"a": [1, 2, 3]})) == Receipt(3, 3, 5)
    assert storage.append("payments", payments((3, 3, 3.0, "c"))) == Receipt(1, 6, 6)
    assert storage.last_seq() == 6
    assert [row[-1] for row in stored_rows(storage, "payments")] == [1, 2, 6]


def test_no_rows_are_accepted(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    assert storage.append("payments", payments()) == Receipt(0, 2, 1)
    assert storage.row_count("payments") == 1


def test_a_token_makes_an_append_happen_once(storage: Storage, make: Callable[..., None]) -> None:
    make()
    rows = payments((1, 1, 1.0, "a"))
    first = storage.append("payments", rows, token="t", body_hash="h")
    assert first == Receipt(1, 1, 1, replayed=False)
    storage.flush()
    again = Storage.open(storage.path)
    assert again.append("payments", rows, token="t", body_hash="h") == Receipt(1, 1, 1, replayed=True)
    again.close()
    with pytest.raises(Conflict, match="token 't' was used for other rows"):
        storage.append("payments", rows, token="t", body_hash="other")
    assert not storage.append("payments", rows, token="u", body_hash="h").replayed
    assert storage.row_count("payments") == 2


def test_without_a_hash_the_rows_themselves_are_compared(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")), token="t")
    assert storage.append("payments", payments((1, 1, 1.0, "a")), token="t").replayed
    with pytest.raises(Conflict):
        storage.append("payments", payments((1, 1, 1.5, "a")), token="t")


def test_tokens_are_kept_for_a_week(storage: Storage, make: Callable[..., None]) -> None:
    make()
    rows = payments((1, 1, 1.0, "a"))
    storage.append("payments", rows, token="t")
    with storage.transaction() as tx:
        tx.execute("UPDATE tokens SET created_at = created_at - ?", (log.TOKEN_SECONDS - 60,))
    assert storage.append("payments", rows, token="t").replayed
    with storage.transaction() as tx:
        tx.execute("UPDATE tokens SET created_at = created_at - 61")
    storage.append("payments", rows, token="later")
    storage.flush()
    assert storage.append("payments", rows, token="later").replayed
    assert not storage.append("payments", rows, token="t").replayed


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_changes_neither_order_nor_tokens(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    make()
    real = time.time
    old = payments((1, -500 * 86_400, 1.0, "a"))  # in the past by either clock
    assert storage.append("payments", old, token="before") == Receipt(1, 1, 1)
    monkeypatch.setattr("time.time", lambda: real() + days * 86_400)
    assert storage.append("payments", old, token="during") == Receipt(1, 2, 2)
    storage.flush()
    if days < 0:  # a clock that goes on in the future takes its weeks for real
        assert storage.append("payments", old, token="before").replayed
    monkeypatch.setattr("time.time", real)
    assert storage.append("payments", old, token="after") == Receipt(1, 3, 3)
    assert storage.append("payments", old, token="during").replayed
    storage.flush()
    assert storage.append("payments", old, token="after").replayed
    assert [row[-1] for row in stored_rows(storage, "payments")] == [1, 2, 3]


def test_a_clock_that_is_ahead_for_a_while_takes_no_token_away(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    rows = payments((1, 1, 1.0, "a"))
    storage.append("payments", rows, token="t")
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 400 * 86_400)
    storage.flush()
    assert storage.append("payments", rows, token="t").replayed
    monkeypatch.setattr("time.time", real)
    assert storage.append("payments", rows, token="t").replayed


def append_of(size: int, caller: str | None) -> log.Append:
    table = log.StoredTable(1, "payments", {}, None)
    return log.Append(table, b"x" * size, 1, None, None, None, None, caller=caller)


def test_the_queue_is_bounded_and_no_caller_fills_it_alone() -> None:
    queue = log.Queue(appends=4, size=100)
    queue.put(append_of(30, "a"))
    queue.put(append_of(10, "a"))
    with pytest.raises(Throttled, match="this caller"):
        queue.put(append_of(1, "a"))  # half of the appends
    queue.put(append_of(40, "b"))
    with pytest.raises(Throttled):
        queue.put(append_of(20, "b"))  # half of the bytes
    with pytest.raises(Unavailable, match="3 appends are on their way"):
        queue.put(append_of(30, "c"))
    queue.put(append_of(1, None))
    with pytest.raises(Unavailable):
        queue.put(append_of(1, "c"))
    assert [len(append.data) for append in queue.take()] == [30, 10, 40, 1]
    assert not queue and queue.take() == []
    queue.put(append_of(1000, "a"))  # an empty queue takes anything
    assert not queue.fits(append_of(1, None))


def test_the_same_token_at_the_same_time_stores_once(storage: Storage, make: Callable[..., None]) -> None:
    make()
    receipts: list[Receipt] = []
    start = threading.Barrier(8)

    def append() -> None:
        start.wait()
        receipts.append(storage.append("payments", payments((1, 1, 1.0, "a")), token="t"))

    threads = [threading.Thread(target=append) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 7
    assert storage.row_count("payments") == 1


def test_one_refused_append_does_not_take_its_neighbours_along(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")), token="t", body_hash="h")
    outcomes: list[str] = []

    def append(number: int) -> None:
        try:
            storage.append(
                "payments", payments((1, 1, 1.0, "a")), token="t" if number % 2 else None, body_hash="x"
            )
            outcomes.append("stored")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=append, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 10 + ["stored"] * 10
    assert storage.row_count("payments") == 11


def test_the_source_position_is_stored_with_the_rows(storage: Storage, make: Callable[..., None]) -> None:
    make()
    assert storage.source_position("payments") is None
    storage.append("payments", payments((1, 1, 1.0, "a")), source_position="offset 7")
    storage.append("payments", payments((1, 2, 1.0, "a")))
    storage.append("payments", payments(), source_position="offset 8")
    assert storage.source_position("payments") == "offset 8"


def test_large_appends_go_past_the_log(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    monkeypatch.setattr(storage_module, "BULK_BYTES", 1000)
    rows = payments(*((1, number, 1.0, "a") for number in range(100)))
    for replayed in (False, True):
        receipt = storage.append("payments", rows, token="t", source_position="p")
        assert receipt == Receipt(100, 1, 100, replayed=replayed)
    assert storage.query("SELECT count(*) FROM log")[0][0] == 0
    assert storage.source_position("payments") == "p"
    assert storage.row_count("payments") == 100
    assert len(list((storage.path / "lake").iterdir())) == 1


def test_appending_too_fast_is_answered_with_unavailable(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    monkeypatch.setattr(log, "LIMIT_ROWS", 2)
    storage.append("payments", payments((1, 1, 1.0, "a"), (1, 2, 1.0, "a")))
    with pytest.raises(Unavailable, match="2 rows that wait"):
        storage.append("payments", payments((1, 3, 1.0, "a")))
    storage.flush()
    storage.append("payments", payments((1, 3, 1.0, "a")))
    assert storage.row_count("payments") == 3


def test_an_append_inside_a_transaction_is_refused(storage: Storage, make: Callable[..., None]) -> None:
    make()
    with storage.transaction(), pytest.raises(StorageError, match="inside a transaction"):
        storage.append("payments", payments((1, 1, 1.0, "a")))


FULL_DISK = """
import resource, sys
import pyarrow as pa
from workbench.errors import StorageError
from workbench.storage import IndexSpec, Storage

storage = Storage.open(sys.argv[1])
with storage.transaction() as tx:
    storage.create_table(tx, "t", {"a": "BIGINT", "b": "VARCHAR"}, None)
small, large = pa.table({"a": [1], "b": ["x"]}), pa.table({"a": list(range(1000)), "b": ["x" * 2000] * 1000})
storage.append("t", small)
storage.ensure_index(IndexSpec("t", ("a",), None), ["b"], live=True)

def refused(work):
    before = storage.last_seq(), storage.row_count("t")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        work()
    except StorageError as error:
        print(error.message)
    else:
        raise AssertionError("acknowledged")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert (storage.last_seq(), storage.row_count("t")) == before

incompressible = pa.table({"a": list(range(100_000)), "b": [str(hash((i, i))) for i in range(100_000)]})
refused(lambda: storage.append("t", large))
refused(lambda: storage.bulk_load("t", incompressible.to_reader()))
storage.append("t", incompressible)
refused(lambda: storage.flush("t"))
refused(lambda: storage.ensure_index(IndexSpec("t", ("b",), None), ["a"], live=True) or storage.flush("t"))
storage.append("t", small)
assert storage.row_count("t") == 100_002
storage.flush("t")
assert storage.row_count("t") == 100_002
assert storage.reader(IndexSpec("t", ("a",), None)).read((1,), ["b"]).num_rows == 3
storage.close()
print("fine")
"""


def test_a_full_disk_is_reported_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    process = run_python(FULL_DISK, str(tmp_path / "project"))
    output, errors = process.communicate(timeout=60)
    lines = output.splitlines()
    assert errors == ""
    assert len(lines) == 5 and lines[-1] == "fine"
    assert ["database failed" in line or "could not be written" in line for line in lines[:-1]] == [True] * 4


def test_appends_go_on_where_a_flush_cannot_be_asked_for(
    storage: Storage,
    make: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make()
    monkeypatch.setattr(log, "FLUSH_ROWS", 1)

    def refuse(append: log.Append) -> None:
        raise StorageError("no")

    monkeypatch.setattr(storage._committer, "_on_commit", refuse)
    for seq in (1, 2, 3):
        assert storage.append("payments", payments((1, 1, 1.0, "a"))).first_seq == seq
    assert "a flush of table payments could not be asked for" in caplog.text
