"""Definitions: from the text of a query to a stored draft."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.cards import FEATURES, Cards
from tests.benchmarks.runner import Contender, Measurement, side_by_side

ROWS = 1_000

#: Four features more than the view of the other benchmarks.
QUERY = FEATURES.replace(
    "m.rating AS rating",
    "m.rating AS rating, min(amount) OVER w1 AS least, mcc % 10 AS kind, upper(country) AS land, "
    "stddev_pop(amount) OVER w7 AS spread",
)


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure ``project.define``."""
    del scale
    project = Cards(folder, ROWS).project("definition")
    view = project.define("definition", QUERY)
    note = f"{len(view.schema)} features"
    again = Contender("project.define", lambda: project.define("definition", QUERY), note=note)
    lines = side_by_side("definition", [again], 11, warm=1)
    project.close()
    return lines
