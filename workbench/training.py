"""Training sets: a spine with the features of several views, and a label, as of each row's own time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import Conflict, NotFound, RowError, WorkbenchError, did_you_mean
from workbench.label import Label
from workbench.offline import OfflineFeatures, Progress, Result
from workbench.offline.export import KindLike, resolved
from workbench.offline.labels import OfflineLabels, as_of_time
from workbench.offline.spine import SEQ, spine_table
from workbench.plan.kinds import Kind
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote
from workbench.storage import Storage
from workbench.values.types import arrow_schema, duckdb_type
from workbench.view import View

if TYPE_CHECKING:
    from workbench.project import Project

BATCH_ROWS = 100_000
_KEY = "__key"


@dataclass(frozen=True)
class Spine:
    """The rows that get features: those given, or all stored rows of a table."""

    columns: dict[str, str]
    rows: pa.Table | None = None
    table: str | None = None

    @staticmethod
    def of_rows(rows: pa.Table) -> Spine:
        """Return the spine of given rows."""
        # a column of nothing but NULL has no type of its own
        types = {
            field.name: "INTEGER" if pa.types.is_null(field.type) else duckdb_type(field.type)
            for field in rows.schema
        }
        return Spine(types, rows=rows)

    @staticmethod
    def of_table(storage: Storage, name: str) -> Spine:
        """Return the spine of a table's stored rows."""
        table = storage.table(name)
        return Spine(dict(table.columns), table=table.name)

    def __str__(self) -> str:
        return f"table {self.table!r}" if self.table else "the spine"


@dataclass(frozen=True)
class _Column:
    """A column of the result: ``source`` None is the spine's, else the number of a part; ``owner`` names it."""

    name: str
    type: str
    source: int | None
    given: str
    owner: str


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
    _columns: list[_Column] = field(default_factory=list)

    def result(self) -> Result:
        """Return the rows, to be computed when they are asked for."""
        self._columns.extend(self._named())
        columns = {column.name: column.type for column in self._columns}
        kinds = resolved(columns, self._kinds(), self.kinds)
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
        label = self._label_columns()

        def produce() -> pa.RecordBatchReader:
            return self._reader(metadata)

        return Result(columns, produce, metadata, kinds, label)

    # -- columns

    def _plans(self) -> list[FeaturePlan]:
        plans = [view.plan for view in self.views]
        return [*plans, self.label.plan] if isinstance(self.label, Label) else plans

    def _named(self) -> Iterator[_Column]:
        """The columns of the result; features that only repeat a column of the spine stand once, the label last."""
        columns = [
            _Column(name, type_, None, name, str(self.spine)) for name, type_ in self.spine.columns.items()
        ]
        owners = {column.name.casefold(): column for column in columns}
        for number, plan in enumerate(self._plans()):
            is_view = number < len(self.views)
            part = self.views[number] if is_view else self.label
            assert isinstance(part, View | Label)
            owner = f"{'view' if is_view else 'label'} {part.name!r}"
            for given, type_ in plan.features.items():
                repeats = _repeats(plan, given) and given.casefold() in map(str.casefold, self.spine.columns)
                name = f"{part.name}_{given}" if self.prefix and is_view and not repeats else given
                column = _Column(name, type_, number, given, owner)
                other = owners.setdefault(name.casefold(), column)
                if other is column:
                    columns.append(column)
                elif not (repeats and other.source is None):
                    raise Conflict(
                        f"both {other.owner} and {owner} have a column {name!r}",
                        hint="rename it in the view with AS, give a spine without it, or pass prefix=True",
                    )
        yield from self._ordered(self._kept(columns))

    def _kept(self, columns: list[_Column]) -> list[_Column]:
        """The columns without those that are excluded."""
        for pattern in self.exclude:
            left = [column for column in columns if not self._matches(column, pattern)]
            if len(left) == len(columns):
                close = did_you_mean(pattern, [column.name for column in columns])
                raise NotFound(f"there is no column {pattern!r} to exclude" + (f"; {close}" if close else ""))
            columns = left
        return columns

    def _matches(self, column: _Column, pattern: str) -> bool:
        names = {column.name, column.given}
        if column.source is not None and column.source < len(self.views):
            names.add(f"{self.views[column.source].name}.{column.given}")
        return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names)

    def _ordered(self, columns: list[_Column]) -> list[_Column]:
        """The columns with the label's at the end."""
        if isinstance(self.label, str):
            name = self.label.casefold()
            return sorted(
                columns, key=lambda column: column.source is None and column.name.casefold() == name
            )
        return columns

    def _label_columns(self) -> tuple[str, ...]:
        if isinstance(self.label, Label):
            return tuple(column.name for column in self._columns if column.source == len(self.views))
        named = (self.label or "").casefold()
        return tuple(c.name for c in self._columns if c.source is None and c.name.casefold() == named)

    def _kinds(self) -> dict[str, Kind]:
        """What the queries say that columns are, of the spine's own columns too where a feature repeats one."""
        names = {(column.source, column.given.casefold()): column.name for column in self._columns}
        kinds: dict[str, Kind] = {}
        for number, plan in enumerate(self._plans()):
            for given, kind in plan.kinds.items():
                source = number if (number, given.casefold()) in names else None
                name = names.get((source, given.casefold()))
                if name is not None and (source is not None or _repeats(plan, given)):
                    kinds.setdefault(name, kind)
        return {column.name: kinds[column.name] for column in self._columns if column.name in kinds}

    # -- rows

    def _reader(self, metadata: dict[str, str]) -> pa.RecordBatchReader:
        stack = ExitStack()
        try:
            streams = []
            if isinstance(self.label, Label):
                labels = self._label_rows(self.label.plan)
                metadata["dropped"] = str(labels[1])
            for number, view in enumerate(self.views):
                streams.append(_Stream(self._features(view.plan, number)))
            if isinstance(self.label, Label):
                streams.append(_Stream(labels[0].to_reader(BATCH_ROWS)))
            batches = self._spine_batches(stack)
        except BaseException:
            stack.close()
            raise
        fields = [
            pa.field(c.name, self.spine.rows.schema.field(c.given).type)
            if c.source is None and self.spine.rows is not None
            else arrow_schema({c.name: c.type}).field(0)
            for c in self._columns
        ]
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(schema, self._joined(batches, streams, schema, stack))

    def _joined(
        self, batches: Iterator[pa.Table], streams: list[_Stream], schema: pa.Schema, stack: ExitStack
    ) -> Iterator[pa.RecordBatch]:
        with stack:
            for batch in batches:
                keys = batch.column(_KEY).combine_chunks()
                parts = [stream.until(keys[-1].as_py()) for stream in streams]
                places = [pc.index_in(keys, value_set=part.column(_KEY).combine_chunks()) for part in parts]
                kept = pa.array([True] * len(keys))
                for place in places:
                    kept = pc.and_(kept, pc.is_valid(place))
                rows = batch.filter(kept)
                found = [part.take(place.filter(kept)) for part, place in zip(parts, places, strict=True)]
                columns = [
                    (rows if c.source is None else found[c.source]).column(c.given) for c in self._columns
                ]
                yield from pa.Table.from_arrays(columns, schema=schema).combine_chunks().to_batches()

    def _spine_batches(self, stack: ExitStack) -> Iterator[pa.Table]:
        """The spine in batches, with the key by which features are found."""
        if self.spine.rows is not None:
            rows = self.spine.rows
            for start in range(0, rows.num_rows, BATCH_ROWS):
                part = rows.slice(start, BATCH_ROWS)
                numbers = pa.array(range(start, start + part.num_rows), pa.int64())
                yield part.append_column(_KEY, numbers)
            return
        assert self.spine.table is not None
        names = ", ".join(quote(name) for name in self.spine.columns)
        connection = stack.enter_context(self.storage.connect(temp_directory=self.storage.path / "spill"))
        snapshot = stack.enter_context(self.storage.snapshot(self.cut))
        relation = snapshot.relation(connection, self.spine.table)
        query = f"SELECT __seq AS {_KEY}, {names} FROM {relation} ORDER BY __seq"
        schema = arrow_schema({_KEY: "BIGINT", **self.spine.columns})
        for batch in connection.execute(query).to_arrow_reader(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(schema)

    def _features(self, plan: FeaturePlan, number: int) -> pa.RecordBatchReader:
        progress = _share(self.progress, number, len(self.views))
        offline = OfflineFeatures(self.storage, plan, progress, repeatable=True)
        if self.spine.table == plan.table:
            return _renamed(offline.stored(carry=("__seq",), cut=self.cut).to_reader())
        rows, keys = self._rows_for(plan)
        return _renamed(offline.spine(rows, carry_row=True, cut=self.cut).to_reader(), keys)

    def _label_rows(self, plan: FeaturePlan) -> tuple[pa.Table, int]:
        labels = OfflineLabels(self.storage, plan, self.cut, self.as_of)
        if self.spine.table == plan.table:
            found, keys = labels.stored(), None
        else:
            rows, keys = self._rows_for(plan)
            found = labels.spine(rows)
        return _renamed(found.rows.to_reader(), keys).read_all(), found.dropped

    def _rows_for(self, plan: FeaturePlan) -> tuple[pa.Table, pa.Array | None]:
        """The spine's rows as anchors of a plan, and their keys where these are not their numbers."""
        if self.spine.rows is not None:
            return self._placed(self.spine.rows, plan), None
        assert self.spine.table is not None
        wanted = {name.casefold() for name in plan.request_columns}
        names = [name for name in self.spine.columns if name.casefold() in wanted]
        with self.storage.snapshot(self.cut) as snapshot, self.storage.connect() as connection:
            relation = snapshot.relation(connection, self.spine.table)
            picked = ", ".join(["__seq", *(quote(name) for name in names)])
            rows = connection.execute(f"SELECT {picked} FROM {relation} ORDER BY __seq").to_arrow_table()
        return rows.drop_columns(["__seq"]), rows.column("__seq").combine_chunks()

    def _placed(self, rows: pa.Table, plan: FeaturePlan) -> pa.Table:
        """Given rows for a plan. With several anchor tables, a row's ``seq`` counts only in the table that holds it."""
        names = [name for name in rows.column_names if name.casefold() == SEQ]
        tables = {other.table for other in self._plans()}
        if not names or len(tables) == 1 or rows.column(names[0]).null_count == rows.num_rows:
            return rows
        seqs = rows.select(names[:1]).rename_columns(["seq"])
        with self.storage.snapshot(self.cut) as snapshot, self.storage.connect() as connection:
            connection.register("spine", seqs)
            relation = snapshot.relation(connection, plan.table)
            row = connection.execute(
                f"SELECT count(*) FROM spine s SEMI JOIN {relation} t ON t.__seq = s.seq"
            ).fetchone()
        stored, asked = int(row[0]) if row else 0, rows.num_rows - seqs.column(0).null_count
        if 0 < stored < asked:
            raise RowError(
                f"{stored:,} of the spine's {asked:,} rows with seq are stored in {plan.table}, the others elsewhere",
                hint="give rows of one table, or leave seq out",
                field=SEQ,
            )
        return rows if stored else rows.drop_columns(names)


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


class _Stream:
    """Features that come in the order of their keys, taken as far as a key."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self._rest = reader.schema.empty_table()
        self._done = False

    def until(self, key: int) -> pa.Table:
        """Return the rows up to a key that were not returned yet."""
        parts = [self._rest]
        while not self._done and (not parts[-1].num_rows or parts[-1].column(_KEY)[-1].as_py() <= key):
            try:
                parts.append(pa.Table.from_batches([self._reader.read_next_batch()]))
            except StopIteration:
                self._done = True
        rows = pa.concat_tables(parts)
        count = pc.sum(pc.less_equal(rows.column(_KEY), key)).as_py() or 0
        self._rest = rows.slice(count)
        return rows.slice(0, count)


def _renamed(reader: pa.RecordBatchReader, keys: pa.Array | None = None) -> pa.RecordBatchReader:
    """Features whose first column, the number of the row, becomes its key."""
    schema = pa.schema([pa.field(_KEY, pa.int64()), *list(reader.schema)[1:]])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            first = batch.column(0) if keys is None else keys.take(batch.column(0))
            yield pa.RecordBatch.from_arrays([first, *batch.columns[1:]], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


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


def _repeats(plan: FeaturePlan, name: str) -> bool:
    """Whether an output is nothing but the anchor's column of its own name."""
    passed = plan.passed(name)
    return passed is not None and passed.casefold() == name.casefold()


def _share(progress: Progress | None, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, done: progress(step, (number + done) / count)
