"""Stages: the windows of a plan that read the same rows in the same order, computed together."""

from __future__ import annotations

import msgspec

from workbench.plan import expr as e
from workbench.plan.model import Aggregate, FeaturePlan, Key, Lookup, Source, Window


class Stage(msgspec.Struct, frozen=True):
    """Windows over one source with one key and one order, and their aggregates.

    This is the seam where kernels enter: sorted columns in, feature columns out.
    """

    name: str
    source: Source
    history: bool
    keys: tuple[Key, ...]
    order: str
    order_anchor: e.Expr
    windows: tuple[Window, ...]
    aggregates: tuple[Aggregate, ...]
    columns: tuple[str, ...]

    @property
    def needs_anchor(self) -> bool:
        """Whether an aggregate or the source's condition reads the anchor row or a lookup as a constant."""
        values = [self.source.where, *(v for a in self.aggregates for v in (*a.args, a.where))]
        return any(source != e.ROW for value in values for source in e.sources(value))

    def window(self, name: str) -> Window:
        """Return the window of that name."""
        return next(window for window in self.windows if window.name == name)

    def reach(self) -> int | None:
        """The oldest age that any of the windows reads, or None where one reads further than an age bounds."""
        ages = [window.frame.start if window.frame.unit == "range" else None for window in self.windows]
        return None if any(age is None for age in ages) else max(age for age in ages if age is not None)

    def rows_needed(self) -> int | None:
        """How many of the newest rows suffice for every window, or None where no number does."""
        if self.source.where is not None:
            return None
        counts = [_rows(window) for window in self.windows]
        return None if any(count is None for count in counts) else max(c for c in counts if c is not None)


def _rows(window: Window) -> int | None:
    if window.frame.unit == "rows" and window.frame.start is not None:
        return window.frame.start
    if window.maxsize is not None and window.frame.end == 0:
        return window.maxsize
    return None


def stages(plan: FeaturePlan) -> tuple[Stage, ...]:
    """Return the stages of a plan, in the order of their first window."""
    grouped: dict[tuple[object, ...], list[Window]] = {}
    for window in plan.windows:
        key = (window.source, window.history, window.keys, window.order, window.order_anchor)
        grouped.setdefault(key, []).append(window)
    made = []
    for number, windows in enumerate(grouped.values()):
        first = windows[0]
        names = {window.name for window in windows}
        columns = set().union(*(plan.columns_of(window) for window in windows))
        made.append(
            Stage(
                name=f"s{number}",
                source=first.source,
                history=first.history,
                keys=first.keys,
                order=first.order,
                order_anchor=first.order_anchor,
                windows=tuple(windows),
                aggregates=tuple(a for a in plan.aggregates if a.window in names),
                columns=tuple(sorted(columns)),
            )
        )
    return tuple(made)


def lookup_columns(plan: FeaturePlan, lookup: Lookup) -> tuple[str, ...]:
    """Names of the source's columns that a lookup reads, sorted."""
    return tuple(sorted(plan.columns_of(lookup)))
