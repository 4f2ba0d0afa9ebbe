"""Tables of keys: finding the number of a key, by bisection or by a hash index."""

from __future__ import annotations

from workbench.kernels.layout import (
    K_KEYS,
    K_LEVELS,
    K_MASK,
    K_SLOTS,
    KEYS_WORDS,
    L_DATA,
    L_OFFSETS,
    L_VALIDITY,
    L_VALUES,
    LEVEL_WORDS,
)
from workbench.kernels.memory import compare_bytes, is_valid, jit, load, load_i32, store_i32
from workbench.kernels.values import hash_bytes, hash_word

# A wanted key is two words a level: an integer and 0, or the address and the size of bytes. A size of NULL_KEY is the
# group of NULLs, NO_KEY matches nothing.
NULL_KEY, NO_KEY = -1, -2


@jit
def _level(keys: int, number: int) -> int:
    return keys + (KEYS_WORDS + number * LEVEL_WORDS) * 8


@jit
def _compare(keys: int, row: int, wanted: int) -> int:
    """-1, 0, 1: the order of a key of the table and the wanted one, NULLs last."""
    for number in range(load(keys, K_LEVELS)):
        level = _level(keys, number)
        word, size = load(wanted, 2 * number), load(wanted, 2 * number + 1)
        null = not is_valid(load(level, L_VALIDITY), row)
        if null or size == NULL_KEY:
            if null and size == NULL_KEY:
                continue
            return 1 if null else -1
        if load(level, L_VALUES) != 0:
            found = load(load(level, L_VALUES), row)
            if found != word:
                return -1 if found < word else 1
        else:
            begin = load(load(level, L_OFFSETS), row)
            length = load(load(level, L_OFFSETS), row + 1) - begin
            order = compare_bytes(load(level, L_DATA) + begin, length, word, size)
            if order != 0:
                return order
    return 0


@jit
def find_key(keys: int, wanted: int) -> int:
    """The number of a key, -1 when it is not there."""
    levels = load(keys, K_LEVELS)
    for number in range(levels):
        if load(wanted, 2 * number + 1) == NO_KEY:
            return -1
    slots = load(keys, K_SLOTS)
    if slots != 0:
        found = 0
        for number in range(levels):
            word, size = load(wanted, 2 * number), load(wanted, 2 * number + 1)
            if size == NULL_KEY:
                word = NULL_KEY
            elif load(_level(keys, number), L_VALUES) == 0:
                word = hash_bytes(word, size)
            found = hash_word(word, found)
        mask = load(keys, K_MASK)
        place = found & mask
        while True:
            row = load_i32(slots, place) - 1
            if row < 0 or _compare(keys, row, wanted) == 0:
                return row
            place = (place + 1) & mask
    low, high = 0, load(keys, K_KEYS)
    while low < high:
        middle = (low + high) >> 1
        order = _compare(keys, middle, wanted)
        if order == 0:
            return middle
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return -1


@jit
def fill_slots(keys: int, slots: int, mask: int) -> int:
    """Put every key of a table into a hash index of zeros: its number + 1."""
    levels = load(keys, K_LEVELS)
    for row in range(load(keys, K_KEYS)):
        found = 0
        for number in range(levels):
            level = _level(keys, number)
            word = NULL_KEY
            if is_valid(load(level, L_VALIDITY), row):
                if load(level, L_VALUES) != 0:
                    word = load(load(level, L_VALUES), row)
                else:
                    begin = load(load(level, L_OFFSETS), row)
                    size = load(load(level, L_OFFSETS), row + 1) - begin
                    word = hash_bytes(load(level, L_DATA) + begin, size)
            found = hash_word(word, found)
        place = found & mask
        while load_i32(slots, place) != 0:
            place = (place + 1) & mask
        store_i32(slots, place, row + 1)
    return 0
