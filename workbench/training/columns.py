"""The columns of a training set: what they are called, where they come from, and what they are to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from workbench.errors import Conflict, NotFound, did_you_mean
from workbench.label import Label
from workbench.plan.kinds import Kind
from workbench.plan.model import FeaturePlan
from workbench.training.spine import Spine
from workbench.view import View


@dataclass(frozen=True)
class Column:
    """A column of the result: ``source`` None is the spine's, else the number of a part; ``owner`` names it."""

    name: str
    type: str
    source: int | None
    given: str
    owner: str


@dataclass(frozen=True)
class Columns:
    """The columns of a training set: the spine's, the features', and the label's last.

    Parameters
    ----------
    spine
        The rows.
    views
        Versions of views.
    label
        A version of a label, or the column of the spine that is to be the label.
    exclude
        Names or patterns (``cnt_*``, ``view.cnt_*``) of columns to leave out.
    prefix
        Put ``<view>_`` before the name of every feature.
    """

    spine: Spine
    views: Sequence[View]
    label: Label | str | None
    exclude: Sequence[str]
    prefix: bool

    @cached_property
    def plans(self) -> list[FeaturePlan]:
        """The plans of the views, and the label's last."""
        plans = [view.plan for view in self.views]
        return [*plans, self.label.plan] if isinstance(self.label, Label) else plans

    @cached_property
    def all(self) -> list[Column]:
        """The columns of the result; features that only repeat a column of the spine stand once, the label last."""
        columns = [
            Column(name, type_, None, name, str(self.spine)) for name, type_ in self.spine.columns.items()
        ]
        owners = {column.name.casefold(): column for column in columns}
        for number, plan in enumerate(self.plans):
            is_view = number < len(self.views)
            part = self.views[number] if is_view else self.label
            assert isinstance(part, View | Label)
            owner = f"{'view' if is_view else 'label'} {part.name!r}"
            for given, type_ in plan.features.items():
                repeats = _repeats(plan, given) and given.casefold() in map(str.casefold, self.spine.columns)
                name = f"{part.name}_{given}" if self.prefix and is_view and not repeats else given
                column = Column(name, type_, number, given, owner)
                other = owners.setdefault(name.casefold(), column)
                if other is column:
                    columns.append(column)
                elif not (repeats and other.source is None):
                    raise Conflict(
                        f"both {other.owner} and {owner} have a column {name!r}",
                        hint="rename it in the view with AS, give a spine without it, or pass prefix=True",
                    )
        return self._ordered(self._kept(columns))

    def _kept(self, columns: list[Column]) -> list[Column]:
        """The columns without those that are excluded."""
        for pattern in self.exclude:
            left = [column for column in columns if not self._matches(column, pattern)]
            if len(left) == len(columns):
                close = did_you_mean(pattern, [column.name for column in columns])
                raise NotFound(f"there is no column {pattern!r} to exclude" + (f"; {close}" if close else ""))
            columns = left
        return columns

    def _matches(self, column: Column, pattern: str) -> bool:
        names = {column.name, column.given}
        if column.source is not None and column.source < len(self.views):
            names.add(f"{self.views[column.source].name}.{column.given}")
        return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names)

    def _ordered(self, columns: list[Column]) -> list[Column]:
        """The columns with the label's at the end."""
        if isinstance(self.label, str):
            name = self.label.casefold()
            return sorted(
                columns, key=lambda column: column.source is None and column.name.casefold() == name
            )
        return columns

    def of_label(self) -> tuple[str, ...]:
        """Return the names of the label's columns."""
        if isinstance(self.label, Label):
            return tuple(column.name for column in self.all if column.source == len(self.views))
        named = (self.label or "").casefold()
        return tuple(c.name for c in self.all if c.source is None and c.name.casefold() == named)

    def kinds(self) -> dict[str, Kind]:
        """Return what the queries say that columns are, of the spine's own columns too where a feature repeats one."""
        names = {(column.source, column.given.casefold()): column.name for column in self.all}
        kinds: dict[str, Kind] = {}
        for number, plan in enumerate(self.plans):
            for given, kind in plan.kinds.items():
                source = number if (number, given.casefold()) in names else None
                name = names.get((source, given.casefold()))
                if name is not None and (source is not None or _repeats(plan, given)):
                    kinds.setdefault(name, kind)
        return {column.name: kinds[column.name] for column in self.all if column.name in kinds}


def _repeats(plan: FeaturePlan, name: str) -> bool:
    """Whether an output is nothing but the anchor's column of its own name."""
    passed = plan.passed(name)
    return passed is not None and passed.casefold() == name.casefold()
