"""Stages: the windows of a plan that read the same rows in the same order, computed together."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from workbench.plan import expr as e
from workbench.plan.model import Aggregate, FeaturePlan, Key, Lookup, Source, Union, Window
from workbench.plan.render import order_sql, plan_sql, quote


class Stage(msgspec.Struct, frozen=True):
    """Windows over one source with one key and one order, and their aggregates.

    This is the seam where kernels enter: sorted columns in, feature columns out.

    ``order`` None is by arrival. ``null_group``: NULL keys are a group of their own (in a history), rather than
    matching nothing. ``before_time``: rows of the anchor's own time are not seen. ``members``: the tables whose rows
    the stage merges, nearest first among equal times; None for the common stage of one table.
    """

    name: str
    source: Source
    history: bool
    keys: tuple[Key, ...]
    order: str | None
    order_anchor: e.Expr | None
    windows: tuple[Window, ...]
    aggregates: tuple[Aggregate, ...]
    columns: tuple[str, ...]
    null_group: bool = False
    before_time: bool = False
    members: tuple[Member, ...] | None = None

    @property
    def order_sql(self) -> str:
        """SQL of the anchor's order value as BIGINT; by arrival every row is of the same age.

        Where windows look ahead, orders are negative, so that what is ahead is behind.
        """
        if self.order_anchor is None:
            return "0"
        return self._mirrored(order_sql(plan_sql(self.order_anchor), self.order_anchor.type))

    def row_order(self, types: Mapping[str, str]) -> str:
        """Return SQL of the order value of a source row ``r`` as BIGINT, given the types of the source's columns."""
        if self.order is None:
            return "0"
        return self._mirrored(order_sql(f"r.{quote(self.order)}", types[self.order]))

    def _mirrored(self, order: str) -> str:
        return f"-{order}" if self.ahead else order

    def row_types(self, plan: FeaturePlan) -> dict[str, str]:
        """Return the types of the stage's columns, as the plan says them."""
        if self.history:
            return dict(plan.anchor_columns)
        values = [self.source.where, *(value for a in self.aggregates for value in a.inputs)]
        types = {self.source.time: "TIMESTAMP"} if self.source.time is not None else {}
        types |= {key.row: key.anchor.type for key in self.keys}
        if self.order is not None and self.order_anchor is not None:
            types[self.order] = self.order_anchor.type
        nodes = [node for value in values if value is not None for node in e.walk(value)]
        return types | {n.name: n.type for n in nodes if isinstance(n, e.Column) and n.source == e.ROW}

    @property
    def needs_anchor(self) -> bool:
        """Whether an aggregate or the source's condition reads the anchor row or a lookup as a constant."""
        wheres = [self.source.where, *(member.stage.source.where for member in self.members or ())]
        values = [*wheres, *(v for a in self.aggregates for v in a.inputs)]
        return any(source != e.ROW for value in values for source in e.sources(value))

    @property
    def ahead(self) -> bool:
        """Whether the windows look ahead, as a label's do."""
        return any(window.frame.ahead for window in self.windows)

    def window(self, name: str) -> Window:
        """Return the window of that name."""
        return next(window for window in self.windows if window.name == name)

    def readers(self) -> tuple[Stage, ...]:
        """The stages of one table each whose visible rows this stage reads."""
        return (self,) if self.members is None else tuple(member.stage for member in self.members)

    def reach(self) -> int | None:
        """The oldest age that any of the windows reads, or None where one reads further than an age bounds."""
        ages = [window.frame.start if window.frame.unit == "range" else None for window in self.windows]
        oldest = None if any(age is None for age in ages) else max(age for age in ages if age is not None)
        if self.source.ttl is None:
            return oldest
        return self.source.ttl - 1 if oldest is None else min(oldest, self.source.ttl - 1)

    def rows_needed(self) -> int | None:
        """How many of the newest rows suffice for every window, or None where no number does."""
        if self.source.where is not None:
            return None
        counts = [rows_needed(window) for window in self.windows]
        return None if any(count is None for count in counts) else max(c for c in counts if c is not None)


class Member(msgspec.Struct, frozen=True):
    """A table of a merged stage: how its visible rows are read, and the merged stage's columns over them.

    Among rows of the same order those of a smaller ``rank`` are nearer.
    """

    stage: Stage
    columns: tuple[tuple[str, e.Expr], ...]
    rank: int = 0


def rows_needed(window: Window) -> int | None:
    """Return how many of the newest rows suffice for a window, or None where no number does."""
    if window.frame.unit == "rows" and window.frame.start is not None:
        return window.frame.start
    if window.maxsize is not None and window.frame.end == 0:
        return window.maxsize
    return None


def stages(plan: FeaturePlan) -> tuple[Stage, ...]:
    """Return the stages of a plan, in the order of their first window."""
    grouped: dict[tuple[object, ...], list[Window]] = {}
    for window in plan.windows:
        key = (
            *(window.source, window.history, window.keys, window.order, window.order_anchor),
            *(window.exclude_current_time, window.instance_not_in_window, window.union, window.frame.ahead),
        )
        grouped.setdefault(key, []).append(window)
    made = []
    for number, windows in enumerate(grouped.values()):
        first = windows[0]
        names = {window.name for window in windows}
        columns = set().union(*(plan.columns_of(window) for window in windows))
        stage = Stage(
            name=f"s{number}",
            source=first.source,
            history=first.history,
            keys=first.keys,
            order=first.order,
            order_anchor=first.order_anchor,
            windows=tuple(windows),
            aggregates=tuple(a for a in plan.aggregates if a.window in names),
            columns=tuple(sorted(columns)),
            null_group=first.history,
            before_time=first.exclude_current_time,
        )
        made.append(_merged(stage, first))
    return tuple(made)


def _merged(stage: Stage, window: Window) -> Stage:
    """A stage with the members that its window merges, or as it is when it reads one table."""
    if not window.union and not window.instance_not_in_window:
        return stage
    members = []
    if not window.instance_not_in_window:
        own = msgspec.structs.replace(stage, name=f"{stage.name}_own", history=False, aggregates=())
        members.append(Member(own, tuple((name, _row_column(name)) for name in stage.columns)))
    rank = 0
    for number, union in enumerate(window.union):
        rank += not union.beside
        members.append(_union_member(stage, union, f"{stage.name}_{number}", rank))
    return msgspec.structs.replace(stage, members=tuple(members))


def _union_member(stage: Stage, union: Union, name: str, rank: int) -> Member:
    columns = dict(union.columns)
    read = set().union(
        *(e.columns(value, e.ROW) for value in columns.values()), e.columns(union.source.where, e.ROW)
    )
    keys = tuple(Key(union.stored(key.row), key.anchor) for key in stage.keys)
    order = union.stored(stage.order) if stage.order is not None else None
    reader = msgspec.structs.replace(
        stage,
        name=name,
        source=union.source,
        history=False,
        keys=keys,
        order=order,
        aggregates=(),
        columns=tuple(sorted(read | {key.row for key in keys} | ({order} if order is not None else set()))),
    )
    return Member(reader, tuple((c, columns[c]) for c in stage.columns if c in columns), rank)


def _row_column(name: str) -> e.Column:
    return e.Column(e.ROW, name, "")


def lookup_columns(plan: FeaturePlan, lookup: Lookup) -> tuple[str, ...]:
    """Names of the source's columns that a lookup reads, sorted."""
    return tuple(sorted(plan.columns_of(lookup)))
