"""Exact sums of floats: the same whatever the order of the values and however they are split.

A sum is kept as a cascade of floats whose exact sum is that of the values (Knuth's TwoSum, TAOCP 2, 4.2.2; the cascade
is Klein's, Computing 76, 2006; products are split into product and error by a fused multiply-add, Dekker 1971). What
falls off the end of a cascade is noticed, and such a sum is computed again in a superaccumulator: an integer of 2,100
bits in digits of 32 (Kulisch; Neal, arXiv:1505.05571). Results are rounded once, to the nearest float.
"""

from __future__ import annotations

from workbench.kernels.layout import SUPER_WORDS
from workbench.kernels.memory import bits_of, float_of, fused, jit, load, load_f64, store

MASK32 = 0xFFFFFFFF
#: The superaccumulator's digit i weighs 2**(32 i - OFFSET).
OFFSET = 1088
DIGITS = 72


@jit
def two_sum(a: float, b: float) -> tuple[float, float]:
    """The rounded sum and its error."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@jit
def two_product(a: float, b: float) -> tuple[float, float]:
    """The rounded product and its error."""
    p = a * b
    return p, fused(a, b, -p)


@jit
def rounded3(a: float, b: float, c: float) -> float:
    """The exact sum of three floats, rounded to nearest, ties to even."""
    high, low = two_sum(a, b)
    low, rest = two_sum(low, c)
    high, low = two_sum(high, low)
    low, rest = two_sum(low, rest)
    high, low = two_sum(high, low)
    if rest != 0.0 and (rest > 0.0) == (low > 0.0):
        # The sum of the first two was a tie, and the rest decides it.
        twice = low * 2.0
        other = high + twice
        if other - high == twice:
            return other
    return high


# -- the superaccumulator: DIGITS words of digits, then the lowest and the highest digit in use


@jit
def super_clear(at: int) -> None:
    for i in range(SUPER_WORDS):
        store(at, i, 0)
    store(at, DIGITS, DIGITS)


@jit
def super_add(at: int, x: float) -> None:
    """Add a finite float."""
    if x == 0.0:
        return
    bits = bits_of(x)
    exponent = (bits >> 52) & 0x7FF
    mantissa = bits & 0xFFFFFFFFFFFFF
    if exponent == 0:
        exponent = 1
    else:
        mantissa |= 0x10000000000000
    offset = exponent - 1075 + OFFSET
    digit = offset >> 5
    shift = offset & 31
    low = (mantissa & MASK32) << shift
    high = (mantissa >> 32) << shift
    first, second, third = low & MASK32, (low >> 32) + (high & MASK32), high >> 32
    if bits < 0:
        first, second, third = -first, -second, -third
    store(at, digit, load(at, digit) + first)
    store(at, digit + 1, load(at, digit + 1) + second)
    store(at, digit + 2, load(at, digit + 2) + third)
    if digit < load(at, DIGITS):
        store(at, DIGITS, digit)
    if digit + 2 > load(at, DIGITS + 1):
        store(at, DIGITS + 1, digit + 2)


@jit
def super_add_product(at: int, a: float, b: float) -> None:
    """Add a product whose parts floats hold."""
    product, error = two_product(a, b)
    super_add(at, product)
    super_add(at, error)


@jit
def _carry(at: int, first: int, last: int) -> int:
    """Bring the digits into [0, 2**32) but the last one, and return that."""
    carry = 0
    for i in range(first, last):
        value = load(at, i) + carry
        carry = value >> 32
        store(at, i, value & MASK32)
    store(at, last, load(at, last) + carry)
    return load(at, last)


@jit
def super_round(at: int) -> float:
    """The sum, rounded to nearest, ties to even."""
    first = load(at, DIGITS)
    if first == DIGITS:
        return 0.0
    last = min(load(at, DIGITS + 1) + 2, DIGITS - 1)
    store(at, DIGITS + 1, last)
    negative = _carry(at, first, last) < 0
    if negative:
        for i in range(first, last + 1):
            store(at, i, -load(at, i))
        _carry(at, first, last)
    rounded = _leading(at, first, last)
    if negative:
        for i in range(first, last + 1):
            store(at, i, -load(at, i))
        return -rounded
    return rounded


@jit
def _leading(at: int, first: int, last: int) -> float:
    """The number of non-negative digits, rounded to nearest, ties to even."""
    top = last
    while top > first and load(at, top) == 0:
        top -= 1
    value = load(at, top)
    if value == 0:
        return 0.0
    # The leading 62 bits or so, and whether anything stands below.
    low = top
    bits = 0
    while (value >> bits) != 0:
        bits += 1
    while low > first and bits + 32 <= 62:
        low -= 1
        value = (value << 32) | load(at, low)
        bits += 32
    sticky = False
    while low > first and bits < 62:
        # 30 bits of room at most: take the upper part of the next digit.
        low -= 1
        room = 62 - bits
        digit = load(at, low)
        value = (value << room) | (digit >> (32 - room))
        sticky = digit & ((1 << (32 - room)) - 1) != 0
        exponent = 32 * low - OFFSET + 32 - room
        return _round62(value, 62, exponent, sticky or _any(at, first, low))
    return _round62(value, bits, 32 * low - OFFSET, _any(at, first, low))


@jit
def _any(at: int, first: int, end: int) -> bool:
    return any_digit(at, first, end) != 0


@jit
def any_digit(at: int, first: int, end: int) -> int:
    found = 0
    for i in range(first, end):
        found |= load(at, i)
    return found


@jit
def _round62(value: int, bits: int, exponent: int, sticky: bool) -> float:
    """value * 2**exponent, plus something less than 2**exponent where sticky; value has that many bits."""
    # The last bit that the float keeps: 53 bits, fewer where it is subnormal.
    drop = max(bits - 53, -1074 - exponent)
    if drop > 0:
        if drop > 62:
            return 0.0
        rest = value & ((1 << drop) - 1)
        half = 1 << (drop - 1)
        value >>= drop
        exponent += drop
        if rest > half or (rest == half and (sticky or value & 1 != 0)):
            value += 1
    return _scaled(float(value), exponent)


@jit
def _scaled(x: float, exponent: int) -> float:
    """x * 2**exponent, where floats hold that."""
    half = exponent // 2
    return x * float_of((half + 1023) << 52) * float_of((exponent - half + 1023) << 52)


@jit
def super_parts(at: int, out: int, count: int) -> int:
    """Take the sum apart into at most ``count`` floats, the largest first; return how many. The sum is used up."""
    for i in range(count):
        part = super_round(at)
        if part == 0.0 or part - part != 0.0:
            return i
        store(out, i, bits_of(part))
        super_add(at, -part)
    return count


@jit
def super_deviations(
    at: int, count: int, sums: int, sum_parts: int, squares: int, square_parts: int
) -> float:
    """count * Q - S**2, rounded once; S and Q are given as floats that they are the sums of. At least 0."""
    super_clear(at)
    number = float(count)
    for i in range(square_parts):
        super_add_product(at, number, load_f64(squares, i))
    for i in range(sum_parts):
        x = load_f64(sums, i)
        super_add_product(at, -x, x)
        for j in range(i):
            super_add_product(at, -2.0 * x, load_f64(sums, j))
    return max(super_round(at), 0.0)
