"""Features of views, and a label, joined onto a spine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import Conflict, NotFound, WorkbenchError, did_you_mean
from workbench.label import Label
from workbench.offline import OfflineFeatures, Progress, Result
from workbench.offline.export import KindLike, resolved
from workbench.offline.labels import OfflineLabels, as_of_time
from workbench.offline.spine import spine_table
from workbench.plan.model import FeaturePlan
from workbench.storage import Storage
from workbench.training import spine as spines
from workbench.training.columns import Columns
from workbench.training.spine import KEY, Spine
from workbench.training.streams import Stream, renamed
from workbench.values.types import arrow_schema
from workbench.view import View

if TYPE_CHECKING:
    from workbench.project import Project


@dataclass(frozen=True)
class TrainingSet:
    """Joins views and a label onto a spine.

    Rows are joined by their number in the spine (or their arrival number in a table), in streams: the spine is read in
    batches, and beside each batch lie the rows that the views give for it.

    Parameters
    ----------
    storage
        The project's storage.
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
    cut
        Rows that arrived later are not known.
    as_of
        The latest time that counts as known, for the label.
    kinds
        What columns are to a model, over what the queries say.
    progress
        Called with each step.
    """

    storage: Storage
    spine: Spine
    views: Sequence[View]
    label: Label | str | None
    exclude: Sequence[str]
    cut: int
    prefix: bool = False
    as_of: datetime | None = None
    kinds: Mapping[str, KindLike] = field(default_factory=dict)
    progress: Progress | None = None

    @cached_property
    def columns(self) -> Columns:
        """The columns of the result."""
        return Columns(self.spine, self.views, self.label, self.exclude, self.prefix)

    def result(self) -> Result:
        """Return the rows, to be computed when they are asked for."""
        columns = {column.name: column.type for column in self.columns.all}
        kinds = resolved(columns, self.columns.kinds(), self.kinds)
        metadata = {
            "cut": str(self.cut),
            "versions": ", ".join(f"{view.name}@{view.version}" for view in self.views),
            "plan_hashes": ", ".join(view.plan.hash for view in self.views),
            "dialect": ", ".join(dict.fromkeys(view.plan.dialect for view in self.views)),
            "spine": self.spine.table or "given rows",
            "label": self.label if isinstance(self.label, str) else "",
        }
        if isinstance(self.label, Label):
            metadata["label"] = f"{self.label.name}@{self.label.version}"
            metadata["label_plan_hash"] = self.label.plan.hash
        if self.as_of is not None:
            metadata["as_of"] = self.as_of.isoformat()
        if kinds:
            metadata["kinds"] = ", ".join(f"{name}={kind}" for name, kind in kinds.items())
        label = self.columns.of_label()

        def produce() -> pa.RecordBatchReader:
            return self._reader(metadata)

        return Result(columns, produce, metadata, kinds, label)

    def _reader(self, metadata: dict[str, str]) -> pa.RecordBatchReader:
        stack = ExitStack()
        try:
            streams = []
            if isinstance(self.label, Label):
                labels = self._label_rows(self.label.plan)
                metadata["dropped"] = str(labels[1])
            for number, view in enumerate(self.views):
                streams.append(Stream(self._features(view.plan, number)))
            if isinstance(self.label, Label):
                streams.append(Stream(labels[0].to_reader(spines.BATCH_ROWS)))
            batches = self.spine.batches(self.storage, self.cut, stack)
        except BaseException:
            stack.close()
            raise
        fields = [
            pa.field(c.name, self.spine.rows.schema.field(c.given).type)
            if c.source is None and self.spine.rows is not None
            else arrow_schema({c.name: c.type}).field(0)
            for c in self.columns.all
        ]
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(schema, self._joined(batches, streams, schema, stack))

    def _joined(
        self, batches: Iterator[pa.Table], streams: list[Stream], schema: pa.Schema, stack: ExitStack
    ) -> Iterator[pa.RecordBatch]:
        with stack:
            for batch in batches:
                keys = batch.column(KEY).combine_chunks()
                parts = [stream.until(keys[-1].as_py()) for stream in streams]
                places = [pc.index_in(keys, value_set=part.column(KEY).combine_chunks()) for part in parts]
                kept = pa.array([True] * len(keys))
                for place in places:
                    kept = pc.and_(kept, pc.is_valid(place))
                rows = batch.filter(kept)
                found = [part.take(place.filter(kept)) for part, place in zip(parts, places, strict=True)]
                columns = [
                    (rows if c.source is None else found[c.source]).column(c.given) for c in self.columns.all
                ]
                yield from pa.Table.from_arrays(columns, schema=schema).combine_chunks().to_batches()

    def _features(self, plan: FeaturePlan, number: int) -> pa.RecordBatchReader:
        progress = _share(self.progress, number, len(self.views))
        offline = OfflineFeatures(self.storage, plan, progress, repeatable=True)
        if self.spine.table == plan.table:
            return renamed(offline.stored(carry=("__seq",), cut=self.cut).to_reader())
        rows, keys = self._rows_for(plan)
        return renamed(offline.spine(rows, carry_row=True, cut=self.cut).to_reader(), keys)

    def _rows_for(self, plan: FeaturePlan) -> tuple[pa.Table, pa.Array | None]:
        tables = {other.table for other in self.columns.plans}
        return self.spine.rows_for(plan, self.storage, self.cut, tables)

    def _label_rows(self, plan: FeaturePlan) -> tuple[pa.Table, int]:
        labels = OfflineLabels(self.storage, plan, self.cut, self.as_of)
        if self.spine.table == plan.table:
            found, keys = labels.stored(), None
        else:
            rows, keys = self._rows_for(plan)
            found = labels.spine(rows)
        return renamed(found.rows.to_reader(), keys).read_all(), found.dropped


def training_set(
    project: Project,
    spine: Any,
    features: View | str | Sequence[View | str],
    *,
    label: Label | str | None,
    exclude: str | Sequence[str],
    prefix: bool,
    cut: int | None,
    as_of: datetime | str | None,
    kinds: Mapping[str, KindLike] | None,
    progress: Progress | None,
) -> Result:
    """Return a training set of what names mean in a project; see :meth:`workbench.project.Project.training_set`."""
    named = [features] if isinstance(features, str | View) else features
    views = [(project.view(view) if isinstance(view, str) else view).save() for view in named]
    stored = isinstance(spine, str)
    rows = Spine.of_table(project.storage, spine) if stored else Spine.of_rows(spine_table(spine))
    target = _find_label(label, rows.columns, project.list_labels())
    if isinstance(target, str) and target not in rows.columns:
        target = project.label(target)
    return TrainingSet(
        project.storage,
        rows,
        views,
        target.save() if isinstance(target, Label) else target,
        [exclude] if isinstance(exclude, str) else exclude,
        _check_cut(project.storage, cut),
        prefix,
        as_of_time(as_of),
        kinds or {},
        progress,
    ).result()


def _check_cut(storage: Storage, cut: int | None) -> int:
    """Return the cut that is meant: the given one, or the last arrival.

    Raises
    ------
    WorkbenchError
        It is no arrival number yet.
    """
    last = storage.last_seq()
    if cut is None:
        return last
    if isinstance(cut, bool) or not isinstance(cut, int) or not 0 <= cut <= last:
        raise WorkbenchError(
            f"cut is an arrival number from 0 to {last}, not {cut!r}",
            hint="an earlier training set's is in its metadata: result.metadata['cut']",
        )
    return cut


def _find_label(
    label: Label | str | None, spine: Mapping[str, str], defined: Sequence[str]
) -> Label | str | None:
    """Return which label a name means: a column of the spine (its own spelling), or a label of the project.

    Raises
    ------
    Conflict
        It is both.
    NotFound
        It is neither.
    """
    if label is None or isinstance(label, Label):
        return label
    columns = {name.casefold(): name for name in spine}
    is_label = label.casefold() in map(str.casefold, defined)
    if label.casefold() in columns:
        if is_label:
            raise Conflict(
                f"{label!r} is a column of the spine and a label of the project",
                hint=f"pass project.label({label!r}), or rename the column",
            )
        return columns[label.casefold()]
    if not is_label:
        close = did_you_mean(label, [*columns.values(), *defined])
        raise NotFound(
            f"there is no label {label!r}, and the spine has no column {label!r} to be the label"
            + (f"; {close}" if close else "")
        )
    return label


def _share(progress: Progress | None, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, done: progress(step, (number + done) / count)
