import datetime as dt
import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.storage.support import START, table_of
from workbench.storage import IndexSpec, Storage, columns, ordering, scan, segments
from workbench.storage.columns import MappedColumn
from workbench.storage.model import ColumnFile
from workbench.values.types import arrow_type

COLUMNS = {"k": "VARCHAR", "at": "TIMESTAMP", "n": "BIGINT", "s": "VARCHAR", "xs": "INTEGER[]"}

VALUES: dict[str, list[Any]] = {
    "BOOLEAN": [True, False],
    "TINYINT": [-128, 127, 0],
    "SMALLINT": [-(2**15), 2**15 - 1, 3],
    "INTEGER": [-(2**31), 2**31 - 1, 3],
    "BIGINT": [-(2**63), 2**63 - 1, 3],
    "UTINYINT": [0, 255],
    "USMALLINT": [0, 65535],
    "UINTEGER": [0, 2**32 - 1],
    "UBIGINT": [0, 2**64 - 1],
    "HUGEINT": [-(10**37), 10**37, 0],
    "FLOAT": [1.5, -0.0, math.inf],
    "DOUBLE": [0.1, -1e300, 5e-324, math.inf],
    "DECIMAL(4,1)": [Decimal("1.5"), Decimal("-999.9")],
    "DECIMAL(18,2)": [Decimal("9999999999999999.99"), Decimal("-0.01")],
    "DECIMAL(38,3)": [Decimal("1.500"), Decimal("-99999999999999999999.999")],
    "DATE": [dt.date(1, 1, 1), dt.date(2026, 2, 3), dt.date(9999, 12, 31)],
    "TIME": [dt.time(0), dt.time(23, 59, 59, 999999)],
    "TIMESTAMP": [dt.datetime(1960, 1, 1, 0, 0, 0, 1), dt.datetime(2026, 1, 1)],
    "VARCHAR": ["", "a", "ä", "日本", "a" * 300, "z\0z"],
    "UUID": ["00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "BLOB": [b"", b"\x00\xff"],
    "INTEGER[]": [[], [1, None, 3]],
    "STRUCT(a INTEGER, b VARCHAR)": [{"a": 1, "b": "x"}, {"a": None, "b": ""}],
}


def mapped(storage: Storage, column: str, kind: str) -> MappedColumn:
    (index,) = storage._indexes.stored()
    file = index.segments[0].files[column]
    return MappedColumn(storage.path / file.path, file, kind)


def shuffled(kind: str, rng: random.Random, rows: int, nulls: float) -> list[Any]:
    return [None if rng.random() < nulls else rng.choice(VALUES[kind]) for _ in range(rows)]


@pytest.mark.parametrize("nulls", [0.0, 0.3, 1.0], ids=["full", "some nulls", "all null"])
def test_every_type_comes_back(storage: Storage, make: Callable[..., None], nulls: float) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    types = {f"c{number}": kind for number, kind in enumerate(VALUES)}
    make("t", {"k": "INTEGER", "o": "INTEGER", **types}, None)
    rows = 500
    data = [[rng.randrange(7) for _ in range(rows)], [rng.randrange(50) for _ in range(rows)]]
    data += [shuffled(kind, rng, rows, nulls) for kind in types.values()]
    storage.bulk_load(
        "t", table_of({"k": "INTEGER", "o": "INTEGER", **types}, list(zip(*data, strict=True))).to_reader()
    )
    spec = IndexSpec("t", ("k",), "o")
    storage.ensure_index(spec, ["o", *types], live=True)
    order = sorted(range(rows), key=lambda row: (data[0][row], -data[1][row], -row))
    for number, (name, kind) in enumerate(types.items()):
        wanted = [data[2 + number][row] for row in order]
        column = mapped(storage, name, kind)
        assert column.slice(0, rows).type == arrow_type(kind)
        assert column.slice(0, rows).to_pylist() == wanted, kind
        for _ in range(5):
            begin, end = sorted(rng.choices(range(rows + 1), k=2))
            assert column.slice(begin, end).to_pylist() == wanted[begin:end], kind
            column.slice(begin, end).validate(full=True)
        assert [column.value(row) for row in range(20)] == wanted[:20]
        if column.lane != "o":
            assert (column.valid is None) == (None not in wanted)
    for key in range(7):
        mine = [row for row in order if data[0][row] == key]
        answer = storage.reader(spec).read((key,), ["o", *types])
        assert answer.column("o").to_pylist() == [data[1][row] for row in mine]
        assert answer.column("c3").to_pylist() == [data[5][row] for row in mine]


@pytest.mark.parametrize(
    ("kind", "values", "dtype"),
    [
        ("BIGINT", [1, 100], "i1"),
        ("BIGINT", [1, 200], "i2"),
        ("UBIGINT", [1], None),
        ("UTINYINT", [200], "i2"),
        ("TIMESTAMP", [START], "i8"),
        ("DECIMAL(18,2)", [Decimal("1.00")], "i1"),
        ("BOOLEAN", [True], "i1"),
        ("FLOAT", [0.5], "f4"),
        ("DOUBLE", [0.5], "f8"),
        ("VARCHAR", [f"w{n}" for n in range(128)], "i1"),
        ("VARCHAR", [f"w{n}" for n in range(129)], "i2"),
    ],
)
def test_values_take_the_narrowest_width(
    storage: Storage, make: Callable[..., None], kind: str, values: list[Any], dtype: str | None
) -> None:
    make("t", {"v": kind}, None)
    storage.bulk_load("t", table_of({"v": kind}, [(value,) for value in values]).to_reader())
    storage.ensure_index(IndexSpec("t", (), None), ["v"], live=True)
    column = mapped(storage, "v", kind)
    assert (None if column.values is None else column.values.dtype.str[1:]) == dtype
    assert column.slice(0, len(values)).to_pylist() == values[::-1]
    if column.lane == "s":
        assert column.offsets is not None
        assert column.data is not None
        words = [
            bytes(column.data[a:b]) for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)
        ]
        assert words == sorted({value.encode() for value in values})


def test_floats_say_whether_all_are_finite(storage: Storage, make: Callable[..., None]) -> None:
    types = {"a": "DOUBLE", "b": "DOUBLE", "c": "FLOAT"}
    make("t", types, None)
    storage.bulk_load("t", table_of(types, [(1.0, math.nan, 1.0), (None, 1.0, -math.inf)]).to_reader())
    storage.ensure_index(IndexSpec("t", (), None), list(types), live=True)
    assert [mapped(storage, name, kind).finite for name, kind in types.items()] == [True, False, False]


@pytest.mark.parametrize("keys", [("k",), ()], ids=["three keys", "one key"])
@pytest.mark.parametrize("memory", [False, True], ids=["spilling", "in memory"])
def test_large_segments_are_made_of_pieces(
    storage: Storage,
    make: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    keys: tuple[str, ...],
    memory: bool,
) -> None:
    for module, name, value in (
        (columns, "CHUNK_ROWS", 2048),
        (columns, "ARROW_ROWS", 1000),
        (scan, "BATCH_ROWS", 2048),
        (segments, "MEMORY_VALUES", 5000),
        (segments, "MEMORY_BYTES", 1 << 30 if memory else 5000),
        (ordering, "MEMORY_ROWS", 1 << 30 if memory else 100),
    ):
        monkeypatch.setattr(module, name, value)
    make("t", COLUMNS, None)
    rng = random.Random(7)
    rows: list[tuple[Any, ...]] = []
    for n in range(9000):
        at = None if n % 10 == 0 else START + dt.timedelta(seconds=rng.randrange(500))
        rows.append((rng.choice(["a", "b", None]), at, n, f"s{n}", [n] * (n % 3)))
    storage.bulk_load("t", table_of(COLUMNS, rows).to_reader())
    spec = IndexSpec("t", keys, "at")
    storage.ensure_index(spec, ["n", "s"], live=True)
    storage.ensure_index(spec, ["xs", "at"], live=True)
    reader = storage.reader(spec)
    asked: list[tuple[Any, ...]] = [("a",), ("b",), (None,)] if keys else [()]
    for key in asked:
        mine = [row for row in rows if not keys or row[0] == key[0]]
        mine.sort(key=lambda row: (row[1] is not None, row[1] or START, row[2]), reverse=True)
        answer = reader.read(key, ["n", "s", "xs", "at"])
        assert answer.column("n").to_pylist() == [row[2] for row in mine]
        assert answer.column("s").to_pylist() == [row[3] for row in mine]
        assert answer.column("xs").to_pylist() == [row[4] for row in mine]
        assert answer.column("at").to_pylist() == [row[1] for row in mine]
        assert answer.column("__seq").to_pylist() == [row[2] + 1 for row in mine]
        assert answer.column("__ord").null_count == sum(row[1] is None for row in mine)
        bound = int((START + dt.timedelta(seconds=250) - dt.datetime(1970, 1, 1)).total_seconds() * 1_000_000)
        timed = [row for row in mine if row[1] is not None]
        middle = START + dt.timedelta(seconds=250)
        before = [row[2] for row in timed if row[1] is not None and row[1] <= middle]
        assert reader.read(key, ["n"], upto=(bound, None)).column("n").to_pylist() == before
        since = [row[2] for row in timed if row[1] is not None and row[1] >= middle]
        assert reader.read(key, ["n"], since=bound).column("n").to_pylist() == since
        known = [row[2] for row in mine if row[2] < 4000]
        assert reader.read(key, ["n"], cut=4000).column("n").to_pylist() == known
        assert reader.read(key, ["n"], cut=4000, limit=7).column("n").to_pylist() == known[:7]


def test_both_ways_to_sort_agree(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    types = {"a": "BIGINT", "b": "VARCHAR", "c": "DOUBLE", "o": "BIGINT"}
    pools: dict[str, list[Any]] = {
        "a": [None, 0, 2**63 - 1, -(2**63), 5],
        "b": [None, "", "x", "xy"],
        "c": [None, 0.0, -0.0, math.nan, -1.5],
        "o": [None, -(2**63), -(2**63) + 1, 0, 7, 2**63 - 1],
    }
    make("t", types, None)
    for _ in range(3):
        rows = [tuple(rng.choice(pools[name]) for name in types) for _ in range(400)]
        storage.append("t", table_of(types, rows))
        storage.flush()
    found = []
    for memory_rows in (1 << 30, 10):
        monkeypatch.setattr(ordering, "MEMORY_ROWS", memory_rows)
        files: dict[str, bytes] = {}
        for keys in [("a",), ("b", "c"), ("c", "a", "b"), ()]:
            spec = IndexSpec("t", keys, "o")
            storage.ensure_index(spec, ["b"], live=False)
            (index,) = storage._indexes.stored()
            for segment in index.segments:
                for name, file in segment.files.items():
                    content = (storage.path / file.path).read_bytes()
                    files[f"{keys} {segment.part.id} {name}"] = content
            storage.drop_draft_indexes()
        found.append(files)
    assert len(found[0]) == 4 * 4 * len(storage.query("SELECT * FROM parts"))
    assert found[0] == found[1]


def test_seqs_with_gaps_find_their_rows() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spread = int(rng.choice([1, 5, 1000]))
        seqs = np.sort(rng.choice(200 * spread, 200, replace=False)).astype(np.int64) + 10**10
        if seed % 2:
            rng.shuffle(seqs)
        wanted = rng.permutation(200)
        assert ordering.positions_of(seqs[wanted], seqs).tolist() == wanted.tolist()
        below = (seqs[wanted] - 10**10 - 3).astype(np.int32)
        assert ordering.positions_of(below, seqs, 10**10 + 3).tolist() == wanted.tolist()


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    values = columns.collect([pa.array([3, None, 700], pa.int64())], "BIGINT", 3)
    writer = columns.write_values(tmp_path / "f", values, np.array([2, 1, 0]), base=5)
    file = writer.described("v", "segments/f")
    assert file == ColumnFile("v", "segments/f", (tmp_path / "f").stat().st_size, file.crc32)
    column = MappedColumn(tmp_path / "f", file, "BIGINT")
    assert (column.file.kind, column.file.rows, column.base) == ("int", 3, 5)
    assert all(section.offset % 64 == 0 for section in column.file.sections.values())
    column.file.verify()
