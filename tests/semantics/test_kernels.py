"""A little of ``python -m tests.semantics.kernels``: bulk and request kernels give the same bits for random views.

``KERNELS_SEED`` shifts the seed, ``KERNELS_VALUES`` (default 300,000) sets how many values are compared.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa
import pytest

import workbench

from .kernel_views import Drawn
from .kernels import _different, compare_many, summary

SEED = int(os.environ.get("KERNELS_SEED", "0"))
VALUES = int(os.environ.get("KERNELS_VALUES", "300000"))


@pytest.mark.usefixtures("kernels")
def test_bulk_and_requests_give_the_same_bits() -> None:
    found = compare_many(VALUES, SEED, rows=(3000, 9000), anchors=1000, sample=3)
    print(f"seed {SEED}\n{summary(found)}")
    wrong = [(one.seed, one.view, line) for one in found for line in one.differences + one.far]
    assert not wrong, f"seed {SEED}: {wrong[:3]}"
    assert sum(one.values for one in found) >= VALUES
    assert sum(one.quick for one in found) > 0


def test_differences_are_seen() -> None:
    table = pa.table({"a": [1.0, 0.0, float("nan"), None], "b": ["x", None, "y", ""]})
    drawn = Drawn("", ())
    rows = [(1.0, "x"), (0.0, None), (float("nan"), "y"), (None, "")]
    assert not _different(table, rows, range(4), drawn, "stored")
    for place, row in [(0, (1.0000000000000002, "x")), (1, (-0.0, None)), (1, (None, None)), (3, (0.0, ""))]:
        changed = [row if number == place else given for number, given in enumerate(rows)]
        assert _different(table, changed, range(4), drawn, "stored")[0].startswith("a ")
    assert len(_different(table, [*rows[:3], (None, None)], range(4), drawn, "stored")) == 1


@pytest.mark.usefixtures("kernels")
def test_what_it_has_found(tmp_path: Path) -> None:
    """Joins on several keys match no NULL, and no condition that is true or false counts as NULL, as DuckDB has it."""
    project = workbench.open(tmp_path / "project")
    times = [dt.datetime(2026, 1, 1, hour) for hour in range(4)]
    keys, more, flags = [1, 1, 1, None], [None, None, "a", "a"], [None, True, False, None]
    project.create_table("tx", pa.table({"ts": times, "k": keys, "g": more, "b": flags}), time="ts")
    view = project.define(
        "v",
        """SELECT tx.ts, j.ts AS found, count_if(b) OVER w AS n FROM tx LAST JOIN tx j ORDER BY j.ts ON j.k = tx.k
            AND j.g = tx.g WINDOW w AS (PARTITION BY tx.k ORDER BY tx.ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)""",
    )
    assert [tuple(row.values())[1:] for row in view.offline().to_pyarrow().to_pylist()] == [
        (None, None), (None, 1), (None, 1), (None, None),
    ]  # fmt: skip
    report = view.check("all")
    assert report.ok and report.drivers["compiled"] == 4
    project.close()
