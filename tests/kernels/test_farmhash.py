"""FarmHash against published values, against OpenMLDB's, and one way of computing it against the other."""

from __future__ import annotations

import random
import struct

import pyarrow as pa
import pytest

from workbench.kernels.farmhash import FINGERPRINT, fingerprint, fingerprints
from workbench.storage.session import connect

#: Published test values of Fingerprint64, from a few bytes to several rounds.
PUBLISHED = [
    (0x9AE16A3B2F90404F, ""),
    (0xB3454265B6DF75E3, "a"),
    (0xAA8D6E5242ADA51E, "ab"),
    (0x24A5B3A074E7F369, "abc"),
    (0x1A5502DE4A1F8101, "abcd"),
    (0xFEE9D22990C82909, "abcdefgh"),
    (0x332C8ED4DAE5BA42, "abcdefghi"),
    (0x4283D4EF43627F64, "0123456789'01234"),
    (0x46A7416ED4861E3B, "0123456789=012345"),
    (0x4DBD128AF51D77E8, "0123456789%0123456789£"),
    (0xB944F8A16261E414, "C is as portable as Stonehedge!!"),
    (0xE8F89AB6DF9BDD25, "Discard medicine more than two years old."),
    (0x2A578B80BB82147C, "The days of the digital watch are numbered.  -Tom Stoppard"),
    (0x55182F8859ECA4CE, "For every action there is an equal and opposite government program."),
    (0x38AA3175B37F305C, "It's a tiny change to the code and not completely disgusting. - Bob Manchek"),
    (
        0x98EFF6958C5E91A,
        "The fugacity of a constituent in a mixture of gases at a given temperature is proportional to its mole "
        "fraction.  Lewis-Randall Rule",
    ),
    (
        0xC3F02C4FFD5D71E6,
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
        "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea "
        "commodo consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat "
        "nulla pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit "
        "anim id est laborum.",
    ),
]
#: What OpenMLDB's hash64 gives for the little-endian bytes of numbers.
NUMBERS = [
    (struct.pack("<i", 3), 2681491882390849628),
    (struct.pack("<d", 2.0), 1446482599179445476),
    (struct.pack("<f", 4.4), -2386882153598325791),
    (struct.pack("<q", 1590115420000), 4361965398422314040),
    (b"\1", 5161771770385946686),
]


@pytest.mark.parametrize(("expected", "text"), PUBLISHED)
def test_published_values(expected: int, text: str) -> None:
    data = text.encode()
    assert fingerprint(data) % 2**64 == expected
    assert fingerprints(pa.array([data])).to_pylist() == [fingerprint(data)]


@pytest.mark.parametrize(("data", "expected"), NUMBERS)
def test_openmldb_values(data: bytes, expected: int) -> None:
    assert fingerprint(data) == expected


def test_arrays_equal_single_values() -> None:
    draw = random.Random(20)
    values = [draw.randbytes(size) for size in range(301) for _ in range(3)]
    draw.shuffle(values)
    alone = [_reference(value) for value in values]
    assert fingerprints(pa.array(values)).to_pylist() == alone
    assert [fingerprint(value) for value in values] == alone


def test_nulls_and_slices() -> None:
    array = pa.array([b"x", None, b"a", None, b"", b"abc"])[1:]
    assert fingerprints(array).to_pylist() == [
        None,
        fingerprint(b"a"),
        None,
        fingerprint(b""),
        fingerprint(b"abc"),
    ]
    assert fingerprints(pa.array([], pa.binary())).to_pylist() == []


@pytest.mark.parametrize("by_row", [True, False])
def test_sessions_know_it(by_row: bool) -> None:
    with connect(threads=1, by_row=by_row) as connection:
        query = f"SELECT {FINGERPRINT}(encode(v), false), {FINGERPRINT}(encode(v), true) FROM t ORDER BY n"
        connection.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'abc'), (2, NULL), (3, '')) v(n, v)")
        assert connection.execute(query).fetchall() == [
            (fingerprint(b"abc"), fingerprint(b"cba")),
            (None, None),
            (fingerprint(b""), fingerprint(b"")),
        ]


# -- FarmHash as its authors write it, one step a line

_K0, _K1, _K2, _M = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 2**64 - 1


def _rotate(x: int, n: int) -> int:
    return ((x >> n) | (x << (64 - n))) & _M


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _hash16(u: int, v: int, mul: int) -> int:
    a = _mix(((u ^ v) * mul) & _M)
    return (_mix(((v ^ a) * mul) & _M) * mul) & _M


def _fetch(s: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(s[at : at + size], "little")


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    a = (a + _fetch(s, at)) & _M
    b = _rotate((b + a + _fetch(s, at + 24)) & _M, 21)
    c = a
    a = (a + _fetch(s, at + 8) + _fetch(s, at + 16)) & _M
    return (a + _fetch(s, at + 24)) & _M, (b + _rotate(a, 44) + c) & _M


def _reference(s: bytes) -> int:
    found = _short(s) if len(s) <= 64 else _long(s)
    return found - 2**64 if found >= 2**63 else found


def _short(s: bytes) -> int:
    n = len(s)
    mul = (_K2 + n * 2) & _M
    if n == 0:
        return _K2
    if n < 4:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return (_mix(((y * _K2) & _M) ^ ((z * _K0) & _M)) * _K2) & _M
    if n < 8:
        return _hash16((n + (_fetch(s, 0, 4) << 3)) & _M, _fetch(s, n - 4, 4), mul)
    if n <= 16:
        a, b = (_fetch(s, 0) + _K2) & _M, _fetch(s, n - 8)
        c = (_rotate(b, 37) * mul + a) & _M
        d = ((_rotate(a, 25) + b) * mul) & _M
        return _hash16(c, d, mul)
    a = (_fetch(s, 0) * (_K1 if n <= 32 else _K2)) & _M
    b, c = _fetch(s, 8), (_fetch(s, n - 8) * mul) & _M
    d = (_fetch(s, n - 16) * _K2) & _M
    y = (_rotate((a + b) & _M, 43) + _rotate(c, 30) + d) & _M
    z = _hash16(y, (a + _rotate((b + _K2) & _M, 18) + c) & _M, mul)
    if n <= 32:
        return z
    e, f = (_fetch(s, 16) * mul) & _M, _fetch(s, 24)
    g, h = ((y + _fetch(s, n - 32)) * mul) & _M, ((z + _fetch(s, n - 24)) * mul) & _M
    u = (_rotate((e + f) & _M, 43) + _rotate(g, 30) + h) & _M
    return _hash16(u, (e + _rotate((f + a) & _M, 18) + g) & _M, mul)


def _long(s: bytes) -> int:
    n = len(s)
    x, y = 81, (81 * _K1 + 113) & _M
    z = (_mix((y * _K2 + 113) & _M) * _K2) & _M
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _fetch(s, 0)) & _M
    at, end = 0, ((n - 1) // 64) * 64
    mul, weight = _K1, 1
    while True:
        last = at == end
        if last:
            mul, weight, at = (_K1 + ((z & 0xFF) << 1)) & _M, 9, n - 64
            w = ((w[0] + ((n - 1) & 63)) & _M, w[1])
            v = ((v[0] + w[0]) & _M, v[1])
            w = ((w[0] + v[0]) & _M, w[1])
        x = (_rotate((x + y + v[0] + _fetch(s, at + 8)) & _M, 37) * mul) & _M
        y = (_rotate((y + v[1] + _fetch(s, at + 48)) & _M, 42) * mul) & _M
        x ^= (w[1] * weight) & _M
        y = (y + v[0] * weight + _fetch(s, at + 40)) & _M
        z = (_rotate((z + w[0]) & _M, 33) * mul) & _M
        v = _weak(s, at, (v[1] * mul) & _M, (x + w[0]) & _M)
        w = _weak(s, at + 32, (z + w[1]) & _M, (y + _fetch(s, at + 16)) & _M)
        z, x = x, z
        if last:
            u = (_hash16(v[0], w[0], mul) + _mix(y) * _K0 + z) & _M
            return _hash16(u, (_hash16(v[1], w[1], mul) + x) & _M, mul)
        at += 64
