"""FarmHash's Fingerprint64 (Google, 2014): a hash of bytes that is the same on every machine and in every version.

:func:`fingerprint` hashes one value with plain integers; :func:`fingerprints` hashes an Arrow array with numpy, all
values of a length class at once. Both give the signed 64-bit integer of the same bits.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: The name under which DuckDB sessions know :func:`fingerprints_of`.
FINGERPRINT = "__fingerprint"

U64 = np.uint64
Words = npt.NDArray[np.uint64]

K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_MASK = 0xFFFFFFFFFFFFFFFF
_SEED = 81


def fingerprint(data: bytes) -> int:
    """Return the Fingerprint64 of some bytes as a signed integer.

    >>> fingerprint(b"abc")
    2640714258260161385
    """
    found = _fingerprint(bytes(data))
    return found - (1 << 64) if found >> 63 else found


def fingerprint_of(data: bytes, reverse: bool) -> int:
    """Return the fingerprint of some bytes, or of the same bytes back to front."""
    return fingerprint(data[::-1] if reverse else data)


def fingerprints_of(values: pa.ChunkedArray, reverse: pa.ChunkedArray) -> pa.Array:
    """Return what :func:`fingerprint_of` does, of arrays; ``reverse`` is one constant."""
    if len(values) and reverse[0].as_py():
        turned = [None if value is None else value[::-1] for value in values.to_pylist()]
        values = pa.array(turned, pa.large_binary())
    return fingerprints(values)


def fingerprints(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the signed Fingerprint64 of each value of a binary or string array; NULL of NULL."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    values = values.cast(pa.large_binary())
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)[values.offset :][: len(values) + 1]
    lengths = np.diff(offsets)
    raw = values.buffers()[2]
    held = np.frombuffer(raw, dtype=np.uint8) if raw is not None else np.zeros(0, dtype=np.uint8)
    # Every place is read as an eight-byte word, so there must be eight more at the end.
    padded = np.concatenate([held, np.zeros(8, dtype=np.uint8)])
    words: Words = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded.data, strides=(1,))
    result = np.full(len(values), K2, dtype=U64)
    with np.errstate(over="ignore"):
        for least, most, hashed in _CLASSES:
            chosen = np.flatnonzero((lengths >= least) & (lengths <= most))
            if len(chosen):
                result[chosen] = hashed(words, offsets[:-1][chosen], lengths[chosen])
    mask = np.asarray(values.is_null()) if values.null_count else None
    return pa.array(result.view(np.int64), mask=mask)


# -- arrays


def _u(value: int) -> np.uint64:
    return U64(value & _MASK)


def _turn(x: Words, bits: int) -> Words:
    return (x >> U64(bits)) | (x << U64(64 - bits))


def _shift_mix(x: Words) -> Words:
    return x ^ (x >> U64(47))


def _mixed(u: Words, v: Words, mul: Any) -> Words:
    a = _shift_mix((u ^ v) * mul)
    return _shift_mix((v ^ a) * mul) * mul


def _mul(lengths: npt.NDArray[np.int64]) -> Words:
    return _u(K2) + lengths.astype(U64) * U64(2)


def _up_to_3(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    byte = U64(0xFF)
    a, b, c = words[at] & byte, words[at + (lengths >> 1)] & byte, words[at + lengths - 1] & byte
    y, z = a + (b << U64(8)), lengths.astype(U64) + (c << U64(2))
    return _shift_mix(y * _u(K2) ^ z * _u(K0)) * _u(K2)


def _up_to_7(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    half = U64(0xFFFFFFFF)
    a, b = words[at] & half, words[at + lengths - 4] & half
    return _mixed(lengths.astype(U64) + (a << U64(3)), b, _mul(lengths))


def _up_to_16(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    mul = _mul(lengths)
    a, b = words[at] + _u(K2), words[at + lengths - 8]
    return _mixed(_turn(b, 37) * mul + a, (_turn(a, 25) + b) * mul, mul)


def _up_to_32(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    mul = _mul(lengths)
    a, b = words[at] * _u(K1), words[at + 8]
    c, d = words[at + lengths - 8] * mul, words[at + lengths - 16] * _u(K2)
    return _mixed(_turn(a + b, 43) + _turn(c, 30) + d, a + _turn(b + _u(K2), 18) + c, mul)


def _up_to_64(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    mul = _mul(lengths)
    end = at + lengths
    a, b = words[at] * _u(K2), words[at + 8]
    c, d = words[end - 8] * mul, words[end - 16] * _u(K2)
    y = _turn(a + b, 43) + _turn(c, 30) + d
    z = _mixed(y, a + _turn(b + _u(K2), 18) + c, mul)
    e, f = words[at + 16] * mul, words[at + 24]
    g, h = (y + words[end - 32]) * mul, (z + words[end - 24]) * mul
    return _mixed(_turn(e + f, 43) + _turn(g, 30) + h, e + _turn(f + a, 18) + g, mul)


def _weak(words: Words, at: npt.NDArray[np.int64], a: Words, b: Words) -> tuple[Words, Words]:
    a = a + words[at]
    b = _turn(b + a + words[at + 24], 21)
    c = a
    a = a + words[at + 8] + words[at + 16]
    b = b + _turn(a, 44)
    return a + words[at + 24], b + c


def _longer(words: Words, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Words:
    # Longest first: those that have a block left are then a prefix.
    order = np.argsort(-lengths, kind="stable")
    at, lengths = at[order], lengths[order]
    blocks = (lengths - 1) // 64
    state = np.zeros((7, len(at)), dtype=U64)
    y = _SEED * K1 + 113
    state[0] = _u(_SEED * K2) + words[at]
    state[1] = _u(y)
    state[2] = _u(_shift_mix_int(y * K2 + 113) * K2)
    for block in range(int(blocks[0])):
        count = int(np.searchsorted(-blocks, -block, side="left"))
        state[:, :count] = _round(words, at[:count] + 64 * block, state[:, :count], _u(K1), 1)
    tail = ((lengths - 1) & 63).astype(U64)
    mul = _u(K1) + ((state[2] & U64(0xFF)) << U64(1))
    state[5] += tail
    state[3] += state[5]
    state[5] += state[3]
    x, y_, z, v0, v1, w0, w1 = _round(words, at + lengths - 64, state, mul, 9)
    found = _mixed(
        _mixed(v0, w0, mul) + _shift_mix(y_) * _u(K0) + z,
        _mixed(v1, w1, mul) + x,
        mul,
    )
    result = np.empty_like(found)
    result[order] = found
    return result


def _round(
    words: Words, at: npt.NDArray[np.int64], state: Words, mul: Any, weight: int
) -> npt.NDArray[np.uint64]:
    x, y, z, v0, v1, w0, w1 = state
    x = _turn(x + y + v0 + words[at + 8], 37) * mul
    y = _turn(y + v1 + words[at + 48], 42) * mul
    x = x ^ (w1 * U64(weight))
    y = y + v0 * U64(weight) + words[at + 40]
    z = _turn(z + w0, 33) * mul
    v0, v1 = _weak(words, at, v1 * mul, x + w0)
    w0, w1 = _weak(words, at + 32, z + w1, y + words[at + 16])
    return np.stack([z, y, x, v0, v1, w0, w1])


_CLASSES = (
    (1, 3, _up_to_3),
    (4, 7, _up_to_7),
    (8, 16, _up_to_16),
    (17, 32, _up_to_32),
    (33, 64, _up_to_64),
    (65, 1 << 62, _longer),
)

# -- one value


def _turn_int(x: int, bits: int) -> int:
    return ((x >> bits) | (x << (64 - bits))) & _MASK


def _shift_mix_int(x: int) -> int:
    x &= _MASK
    return x ^ (x >> 47)


def _mixed_int(u: int, v: int, mul: int) -> int:
    a = _shift_mix_int((u ^ v) * mul)
    return (_shift_mix_int((v ^ a) * mul) * mul) & _MASK


def _fingerprint(s: bytes) -> int:
    size = len(s)
    if size > 64:
        return _long_int(s)
    if size == 0:
        return K2
    mul = K2 + size * 2
    if size < 4:
        y, z = s[0] + (s[size >> 1] << 8), size + (s[-1] << 2)
        return (_shift_mix_int(y * K2 ^ z * K0) * K2) & _MASK
    if size < 8:
        a, b = struct.unpack_from("<I", s)[0], struct.unpack_from("<I", s, size - 4)[0]
        return _mixed_int(size + (a << 3), b, mul)
    if size <= 16:
        a, b = _word(s, 0) + K2, _word(s, size - 8)
        c, d = _turn_int(b, 37) * mul + a, (_turn_int(a & _MASK, 25) + b) * mul
        return _mixed_int(c & _MASK, d & _MASK, mul)
    first = K1 if size <= 32 else K2
    a, b = (_word(s, 0) * first) & _MASK, _word(s, 8)
    c, d = (_word(s, size - 8) * mul) & _MASK, _word(s, size - 16) * K2
    y = (_turn_int((a + b) & _MASK, 43) + _turn_int(c, 30) + d) & _MASK
    z = _mixed_int(y, (a + _turn_int((b + K2) & _MASK, 18) + c) & _MASK, mul)
    if size <= 32:
        return z
    e, f = (_word(s, 16) * mul) & _MASK, _word(s, 24)
    g, h = ((y + _word(s, size - 32)) * mul) & _MASK, (z + _word(s, size - 24)) * mul
    u = (_turn_int((e + f) & _MASK, 43) + _turn_int(g, 30) + h) & _MASK
    return _mixed_int(u, (e + _turn_int((f + a) & _MASK, 18) + g) & _MASK, mul)


def _word(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _long_int(s: bytes) -> int:
    """Longer values take the array's way: it is as fast for them, and there is one copy of the rounds."""
    found = fingerprints(pa.array([s], pa.large_binary()))[0].as_py()
    return int(found) & _MASK
