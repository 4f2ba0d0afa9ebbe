import threading
from collections.abc import Callable

import pytest

from tests.storage.support import BY_CARD, payments, stored_rows
from workbench.storage import Storage, flush, log
from workbench.storage.model import Part


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    pause = threading.Event()
    for _ in range(int(seconds * 200)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("did not happen in time")


def tail_rows(storage: Storage) -> int:
    return int(storage.query("SELECT coalesce(sum(rows), 0) FROM log")[0][0])


def test_the_tail_is_flushed_in_the_background(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    monkeypatch.setattr(log, "FLUSH_ROWS", 10)
    for number in range(100):
        storage.append("payments", payments((1, number, float(number), "a")))
    wait_until(lambda: tail_rows(storage) < 10)
    assert [row[2] for row in stored_rows(storage, "payments")] == [float(number) for number in range(100)]
    read = storage.reader(BY_CARD).read((1,), ["amount"])
    assert read.column("amount").to_pylist() == [float(number) for number in reversed(range(100))]


def test_small_parts_are_merged_and_their_files_go(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    for number in range(24):
        storage.append("payments", payments((number % 3, -number, float(number), "a"), (1, 1, -1.0, "b")))
        storage.flush()
    parts = storage.query("SELECT count(*) FROM parts")[0][0]
    assert parts < flush.MERGE_COUNT
    assert len(list((storage.path / "lake").iterdir())) == parts
    assert len(list((storage.path / "segments").iterdir())) == 4 * parts
    rows = stored_rows(storage, "payments")
    assert [row[4] for row in rows] == list(range(1, 49))
    expected = sorted((row[1], row[4]) for row in rows if row[0] == 1)[::-1]
    read = storage.reader(BY_CARD).read((1,), [])
    assert read.column("__seq").to_pylist() == [seq for _, seq in expected]


def test_many_small_loads_are_merged_in_the_background(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    for number in range(16):
        storage.bulk_load("payments", payments((1, number, float(number), "a")).to_reader())
    wait_until(lambda: storage.query("SELECT count(*) FROM parts")[0][0] < flush.MERGE_COUNT)
    read = storage.reader(BY_CARD).read((1,), ["amount"])
    assert read.column("amount").to_pylist() == [float(number) for number in reversed(range(16))]
    assert [row[4] for row in stored_rows(storage, "payments")] == list(range(1, 17))


def test_a_reader_that_missed_a_flush_finds_the_rows_in_the_files(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    behind = Storage.open(storage.path)
    reader = behind.reader(BY_CARD)
    for number in range(10):
        storage.append("payments", payments((1, number, float(number), "a")))
        if number == 4:
            assert reader.read((1,), ["amount"]).num_rows == 5
        if number in (3, 7):
            storage.flush()
    assert reader.read((1,), ["amount"]).column("amount").to_pylist() == [
        float(n) for n in reversed(range(10))
    ]
    behind.close()


def test_appends_during_a_flush_stay_in_the_log(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    build = storage._indexes.build_for

    def append_meanwhile(*arguments: object) -> object:
        storage.append("payments", payments((1, 2, 2.0, "a")))
        return build(*arguments)

    monkeypatch.setattr(storage._indexes, "build_for", append_meanwhile)
    storage.flush()
    assert tail_rows(storage) == 1
    assert storage.query("SELECT tail_rows, tail_records FROM tables")[0][:] == (1, 1)
    assert [row[2] for row in stored_rows(storage, "payments")] == [1.0, 2.0]


def part(number: int, rows: int) -> Part:
    return Part(number, 1, f"{number}", 0, rows, 1, 1, rows, None, None, 4)


def test_which_parts_are_merged() -> None:
    assert flush.mergeable([part(n, 10) for n in range(3)]) is None
    assert flush.mergeable([part(n, 10) for n in range(4)]) == [part(n, 10) for n in range(4)]
    mixed = [part(1, 10), part(2, 100_000), part(3, 70_000), part(4, 80_000), part(5, 20), part(6, 90_000)]
    assert flush.mergeable(mixed) == [mixed[1], mixed[2], mixed[3], mixed[5]]
    assert flush.mergeable([part(n, 4_000_000) for n in range(9)]) is None
