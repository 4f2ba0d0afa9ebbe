"""Rows of any kind into the exact columns of a table, or an error that names the field and the row.

Nothing is guessed and nothing is lost: a value either is one of the column's type, or becomes one without change, or
the rows are refused as a whole. :func:`to_table` takes whatever Python or HTTP hands over, :func:`coerced_reader`
streams larger inputs, and :func:`row_coercer` serves code that answers one row at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa

from workbench.errors import RowError, did_you_mean
from workbench.values import frames
from workbench.values.columns import cast_column, from_values
from workbench.values.convert import Convert, Unfit, converter, show
from workbench.values.types import arrow_schema, arrow_type, parse

_ACCEPTED = "give a dict, a list of dicts, a DataFrame, or an Arrow table"

RowCoercer = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Default:
    """What rows that leave a column out have in it: a value of its type, as an array of one."""

    kind: str
    text: str
    array: pa.Array = field(compare=False, repr=False)


_NONE: Mapping[str, Default] = {}


def to_table(
    columns: Mapping[str, str],
    rows: Any,
    *,
    required: Collection[str] | None = None,
    defaults: Mapping[str, Default] = _NONE,
) -> pa.Table:
    """Return rows as an Arrow table with exactly these columns.

    Parameters
    ----------
    columns
        ``{column: DuckDB type}``.
    rows
        A dict (one row), an iterable of dicts, a pandas or Polars DataFrame, an Arrow table, batch or reader, an Ibis
        table, or anything with ``__arrow_c_stream__``. Names match without regard to case.
    required
        Columns that must be there; their values may still be NULL. The others are NULL when left out.
    defaults
        Columns that are something else than NULL when left out.

    Raises
    ------
    RowError
        A column is unknown or missing, or a value cannot be held exactly; ``field`` and ``row`` say where.

    >>> to_table({"id": "BIGINT", "amount": "DECIMAL(18,2)"}, {"id": 7, "amount": "1.5"}).to_pylist()
    [{'id': 7, 'amount': Decimal('1.50')}]
    """
    shape = _shape(tuple(columns.items()), frozenset(required or ()), tuple(defaults.items()))
    if type(rows) is dict:
        return pa.Table.from_struct_array(pa.array([shape.row(rows)], type=shape.struct))
    if isinstance(rows, Mapping):
        return to_table(columns, dict(rows), required=required, defaults=defaults)
    if frames.is_pandas(rows):
        return shape.pandas(rows)
    if frames.is_series(rows):
        return to_table(columns, rows.to_dict(), required=required, defaults=defaults)
    if isinstance(rows, pa.Table):
        return shape.arrow(rows, 0)
    stream = frames.open_stream(rows)
    if stream is not None:
        with stream:
            return pa.Table.from_batches(shape.batches(stream), schema=shape.schema)
    return shape.dicts(rows)


def coerced_reader(
    columns: Mapping[str, str],
    reader: pa.RecordBatchReader,
    *,
    required: Collection[str] | None = None,
    defaults: Mapping[str, Default] = _NONE,
) -> pa.RecordBatchReader:
    """Return a reader that gives the batches of another one with exactly these columns; see :func:`to_table`.

    A row that does not fit raises its :class:`RowError` where the batch is read.
    """
    shape = _shape(tuple(columns.items()), frozenset(required or ()), tuple(defaults.items()))
    shape.sources(reader.schema.names)
    return pa.RecordBatchReader.from_batches(shape.schema, shape.batches(reader))


def row_coercer(
    columns: Mapping[str, str],
    *,
    required: Collection[str] | None = None,
    defaults: Mapping[str, Default] = _NONE,
) -> RowCoercer:
    """Return ``coerce(row, index=None) -> dict``: one row with exactly these columns, as plain Python values.

    The function is compiled once per set of columns; ``index`` is the row's number in error messages.

    >>> row_coercer({"id": "BIGINT", "ts": "TIMESTAMP"})({"id": 7, "ts": "2026-01-02T03:04:05+01:00"})
    {'id': 7, 'ts': datetime.datetime(2026, 1, 2, 2, 4, 5)}
    """
    return _shape(tuple(columns.items()), frozenset(required or ()), tuple(defaults.items())).row


def from_rows(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as :func:`row_coercer` gave them as an Arrow table."""
    shape = _shape(tuple(columns.items()), frozenset())
    return pa.Table.from_struct_array(pa.array(rows, type=shape.struct))


def _iterate(rows: Any) -> Iterator[Any]:
    """Iterate over rows of whatever kind, or say that these are none."""
    if not isinstance(rows, str | bytes):
        with contextlib.suppress(TypeError):
            return iter(rows)
    raise RowError(f"rows cannot be read from {show(rows)} ({type(rows).__name__})", hint=_ACCEPTED)


@lru_cache(maxsize=512)
def _shape(
    columns: tuple[tuple[str, str], ...],
    required: frozenset[str],
    defaults: tuple[tuple[str, Default], ...] = (),
) -> _Shape:
    return _Shape(dict(columns), required, dict(defaults))


class _Shape:
    """The columns that rows must have, ready to convert them."""

    def __init__(
        self, columns: dict[str, str], required: frozenset[str], defaults: dict[str, Default]
    ) -> None:
        self.columns = columns
        self._defaults = defaults
        self._default_values = {name: default.array[0].as_py() for name, default in defaults.items()}
        self.required = required
        self.schema = arrow_schema(columns)
        self.struct = pa.struct(list(self.schema))
        self._converters: list[tuple[str, Convert]] = [
            (name, converter(parse(kind))) for name, kind in columns.items()
        ]
        self._by_folded = {name.casefold(): name for name in columns}

    # --- dicts ---

    def row(self, row: Any, index: int | None = None) -> dict[str, Any]:
        if type(row) is not dict:
            row = self._as_dict(row, index)
        result: dict[str, Any] = {}
        found = 0
        name = ""
        try:
            for name, convert in self._converters:
                if name in row:
                    found += 1
                    value = row[name]
                    result[name] = None if value is None else convert(value)
                else:
                    result[name] = self._default_values.get(name)
        except Unfit as unfit:
            raise self._refusal(unfit, name, index) from None
        if found != len(row):
            renamed = self._renamed(row, index)
            return self.row(renamed, index)
        if found != len(result) and self.required:
            self._require(row, index)
        return result

    def dicts(self, rows: Any) -> pa.Table:
        converted = [self.row(row, index) for index, row in enumerate(_iterate(rows))]
        return pa.Table.from_struct_array(pa.array(converted, type=self.struct))

    def _as_dict(self, row: Any, index: int | None) -> dict[str, Any]:
        if isinstance(row, Mapping):
            return dict(row)
        if frames.is_series(row):
            return dict(row.to_dict())
        where = "" if index is None else f"row {index}: "
        raise RowError(
            f"{where}a row is an object of column: value, not {show(row)} ({type(row).__name__})",
            hint=_ACCEPTED,
            row=index,
        )

    def _renamed(self, row: dict[Any, Any], index: int | None) -> dict[str, Any]:
        sources = self.sources(list(row), index)
        return {name: row[source] for name, source in sources.items()}

    def _require(self, names: Collection[str], index: int | None) -> None:
        for name in self.columns:
            if name in self.required and name not in names:
                where = "" if index is None else f"row {index}: "
                raise RowError(
                    f"{where}column {name!r} ({self.columns[name]}) is missing",
                    hint="send it, or null when there is no value",
                    field=name,
                    row=index,
                )

    def _refusal(self, unfit: Unfit, name: str, index: int | None) -> RowError:
        where = "" if index is None else f"row {index}, "
        return RowError(f"{where}column {name!r}: {unfit.message}", hint=unfit.hint, field=name, row=index)

    # --- columns ---

    def sources(self, names: list[Any], index: int | None = None) -> dict[str, Any]:
        """Return ``{column: name in the input}``; refuse unknown, ambiguous and missing names."""
        found: dict[str, Any] = {}
        for name in names:
            column = self._by_folded.get(name.casefold()) if isinstance(name, str) else None
            where = "" if index is None else f"row {index}: "
            if column is None:
                hint = did_you_mean(str(name), self.columns) or f"the columns are {', '.join(self.columns)}"
                raise RowError(f"{where}unknown column {name!r}", hint=hint, field=str(name), row=index)
            if column in found:
                raise RowError(
                    f"{where}column {column!r} is there twice", hint="drop one", field=column, row=index
                )
            found[column] = name
        self._require(found, index)
        return found

    def arrow(self, table: pa.Table, first_row: int) -> pa.Table:
        names = table.schema.names
        sources = {column: names.index(name) for column, name in self.sources(names).items()}
        arrays = []
        for name, kind in self.columns.items():
            if name not in sources:
                arrays.append(self._missing(name, table.num_rows))
                continue
            try:
                arrays.append(cast_column(table.column(sources[name]), kind))
            except Unfit as unfit:
                raise self._refusal(unfit, name, first_row + (unfit.row or 0)) from None
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _missing(self, name: str, rows: int) -> pa.Array:
        default = self._defaults.get(name)
        if default is None:
            return pa.nulls(rows, self.schema.field(name).type)
        return default.array.take(pa.nulls(rows, pa.int64()).fill_null(0))

    def batches(self, reader: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first_row = 0
        for batch in reader:
            yield from self.arrow(pa.Table.from_batches([batch]), first_row).to_batches()
            first_row += batch.num_rows

    def pandas(self, frame: Any) -> pa.Table:
        given = frames.pandas_columns(frame)
        sources = self.sources(list(given))
        arrays = []
        for name, kind in self.columns.items():
            if name not in sources:
                arrays.append(self._missing(name, len(frame)))
                continue
            try:
                arrays.append(self._series(given[sources[name]], kind))
            except Unfit as unfit:
                raise self._refusal(unfit, name, unfit.row or 0) from None
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _series(self, series: Any, kind: str) -> Any:
        if frames.is_object_column(series):
            return from_values(frames.series_values(series), parse(kind), arrow_type(kind))
        try:
            column = frames.series_to_arrow(series)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            raise Unfit(
                f"pandas columns of type {series.dtype} are not supported", "convert it first"
            ) from None
        return cast_column(column, kind)
