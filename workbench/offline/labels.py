"""Labels of anchor rows in bulk: what lies ahead of each, where that much is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import WorkbenchError
from workbench.offline.features import OfflineFeatures
from workbench.offline.run import Progress
from workbench.offline.spine import spine_table
from workbench.plan.horizon import (
    COMPLETE,
    ahead_windows,
    anchor_needs,
    latest_sql,
    window_sources,
    with_horizon,
)
from workbench.plan.model import FeaturePlan, Window
from workbench.storage import Storage
from workbench.values.types import arrow_type


@dataclass(frozen=True)
class Labelled:
    """Labels, and how many anchor rows have none because their horizon has not passed."""

    rows: pa.Table
    dropped: int


@dataclass(frozen=True)
class OfflineLabels:
    """Bulk evaluation of a label.

    The horizon of an anchor row has passed when, for every window that looks ahead, the far end of its frame lies not
    after the newest time of the window's tables at the cut (``as_of`` instead, where it is given), or that many rows
    follow. A window that is ordered by another column than time is known up to that column's greatest value.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The label's plan.
    cut
        Rows of a greater seq are not known.
    as_of
        The latest time that counts as known; later rows are not seen.
    progress
        Called with each step.
    """

    storage: Storage
    plan: FeaturePlan
    cut: int
    as_of: datetime | None = None
    progress: Progress | None = None

    def spine(self, rows: Any) -> Labelled:
        """Return ``__row`` and the labels of given anchor rows.

        They may lack columns that are only read of rows ahead.
        """
        table = spine_table(rows)
        given = {name.casefold() for name in table.column_names}
        for name, kind in self.plan.request_columns.items():
            if name.casefold() not in given and name not in anchor_needs(self.plan):
                table = table.append_column(name, pa.nulls(table.num_rows, arrow_type(kind)))
        return _split(self._features().spine(table, carry_row=True, cut=self.cut).to_pyarrow())

    def stored(self, where: str | None = None, carry: tuple[str, ...] = ("__seq",)) -> Labelled:
        """Return the carried columns and the labels of the stored anchor rows; ``where`` is SQL over them."""
        return _split(self._features().stored(where, carry, self.cut).to_pyarrow())

    def _features(self) -> OfflineFeatures:
        until = self.as_of.isoformat(sep=" ") if self.as_of is not None else None
        with self.storage.snapshot(self.cut) as snapshot, self.storage.connect() as connection:

            def latest(window: Window) -> int | None:
                found = []
                for source, order in window_sources(window):
                    kind = self.storage.table(source.table).columns[source.stored(order)]
                    relation = snapshot.relation(connection, source.table)
                    row = connection.execute(latest_sql(source, order, kind, relation, until)).fetchone()
                    found.append(row[0] if row else None)
                return (
                    None
                    if None in found
                    else min((value for value in found if value is not None), default=None)
                )

            known = {window.name: latest(window) for window in ahead_windows(self.plan)}
        return OfflineFeatures(
            self.storage, with_horizon(self.plan, known, until), self.progress, repeatable=True
        )


def as_of_time(value: datetime | str | None) -> datetime | None:
    """Return the latest time that counts as known, in UTC without a zone.

    Raises
    ------
    WorkbenchError
        It is not a time.
    """
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (TypeError, ValueError, AttributeError):
        raise WorkbenchError(f"as_of is not a time: {value!r}", hint="write 2026-01-31T12:00:00Z") from None


def _split(found: pa.Table) -> Labelled:
    complete = pc.fill_null(found.column(COMPLETE), False)
    kept = found.filter(complete).drop_columns([COMPLETE])
    return Labelled(kept, found.num_rows - kept.num_rows)
