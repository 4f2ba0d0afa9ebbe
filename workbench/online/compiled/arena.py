"""The memory that one wave of kernels reads its questions from and writes its answers to.

All of it is one buffer, so that a request writes with one ``struct.pack_into`` and reads with one ``unpack_from``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.kernels import layout as at
from workbench.kernels.program import Column, Piece
from workbench.plan.kernel_form import KernelPart

#: Bytes of a text that is a key, a constant or a value of the request row; longer ones are answered elsewhere.
TEXT_ROOM = 1024


@dataclass(frozen=True)
class Slot:
    """Where a part of a wave reads and writes, in bytes from the start of the arena."""

    context: int
    keys: int
    values: int
    valid: int
    status: int
    #: Of a history: where each column of the request row lies, and its validity byte.
    request: tuple[int, ...] = ()
    request_valid: int = 0


@dataclass
class Layout:
    """The places of one wave's parts; :attr:`pack` takes what a request says, in the order of :attr:`fields`."""

    parts: list[KernelPart]
    slots: list[Slot] = field(default_factory=list)
    #: What each argument of pack is: ("order", part), ("constant", part, number), ...
    fields: list[tuple[Any, ...]] = field(default_factory=list)
    texts: dict[tuple[Any, ...], int] = field(default_factory=dict)
    size: int = 0

    def __post_init__(self) -> None:
        words: list[str] = []
        places: list[dict[str, Any]] = []

        def word(code: str, *what: Any) -> None:
            words.append(code)
            if what:
                self.fields.append(what)

        for number, part in enumerate(self.parts):
            place: dict[str, Any] = {"context": 8 * len(words)}
            word("q", "order", number)
            word("q", "cut", number)
            word("8x")
            for member in range(part.program.members):
                for what in ("upto", "upto_seq", "since"):
                    word("q", what, number, member)
            for constant, lane in enumerate(part.program.constants):
                word("d" if lane == "f" else "q", "constant", number, constant)
                word("q", "constant_size", number, constant)
            place["keys"] = 8 * len(words)
            for level in range(len(part.part.keys)):
                word("q", "key", number, level)
                word("q", "key_size", number, level)
            request = []
            for column, lane in enumerate(part.program.lanes if part.program.history else ""):
                request.append(8 * len(words))
                if lane == "s":
                    word("16x")
                    words.append("")
                    word("q", "request_size", number, column)
                elif lane == "o":
                    word("8x")
                else:
                    word("d" if lane == "f" else "q", "request", number, column)
            place["request"] = tuple(request)
            places.append(place)
        size = 8 * len(words)
        for number, part in enumerate(self.parts):
            places[number]["request_valid"] = size
            for column in range(len(part.program.lanes) if part.program.history else 0):
                word("B", "request_valid", number, column)
                size += 1
        self.pack = struct.Struct("<" + "".join(words))
        self.size = self.answers = -(-size // 8) * 8
        self._answers(places)
        self._texts()

    def _answers(self, places: list[dict[str, Any]]) -> None:
        lanes = ""
        for number, part in enumerate(self.parts):
            places[number]["values"] = self.answers + 8 * len(lanes)
            lanes += "".join("d" if lane == "f" else "q" for lane in part.program.results)
        self.calls = len(lanes)
        for place in places:
            place["status"] = self.answers + 8 * len(lanes)
            lanes += "q"
        self.unpack = struct.Struct(f"<{lanes}")
        self.valid = self.answers + 8 * len(lanes)
        valid = self.valid
        for number, part in enumerate(self.parts):
            places[number]["valid"] = valid
            valid += len(part.program.calls)
        self.size = -(-valid // 8) * 8
        self.slots = [Slot(**place) for place in places]

    def _texts(self) -> None:
        """Room for the texts of keys, constants and request columns."""
        for number, part in enumerate(self.parts):
            wanted = [("key", number, level) for level in range(len(part.part.keys))]
            wanted += [
                ("constant", number, c) for c, lane in enumerate(part.program.constants) if lane == "s"
            ]
            if part.program.history:
                wanted += [("request", number, c) for c, lane in enumerate(part.program.lanes) if lane == "s"]
            for what in wanted:
                self.texts[what] = self.size
                self.size += TEXT_ROOM


class Arena:
    """The buffer of one wave; its addresses hold as long as it lives."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.buffer = bytearray(layout.size)
        self._bytes = np.frombuffer(self.buffer, np.uint8)
        self.address: int = self._bytes.__array_interface__["data"][0]

    def request_piece(self, number: int) -> Piece:
        """Return the piece that holds the request row of a history, whose values a request fills in."""
        layout, slot = self.layout, self.layout.slots[number]
        program = layout.parts[number].program
        columns = []
        for column, lane in enumerate(program.lanes):
            place = slot.request[column]
            valid = self._view(slot.request_valid + column, 1, np.uint8)
            if lane == "o":
                columns.append(Column(lane, None, valid))
            elif lane == "s":
                texts = layout.texts["request", number, column]
                codes, offsets = self._view(place, 1, np.int64), self._view(place + 8, 2, np.int64)
                data = self._view(texts, TEXT_ROOM, np.uint8)
                columns.append(Column(lane, codes, valid, offsets, data, ordered=False))
            else:
                columns.append(
                    Column(lane, self._view(place, 1, np.float64 if lane == "f" else np.int64), valid)
                )
        zero = np.zeros(1, np.int64)
        return Piece(zero, zero, tuple(columns), request=True)

    def _view(self, place: int, count: int, kind: Any) -> npt.NDArray[Any]:
        width = np.dtype(kind).itemsize
        return self._bytes[place : place + count * width].view(kind)

    def stage(self, number: int) -> dict[int, int]:
        """Return the words of a stage that say where in the arena it reads and writes."""
        slot = self.layout.slots[number]
        places = {
            at.T_CONTEXT: slot.context,
            at.T_KEY: slot.keys,
            at.T_VALUES: slot.values,
            at.T_VALID: slot.valid,
            at.T_STATUS: slot.status,
        }
        return {word: self.address + place for word, place in places.items()}
