import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.support import BY_CARD, START, payments, table_of
from workbench.errors import NotFound, RowError, StorageError, Unavailable, WorkbenchError
from workbench.storage import IndexSpec, Storage
from workbench.storage.manifest import bump_version, drop_segments

FORMER = Path(__file__).with_name("data") / "project_of_arrow_segments.zip"
BY_SHOP = IndexSpec("payments", ("shop",), "at")


def fill(storage: Storage, make: Callable[..., None]) -> None:
    make()
    for flush in (True, True, False):
        storage.append("payments", payments(*((n % 3, n, float(n), f"shop{n % 2}") for n in range(12))))
        if flush:
            storage.flush()


def test_columns_are_added_one_by_one(storage: Storage, make: Callable[..., None]) -> None:
    fill(storage, make)
    fractions: list[float] = []
    storage.ensure_index(BY_CARD, ["amount"], live=True, progress=fractions.append)
    assert fractions == [0.5, 1.0]
    reader = storage.reader(BY_CARD)
    before = reader.read((1,), ["amount"])
    with pytest.raises(StorageError, match="does not have the column 'shop'"):
        reader.read((1,), ["shop"])
    files = set((storage.path / "segments").iterdir())
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    assert len(set((storage.path / "segments").iterdir()) - files) == 2
    after = reader.read((1,), ["amount", "shop"])
    assert after.select(before.schema.names) == before
    assert after.column("shop").to_pylist() == [
        f"shop{int(n) % 2}" for n in after.column("amount").to_pylist()
    ]
    storage.ensure_index(BY_CARD, ["amount", "shop"], live=True, progress=fractions.append)
    assert fractions == [0.5, 1.0]
    (info,) = storage.indexes()
    assert (info.spec, info.columns, info.live, info.rows) == (BY_CARD, ("amount", "shop"), True, 24)
    assert info.bytes == sum(path.stat().st_size for path in (storage.path / "segments").iterdir())


def test_drafts_of_a_table_that_is_being_loaded_go_the_next_time(
    storage: Storage, make: Callable[..., None]
) -> None:
    fill(storage, make)
    storage.ensure_index(BY_SHOP, ["amount"], live=False)
    with storage._files.lock(f"table-{storage.table('payments').id}"):
        storage.drop_draft_indexes()
        assert [info.spec for info in storage.indexes()] == [BY_SHOP]
    storage.drop_draft_indexes()
    assert storage.indexes() == []


def test_drafts_go_and_live_indexes_stay(storage: Storage, make: Callable[..., None]) -> None:
    fill(storage, make)
    kept = IndexSpec("payments", ("card", "shop"), None)
    for spec, live in ((BY_CARD, True), (BY_SHOP, False), (kept, False)):
        storage.ensure_index(spec, ["amount"], live=live)
    reader = storage.reader(BY_SHOP)
    storage.drop_draft_indexes(keep=[kept])
    assert {info.spec for info in storage.indexes()} == {BY_CARD, kept}
    with pytest.raises(NotFound, match="no index payments"):
        reader.read(("shop1",), ["amount"])
    storage.ensure_index(BY_CARD, ["amount"], live=False)
    storage.drop_draft_indexes()
    assert [info.spec for info in storage.indexes()] == [BY_CARD]
    storage.demote_index(BY_CARD)
    storage.drop_draft_indexes()
    assert storage.indexes() == []
    assert list((storage.path / "segments").iterdir()) == []
    storage.ensure_index(BY_SHOP, ["amount"], live=False)
    assert reader.read(("shop1",), ["amount"]).num_rows == 18
    storage.ensure_index(BY_SHOP, ["amount"], live=True)
    assert storage.indexes()[0].live


def test_other_openings_follow(storage: Storage, make: Callable[..., None]) -> None:
    fill(storage, make)
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    other = Storage.open(storage.path)
    reader = other.reader(BY_CARD)
    assert reader.read((1,), ["amount"]).num_rows == 12
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    assert reader.read((1,), ["shop"]).num_rows == 12
    storage.flush()
    assert reader.read((1,), ["shop"]).num_rows == 12
    other.close()


def flip_in_header(path: Path) -> None:
    flip(path, 30)


def flip_in_content(path: Path) -> None:
    flip(path, random.randrange(512, path.stat().st_size))


def flip(path: Path, position: int) -> None:
    print(f"{path.name}: bit 2 of byte {position} of {path.stat().st_size}")
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


FILES = ["amount", "shop", "tags", "__keys", "__ord", "__seq"]


@pytest.mark.parametrize("column", FILES)
@pytest.mark.parametrize("damage", [flip_in_header, flip_in_content, tear, empty, Path.unlink])
def test_a_damaged_file_is_reported_and_rebuilt_by_itself(
    storage: Storage,
    make: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    column: str,
    damage: Callable[[Path], None],
) -> None:
    spec = IndexSpec("t", ("k",), "at")
    types = {"k": "INTEGER", "at": "TIMESTAMP", "amount": "DOUBLE", "shop": "VARCHAR", "tags": "VARCHAR[]"}
    make("t", types, None)
    rows = [(n % 3, START, float(n), f"shop{n % 2}", ["x"] * (n % 3)) for n in range(200)]
    storage.bulk_load("t", table_of(types, rows).to_reader())
    columns = ["amount", "shop", "tags"]
    storage.ensure_index(spec, columns, live=True)
    # A copy: the answer's arrays lie in the files.
    wanted = storage.reader(spec).read((1,), columns).to_pylist()
    storage.close()
    (path,) = (
        sqlite3.connect(storage.path / "workbench.db")
        .execute("SELECT path FROM segment_files WHERE column_name = ?", (column,))
        .fetchone()
    )
    damage(storage.path / path)
    other = Storage.open(storage.path)
    reader = other.reader(spec)

    def healed() -> bool:
        try:
            answer = reader.read((1,), columns)
        except Unavailable:
            return False
        return answer.to_pylist() == wanted and "was built again" in caplog.text

    with caplog.at_level("WARNING"):
        wait_until(healed)
    assert path in caplog.text
    assert other.verify() == []
    other.close()


def test_what_nobody_built_again_is_built_when_it_is_read(
    storage: Storage, make: Callable[..., None]
) -> None:
    fill(storage, make)
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    with (
        storage.database.transaction() as connection
    ):  # dropped by a process that ended before it built it again
        drop_segments(connection, bump_version(connection), "1 = ?", 1)
    with pytest.raises(Unavailable):
        storage.reader(BY_CARD)

    def healed() -> bool:
        try:
            return storage.reader(BY_CARD).read((1,), ["amount"]).num_rows == 12
        except Unavailable:
            return False

    wait_until(healed)


def test_all_files_are_verified_on_request(storage: Storage, make: Callable[..., None]) -> None:
    fill(storage, make)
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    shares: list[float] = []
    assert storage.verify(shares.append) == []
    assert shares == [0.0, 0.5]
    path = storage.query("SELECT path FROM segment_files WHERE column_name = 'amount'")[0]["path"]
    flip_in_content(storage.path / path)
    (damage,) = storage.verify()
    assert damage.path == path
    assert "damaged" in damage.reason
    assert storage.verify() == []
    lake = storage.query("SELECT path FROM parts")[0]["path"]
    tear(storage.path / lake)
    (damage,) = storage.verify()
    assert damage.path == lake


def test_torn_and_missing_files_are_rebuilt_without_a_read(
    storage: Storage, make: Callable[..., None]
) -> None:
    fill(storage, make)
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    for column, damage in (("amount", tear), ("__keys", Path.unlink)):
        path = storage.query("SELECT path FROM segment_files WHERE column_name = ?", (column,))[0]["path"]
        damage(storage.path / path)
        storage.ensure_index(BY_CARD, ["amount"], live=True)
        other = Storage.open(storage.path)
        assert other.reader(BY_CARD).read((1,), ["amount"]).num_rows == 12
        other.close()


@pytest.mark.parametrize(
    ("spec", "columns", "error", "message"),
    [
        (IndexSpec("payment", ("card",), "at"), [], NotFound, "no table"),
        (IndexSpec("payments", ("crad",), "at"), [], NotFound, "no column 'crad'"),
        (IndexSpec("payments", ("card",), "att"), [], NotFound, "no column 'att'"),
        (BY_CARD, ["amont"], NotFound, "no column 'amont'"),
        (IndexSpec("payments", ("card",), "shop"), [], WorkbenchError, "cannot be ordered by 'shop'"),
        (IndexSpec("lists", ("tags",), None), [], WorkbenchError, "cannot be a key"),
    ],
)
def test_impossible_indexes_are_refused(
    storage: Storage,
    make: Callable[..., None],
    spec: IndexSpec,
    columns: list[str],
    error: type[WorkbenchError],
    message: str,
) -> None:
    make()
    make("lists", {"tags": "VARCHAR[]"}, None)
    with pytest.raises(error, match=message):
        storage.ensure_index(spec, columns, live=True)
    with pytest.raises(NotFound):
        storage.reader(spec)
    with pytest.raises(NotFound):
        storage.demote_index(spec)


def test_a_key_of_the_wrong_kind_is_refused_and_an_impossible_one_finds_nothing(
    storage: Storage, make: Callable[..., None]
) -> None:
    fill(storage, make)
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = storage.reader(BY_CARD)
    with pytest.raises(RowError, match="'card' is BIGINT") as caught:
        reader.read(("1",), ["amount"])
    assert caught.value.field == "card"
    with pytest.raises(StorageError, match="1 key columns, the key has 2"):
        reader.read((1, 2), ["amount"])
    for nothing in (1.5, 2**70, float("nan"), float("inf"), None, 99):
        assert reader.read((nothing,), ["amount"]).num_rows == 0
    assert reader.read((1.0,), ["amount"]).num_rows == 12


def test_a_spec_has_a_stable_id() -> None:
    assert BY_CARD.id == IndexSpec("payments", ("card",), "at").id
    assert BY_CARD.id not in (BY_SHOP.id, IndexSpec("payments", ("card",), None).id)


def test_a_project_of_the_former_layout_gets_its_indexes_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.unpack_archive(FORMER, tmp_path / "former")
    with caplog.at_level("WARNING", "workbench.storage.index"):
        storage = Storage.open(tmp_path / "former")
    assert "again in the layout of this version" in caplog.text
    assert "built to 100%" in caplog.text
    (info,) = storage.indexes()
    assert (info.spec, info.columns, info.live) == (BY_CARD, ("amount", "shop", "tags"), True)
    answer = storage.reader(BY_CARD).read((1,), ["amount", "shop", "tags"]).to_pylist()
    numbers = range(28, 0, -3)
    assert [row["amount"] for row in answer] == [float(n) if n % 4 else None for n in numbers]
    assert [row["shop"] for row in answer] == [f"shop{n % 2}" for n in numbers]
    assert [row["tags"] for row in answer] == [["t"] * (n % 3) for n in numbers]
    storage.close()
    caplog.clear()
    storage = Storage.open(tmp_path / "former")
    assert not caplog.text
    assert all(path.suffix == ".seg" for path in (tmp_path / "former" / "segments").iterdir())
    storage.close()
