"""The order of a segment: by key, and within a key newest first.

The rows of a part are sorted in memory, where their keys become small integers; a part with more rows than
``MEMORY_ROWS`` is sorted by DuckDB, which spills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.storage.arrays import (
    Integers,
    bool_values,
    contiguous,
    int64_array,
    null_mask,
    raw_int64,
    raw_values,
)
from workbench.storage.columns import Values
from workbench.storage.keys import KeyCodec, ord_values
from workbench.storage.keytable import Keys
from workbench.storage.model import ORD, SEQ
from workbench.storage.scan import PartScan
from workbench.storage.session import quoted

MEMORY_ROWS = 16 << 20
NULL_ORD = -(2**63)
_CODE_LIMIT = 2**62

Positions = npt.NDArray[Any]


@dataclass
class Order:
    """How the rows of a part lie in a segment.

    Parameters
    ----------
    positions
        For each row of the segment its position in the part's file (int32 or int64).
    keys
        The distinct keys and where their rows begin.
    ords, seqs
        Order values (NULL_ORD under NULLs) and relative seqs, in the order of the file.
    """

    positions: Positions
    keys: Keys
    ords: Values
    seqs: Integers


def find_order(scan: PartScan, codecs: Sequence[KeyCodec], order: str | None) -> Order:
    """Return how the rows of a part lie in a segment with these keys, ordered by that column."""
    ords, seqs = _ords_and_seqs(scan, order)
    if scan.rows <= MEMORY_ROWS:
        positions, keys = _sorted_in_memory(scan, codecs, ords, seqs)
    else:
        positions, keys = _sorted_by_duckdb(scan, codecs, order, seqs)
    if ords.nulls is not None:
        nulls = np.add.reduceat(ords.nulls[positions], keys.starts[:-1], dtype=np.int64)
        keys.valid_ends = keys.starts[1:] - nulls
    return Order(positions, keys, ords, seqs)


def _ords_and_seqs(scan: PartScan, order: str | None) -> tuple[Values, Integers]:
    ords = np.zeros(scan.rows, np.int64)
    seqs = np.empty(scan.rows, np.int64)
    nulls: npt.NDArray[np.bool_] | None = None
    begin = 0
    for batch in scan.batches([f"{quoted(order)} AS {ORD}"] if order else [], seq=True):
        end = begin + batch.num_rows
        seqs[begin:end] = raw_int64(batch.column(SEQ))
        if order is not None:
            array = ord_values(batch.column(ORD))
            ords[begin:end] = raw_int64(array)
            missing = null_mask(array)
            if missing is not None:
                nulls = np.zeros(scan.rows, bool) if nulls is None else nulls
                nulls[begin:end] = missing
                ords[begin:end][missing] = NULL_ORD
        begin = end
    return Values(ords, nulls), seqs


def positions_of(seqs: npt.NDArray[Any], file_seqs: Integers, base: int = 0) -> Positions:
    """Return at which position of a file each seq stands; all of them are there.

    Parameters
    ----------
    seqs
        The seqs that are looked for, relative as in the file but for ``base``.
    file_seqs
        The seqs of the file, in its order.
    base
        What is added to the seqs that are looked for.
    """
    rows = len(file_seqs)
    width = np.int32 if rows < 2**31 else np.int64
    low = int(file_seqs.min()) if rows else 0
    span = int(file_seqs.max()) - low + 1 if rows else 0
    if span == rows and bool((file_seqs[1:] > file_seqs[:-1]).all()):
        return seqs.astype(width, copy=False) if base == low else (seqs + np.int64(base - low)).astype(width)
    seqs = seqs + np.int64(base)
    if span <= 8 * rows:
        table = np.zeros(span, width)
        table[file_seqs - low] = np.arange(rows, dtype=width)
        return table[seqs - low]
    order = np.argsort(file_seqs, kind="stable")
    return order[file_seqs[order].searchsorted(seqs)].astype(width)


def with_null_ord(order: pa.Array) -> pa.Array:
    """Return an ``__ord`` array whose NULLs have NULL_ORD beneath, so that its buffer alone sorts."""
    nulls = null_mask(order)
    return order if nulls is None else int64_array(np.where(nulls, NULL_ORD, raw_int64(order)), nulls)


# --- In memory ---


@dataclass
class _Codes:
    """Keys as integers from 0 to size - 1 that sort as they do, and how to get keys back."""

    values: Integers
    size: int
    decode: Callable[[Integers], list[pa.Array]]


def _sorted_in_memory(
    scan: PartScan, codecs: Sequence[KeyCodec], ords: Values, seqs: Integers
) -> tuple[Positions, Keys]:
    rows = scan.rows
    by_time = _by_time(ords, seqs)
    codes = _key_codes(scan, codecs, rows)
    bits = max(1, (rows - 1).bit_length())
    if codes.size >= _CODE_LIMIT >> bits:
        codes = _dense(codes)
    # One integer of key and age sorts faster than two; the newest comes first, so the age counts down.
    packed = codes.values if by_time is None else codes.values[by_time]
    packed = packed << bits
    packed |= np.arange(rows - 1, -1, -1, dtype=np.int64)
    packed.sort()
    age = packed & ((1 << bits) - 1)
    packed >>= bits
    starts = np.concatenate(([0], np.flatnonzero(packed[1:] != packed[:-1]) + 1, [rows])).astype(np.int64)
    rank = ((rows - 1) - age).astype(np.int32)
    positions = rank if by_time is None else by_time[rank].astype(np.int32)
    return positions, Keys(codes.decode(packed[starts[:-1]]), starts)


def _by_time(ords: Values, seqs: Integers) -> npt.NDArray[np.intp] | None:
    """The order of rows by (ord, seq), NULLs first; None when they are in that order already."""
    rising = bool((seqs[1:] > seqs[:-1]).all())
    if rising and ords.nulls is None and bool((ords.values[1:] >= ords.values[:-1]).all()):
        return None
    if rising and ords.nulls is None:
        return np.argsort(ords.values, kind="stable")
    valid = np.ones(len(seqs), bool) if ords.nulls is None else ~ords.nulls
    return np.lexsort((seqs, ords.values, valid))


def _key_codes(scan: PartScan, codecs: Sequence[KeyCodec], rows: int) -> _Codes:
    if not codecs:
        return _Codes(np.zeros(rows, np.int64), 1, lambda codes: [])
    columns: list[list[pa.Array]] = [[] for _ in codecs]
    for batch in scan.batches([f"{codec.sql()} AS __k{n}" for n, codec in enumerate(codecs)]):
        for number, codec in enumerate(codecs):
            columns[number].append(codec.physical(batch.column(number)))
    codes = _level_codes(columns[0])
    for column in columns[1:]:
        codes = _combined(codes, _level_codes(column))
    return codes


def _level_codes(arrays: list[pa.Array]) -> _Codes:
    column = pa.chunked_array(arrays)
    if not pa.types.is_int64(column.type):
        return _dictionary_codes(column)
    array = contiguous(column)
    nulls = null_mask(array)
    values = raw_int64(array)
    present = values if nulls is None else values[~nulls]
    low = int(present.min()) if len(present) else 0
    size = int(present.max()) - low + 1 if len(present) else 0
    if size >= _CODE_LIMIT >> 1:
        return _dictionary_codes(column)
    codes = values - low
    if nulls is not None:
        codes[nulls] = size

    def decode(found: Integers) -> list[pa.Array]:
        return [int64_array(found + low, None if nulls is None else found == size)]

    return _Codes(codes, size + (nulls is not None), decode)


def _dictionary_codes(column: pa.ChunkedArray) -> _Codes:
    encoded = contiguous(column.dictionary_encode())
    words = encoded.dictionary
    order = raw_values(pc.sort_indices(words), np.uint64).astype(np.int64)
    rank = np.empty(len(words) + 1, np.int64)
    rank[order] = np.arange(len(words), dtype=np.int64)
    nulls = null_mask(encoded.indices)
    indices = raw_values(encoded.indices, np.int32)
    codes = rank[indices if nulls is None else np.where(nulls, 0, indices)]
    size = len(words)
    if nulls is not None:
        codes[nulls] = size

    def decode(found: Integers) -> list[pa.Array]:
        missing = found == size
        chosen = order[np.where(missing, 0, found)] if size else found
        return [words.take(int64_array(chosen, missing if missing.any() else None))]

    return _Codes(codes, size + (nulls is not None), decode)


def _combined(one: _Codes, other: _Codes) -> _Codes:
    if one.size * other.size >= _CODE_LIMIT:
        one, other = _dense(one), _dense(other)
    size = other.size

    def decode(found: Integers) -> list[pa.Array]:
        return one.decode(found // size) + other.decode(found % size)

    codes = _Codes(one.values * size + other.values, one.size * size, decode)
    return _dense(codes) if codes.size >= _CODE_LIMIT >> 24 else codes


def _dense(codes: _Codes) -> _Codes:
    """The same keys with codes that have no gaps."""
    encoded = pc.dictionary_encode(int64_array(codes.values))
    distinct = raw_int64(encoded.dictionary)
    order = np.argsort(distinct)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order), dtype=np.int64)
    ascending = distinct[order]
    return _Codes(
        rank[raw_values(encoded.indices, np.int32)],
        len(order),
        lambda found: codes.decode(ascending[found]),
    )


# --- By DuckDB ---


def _sorted_by_duckdb(
    scan: PartScan, codecs: Sequence[KeyCodec], order: str | None, file_seqs: Integers
) -> tuple[Positions, Keys]:
    seqs = np.empty(scan.rows, np.int64)
    grouper = _Grouper(codecs)
    begin = 0
    for chunk in sorted_batches(scan, codecs, order, []):
        end = begin + chunk.num_rows
        seqs[begin:end] = raw_int64(chunk.column(SEQ))
        grouper.add([chunk.column(number) for number in range(len(codecs))], chunk.num_rows)
        begin = end
    return positions_of(seqs, file_seqs), grouper.keys()


def sorted_batches(
    scan: PartScan, codecs: Sequence[KeyCodec], order: str | None, columns: Sequence[str]
) -> Iterable[pa.RecordBatch]:
    """Yield a part in the order of the segment: keys, other SQL columns, ``__seq``; sorted by DuckDB, which spills."""
    keys = [f"{codec.sql()} AS __k{number}" for number, codec in enumerate(codecs)]
    sort = [
        *(f"__k{number} NULLS LAST" for number in range(len(codecs))),
        *([f"{quoted(order)} DESC NULLS LAST"] if order else []),
        f"{SEQ} DESC",
    ]
    return scan.batches([*keys, *columns], seq=True, order=", ".join(sort))


class _Grouper:
    """Finds where the rows of each distinct key begin in the sorted stream."""

    def __init__(self, codecs: Sequence[KeyCodec]) -> None:
        self._codecs = codecs
        self._last: list[pa.Array] | None = None
        self._levels: list[list[pa.Array]] = [[] for _ in codecs]
        self._starts: list[Integers] = []
        self._rows = 0

    def add(self, columns: Sequence[pa.Array], rows: int) -> None:
        physical = [codec.physical(column) for codec, column in zip(self._codecs, columns, strict=True)]
        changed = np.zeros(rows, dtype=bool)
        changed[0] = self._last is None or any(
            a[0] != b[0] if a[0].is_valid and b[0].is_valid else a[0].is_valid != b[0].is_valid
            for a, b in zip(self._last, physical, strict=True)
        )
        for column in physical:
            changed[1:] |= _differs(column)
        starts = np.flatnonzero(changed)
        for kept, column in zip(self._levels, physical, strict=True):
            kept.append(column.take(int64_array(starts)))
        self._starts.append(starts + self._rows)
        self._rows += rows
        self._last = [column.slice(rows - 1) for column in physical]

    def keys(self) -> Keys:
        starts = np.concatenate([*self._starts, [self._rows]]).astype(np.int64)
        return Keys([pa.concat_arrays(kept) for kept in self._levels], starts)


def _differs(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return for every row but the first whether it differs from the one before; NULL equals NULL."""
    later, earlier = column.slice(1), column.slice(0, len(column) - 1)
    unequal = bool_values(pc.not_equal(later, earlier))
    nulls = null_mask(column)
    if nulls is None:
        return unequal
    both = ~nulls[1:] & ~nulls[:-1]
    return (unequal & both) | (nulls[1:] != nulls[:-1])
