import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.storage.support import payments, stored_rows, table_of
from workbench.errors import NotFound, StorageError
from workbench.storage import Storage

TYPES = {
    "a": ("TINYINT", -128),
    "b": ("UBIGINT", 2**64 - 1),
    "c": ("HUGEINT", 10**37),
    "d": ("FLOAT", 0.5),
    "e": ("DECIMAL(38,4)", Decimal("1.5000")),
    "f": ("BOOLEAN", True),
    "g": ("VARCHAR", "ä\0b"),
    "h": ("BLOB", b"\xff"),
    "i": ("UUID", "00000000-0000-0000-0000-000000000001"),
    "j": ("DATE", dt.date(1960, 2, 3)),
    "k": ("TIME", dt.time(1, 2, 3, 4)),
    "l": ("TIMESTAMP", dt.datetime(1960, 2, 3, 4, 5, 6, 7)),
    "m": ("INTEGER[]", [1, None]),
    "n": ("STRUCT(x INTEGER, y VARCHAR[])", {"x": 1, "y": ["z"]}),
    "o": ("MAP(VARCHAR, DOUBLE)", [("k", 1.0)]),
    'quoted "name"': ("BIGINT", 1),
}


def test_every_type_comes_back_from_log_and_files_alike(storage: Storage, make: Callable[..., None]) -> None:
    columns = {name: kind for name, (kind, _) in TYPES.items()}
    make("t", columns, None)
    rows = table_of(columns, [tuple(value for _, value in TYPES.values()), (None,) * len(columns)])

    def relation_types() -> list[tuple[str, str]]:
        with storage.snapshot() as snapshot, storage.connect() as connection:
            described = connection.execute(
                f"DESCRIBE SELECT * FROM {snapshot.relation(connection, 't')}"
            ).fetchall()
        return [(row[0], row[1]) for row in described]

    wanted = [*columns.items(), ("__seq", "BIGINT")]
    assert relation_types() == wanted
    storage.append("t", rows)
    assert relation_types() == wanted
    from_log = stored_rows(storage, "t")
    storage.flush()
    assert relation_types() == wanted
    assert stored_rows(storage, "t") == from_log
    storage.append("t", rows)
    assert relation_types() == wanted
    assert [row[:-1] for row in stored_rows(storage, "t")] == [row[:-1] for row in from_log] * 2


def test_a_cut_is_stable_whatever_comes_later(storage: Storage, make: Callable[..., None]) -> None:
    make()
    kept = {}
    for number in range(12):
        rows = payments(*((1, number, float(n), "a") for n in range(3)))
        if number % 3 == 2:
            storage.bulk_load("payments", rows.to_reader())
        else:
            storage.append("payments", rows)
        kept[storage.last_seq()] = stored_rows(storage, "payments")
        if number % 4 == 3:
            storage.flush()
    for cut, rows in kept.items():
        assert stored_rows(storage, "payments", cut) == rows
        assert stored_rows(storage, "payments", cut - 1) == rows[:-1]
        assert storage.row_count("payments", cut - 1) == len(rows) - 1
    assert storage.row_count("payments", 0) == 0
    assert stored_rows(storage, "payments", 0) == []


def test_an_open_snapshot_keeps_its_rows_and_files(storage: Storage, make: Callable[..., None]) -> None:
    make()
    for number in range(3):
        storage.append("payments", payments((1, number, 1.0, "a")))
        storage.flush()
    storage.append("payments", payments((1, 3, 1.0, "a")))
    other = Storage.open(storage.path)
    with storage.snapshot() as snapshot, storage.connect() as connection:
        assert snapshot.cut == 4
        for number in range(4, 12):
            other.append("payments", payments((1, number, 1.0, "a")))
            other.flush()
        relation = snapshot.relation(connection, "payments")
        assert connection.execute(f"SELECT max(__seq), count(*) FROM {relation}").fetchall() == [(4, 4)]
        assert snapshot.row_count("payments") == 4
        before = len(list((storage.path / "lake").iterdir()))
    other.flush()
    assert len(list((storage.path / "lake").iterdir())) < before
    assert storage.row_count("payments") == 12
    other.close()


def test_rows_can_be_narrowed_while_they_are_read(storage: Storage, make: Callable[..., None]) -> None:
    make()
    for number in range(3):
        storage.append(
            "payments", payments((1, number, 1.0, "a"), (2, number, 2.0, "b"), (None, number, 3.0, "c"))
        )
        if number < 2:
            storage.flush()
    with storage.snapshot() as snapshot, storage.connect() as connection:

        def found(**wanted: Any) -> list[int]:
            relation = snapshot.relation(connection, "payments", **wanted)
            return [
                seq for (seq,) in connection.execute(f"SELECT __seq FROM {relation} ORDER BY 1").fetchall()
            ]

        assert found(seqs=[8, 2, 4, 99]) == [2, 4, 8]
        assert found(seqs=[]) == []
        assert found(narrowing=" WHERE r.card = 2 AND r.amount > 1") == [2, 5, 8]
        cards = "(SELECT unnest([2, NULL]) AS c) k"
        assert found(narrowing=f" SEMI JOIN {cards} ON r.card = k.c", seqs=range(4, 10)) == [5, 8]
        assert found(narrowing=f" SEMI JOIN {cards} ON r.card IS NOT DISTINCT FROM k.c") == [2, 3, 5, 6, 8, 9]


def test_a_closed_snapshot_and_an_unknown_table_say_so(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    with storage.connect() as connection:
        with storage.snapshot() as snapshot:
            relation = snapshot.relation(connection, "payments")
            assert snapshot.table("payments").name == "payments"
            with pytest.raises(NotFound) as caught:
                snapshot.relation(connection, "payment")
            assert caught.value.hint == "did you mean 'payments'?"
        with pytest.raises(StorageError, match="closed"):
            snapshot.relation(connection, "payments")
        with pytest.raises(Exception, match="does not exist"):
            connection.execute(f"SELECT * FROM {relation}")
    assert list((storage.path / "leases").iterdir()) == []


def test_statistics(storage: Storage, make: Callable[..., None]) -> None:
    make()
    empty = {"rows": 0, "bytes": 0, "first_time": None, "last_time": None, "last_seq": 0}
    assert storage.table_stats("payments").items() >= empty.items()
    storage.append("payments", payments((1, 60, 1.0, "a"), (1, 30, 1.0, "a")))
    storage.flush()
    storage.append("payments", payments((1, 90, 1.0, "a")))
    stats = storage.table_stats("payments")
    assert stats["bytes"] > 0
    start = dt.datetime(2026, 1, 1)
    expected = {
        "rows": 3,
        "first_time": start + dt.timedelta(seconds=30),
        "last_time": start + dt.timedelta(seconds=90),
        "last_seq": 3,
        "log_rows": 1,
        "parts": 1,
    }
    assert stats.items() >= expected.items()
