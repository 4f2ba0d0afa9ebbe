"""Values as the numbers that discrete features are hashed to: FarmHash's Fingerprint64 of a value's bytes.

The bytes are, on every machine: of texts their UTF-8; of integers, floats and booleans their little-endian memory of
the type's width (1, 2, 4 or 8 bytes; a boolean is one byte); of a DATE the 4 bytes of ``(year - 1900) << 16 |
(month - 1) << 8 | day``; of a TIMESTAMP the 8 bytes of its milliseconds since 1970 (UTC); of every other type the UTF-8
of its text. These are OpenMLDB's rules, so hashes agree with the models that were trained with it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.kernels.farmhash import fingerprints

_WIDTHS = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: pa.uint64()}


def hashes(values: pa.Array, buckets: int | None = None) -> pa.Array:
    """Return the hash of each value, NULL of NULL: the signed 64-bit fingerprint, or its bucket.

    Parameters
    ----------
    values
        Values of any plain type.
    buckets
        How many buckets there are: the fingerprint as an unsigned number modulo this.

    >>> hashes(pa.array([3], pa.int32())).to_pylist()
    [2681491882390849628]
    """
    found = fingerprints(value_bytes(values))
    if buckets is None:
        return found
    numbers = np.asarray(pc.fill_null(found, 0)).view(np.uint64) % np.uint64(buckets)
    mask = np.asarray(found.is_null()) if found.null_count else None
    return pa.array(numbers.astype(np.int64), mask=mask)


def value_bytes(values: pa.Array) -> pa.Array:
    """Return the bytes of each value that its hash is made of, as a binary array."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return value_bytes(values.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return values.cast(pa.large_binary())
    if pa.types.is_boolean(kind):
        return _memory(values.cast(pa.uint8()))
    if pa.types.is_date(kind):
        year, month, day = pc.year(values), pc.month(values), pc.day(values)
        packed = pc.add(
            pc.multiply(pc.subtract(year, 1900), 65536), pc.add(pc.multiply(pc.subtract(month, 1), 256), day)
        )
        return _memory(packed.cast(pa.int32()))
    if pa.types.is_timestamp(kind):
        return _memory(pc.cast(values, pa.timestamp("ms", kind.tz), safe=False).cast(pa.int64()))
    if pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return _memory(values)
    return values.cast(pa.string()).cast(pa.large_binary())


def _memory(values: pa.Array) -> pa.Array:
    """The little-endian memory of each number."""
    width = values.type.bit_width // 8
    raw = np.asarray(pc.fill_null(values, pa.scalar(0, values.type)))
    data = pa.py_buffer(raw.astype(raw.dtype.newbyteorder("<"), copy=False).tobytes())
    offsets = pa.py_buffer((np.arange(len(values) + 1, dtype=np.int64) * width).tobytes())
    made = pa.Array.from_buffers(pa.large_binary(), len(values), [None, offsets, data])
    return (
        pc.if_else(values.is_valid(), made, pa.scalar(None, pa.large_binary())) if values.null_count else made
    )
