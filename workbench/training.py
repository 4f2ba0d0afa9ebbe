"""Training sets: a spine with the features of several views, as of each row's own time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from workbench.errors import Conflict, NotFound, did_you_mean
from workbench.offline import OfflineFeatures, Progress, Result
from workbench.offline.spine import spine_table
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan
from workbench.storage import Storage
from workbench.values.types import duckdb_type
from workbench.view import View

_ROW = "__row"


def training_set(
    storage: Storage,
    spine: Any,
    views: Sequence[View],
    label: str | None,
    exclude: Sequence[str],
    progress: Progress | None,
) -> Result:
    """Return the spine's columns, then the features of each view; see :meth:`workbench.project.Project.training_set`.

    A row that a view's WHERE leaves out is not in the result. All views see one cut, which the metadata records.
    """
    given = spine_table(spine)
    if label is not None and label not in given.column_names:
        close = did_you_mean(label, given.column_names)
        raise NotFound(f"the spine has no column {label!r} to be the label" + (f"; {close}" if close else ""))
    cut = storage.last_seq()
    columns = _columns(given, views, label, exclude)

    def produce() -> pa.RecordBatchReader:
        table = given.append_column(_ROW, pa.array(range(given.num_rows), pa.int64()))
        for number, view in enumerate(views):
            share = _share(progress, number, len(views))
            offline = OfflineFeatures(storage, view.plan, share)
            features = offline.spine(given, carry_row=True, cut=cut).to_pyarrow()
            # Features come in the spine's order, so the rows that are left are found by their numbers.
            kept = pa.array(features.column(_ROW))
            table = table.filter(pa.compute.is_in(table.column(_ROW), kept))
            features = features.filter(pa.compute.is_in(features.column(_ROW), table.column(_ROW)))
            for name in features.column_names[1:]:
                if name not in table.column_names:
                    table = table.append_column(name, features.column(name))
        return table.select(list(columns)).to_reader()

    metadata = {
        "cut": str(cut),
        "versions": ", ".join(f"{view.name}@{view.version}" for view in views),
        "plan_hashes": ", ".join(view.plan.hash for view in views),
        "label": label or "",
    }
    return Result(columns, produce, metadata)


def _columns(
    given: pa.Table, views: Sequence[View], label: str | None, exclude: Sequence[str]
) -> dict[str, str]:
    """Names and types of the result; features that only repeat a column of the spine stand once."""
    columns = {field.name: duckdb_type(field.type) for field in given.schema}
    owners = {name.casefold(): "the spine" for name in columns}
    for view in views:
        for name, kind in view.schema.items():
            owner = owners.setdefault(name.casefold(), f"view {view.name!r}")
            if owner == f"view {view.name!r}":
                columns[name] = kind
            elif not _repeats(view.plan, name):
                raise Conflict(
                    f"both {owner} and view {view.name!r} have a column {name!r}",
                    hint="rename it in the view with AS, or give a spine without it",
                )
    for name in exclude:
        if name not in columns:
            close = did_you_mean(name, columns)
            raise NotFound(f"there is no column {name!r} to exclude" + (f"; {close}" if close else ""))
        del columns[name]
    if label is not None and label in columns:
        columns[label] = columns.pop(label)
    return columns


def _repeats(plan: FeaturePlan, name: str) -> bool:
    expr = next(output.expr for output in plan.outputs if output.name == name)
    return isinstance(expr, e.Column) and expr.source == e.ANCHOR and expr.name.casefold() == name.casefold()


def _share(progress: Progress | None, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, done: progress(step, (number + done) / count)
