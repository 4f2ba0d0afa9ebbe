"""Reading the rows of several request rows at once gives each what reading for it alone gives, and reads no more."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from workbench.online.bounds import Bounds, around, overlapping, within


def rows_of(dice: random.Random, count: int) -> pa.Table:
    """Rows newest first by (order, seq)."""
    rows = sorted(((dice.randint(0, 30), seq) for seq in range(count)), reverse=True)
    return pa.table({"__ord": pa.array([o for o, _ in rows]), "__seq": pa.array([s for _, s in rows])})


def bounds_of(dice: random.Random, reach: int | None) -> Bounds:
    order = dice.randint(-2, 32)
    return Bounds((order, dice.choice([None, dice.randint(0, 40)])), None if reach is None else order - reach)


def test_together_as_alone() -> None:
    dice = random.Random(11)
    for _ in range(300):
        rows = rows_of(dice, dice.randint(0, 40))
        reach = dice.choice([None, 0, 2, 10])
        asked = [(number, bounds_of(dice, reach)) for number in range(dice.randint(1, 8))]
        seen: dict[int, list[int]] = {}
        read = 0
        for together in overlapping(asked):
            part = rows.take(pa.array(within(rows, around([bounds for _, bounds in together]))))
            read += part.num_rows
            for number, bounds in together:
                seen[number] = part.column("__seq").to_numpy()[within(part, bounds)].tolist()
        alone = {number: rows.column("__seq").to_numpy()[within(rows, bounds)] for number, bounds in asked}
        assert seen == {number: found.tolist() for number, found in alone.items()}
        needed = len(np.unique(np.concatenate(list(alone.values()))))
        assert read <= sum(map(len, alone.values())) and (reach is None or read >= needed)


def test_all_rows_where_there_are_no_bounds() -> None:
    rows = rows_of(random.Random(1), 5)
    everything = Bounds(None, None)
    assert [[n for n, _ in group] for group in overlapping([(0, everything), (1, everything)])] == [[0, 1]]
    assert within(rows, around([everything, Bounds((3, None), None)])).tolist() == [0, 1, 2, 3, 4]
