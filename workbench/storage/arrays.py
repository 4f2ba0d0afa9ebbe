"""Between numpy and Arrow without a copy.

``pyarrow.array``, ``to_numpy`` and ``scalar`` import pandas, which serving processes must not pay for; these functions
look into the buffers instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]


def int64_array(values: npt.NDArray[Any], nulls: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return integers as an int64 array; what lies under ``nulls`` stays in the buffer."""
    content = pa.py_buffer(np.ascontiguousarray(values, dtype=np.int64))
    return pa.Array.from_buffers(pa.int64(), len(values), [validity(nulls), content])


def validity(nulls: npt.NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Return the validity bitmap of a null mask."""
    return None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))


def null_mask(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Return which values are NULL, None when none is."""
    if array.null_count == 0:
        return None
    return ~_bits(array.buffers()[0], array)


def bool_values(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return a boolean array as numpy, whatever lies under its NULLs."""
    return _bits(array.buffers()[1], array)


def raw_values(array: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the values of a fixed-width array without a copy, whatever lies under its NULLs."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.empty(0, dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype, count=array.offset + len(array))[array.offset :]


def raw_int64(array: pa.Array) -> Integers:
    """Return the values of an int64 array without a copy, whatever lies under its NULLs."""
    return raw_values(array, np.int64)


def _bits(buffer: pa.Buffer | None, array: pa.Array) -> npt.NDArray[np.bool_]:
    if buffer is None:
        return np.zeros(0, dtype=bool)
    end = array.offset + len(array)
    packed = np.frombuffer(buffer, dtype=np.uint8, count=(end + 7) // 8)
    return np.unpackbits(packed, count=end, bitorder="little")[array.offset :].view(bool)


def contiguous(column: pa.ChunkedArray, wanted: pa.DataType | None = None) -> pa.Array:
    """Return a column as one array, cast to ``wanted`` when it has another type."""
    if column.num_chunks == 1:
        array = column.chunk(0)
    elif column.num_chunks == 0:
        array = pa.nulls(0, column.type)
    else:
        array = pa.concat_arrays(column.chunks)
    return array if wanted is None or array.type == wanted else array.cast(wanted)
