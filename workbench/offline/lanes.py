"""Columns of Arrow as the lanes that kernels read, and their results as columns of Arrow again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from workbench.kernels.program import Column, Constant
from workbench.values.types import arrow_type


def combined(column: pa.ChunkedArray) -> pa.Array:
    """Return the chunks of a column as one array; texts may be longer in all than 2 GB."""
    if pa.types.is_string(column.type) and column.nbytes > 1 << 30:
        column = column.cast(pa.large_string())
    array = column.combine_chunks()
    return array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)


def lane_column(array: pa.Array, lane: str) -> Column:
    """Return values as a column of a piece.

    Parameters
    ----------
    array
        The values, of the Arrow type that DuckDB gives them.
    lane
        ``i``, ``f``, ``s`` or ``o``.
    """
    validity = _validity(array)
    if lane == "o":
        return Column("o", None, validity)
    if lane == "s":
        codes, words = _dictionary(array)
        return Column("s", codes, validity, _offsets(words), _data(words))
    return Column(lane, _numbers(array, lane), validity)


def constant(array: pa.Array, lane: str) -> Constant:
    """Return values as a constant that every anchor brings its own of."""
    valid = np.ascontiguousarray(array.is_valid().to_numpy(zero_copy_only=False)).astype(np.uint8)
    if lane == "s":
        words = array.cast(pa.large_binary())
        return Constant(None, _offsets(words), _data(words), valid)
    wide = np.float64 if lane == "f" else np.int64
    return Constant(np.ascontiguousarray(_numbers(array, lane), dtype=wide), valid=valid)


def dictionary_of(column: Column) -> pa.Array:
    """Return the words of a column of lane ``s``, by code."""
    assert column.offsets is not None and column.data is not None
    count = len(column.offsets) - 1
    buffers = [None, pa.py_buffer(column.offsets), pa.py_buffer(column.data)]
    return pa.Array.from_buffers(pa.large_string(), count, buffers)


def result_array(
    values: npt.NDArray[np.int64], valid: npt.NDArray[np.uint8], lane: str, kind: str
) -> pa.Array:
    """Return results of one call as values of a DuckDB type.

    Parameters
    ----------
    values
        int64, or the bits of floats.
    valid
        0 where the result is NULL.
    lane
        ``i`` or ``f``.
    kind
        The type, as DuckDB writes it.
    """
    validity = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    wanted = arrow_type(kind)
    if lane == "f":
        made = pa.Array.from_buffers(pa.float64(), len(values), [validity, pa.py_buffer(values)])
        return made if wanted == pa.float64() else made.cast(wanted, safe=False)
    if pa.types.is_decimal(wanted):
        halves = np.empty((len(values), 2), dtype=np.int64)
        halves[:, 0] = values
        halves[:, 1] = values >> 63
        return pa.Array.from_buffers(wanted, len(values), [validity, pa.py_buffer(halves)])
    if pa.types.is_timestamp(wanted) or pa.types.is_time(wanted):
        return pa.Array.from_buffers(wanted, len(values), [validity, pa.py_buffer(values)])
    made = pa.Array.from_buffers(pa.int64(), len(values), [validity, pa.py_buffer(values)])
    if pa.types.is_date(wanted):
        return made.cast(pa.int32(), safe=False).view(wanted)
    return made if wanted == pa.int64() else made.cast(wanted)


def _numbers(array: pa.Array, lane: str) -> npt.NDArray[Any]:
    """The numbers behind values; what stands where one is NULL means nothing."""
    kind = array.type
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    elif pa.types.is_date(kind):
        array = array.view(pa.int32())
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        array = array.view(pa.int64())
    elif pa.types.is_unsigned_integer(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_decimal(kind):
        halves = np.frombuffer(array.buffers()[1], dtype=np.int64)
        low = halves[2 * array.offset : 2 * (array.offset + len(array)) : 2]
        return np.ascontiguousarray(low)
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype=np.float64 if lane == "f" else np.int64)
    numbers = np.frombuffer(buffer, dtype=array.type.to_pandas_dtype())
    return numbers[array.offset : array.offset + len(array)]


def _validity(array: pa.Array) -> npt.NDArray[np.uint8] | None:
    if array.null_count == 0:
        return None
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return np.packbits(valid, bitorder="little")


def _dictionary(array: pa.Array) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Codes in the order of the bytes, and the words."""
    encoded = array.dictionary_encode()
    words = encoded.dictionary.cast(pa.large_binary())
    order = pc.array_sort_indices(words)
    places = np.empty(len(words), dtype=np.int32)
    places[order.to_numpy()] = np.arange(len(words), dtype=np.int32)
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if not len(words):
        return np.zeros(len(array), dtype=np.int32), words
    return places[codes], words.take(order)


def _offsets(words: pa.Array) -> npt.NDArray[np.int64]:
    buffer = words.buffers()[1]
    if buffer is None:
        return np.zeros(1, dtype=np.int64)
    return np.frombuffer(buffer, dtype=np.int64)[words.offset : words.offset + len(words) + 1]


def _data(words: pa.Array) -> npt.NDArray[np.uint8]:
    buffer = words.buffers()[2]
    return (
        np.zeros(1, dtype=np.uint8) if buffer is None or not buffer.size else np.frombuffer(buffer, np.uint8)
    )
