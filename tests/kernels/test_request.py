"""Single requests: the same values as a batch, with keys of every form."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest

from tests.kernels import drawn
from tests.kernels.brute import Asker, Row
from tests.kernels.request import NO_KEY, NULL_KEY, Request
from workbench.kernels import binding
from workbench.kernels.batch import evaluate
from workbench.kernels.binding import Scratch, compile_program
from workbench.kernels.object_file import RELEASE
from workbench.kernels.program import (
    Call,
    Column,
    KeyLevel,
    KeyTable,
    Piece,
    Program,
    Result,
    Windowed,
)
from workbench.kernels.trees import build_slots

pytestmark = pytest.mark.usefixtures("kernels")


def keyed(piece: Piece, part: list[Row], hashed: bool) -> Piece:
    """The piece with a table of its keys."""
    keys = sorted({row.key for row in part})
    starts = [next(i for i, row in enumerate(part) if row.key == key) for key in keys] + [len(part)]
    levels = (KeyLevel(values=np.array(keys, dtype=np.int64)),)
    table = KeyTable(
        levels, np.array(starts, dtype=np.int64), build_slots(levels, len(keys)) if hashed else None
    )
    return Piece(**{**piece.__dict__, "keys": table})


def ask(request: Request, number: int, asker: Asker, arguments: list[Any], lanes: str) -> None:
    part = request.parts[number]
    arguments[part.order], arguments[part.cut] = asker.order, asker.cut
    for m, place in enumerate(part.members):
        arguments[place : place + 3] = [asker.upto_ord[m], asker.upto_seq[m], asker.since[m]]
    for lane, place, value in zip(lanes, part.constants, asker.constants, strict=True):
        arguments[place + 1] = -1 if value is None else 0
        if value is not None:
            arguments[place] = request.place(value) if lane == "s" else value
            arguments[place + 1] = len(value) if lane == "s" else 0
    arguments[part.keys[0]], arguments[part.keys[0] + 1] = asker.key, 0


@pytest.mark.parametrize("seed", range(6))
def test_equals_a_batch(seed: int) -> None:
    rng = random.Random(seed)
    program = drawn.program(rng, 1)
    stored = drawn.rows(rng, 200, 1, "plain")
    parts = drawn.split(rng, stored, 3)
    asking = drawn.askers(rng, stored, 12, 1, "plain")
    pieces = [drawn.piece(rng, part) for part in parts]
    for asker in asking:
        own = [drawn.request_piece(rng, [asker])] if program.history else []
        batch = evaluate(
            program, [*pieces, *own], drawn.anchors([asker], parts, program.history, 1, program.constants)
        )
        with_keys = [keyed(p, part, rng.random() < 0.5) for p, part in zip(pieces, parts, strict=True)]
        request = Request([(program, [*with_keys, *own])] * 2, [1, 1])
        arguments = request.arguments()
        ask(request, 0, asker, arguments, program.constants)
        ask(request, 1, asker, arguments, program.constants)
        answer = request.run(arguments)
        assert answer.status == batch.status[0]
        if answer.status == 0:
            assert list(answer.valid) == 2 * batch.valid[:, 0].tolist()
            assert words(answer.values, answer.valid) == 2 * batched(batch)


def words(values: tuple[Any, ...], valid: bytes) -> list[int | None]:
    """Values as 64 bits each, NULLs as None."""
    found = [struct.pack("<d" if isinstance(value, float) else "<q", value) for value in values]
    return [struct.unpack("<q", word)[0] if ok else None for word, ok in zip(found, valid, strict=True)]


def batched(batch: Result) -> list[int | None]:
    rows = zip(batch.values[:, 0].tolist(), batch.valid[:, 0].tolist(), strict=True)
    return [word if ok else None for word, ok in rows]


KEYS: list[tuple[bytes | None, int | None]] = [
    (b"", 1),
    (b"a", -5),
    (b"a", 3),
    (b"a", None),
    (b"b" * 20, 3),
    (b"c", 2**62),
    (None, 1),
    (None, None),
]


@pytest.mark.parametrize("hashed", [True, False])
def test_finds_keys_of_several_columns(hashed: bool) -> None:
    texts = [text or b"" for text, _ in KEYS]
    levels = (
        KeyLevel(
            offsets=np.cumsum([0, *map(len, texts)]).astype(np.int64),
            data=np.frombuffer(b"".join(texts), dtype=np.uint8),
            validity=drawn.bitmap([text is not None for text, _ in KEYS]),
        ),
        KeyLevel(
            values=np.array([number or 0 for _, number in KEYS], dtype=np.int64),
            validity=drawn.bitmap([number is not None for _, number in KEYS]),
        ),
    )
    starts = np.arange(len(KEYS) + 1, dtype=np.int64)
    table = KeyTable(levels, starts, build_slots(levels, len(KEYS)) if hashed else None)
    zeros = np.zeros(len(KEYS), dtype=np.int64)
    numbers = Column("i", np.arange(len(KEYS), dtype=np.int8))
    program = Program("i", (Windowed("range", None),), (Call("last", 0, 0),))
    request = Request([(program, [Piece(zeros, zeros, (numbers,), keys=table)])], [2])

    def find(text: bytes | None, number: int | None, nothing: bool = False) -> int | None:
        arguments = request.arguments()
        first, second = request.parts[0].keys
        arguments[first + 1] = NULL_KEY
        if text is not None:
            arguments[first], arguments[first + 1] = request.place(text), len(text)
        arguments[second], arguments[second + 1] = number or 0, NULL_KEY if number is None else 0
        if nothing:
            arguments[second + 1] = NO_KEY
        answer = request.run(arguments)
        return answer.values[0] if answer.valid[0] else None

    assert [find(*key) for key in KEYS] == list(range(len(KEYS)))
    assert [find(b"a", 4), find(b"", None), find(b"zz", 1), find(None, 2), find(b"a", 3, True)] == [None] * 5


def test_rows_may_be_written_between_calls() -> None:
    order, seq, x = np.zeros(4, np.int64), np.arange(4, dtype=np.int64)[::-1].copy(), np.zeros(4)
    program = Program("f", (Windowed("range", None),), (Call("sum", 0, 0), Call("count_star", 0)))
    request = Request([(program, [Piece(order, seq, (Column("f", x),))])], [0])
    arguments = request.arguments()
    request.resize(0, 0, 0)
    assert request.run(arguments).valid == b"\0\1"
    x[:2] = 1.5, 2.0
    request.resize(0, 0, 2)
    assert request.run(arguments).values == (3.5, 2)
    other = Piece(order, seq, (Column("f", np.ones(4)),))
    request.rebind(0, 0, other, program)
    assert request.run(arguments).values == (4.0, 4)


def test_parts_may_be_computed_one_after_the_other() -> None:
    zeros = np.zeros(1, np.int64)
    program = Program("", (Windowed("range", None),), (Call("count_star", 0),))
    request = Request([(program, [Piece(zeros, zeros, ())])] * 2, [0, 0])
    arguments = request.arguments()
    assert request.run(arguments, 1, 2).values == (0, 1)
    assert request.run(arguments, 0, 1).values == (1, 1)


def test_what_compiled_code_allocated_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[int] = []

    class Recorder:
        def run(self, task: int, address: int) -> None:
            assert task == RELEASE
            released.append(address)

    scratch = Scratch(compile_program(Program("i", (Windowed("rows", 9),), (Call("distinct", 0, 0),))), 1)
    place = scratch.address
    monkeypatch.setattr(binding, "machine", Recorder)
    del scratch
    assert released == [place]
