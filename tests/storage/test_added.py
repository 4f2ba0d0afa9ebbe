"""Columns that a table gets later: constants in what was stored before, on every way of reading."""

import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.storage.support import BY_CARD, COLUMNS, START, payments, run_python, stored_rows, table_of
from workbench.errors import WorkbenchError
from workbench.storage import IndexSpec, Storage

WITH_LEVEL = {**COLUMNS, "level": "INTEGER"}


def add(storage: Storage, name: str = "level", kind: str = "INTEGER", default: object = 3) -> None:
    with storage.transaction() as tx:
        storage.add_column(tx, "payments", name, kind, default)


def levels(storage: Storage) -> list[int | None]:
    return [row[4] for row in stored_rows(storage, "payments")]


def by_card(storage: Storage, card: int) -> list[int | None]:
    storage.ensure_index(BY_CARD, ["level"], live=True)
    found: list[int | None] = storage.reader(BY_CARD).read((card,), ["level"]).column("level").to_pylist()
    return found


def test_parts_and_log_have_the_default_on_every_way(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = storage.reader(BY_CARD)
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.flush()
    storage.append("payments", payments((7, 2, 2.0, "b")))
    assert reader.read((7,), ["amount"]).num_rows == 2
    pinned = storage.snapshot()
    add(storage)
    storage.append("payments", table_of(WITH_LEVEL, [(7, START, 3.0, "c", None)]))
    storage.append("payments", payments((7, 4, 4.0, "d")))
    assert levels(storage) == [3, 3, None, 3]
    assert by_card(storage, 7) == [3, 3, 3, None]  # newest first; the third has the oldest time
    assert list(pinned.table("payments").columns) == list(COLUMNS)
    pinned.close()
    storage.flush()
    assert levels(storage) == [3, 3, None, 3]
    assert by_card(storage, 7) == [3, 3, 3, None]
    assert [row[3] for row in stored_rows(storage, "payments")] == ["a", "b", "c", "d"]


def test_an_index_by_the_new_column(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.flush()
    storage.append("payments", payments((8, 2, 2.0, "b")))
    add(storage)
    by_level = IndexSpec("payments", ("level",), "at")
    storage.ensure_index(by_level, ["shop"], live=True)
    assert storage.reader(by_level).read((3,), ["shop"]).column("shop").to_pylist() == ["b", "a"]


def test_several_columns_any_order_of_appends_flushes_and_merges(
    storage: Storage, make: Callable[..., None]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    make()
    columns = dict(COLUMNS)
    defaults: dict[str, object] = {}
    expected: list[dict[str, object]] = []
    for step in range(60):
        action = rng.choice(["append", "append", "old", "flush", "bulk", "add"])
        if action == "add" and len(defaults) < 5:
            name = f"c{len(defaults)}"
            defaults[name] = rng.choice([None, step])
            add(storage, name, "BIGINT", defaults[name])
            columns[name] = "BIGINT"
            expected = [{**row, name: defaults[name]} for row in expected]
        elif action == "flush":
            storage.flush()
        elif action in ("append", "old", "bulk"):
            # Rows of an older schema come from whoever has not noticed yet.
            given = columns if action != "old" else dict(COLUMNS)
            rows = [
                (
                    *(rng.randrange(3), START + dt.timedelta(seconds=step), float(step), "x"),
                    *(rng.randrange(9) for _ in range(len(given) - 4)),
                )
                for _ in range(rng.randrange(1, 4))
            ]
            table = table_of(given, rows)
            if action == "bulk":
                storage.bulk_load("payments", table.to_reader())
            else:
                storage.append("payments", table)
            expected += [{**defaults, **row} for row in table.to_pylist()]
    found = [dict(zip(columns, row[:-1], strict=True)) for row in stored_rows(storage, "payments")]
    assert found == [{name: row[name] for name in columns} for row in expected]


def test_a_process_that_has_not_noticed_appends_rows_without_it(
    storage: Storage, make: Callable[..., None]
) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    writer = run_python(
        """
import sys
import pyarrow as pa
from workbench.storage import Storage
from workbench.storage.log import Append, encode_batch
from tests.storage.support import payments
storage = Storage.open(sys.argv[1])
stored = storage.table("payments")
rows = payments((7, 1, 1.0, "a"))
append = Append(stored, encode_batch(rows), 1, (1, 1), None, None, None)
print("ready", flush=True)
sys.stdin.readline()
print(storage._committer.commit(append).first_seq, flush=True)
""",
        str(storage.path),
    )
    assert writer.stdin is not None and writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    add(storage)
    writer.stdin.write("go\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "1\n"
    writer.communicate()
    assert levels(storage) == [3]
    assert by_card(storage, 7) == [3]


def test_another_process_follows(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    other = run_python(
        """
import sys
from workbench.storage import IndexSpec, Storage
storage = Storage.open(sys.argv[1])
reader = storage.reader(IndexSpec("payments", ("card",), "at"))
print(reader.read((7,), ["amount"]).num_rows, flush=True)
for line in sys.stdin:
    print(reader.read((7,), ["amount", "level"]).column("level").to_pylist(), flush=True)
""",
        str(storage.path),
    )
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == "1\n"
    add(storage)
    storage.ensure_index(BY_CARD, ["amount", "level"], live=True)
    storage.append("payments", table_of(WITH_LEVEL, [(7, START + dt.timedelta(seconds=9), 3.0, "c", 5)]))
    other.stdin.write("read\n")
    other.stdin.flush()
    assert other.stdout.readline() == "[5, 3]\n"
    other.communicate()


@pytest.mark.parametrize(
    ("kind", "default", "stored"),
    [
        ("VARCHAR", "it's 'x'\n", "it's 'x'\n"),
        ("DECIMAL(9,2)", "1.50", Decimal("1.50")),
        ("DOUBLE", 0.1, 0.1),
        ("DOUBLE", float("inf"), float("inf")),
        ("BOOLEAN", False, False),
        ("TIMESTAMPTZ", "2026-01-02T03:04:05+01:00", dt.datetime(2026, 1, 2, 2, 4, 5)),
        ("DATE", dt.date(2026, 1, 2), dt.date(2026, 1, 2)),
        ("BIGINT[]", [1, 2], [1, 2]),
        ("VARCHAR", None, None),
        ("BLOB", b"\x00a", b"\x00a"),
    ],
)
def test_defaults_of_types(
    storage: Storage, make: Callable[..., None], kind: str, default: object, stored: object
) -> None:
    make()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    storage.flush()
    storage.append("payments", payments((7, 1, 1.0, "a")))
    add(storage, "new", kind, default)
    assert [row[4] for row in stored_rows(storage, "payments")] == [stored, stored]


@pytest.mark.parametrize(
    ("name", "kind", "default", "message"),
    [
        ("amount", "DOUBLE", None, "has a column 'amount' already"),
        ("AMOUNT", "DOUBLE", None, "has a column 'amount' already"),
        ("__seq", "BIGINT", None, "are reserved"),
        (" ", "BIGINT", None, "cannot be named"),
        ("new", "NUMBERS", None, "NUMBERS"),
        ("new", "BIGINT", "many", "the default 'many' cannot be a value of column 'new'"),
        ("new", "TINYINT", 300, "the default 300 cannot be"),
    ],
)
def test_refusals(
    storage: Storage, make: Callable[..., None], name: str, kind: str, default: object, message: str
) -> None:
    make()
    with pytest.raises(WorkbenchError, match=message):
        add(storage, name, kind, default)
    assert list(storage.table("payments").columns) == list(COLUMNS)


def test_unknown_columns_are_still_refused(storage: Storage, make: Callable[..., None]) -> None:
    make()
    add(storage)
    rows = payments((7, 1, 1.0, "a")).append_column("other", pa.array([1]))
    with pytest.raises(WorkbenchError, match="other"):
        storage.append("payments", rows)
