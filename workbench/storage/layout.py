"""The layout of a segment file: a header, a table of sections, and the sections, each at a multiple of 64 bytes.

Everything is little-endian. The header block is 512 bytes long::

    0   8s  magic, b"WBSEGMT" and a line feed
    8   u32 version of the layout
    12  u32 flags; what they mean depends on the kind
    16  8s  kind, such as b"int" or b"keys"
    24  u64 rows of the segment
    32  i64 base: what is added to every value
    40  u32 number of sections
    44  20 zero bytes
    64  up to nine entries of 48 bytes: 8s name, 8s numpy type, u64 offset, u64 bytes, u64 items, u32 crc, u32 zero
    508 u32 crc of the first 508 bytes

An entry's crc covers the section and the padding behind it, and the manifest keeps the crc of the header, so that one
number vouches for every byte of the file. Opening a file checks its size and its header, which costs the same for
any size; :meth:`MappedFile.verify` reads everything: at once where a file holds offsets into itself, else in the
background (see :mod:`workbench.storage.upkeep`).
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import StorageError
from workbench.storage.model import ColumnFile

MAGIC = b"WBSEGMT\n"
VERSION = 1
HEADER_BYTES = 512
ALIGNMENT = 64
VERIFY_BYTES = 4 << 20
#: Files with offsets are verified when they are opened up to this size, some 0.1 s.
VERIFIED_BYTES = 256 << 20
#: Files up to this size are read into memory as soon as they are opened.
WILL_NEED_BYTES = 4 << 30

_HEADER = struct.Struct("<8sII8sQqI20x")
_ENTRY = struct.Struct("<8s8sQQQII")
_CRC = struct.Struct("<I")
_MOST_SECTIONS = (HEADER_BYTES - _CRC.size - _HEADER.size) // _ENTRY.size


class CorruptFile(StorageError):
    """A segment file whose content is not what its commit recorded."""


@dataclass(frozen=True)
class Section:
    """Where one array lies in a file."""

    dtype: str
    offset: int
    bytes: int
    items: int
    crc32: int


class FileWriter:
    """Writes one segment file, section after section; use it as a context manager, then :meth:`described`.

    Parameters
    ----------
    path
        Where to write; an existing file is replaced.
    kind
        What the file holds, at most eight ASCII letters.
    rows
        How many rows the segment has.
    """

    def __init__(self, path: Path, kind: str, rows: int) -> None:
        self._path = path
        self._kind = kind
        self._rows = rows
        self._sections: dict[str, Section] = {}
        self._open: tuple[str, str, int, int] | None = None
        self._crc = 0
        self._header_crc = 0
        self.base = 0
        self.flags = 0

    def __enter__(self) -> FileWriter:
        self._file = open(self._path, "wb")
        self._file.write(bytes(HEADER_BYTES))
        self._end = HEADER_BYTES
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._finish()

    def begin(self, name: str, dtype: npt.DTypeLike) -> None:
        """Start a section; :meth:`append` then adds to it until the next one begins."""
        self._end_section()
        self._open = name, np.dtype(dtype).newbyteorder("<").str, self._end, 0
        self._crc = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        """Add values to the section; they are converted to its type."""
        assert self._open is not None
        name, dtype, offset, items = self._open
        content = np.ascontiguousarray(values, dtype=dtype).view(np.uint8).reshape(-1)
        self._write(content)
        self._open = name, dtype, offset, items + len(values)

    def section(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write a whole section of the type that the values have."""
        self.begin(name, values.dtype)
        self.append(values)

    def _write(self, content: Any) -> None:
        self._file.write(content)
        self._crc = zlib.crc32(content, self._crc)
        self._end += len(content)

    def _end_section(self) -> None:
        if self._open is None:
            return
        name, dtype, offset, items = self._open
        size = self._end - offset
        self._write(bytes(-self._end % ALIGNMENT))
        self._sections[name] = Section(dtype, offset, size, items, self._crc)
        self._open = None

    def _finish(self) -> None:
        self._end_section()
        assert len(self._sections) <= _MOST_SECTIONS
        head = _HEADER.pack(
            MAGIC,
            VERSION,
            self.flags,
            self._kind.encode(),
            self._rows,
            self.base,
            len(self._sections),
        )
        for name, section in self._sections.items():
            head += _ENTRY.pack(
                name.encode(),
                section.dtype.encode(),
                section.offset,
                section.bytes,
                section.items,
                section.crc32,
                0,
            )
        head = head.ljust(HEADER_BYTES - _CRC.size, b"\0")
        self._header_crc = zlib.crc32(head)
        self._file.seek(0)
        self._file.write(head + _CRC.pack(self._header_crc))

    def described(self, column: str, path: str) -> ColumnFile:
        """Return what the manifest records of the finished file, which will lie under ``path``."""
        return ColumnFile(column, path, self._end, self._header_crc)


class MappedFile:
    """A segment file in memory, shared with every other process that has it open.

    Parameters
    ----------
    path
        The file.
    file
        What its commit recorded.

    Raises
    ------
    CorruptFile
        When size or header are not those of the commit.
    FileNotFoundError
        When the file was removed since the manifest was read.
    """

    def __init__(self, path: Path, file: ColumnFile) -> None:
        self.file = file
        with open(path, "rb") as opened:
            # The size comes first: touching mapped pages beyond the end of a truncated file would kill the process.
            size = os.fstat(opened.fileno()).st_size
            if size != file.bytes or size < HEADER_BYTES:
                raise CorruptFile(f"the index file {file.path} does not have the size it was written with")
            self._map = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
        if size <= WILL_NEED_BYTES:
            self._map.madvise(mmap.MADV_WILLNEED)
        head = self._map[:HEADER_BYTES]
        crc = zlib.crc32(head[: -_CRC.size])
        if crc != file.crc32 or _CRC.pack(crc) != head[-_CRC.size :]:
            raise CorruptFile(f"the header of the index file {file.path} is not the one it was written with")
        magic, version, self.flags, kind, self.rows, self.base, count = _HEADER.unpack_from(head)
        if magic != MAGIC or version != VERSION:
            raise CorruptFile(f"the index file {file.path} has a layout that this version does not know")
        self.kind: str = kind.rstrip(b"\0").decode()
        self.sections: dict[str, Section] = {}
        for number in range(count):
            name, dtype, *rest, _ = _ENTRY.unpack_from(head, _HEADER.size + number * _ENTRY.size)
            self.sections[name.rstrip(b"\0").decode()] = Section(dtype.rstrip(b"\0").decode(), *rest)

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return a section without a copy; the file stays mapped as long as the array lives."""
        section = self.sections[name]
        if section.items == 0:
            return np.zeros(0, section.dtype)
        return np.frombuffer(self._map, section.dtype, section.items, section.offset)

    def verify_now(self) -> None:
        """Verify a file whose content leads to other places of it, before a damaged one could lead out of it."""
        if self.file.bytes <= VERIFIED_BYTES:
            self.verify()

    def verify(self) -> None:
        """Read the whole file and compare its checksums; CorruptFile tells which section differs."""
        for name, section in self.sections.items():
            end = section.offset + section.bytes
            end += -end % ALIGNMENT
            crc = 0
            for begin in range(section.offset, end, VERIFY_BYTES):
                crc = zlib.crc32(memoryview(self._map)[begin : min(end, begin + VERIFY_BYTES)], crc)
            if crc != section.crc32:
                raise CorruptFile(f"the section {name!r} of the index file {self.file.path} is damaged")
