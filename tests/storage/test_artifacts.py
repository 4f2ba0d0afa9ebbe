"""Trees, links and hash indexes of segments; large numbers of keys; changes while somebody reads."""

import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kernels.request import Request
from tests.storage.support import BY_CARD, payments, table_of
from workbench.kernels import warm
from workbench.kernels.program import Call, Column, Piece, Program, Windowed
from workbench.kernels.trees import build_slots, build_tree
from workbench.storage import IndexSpec, Storage
from workbench.storage.arrays import int64_array
from workbench.storage.keytable import Keys, MappedKeys, write_keys

NEEDS: dict[str, Any] = {
    "derived": {"x_big": ("CASE WHEN r.amount > 10 THEN r.amount END", "DOUBLE")},
    "trees": ["amount", "x_big"],
    "newer": ["shop", "amount"],
}


def newer_of(shops: list[Any]) -> list[int]:
    """For the rows of one key: how far the next newer row of the same value is."""
    found = []
    for row, shop in enumerate(shops):
        same = [other for other in range(row) if shops[other] == shop]
        found.append(-1 if shop is None else row - same[-1] if same else 0)
    return found


def random_payments(rng: random.Random, count: int) -> Any:
    return payments(
        *(
            (rng.randrange(3), rng.randrange(999), float(n % 40), rng.choice(["a", "b", "c", None]))
            for n in range(count)
        )
    )


@pytest.mark.usefixtures("kernels")
def test_loads_flushes_and_merges_build_what_an_index_needs(
    storage: Storage, make: Callable[..., None]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    assert warm.warm(storage.path / "kernels")
    make()
    storage.append("payments", random_payments(rng, 300))
    storage.flush()
    storage.ensure_index(BY_CARD, ["amount", "shop"], live=True, **NEEDS)
    storage.bulk_load("payments", random_payments(rng, 5000).to_reader())
    for _ in range(4):
        storage.append("payments", random_payments(rng, 200))
        storage.flush()
    reader = storage.reader(BY_CARD)
    pieces = reader.source(["amount", "x_big", "shop"]).now()
    assert len(pieces.segments) < 6
    assert sum(piece.rows for piece in pieces.segments) == 6100
    for piece in pieces.segments:
        amount, big, shop = piece.columns
        assert amount.values is not None
        assert big.values is not None
        assert amount.tree is not None
        assert amount.tree.tolist() == build_tree(amount.values, amount.validity).tolist()
        assert big.tree is not None
        assert big.tree.tolist() == build_tree(big.values, big.validity).tolist()
        assert len(big.tree) == piece.rows // 64 + piece.rows // 4096
        assert shop.tree is None
        assert shop.newer is not None
        assert shop.newer_counts is not None
        assert amount.newer is not None
        assert piece.keys is not None
        bounds = piece.keys.starts.tolist()
        mapped = [
            None
            if shop.validity is not None and not shop.validity[row >> 3] >> (row & 7) & 1
            else int(shop.values[row])  # type: ignore[index]
            for row in range(piece.rows)
        ]
        expected = [d for a, b in pairwise(bounds) for d in newer_of(mapped[a:b])]
        assert shop.newer.tolist() == expected
        zeros = np.cumsum([0] + [distance == 0 for distance in expected])
        assert shop.newer_counts.tolist() == zeros[: piece.rows + 1 : 64].tolist()
    (index,) = storage._indexes.stored()
    assert index.needs.trees == ("amount", "x_big")
    assert index.needs.derived == NEEDS["derived"]


@pytest.mark.usefixtures("kernels")
def test_what_kernels_build_is_added_when_there_are_kernels(
    storage: Storage, make: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    storage.append("payments", random_payments(random.Random(1), 300))
    storage.flush()
    with monkeypatch.context() as without:
        without.setattr("workbench.storage.artifacts.available", lambda root: False)
        storage.ensure_index(BY_CARD, ["amount", "shop"], live=True, **NEEDS)
        (piece,) = storage.reader(BY_CARD).source(["x_big", "shop"]).now().segments
        assert piece.columns[0].tree is None
        assert piece.columns[1].newer is None
    assert warm.warm(storage.path / "kernels")
    before = set((storage.path / "segments").iterdir())
    storage.ensure_index(BY_CARD, ["amount", "shop"], live=True, **NEEDS)
    (piece,) = storage.reader(BY_CARD).source(["x_big", "shop"]).now().segments
    assert piece.columns[0].tree is not None
    assert piece.columns[1].newer is not None
    assert len(set((storage.path / "segments").iterdir()) - before) == 4


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("text", [False, True], ids=["numbers", "texts"])
def test_many_keys_are_found_with_and_without_the_hash_index(tmp_path: Path, text: bool) -> None:
    assert warm.warm(tmp_path / "kernels")
    assert warm.load(tmp_path / "kernels")
    count = 200_000
    numbers = np.arange(count, dtype=np.int64) * 7
    words = [f"{number:09d}".encode() for number in numbers.tolist()]
    level = int64_array(numbers)
    if text:
        import pyarrow as pa

        level = pa.array(words, pa.large_binary())
    keys = Keys([level], np.arange(count + 1, dtype=np.int64) * 2)
    hashed = write_keys(tmp_path / "f", keys, build_slots).described("__keys", "f")
    plain = write_keys(tmp_path / "g", keys, lambda levels, n: None).described("__keys", "g")
    tables = [MappedKeys(tmp_path / f.path, f, 1) for f in (hashed, plain)]
    assert tables[0].table().slots is not None
    assert tables[1].table().slots is None
    rows = np.zeros(2 * count, np.int64)
    order = np.tile(np.array([2, 1], np.int64), count)
    column = Column("i", np.repeat(numbers, 2))
    program = Program("i", (Windowed("rows", None, 0),), (Call("count_star", 0), Call("max", 0, 0)))
    for table in tables:
        piece = Piece(order, rows, (column,), keys=table.table())
        request = Request([(program, [piece])], [1])
        arguments = request.arguments()
        place = request.parts[0].keys[0]
        for number in [0, 7, 8, 7 * (count - 1), 7 * count, *range(0, 7 * count, 70_021)]:
            key = f"{number:09d}".encode()
            arguments[place : place + 2] = [request.place(key), len(key)] if text else [number, 0]
            answer = request.run(arguments)
            there = number % 7 == 0 and number < 7 * count
            assert answer.values[0] == 2 * there
            assert table.find([key if text else number]) == (
                (number // 7 * 2, number // 7 * 2 + 2) if there else None
            )
            assert not there or answer.values[1] == number


def test_indexes_and_columns_are_added_while_others_read(storage: Storage, make: Callable[..., None]) -> None:
    make()
    rows = [(n % 10, n, float(n), f"shop{n % 3}") for n in range(20_000)]
    storage.bulk_load("payments", payments(*rows).to_reader())
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    storage.append("payments", payments(*((n % 10, 30_000 + n, 0.5, "x") for n in range(100))))
    wanted = [0.5] * 10 + [row[2] for row in rows if row[0] == 3][::-1]
    stop = threading.Event()
    problems: list[BaseException] = []
    read = [0, 0]

    def reading() -> None:
        reader = storage.reader(BY_CARD)
        while not stop.is_set():
            assert reader.read((3,), ["amount"]).column("amount").to_pylist() == wanted
            read[0] += 1

    def computing() -> None:
        source = storage.reader(BY_CARD).source(["amount"])
        while not stop.is_set():
            pieces = source.now()
            count = source.find((3,))
            values = source.pieces.delta.columns[0].values
            assert values is not None
            found = values[:count].tolist()
            for piece in pieces.segments:
                assert piece.keys is not None
                begin, end = piece.keys.starts[3:5]
                assert piece.columns[0].values is not None
                found += piece.columns[0].values[begin:end].tolist()
            assert sorted(found) == sorted(wanted)
            read[1] += 1

    def watched(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as problem:
                problems.append(problem)
                stop.set()

        return run

    threads = [threading.Thread(target=watched(work)) for work in (reading, computing)]
    for thread in threads:
        thread.start()
    storage.ensure_index(BY_CARD, ["shop"], live=True)
    storage.ensure_index(BY_CARD, [], live=True, derived={"x_1": ("amount * 2", "DOUBLE")})
    storage.ensure_index(IndexSpec("payments", ("shop",), "at"), ["amount"], live=False)
    storage.flush()
    storage.drop_draft_indexes()
    storage.ensure_index(IndexSpec("payments", ("shop",), None), ["amount"], live=True)
    done = list(read)
    for thread in threads:
        thread.join(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems, problems
    assert min(done) > 0


def test_an_index_costs_little_more_than_its_values(storage: Storage, make: Callable[..., None]) -> None:
    rng = random.Random(3)
    types = {
        "card": "BIGINT",
        "at": "TIMESTAMP",
        "amount": "DOUBLE",
        "shop": "INTEGER",
        "mcc": "SMALLINT",
        "kind": "VARCHAR",
    }
    make("t", types, "at")
    count = 50_000
    rows = [
        (
            rng.randrange(1000),
            np.datetime64(1767225600000000 + n * 1000, "us").item(),
            rng.random(),
            rng.randrange(50_000),
            rng.randrange(300),
            rng.choice(["chip", "swipe"]),
        )
        for n in range(count)
    ]
    storage.bulk_load("t", table_of(types, rows).to_reader())
    storage.ensure_index(IndexSpec("t", ("card",), "at"), list(types)[1:], live=True)
    (info,) = storage.indexes()
    raw = 8 + 8 + 8 + 4 + 2 + 1
    assert info.bytes / count < 1.2 * raw
