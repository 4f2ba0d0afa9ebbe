import datetime as dt
import random
from collections.abc import Callable

import pytest

from tests.storage.support import START, table_of
from workbench.storage import IndexSpec, Storage, segments

COLUMNS = {"k": "VARCHAR", "at": "TIMESTAMP", "n": "BIGINT", "s": "VARCHAR", "xs": "INTEGER[]"}


@pytest.mark.parametrize("keys", [("k",), ()], ids=["three keys", "one key"])
def test_columns_of_several_chunks_read_as_one(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    monkeypatch.setattr(segments, "CHUNK_ROWS", 2048)
    monkeypatch.setattr(segments, "BATCH_ROWS", 2048)
    make("t", COLUMNS, None)
    rng = random.Random(7)
    rows = []
    for n in range(9000):
        at = None if n % 10 == 0 else START + dt.timedelta(seconds=rng.randrange(500))
        rows.append((rng.choice(["a", "b", None]), at, n, f"s{n}", [n] * (n % 3)))
    storage.bulk_load("t", table_of(COLUMNS, rows).to_reader())
    spec = IndexSpec("t", keys, "at")
    storage.ensure_index(spec, ["n", "s"], live=True)
    storage.ensure_index(spec, ["xs"], live=True)
    reader = storage.reader(spec)
    for key in [("a",), ("b",), (None,)] if keys else [()]:
        mine = [row for row in rows if not keys or row[0] == key[0]]
        mine.sort(key=lambda row: (row[1] is not None, row[1] or START, row[2]), reverse=True)
        answer = reader.read(key, ["n", "s", "xs"])
        assert answer.column("n").to_pylist() == [row[2] for row in mine]
        assert answer.column("s").to_pylist() == [row[3] for row in mine]
        assert answer.column("xs").to_pylist() == [row[4] for row in mine]
        assert answer.column("__seq").to_pylist() == [row[2] + 1 for row in mine]
        assert answer.column("__ord").null_count == sum(row[1] is None for row in mine)
        bound = int((START + dt.timedelta(seconds=250) - dt.datetime(1970, 1, 1)).total_seconds() * 1_000_000)
        timed = [row for row in mine if row[1] is not None]
        before = [row[2] for row in timed if (row[1] - START).total_seconds() <= 250]
        assert reader.read(key, ["n"], upto=(bound, None)).column("n").to_pylist() == before
        since = [row[2] for row in timed if (row[1] - START).total_seconds() >= 250]
        assert reader.read(key, ["n"], since=bound).column("n").to_pylist() == since
        known = [row[2] for row in mine if row[2] < 4000]
        assert reader.read(key, ["n"], cut=4000).column("n").to_pylist() == known
        assert reader.read(key, ["n"], cut=4000, limit=7).column("n").to_pylist() == known[:7]


def test_a_column_file_has_several_chunks_and_slices_across_them(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "CHUNK_ROWS", 2048)
    monkeypatch.setattr(segments, "BATCH_ROWS", 2048)
    make("t", {"n": "BIGINT"}, None)
    storage.bulk_load("t", table_of({"n": "BIGINT"}, [(n,) for n in range(7000)]).to_reader())
    spec = IndexSpec("t", (), None)
    storage.ensure_index(spec, ["n"], live=True)
    (index,) = storage._indexes.stored()
    file = index.segments[0].files["n"]
    column = segments.MappedIntegers(storage.path / file.path, file)
    assert len(column.chunks) > 2
    newest_first = list(range(7000))[::-1]
    for begin, end in [
        (0, 1),
        (0, 7000),
        (2047, 2049),
        (2048, 4096),
        (100, 6999),
        (6999, 7000),
        (4096, 4096),
    ]:
        assert column.slice(begin, end).to_pylist() == newest_first[begin:end]
        assert column.values(begin, end).tolist() == newest_first[begin:end]
