"""Draws frames of windows whose ends fall exactly on rows."""

from __future__ import annotations

from datetime import timedelta

from .expressions import Expressions
from .query import Bound, Frame

INTERVALS = [
    ("s", "SECOND", 10**6),
    ("m", "MINUTE", 60 * 10**6),
    ("h", "HOUR", 3600 * 10**6),
    ("d", "DAY", 86400 * 10**6),
]


class Frames(Expressions):
    """Frames over times, dates, numbers and positions; ``longest`` is how far back those over times may reach."""

    longest: int | None = None

    def _frame(self, order_type: str) -> Frame | None:
        if self.chance(0.15):
            return None
        if self.chance(0.35):
            return self._rows_frame()
        return self._range_frame(order_type)

    def _rows_frame(self) -> Frame:
        low, high = sorted(self.rng.sample(range(8), 2))
        start = self._start(high, self.chance(0.25), str(high))
        open_end = self.chance(0.25) and high - low >= 2 + int(start.open)
        end = Bound("offset", low, open_end, str(low)) if low or open_end else Bound("current")
        return Frame("ROWS", start, end)

    def _range_frame(self, order_type: str) -> Frame:
        unit = self.rng.choice(["ROWS_RANGE", "RANGE"])
        if order_type == "BIGINT":
            low, high = sorted(
                self.rng.sample(range(0, 7, 2), 2)
            )  # two apart: OPEN at both ends leaves something
            texts = (str(low), str(high))
            amounts = (low, high)
        else:
            step = timedelta(days=1) if order_type == "DATE" else self.step
            step_us = step // timedelta(microseconds=1)
            near, far = sorted(self.rng.sample(range(6), 2))
            amounts = (near * step_us, far * step_us)
            if self.chance(0.15):
                amounts = (amounts[0], amounts[1] + 10**6)  # an end between two places of the grid
            texts = (self._duration(amounts[0]), self._duration(amounts[1]))
            if self.longest is not None and amounts[1] > self.longest:
                return Frame(unit, Bound("unbounded"), Bound("current"))
        start = self._start(amounts[1], self.chance(0.25), texts[1])
        if amounts[0] == 0 and self.chance(0.7):
            return Frame(unit, start, Bound("current"))
        return Frame(unit, start, Bound("offset", amounts[0], self.chance(0.3), texts[0]))

    def _start(self, offset: int, open_: bool, text: str) -> Bound:
        return Bound("unbounded") if self.chance(0.15) else Bound("offset", offset, open_, text)

    def _duration(self, microseconds: int) -> str:
        fitting = [unit for unit in INTERVALS if microseconds % unit[2] == 0]
        short, long, size = self.rng.choice(fitting)
        amount = microseconds // size
        forms = [f"{amount}{short}"] * 3 + [
            f"INTERVAL {amount} {long}",
            f"INTERVAL '{amount} {long.lower()}'",
        ]
        return self.rng.choice(forms)
