"""What kernels read of segments and delta, against what readers by key return."""

import datetime as dt
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.storage.support import BY_CARD, START, payments, table_of
from workbench.errors import NotFound, StorageError
from workbench.kernels.program import Column, Piece
from workbench.storage import IndexSpec, Storage, delta_lanes
from workbench.storage.delta_lanes import Derivation
from workbench.storage.source import Source

TYPES = {
    "k": "VARCHAR",
    "n": "INTEGER",
    "o": "TIMESTAMP",
    "i": "INTEGER",
    "f": "FLOAT",
    "d": "DECIMAL(9,2)",
    "b": "BOOLEAN",
    "s": "VARCHAR",
    "t": "DATE",
    "xs": "INTEGER[]",
}
DERIVED = {"x_long": ("length(r.s) + i", "BIGINT"), "x_text": ("s || 'x'", "VARCHAR")}


def derive(row: Sequence[Any]) -> Sequence[Any]:
    i, s = row
    return (
        None if s is None or i is None else len(s) + i,
        None if s is None else s + "x",
    )


def lane_of_row(column: Column, row: int) -> Any:
    """What a kernel sees in one row."""
    if column.validity is not None and not column.validity[row >> 3] >> (row & 7) & 1:
        return None
    if column.lane == "o":
        return "opaque"
    assert column.values is not None
    value = column.values[row].item()
    if column.lane == "s":
        assert column.offsets is not None
        assert column.data is not None
        return bytes(column.data[column.offsets[value] : column.offsets[value + 1]]).decode()
    return value


def key_range(piece: Piece, key: Sequence[Any]) -> tuple[int, int]:
    """Find a key in a key table one by one."""
    assert piece.keys is not None
    levels = piece.keys.levels
    for number in range(len(piece.keys.starts) - 1):
        found: list[Any] = []
        for level in levels:
            if level.validity is not None and not level.validity[number >> 3] >> (number & 7) & 1:
                found.append(None)
            elif level.values is not None:
                found.append(int(level.values[number]))
            else:
                assert level.offsets is not None
                assert level.data is not None
                found.append(bytes(level.data[level.offsets[number] : level.offsets[number + 1]]))
        if found == list(key):
            end = piece.keys.starts[number + 1] if piece.valid_ends is None else piece.valid_ends[number]
            return int(piece.keys.starts[number]), int(end)
    return 0, 0


Rows = list[tuple[int, int, list[Any]]]


def rows_of(piece: Piece, begin: int, end: int, location: Callable[[int, int], Any]) -> Rows:
    found = []
    for row in range(begin, end):
        values = [lane_of_row(column, row) for column in piece.columns]
        for number, column in enumerate(piece.columns):
            picked = location(row, number)
            if column.lane == "o" and values[number] is not None:
                values[number] = picked
            assert picked == values[number]
        found.append((int(piece.ord[row]), int(piece.seq[row]) + piece.base, values))
    return found


def read_all(source: Source, key: Sequence[Any]) -> Rows:
    """Everything that kernels can see of a key, newest first."""
    pieces = source.now()
    physical = source.key(key)
    assert physical is not None
    rows: Rows = []
    count = source.find(physical)
    assert source.pieces.segments == pieces.segments
    delta = source.pieces.delta
    number = len(pieces.segments)
    ranges = [(p, *key_range(p, physical)) for p in pieces.segments] + [(delta, 0, count)]
    for piece_number, (piece, begin, end) in enumerate(ranges):
        mine = rows_of(piece, begin, end, partial(source.value, piece_number))
        assert mine == sorted(mine, key=lambda row: row[:2], reverse=True)
        assert all(seq <= piece.max_seq for _, seq, _ in mine)
        rows += mine
    assert number == len(ranges) - 1
    return sorted(rows, key=lambda row: row[:2], reverse=True)


def lanes_of(row: dict[str, Any], columns: Sequence[str]) -> list[Any]:
    """A row of a reader as lanes."""
    values: list[Any] = []
    for name in columns:
        value = row[name]
        if isinstance(value, dt.datetime):
            value = (value - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
        elif isinstance(value, dt.date):
            value = (value - dt.date(1970, 1, 1)).days
        elif isinstance(value, Decimal):
            value = int(value.scaleb(2))
        elif isinstance(value, bool):
            value = int(value)
        values.append(value)
    return values


def random_rows(rng: random.Random, count: int) -> list[tuple[Any, ...]]:
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {
            "k": rng.choice(["a", "b", ""]),
            "n": rng.choice([1, 2]),
            "o": START + dt.timedelta(seconds=rng.randrange(40)),
            "i": rng.randrange(-9, 9),
            "f": rng.choice([0.5, -0.25, 3.0]),
            "d": Decimal(rng.randrange(-900, 900)).scaleb(-2),
            "b": rng.random() < 0.5,
            "s": rng.choice(["", "ä", "日本", f"w{rng.randrange(99)}"]),
            "t": dt.date(2026, 1, 1 + rng.randrange(20)),
            "xs": [rng.randrange(3)] * rng.randrange(3),
        }
        rows.append(tuple(None if rng.random() < 0.08 else value for value in row.values()))
    return rows


@pytest.mark.parametrize("keys", [("k",), ("n", "k"), ()], ids=str)
@pytest.mark.parametrize("order", ["o", "i", None])
def test_kernels_see_what_readers_return(
    storage: Storage,
    make: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    keys: tuple[str, ...],
    order: str | None,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    monkeypatch.setattr(delta_lanes, "ROOM", 8)
    make("t", TYPES, None)
    spec = IndexSpec("t", keys, order)
    names = [*TYPES, *DERIVED]
    storage.ensure_index(spec, list(TYPES), live=True, derived=DERIVED)
    reader = storage.reader(spec)
    source = reader.source(names, Derivation(("i", "s"), tuple(DERIVED), derive))
    for _ in range(8):
        storage.append("t", table_of(TYPES, random_rows(rng, rng.choice([1, 2, 30, 100]))))
        if rng.random() < 0.3:
            storage.flush("t")
        for _ in range(2):
            key = tuple(
                {"k": rng.choice(["a", "b", "", None, "zz"]), "n": rng.choice([1, 2])}[k] for k in keys
            )
            wanted: Rows = []
            for row in reader.read(key, list(TYPES)).to_pylist():
                derived = derive((row["i"], row["s"]))
                row |= dict(zip(DERIVED, derived, strict=True))
                if row["__ord"] is not None:
                    wanted.append((row["__ord"], row["__seq"], lanes_of(row, names)))
            assert read_all(source, key) == wanted


def test_arrays_stay_until_the_generation_changes(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    reader = storage.reader(BY_CARD)
    source = reader.source(["amount"])
    first = source.now()
    assert source.now() is first
    storage.append("payments", payments((1, 2, 2.0, "b")))
    second = source.now()
    assert second.last_seq == 2
    assert (second.generation, second.delta) == (first.generation, first.delta)
    assert source.find((1,)) == 2
    values = source.pieces.delta.columns[0].values
    assert values is not None
    assert values[:2].tolist() == [2.0, 1.0]
    storage.flush()
    third = source.now()
    assert third.generation != second.generation
    assert len(third.segments) == 1
    assert source.find((1,)) == 0
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    assert source.now().generation != third.generation
    assert third.segments[0].columns[0].values is not None
    assert third.segments[0].columns[0].values.tolist() == [2.0, 1.0]


def test_nulls_that_were_flushed_leave_nothing_behind(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    source = storage.reader(BY_CARD).source(["amount"])
    storage.append("payments", payments(*[(1, n, None, "a") for n in range(1, 20)]))
    assert {values[0] for *_, values in read_all(source, (1,))} == {None}
    storage.flush()
    storage.append("payments", payments((1, 30, 3.0, "a")))
    assert read_all(source, (1,))[0][2] == [3.0] or read_all(source, (1,))[-1][2] == [3.0]


def test_sources_show_one_state(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    source = storage.reader(BY_CARD).source(["amount"])
    storage.append("payments", payments((1, 1, 1.0, "a")))
    state = storage.state()
    storage.append("payments", payments((1, 2, 2.0, "b")))
    assert source.now(state).last_seq == 1
    assert source.find((1,)) == 1
    assert source.now().last_seq == 2
    assert source.find((1,)) == 2


def test_a_derivation_that_fails_is_asked_again(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True, derived={"x_1": ("1 // amount", "DOUBLE")})
    asked: list[float] = []

    def call(row: Sequence[Any]) -> Sequence[Any]:
        asked.append(row[0])
        return (1 / row[0],)

    source = storage.reader(BY_CARD).source(["x_1"], Derivation(("amount",), ("x_1",), call))
    storage.append("payments", payments((1, 1, 4.0, "a"), (2, 1, 0.0, "a")))
    source.now()
    assert source.find((1,)) == source.find((1,)) == 1
    assert asked == [4.0]
    assert source.value(0, 0, 0) == 0.25
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            source.find((2,))


def test_sources_of_unknown_columns_and_indexes(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=False)
    reader = storage.reader(BY_CARD)
    with pytest.raises(StorageError, match="does not have the column 'x_1'"):
        reader.source(["x_1"]).now()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    storage.flush()
    with pytest.raises(StorageError, match="does not have the column 'shop'"):
        reader.source(["shop"]).now()
    source = reader.source(["amount"])
    source.now()
    storage.drop_draft_indexes()
    with pytest.raises(NotFound):
        source.now()
    storage.ensure_index(BY_CARD, ["amount"], live=False)
    assert len(source.now().segments) == 1


def test_a_whole_part_of_the_log_is_taken_in_at_once(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.ensure_index(BY_CARD, ["amount", "shop"], live=True)
    rows = [(n % 50, n // 3, float(n), None if n % 11 == 0 else f"shop{n % 7}") for n in range(5000)]
    storage.append("payments", payments(*rows))
    source = storage.reader(BY_CARD).source(["amount", "shop"])
    source.now()
    assert source.find((7,)) == 100
    delta = source.pieces.delta
    values = delta.columns[0].values
    assert values is not None
    assert values[:100].tolist() == [float(n) for n in range(4957, 0, -50)]
    shops = [lane_of_row(delta.columns[1], row) for row in range(100)]
    assert shops == [rows[n][3] for n in range(4957, 0, -50)]
    assert np.all(delta.seq[:100] == np.arange(4958, 0, -50))


def test_a_key_with_many_rows_in_the_log_asks_for_a_flush(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.storage.reader.CROWDED_ROWS", 10)
    make()
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    asked: list[str] = []
    monkeypatch.setattr(storage, "flush_soon", asked.append)
    source = storage.reader(BY_CARD).source(["amount"])
    for count, wanted in ((10, []), (11, ["payments"])):
        storage.append("payments", payments(*((count, n, 1.0, "a") for n in range(count))))
        source.now()
        assert source.find((count,)) == count
        assert asked == wanted
