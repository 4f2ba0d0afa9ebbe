"""Random frames that look ahead, over random rows, against plain Python: in both ways that bulk evaluation has."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench

START, HOUR, MICRO = datetime(2024, 1, 1), timedelta(hours=1), timedelta(microseconds=1)
Row = dict[str, Any]


def rows(rng: random.Random, count: int) -> list[Row]:
    return [
        {"ts": START + rng.randrange(12) * HOUR, "k": rng.choice(["a", "b", None]), "v": rng.randrange(20)}
        for _ in range(count)
    ]


@dataclass(frozen=True)
class Frame:
    """A drawn window: hours or positions ahead, which ends are open, and what else it says."""

    other: bool
    unit: str
    near: int
    far: int
    open_near: bool
    open_far: bool
    maxsize: int | None
    exclude: str

    @staticmethod
    def draw(rng: random.Random) -> Frame:
        while True:
            other, unit, near = (
                rng.random() < 0.35,
                rng.choice(["ROWS", "ROWS_RANGE"]),
                rng.choice([0, 0, 1, 2, 3]),
            )
            ranged = unit == "ROWS_RANGE"
            exclude = "" if other else rng.choice(["", "", "CURRENT_ROW", "CURRENT_TIME"])
            opens = [ranged and rng.random() < 0.25 for _ in range(2)]
            far = near + rng.choice([0, 1, 2, 4])
            if far > near or not any(opens):
                return Frame(other, unit, near, far, *opens, rng.choice([None, None, 1, 2, 3]), exclude)

    @property
    def sql(self) -> str:
        unit = "h" if self.unit == "ROWS_RANGE" else ""
        near = f"{self.near}{unit}{' OPEN' if self.open_near else ''} FOLLOWING"
        far = f"{self.far}{unit}{' OPEN' if self.open_far else ''} FOLLOWING"
        start = "CURRENT ROW" if not self.near and not self.open_near else near
        source = "FROM ev " if self.other else ""
        rest = (f" EXCLUDE {self.exclude}" if self.exclude else "") + (
            f" MAXSIZE {self.maxsize}" if self.maxsize else ""
        )
        return f"{source}PARTITION BY k ORDER BY ts {self.unit} BETWEEN {start} AND {far}{rest}"

    def values(self, anchor: Row, tx: list[Row], ev: list[Row]) -> list[int] | None:
        """What is in the frame, nearest first; None where the horizon has not passed."""
        source = ev if self.other else tx
        later = sorted(
            (row for row in source if row["k"] == anchor["k"] and self._is_later(anchor, row)),
            key=lambda row: (row["ts"], row["seq"]),
        )
        numbered = list(enumerate(later, 1)) if self.other else list(enumerate([anchor, *later]))
        if self.unit == "ROWS":
            passed = len(later) >= self.far
            chosen = [(place, row) for place, row in numbered if self.near <= place <= self.far]
        else:
            low = self.near * HOUR + (MICRO if self.open_near else timedelta(0))
            high = self.far * HOUR - (MICRO if self.open_far else timedelta(0))
            passed = anchor["ts"] + high <= max(row["ts"] for row in source)
            chosen = [(place, row) for place, row in numbered if low <= row["ts"] - anchor["ts"] <= high]
        if self.exclude == "CURRENT_ROW":
            chosen = [(place, row) for place, row in chosen if place > 0]
        return [row["v"] for _, row in chosen[: self.maxsize]] if passed else None

    def _is_later(self, anchor: Row, row: Row) -> bool:
        if self.other:
            return row["k"] is not None and row["ts"] > anchor["ts"]
        later = (row["ts"], row["seq"]) > (anchor["ts"], anchor["seq"])
        return later and not (self.exclude == "CURRENT_TIME" and row["ts"] == anchor["ts"])


@pytest.mark.parametrize("seed", range(2))
def test_random_frames_ahead(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    project = workbench.open(tmp_path / "p")
    columns = {"ts": "TIMESTAMP", "k": "VARCHAR", "v": "BIGINT"}
    stored: dict[str, list[Row]] = {}
    for name, count in (("tx", 30), ("ev", 20)):
        made = rows(rng, count)
        first = project.create_table(name, columns, time="ts").append(made).first_seq
        stored[name] = [{**row, "seq": first + number} for number, row in enumerate(made)]
    for _ in range(8):
        frame = Frame.draw(rng)
        found = [frame.values(row, stored["tx"], stored["ev"]) for row in stored["tx"]]
        expected = [values for values in found if values is not None]
        lists = project.define_label("l", f"SELECT list(v) OVER w AS y FROM tx WINDOW w AS ({frame.sql})")
        assert lists.offline().to_pyarrow().column("y").to_pylist() == [v or None for v in expected], frame
        sums = project.define_label("s", f"SELECT sum(v) OVER w AS y FROM tx WINDOW w AS ({frame.sql})")
        totals = [sum(values) if values else None for values in expected]
        assert sums.offline().to_pyarrow().column("y").to_pylist() == totals, frame
