"""Training sets: the features of every stored row, and the check that requests give the same values."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.cards import FEATURES, Cards
from tests.benchmarks.runner import Contender, Measurement, rate, side_by_side

ROWS = 1_000_000
CHECKED = 2_000


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure the offline run to Parquet, then a check."""
    cards = Cards(folder, int(ROWS * scale))
    project = cards.project("training")
    view = project.define("training", FEATURES)
    target = folder / "training.parquet"
    note = f"{cards.rows:,} rows x {len(view.schema)} features to Parquet"
    offline = Contender("view.offline", lambda: view.offline().to_parquet(target), note=note)
    lines = side_by_side("training", [offline], 3, warm=0, unit="s")

    checked = int(CHECKED * scale) or 1
    view.check(1)  # builds the indexes

    def check() -> None:
        report = view.check(checked)
        if report.different:
            raise AssertionError(str(report))

    lines.append(
        rate("training", "view.check", checked, check, note=f"{checked:,} rows, the offline side included")
    )
    project.close()
    return lines
