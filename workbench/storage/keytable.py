"""Key files: the distinct keys of a segment in physical form, and where the rows of each lie.

Sections of level n, one level a key column: ``k{n}`` int64 values, or ``k{n}off`` and ``k{n}dat`` of byte strings, and
``k{n}val`` (Arrow's bitmap) when one of them is NULL; NULLs sort last. ``start`` has one more item than there are keys.
``valid`` tells where the rows with an order value end, when some have none. ``slots`` is a hash index for many keys.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.kernels.program import KeyLevel, KeyTable
from workbench.storage.arrays import Integers, null_mask, raw_int64
from workbench.storage.keys import Physical
from workbench.storage.layout import FileWriter, MappedFile
from workbench.storage.model import ColumnFile

#: With so many keys a hash index pays: it costs 8 to 16 bytes a key.
HASHED_KEYS = 100_000


@dataclass
class Keys:
    """Distinct keys in memory.

    Parameters
    ----------
    levels
        One array per key column in physical form: int64 or large_binary.
    starts
        Where the rows of each begin, and the number of rows.
    valid_ends
        Where the rows of each that have an order value end; None when all have one.
    """

    levels: list[pa.Array]
    starts: Integers
    valid_ends: Integers | None = None


def write_keys(
    path: Path, keys: Keys, hashed: Callable[[tuple[KeyLevel, ...], int], npt.NDArray[np.int32] | None]
) -> FileWriter:
    """Write a key file; ``hashed`` makes the hash index where there are many keys, or None."""
    levels = []
    with FileWriter(path, "keys", int(keys.starts[-1])) as writer:
        for number, column in enumerate(keys.levels):
            levels.append(_write_level(writer, f"k{number}", column))
        writer.section("start", keys.starts)
        if keys.valid_ends is not None:
            writer.section("valid", keys.valid_ends)
        count = len(keys.starts) - 1
        slots = hashed(tuple(levels), count) if levels and count >= HASHED_KEYS else None
        if slots is not None:
            writer.section("slots", slots)
    return writer


def _write_level(writer: FileWriter, name: str, column: pa.Array) -> KeyLevel:
    validity = None
    nulls = null_mask(column)
    if nulls is not None:
        validity = np.packbits(~nulls, bitorder="little")
        writer.section(f"{name}val", validity)
    if pa.types.is_int64(column.type):
        values = raw_int64(column)
        if nulls is not None:
            values = np.where(nulls, 0, values)
        writer.section(name, values)
        return KeyLevel(values, validity=validity)
    offsets, data = bytes_of(column)
    writer.section(f"{name}off", offsets)
    writer.section(f"{name}dat", data)
    return KeyLevel(offsets=offsets, data=data, validity=validity)


def bytes_of(column: pa.Array) -> tuple[Integers, npt.NDArray[np.uint8]]:
    """Return offsets from 0 and bytes of a large_binary or large_string array."""
    _, raw_offsets, raw_data = column.buffers()
    if raw_offsets is None:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    offsets = np.frombuffer(raw_offsets, "<i8", column.offset + len(column) + 1)[column.offset :]
    data = np.zeros(0, np.uint8) if raw_data is None else np.frombuffer(raw_data, np.uint8)
    return offsets - offsets[0], data[int(offsets[0]) : int(offsets[-1])]


class MappedKeys:
    """The distinct keys of a segment and the rows of each.

    Parameters
    ----------
    path, file
        See :class:`MappedFile`, which tells what is raised.
    levels
        How many key columns there are.
    """

    def __init__(self, path: Path, file: ColumnFile, levels: int) -> None:
        self.file = MappedFile(path, file)
        self.file.verify_now()
        self.starts = self.file.array("start")
        self.valid_ends = self.file.array("valid") if "valid" in self.file.sections else None
        self._keys = len(self.starts) - 1
        self._levels = [self._level(f"k{number}") for number in range(levels)]

    def _level(self, name: str) -> _Level:
        sections = self.file.sections
        validity = self.file.array(f"{name}val") if f"{name}val" in sections else None
        if name in sections:
            return _IntegerLevel(self.file.array(name), validity)
        return _BytesLevel(self.file.array(f"{name}off"), self.file.array(f"{name}dat"), validity)

    def __len__(self) -> int:
        return self._keys

    def find(self, key: Sequence[Physical]) -> tuple[int, int] | None:
        """Return the rows [begin, end) of a key in physical form, None when there are none."""
        number = self.number(key)
        return None if number is None else (int(self.starts[number]), int(self.starts[number + 1]))

    def number(self, key: Sequence[Physical]) -> int | None:
        """Return the number of a key among the distinct ones, None when it is not there."""
        low, high = 0, self._keys
        for level, value in zip(self._levels, key, strict=True):
            low, high = level.narrow(value, low, high)
            if low == high:
                return None
        return low

    def valid_end(self, begin: int, end: int) -> int:
        """Return where the rows without an order value begin in the rows [begin, end) of one key."""
        if self.valid_ends is None:
            return end
        return int(self.valid_ends[int(self.starts.searchsorted(begin, side="right")) - 1])

    def table(self) -> KeyTable:
        """Return what kernels find keys with; its arrays are those of the file."""
        return KeyTable(
            tuple(level.described() for level in self._levels),
            self.starts,
            self.file.array("slots") if "slots" in self.file.sections else None,
        )


class _Level:
    """One column of the distinct keys: narrows a range of keys to those with a value."""

    def __init__(self, size: int, validity: npt.NDArray[np.uint8] | None) -> None:
        self._validity = validity
        self._null = None
        if validity is not None:
            self._null = np.unpackbits(validity, count=size, bitorder="little") == 0

    def narrow(self, value: Physical, low: int, high: int) -> tuple[int, int]:
        values_end = high
        if self._null is not None:
            values_end = low + int(self._null[low:high].searchsorted(True))
        if value is None:
            return values_end, high
        return self.search(value, low, values_end)

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        raise NotImplementedError

    def described(self) -> KeyLevel:
        raise NotImplementedError


class _IntegerLevel(_Level):
    def __init__(self, values: Integers, validity: npt.NDArray[np.uint8] | None) -> None:
        super().__init__(len(values), validity)
        self._values = values

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        values = self._values[low:high]
        begin = low + int(values.searchsorted(value))
        if begin == high or self._values[begin] != value:
            return low, low
        if begin + 1 == high or self._values[begin + 1] != value:
            return begin, begin + 1
        return begin, low + int(values.searchsorted(value, side="right"))

    def described(self) -> KeyLevel:
        return KeyLevel(self._values, validity=self._validity)


class _BytesLevel(_Level):
    def __init__(
        self, offsets: Integers, data: npt.NDArray[np.uint8], validity: npt.NDArray[np.uint8] | None
    ) -> None:
        super().__init__(len(offsets) - 1, validity)
        self._offsets = offsets
        self._data = data
        self._view = data.data

    def __getitem__(self, position: int) -> bytes:
        return bytes(self._view[self._offsets[position] : self._offsets[position + 1]])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def search(self, value: Any, low: int, high: int) -> tuple[int, int]:
        begin = bisect_left(self, value, low, high)
        if begin == high or self[begin] != value:
            return low, low
        if begin + 1 == high or self[begin + 1] != value:
            return begin, begin + 1
        return begin, bisect_right(self, value, begin, high)

    def described(self) -> KeyLevel:
        return KeyLevel(offsets=self._offsets, data=self._data, validity=self._validity)
