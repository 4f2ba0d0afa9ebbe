"""What a table is made from: columns with their types, and a reader over the rows.

:func:`infer` is the one place where a path is read; only Python callers reach it. Files are read by a private DuckDB
session, batch by batch, so they may be larger than memory.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from workbench.errors import NotFound, WorkbenchError
from workbench.values import frames
from workbench.values.coerce import coerced_reader, to_table
from workbench.values.kinds import type_of
from workbench.values.names import check_columns
from workbench.values.scalars import Unfit
from workbench.values.types import arrow_schema, duckdb_type, stored

_ACCEPTED = (
    "give a path to Parquet, CSV or JSON files, a DataFrame, an Arrow table, an Ibis table, a list of dicts, "
    "a pandera schema or {column: type}"
)
_READERS = {
    ".parquet": "read_parquet({paths}, union_by_name=true)",
    ".pq": "read_parquet({paths}, union_by_name=true)",
    ".csv": "read_csv({paths}, union_by_name=true)",
    ".tsv": "read_csv({paths}, union_by_name=true)",
    ".json": "read_json({paths}, union_by_name=true)",
    ".jsonl": "read_json({paths}, union_by_name=true)",
    ".ndjson": "read_json({paths}, union_by_name=true)",
}
_COMPRESSED = (".gz", ".zst")
_BATCH_ROWS = 122_880
_PYTHON_TYPES: dict[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bytes: "BLOB",
    date: "DATE",
    time: "TIME",
    datetime: "TIMESTAMP",
    Decimal: "DECIMAL(18,3)",
    UUID: "UUID",
}
#: Names of pandas, NumPy and Polars types, as pandera schemas use them, that DuckDB spells differently.
_FRAME_TYPES = {
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "str": "VARCHAR",
    "object": "VARCHAR",
    "category": "VARCHAR",
    "categorical": "VARCHAR",
    "utf8": "VARCHAR",
}

Inferred = tuple[dict[str, str], pa.RecordBatchReader]


def infer(obj: Any, time: str | None = None) -> Inferred:
    """Return ``({column: DuckDB type}, reader)`` for anything that a table can be made from.

    Parameters
    ----------
    obj
        A path or glob of Parquet, CSV or JSON files; a pandas or Polars DataFrame; an Arrow table or reader; an Ibis
        table; a list of dicts; or, for a table without rows, ``{column: type}``, an Arrow schema or a pandera schema.
    time
        The column that will be the event time; it must be there and be a TIMESTAMP.

    Raises
    ------
    WorkbenchError
        Nothing can be read from ``obj``, or a column has a name or type that a table cannot have.
    RowError
        While reading: a value that its column cannot hold.

    >>> columns, reader = infer([{"id": 1, "name": "a"}, {"id": 2}])
    >>> columns, reader.read_all().num_rows
    ({'id': 'BIGINT', 'name': 'VARCHAR'}, 2)
    """
    columns, reader = _infer(obj)
    check_columns(columns)
    if time is not None:
        check_time(columns, time)
    return columns, reader


def check_time(columns: Mapping[str, str], time: str) -> str:
    """Return the time column as the table spells it, or say why it cannot be the event time."""
    by_folded = {name.casefold(): name for name in columns}
    name = by_folded.get(time.casefold()) if isinstance(time, str) else None
    if name is None:
        raise WorkbenchError(
            f"there is no time column {time!r}", hint=f"the columns are {', '.join(columns)}", field=str(time)
        )
    if columns[name] != "TIMESTAMP":
        raise WorkbenchError(
            f"the time column {name!r} is {columns[name]}, not TIMESTAMP",
            hint=_time_hint(columns[name]),
            field=name,
        )
    return name


def _time_hint(kind: str) -> str:
    if kind == "DATE":
        return "cast it first, and say which moment of the day is meant: midnight UTC may be hours before it was known"
    if kind == "VARCHAR":
        return "parse it first, for example with pandas.to_datetime(…, utc=True)"
    return "cast it first; for epoch seconds: pandas.to_datetime(…, unit='s', utc=True)"


def _infer(obj: Any) -> Inferred:
    if isinstance(obj, str | Path):
        return _files(str(obj))
    if isinstance(obj, pa.Schema):
        return _empty(_arrow_columns(obj))
    if frames.is_pandas(obj):
        return _pandas(obj)
    if isinstance(obj, Mapping) and hasattr(obj, "to_pyarrow"):  # an Ibis schema
        return _empty(_arrow_columns(obj.to_pyarrow()))
    if isinstance(obj, Mapping):
        return _empty({name: _named_type(name, kind) for name, kind in obj.items()})
    stream = frames.open_stream(obj)
    if stream is not None:
        columns = _arrow_columns(stream.schema)
        check_columns(stream.schema.names)
        return columns, coerced_reader(columns, stream)
    if hasattr(obj, "to_schema"):  # a pandera model
        obj = obj.to_schema()
    if isinstance(getattr(obj, "columns", None), Mapping):
        return _empty({name: _frame_type(name, column) for name, column in obj.columns.items()})
    try:
        rows = iter(() if isinstance(obj, bytes) else obj)
    except TypeError:
        raise WorkbenchError(f"a table cannot be made from {type(obj).__name__}", hint=_ACCEPTED) from None
    return _dicts(list(rows))


def _empty(columns: dict[str, str]) -> Inferred:
    check_columns(columns)
    return columns, arrow_schema(columns).empty_table().to_reader()


# --- types ---


def _arrow_columns(schema: pa.Schema) -> dict[str, str]:
    columns = {}
    for field in schema:
        try:
            columns[field.name] = duckdb_type(field.type)
        except WorkbenchError as error:
            raise _in_column(field.name, error) from None
    return columns


def _named_type(name: Any, kind: Any) -> str:
    try:
        if isinstance(kind, pa.DataType):
            return duckdb_type(kind)
        if hasattr(kind, "to_pyarrow"):  # an Ibis type
            return duckdb_type(kind.to_pyarrow())
        if isinstance(kind, type) and kind in _PYTHON_TYPES:
            return _PYTHON_TYPES[kind]
        if isinstance(kind, str):
            return stored(kind)
    except WorkbenchError as error:
        raise _in_column(name, error) from None
    raise WorkbenchError(
        f"column {name!r}: {kind!r} is not a column type",
        hint="a mapping is read as {column: type}, such as {'id': 'BIGINT'}; give rows as a list of dicts",
        field=str(name),
    )


def _frame_type(name: Any, column: Any) -> str:
    text = str(column.dtype)
    folded = text.lower().removesuffix("[pyarrow]").partition("[")[0]
    if folded.startswith("datetime"):
        return "TIMESTAMP"
    try:
        return stored(_FRAME_TYPES.get(folded, folded if "[" in text else text))
    except WorkbenchError:
        raise WorkbenchError(
            f"column {name!r}: the schema's type {text!r} has no counterpart",
            hint="give the schema as {column: type}",
            field=str(name),
        ) from None


def _in_column(name: Any, error: WorkbenchError) -> WorkbenchError:
    return WorkbenchError(f"column {name!r}: {error.message}", hint=error.hint, field=str(name))


# --- rows ---


def _pandas(frame: Any) -> Inferred:
    given = frames.pandas_columns(frame)
    columns = {name: _series_type(name, series) for name, series in given.items()}
    check_columns(columns)
    return columns, to_table(columns, frame).to_reader(_BATCH_ROWS)


def _series_type(name: str, series: Any) -> str:
    if frames.is_object_column(series):
        return _values_type(name, frames.series_values(series))
    try:
        return duckdb_type(frames.series_to_arrow(series.iloc[:1]).type)
    except WorkbenchError as error:
        raise _in_column(name, error) from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        raise WorkbenchError(
            f"column {name!r}: pandas columns of type {series.dtype} are not supported",
            hint="convert it first, or leave it out",
            field=name,
        ) from None


def _dicts(rows: list[Any]) -> Inferred:
    names: dict[Any, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise WorkbenchError(
                f"row {index}: a row is an object of column: value, not {type(row).__name__}",
                hint=_ACCEPTED,
                row=index,
            )
        names.update(dict.fromkeys(row))
    if not names:
        raise WorkbenchError("there are no rows to tell the columns from", hint="give {column: type}")
    check_columns(names)
    columns = {name: _values_type(name, [row.get(name) for row in rows]) for name in names}
    return columns, to_table(columns, rows).to_reader(_BATCH_ROWS)


def _values_type(name: str, values: list[Any]) -> str:
    try:
        return str(type_of(values))
    except Unfit as unfit:
        raise _in_column(name, WorkbenchError(unfit.message, hint=unfit.hint)) from None
    except WorkbenchError as error:
        raise _in_column(name, error) from None


# --- files ---


def _files(path: str) -> Inferred:
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else [path]
    paths = [one for one in found if Path(one).is_file()]
    reader = _READERS.get(_suffix(paths[0] if paths else path))
    if reader is None:
        raise WorkbenchError(
            f"{path!r} is not a path of Parquet, CSV or JSON files",
            hint="the name must end in " + ", ".join(_READERS) + " (CSV and JSON also .gz or .zst)",
        )
    if not paths:
        raise NotFound(f"there is no file {path!r}", hint=f"relative paths start at {Path.cwd()}")
    return _read_files(path, reader.format(paths="?"), paths)


def _suffix(path: str) -> str:
    pure = Path(path.lower())
    return Path(pure.stem).suffix if pure.suffix in _COMPRESSED else pure.suffix


def _read_files(path: str, source: str, paths: list[str]) -> Inferred:
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    for setting in (
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
    ):
        connection.execute(f"SET {setting}")
    try:
        relation = connection.execute(f"SELECT * FROM {source}", [paths])
        given = {name: str(kind) for name, kind, *_ in relation.description}
        stream = relation.to_arrow_reader(_BATCH_ROWS)
    except duckdb.Error as error:
        raise _unreadable(path, error) from None
    columns = {name: _named_type(name, kind) for name, kind in given.items()}
    batches = pa.RecordBatchReader.from_batches(stream.schema, _translated(path, stream, connection))
    return columns, coerced_reader(columns, batches)


def _translated(path: str, stream: pa.RecordBatchReader, connection: Any) -> Iterator[pa.RecordBatch]:
    try:
        yield from stream
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    finally:
        connection.close()


def _unreadable(path: str, error: Exception) -> WorkbenchError:
    first_lines = " ".join(str(error).split("\n\n")[0].split())
    return WorkbenchError(
        f"{path} cannot be read: {first_lines}", hint="check the file, or read it with pandas first"
    )
