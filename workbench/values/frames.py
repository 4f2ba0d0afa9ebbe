"""pandas and Polars objects, recognised by their shape, as named Arrow columns or Python values.

pandas marks a missing number with NaN, so NaN in a pandas column is NULL, for every target type. Where a column can
tell the two apart (pandas ``Float64``, Arrow-backed columns, Polars, Arrow), NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from workbench.errors import WorkbenchError


def is_pandas(rows: object) -> bool:
    """Whether an object is a pandas DataFrame."""
    return _comes_from(rows, "pandas") and hasattr(rows, "iloc") and hasattr(rows, "columns")


def is_series(rows: object) -> bool:
    """Whether an object is a pandas Series, which stands for one row."""
    return _comes_from(rows, "pandas") and hasattr(rows, "iloc") and not hasattr(rows, "columns")


def _comes_from(rows: object, package: str) -> bool:
    return any(base.__module__.partition(".")[0] == package for base in type(rows).__mro__)


def is_object_column(series: Any) -> bool:
    """Whether a pandas column holds Python objects, whose types only the values themselves tell."""
    return bool(series.dtype == object)


def pandas_columns(frame: Any) -> dict[str, Any]:
    """Return the columns of a pandas DataFrame by name.

    Levels of the index that have a name are columns, too; a nameless index is dropped.
    """
    if any(name is not None for name in frame.index.names):
        named = [name for name in frame.index.names if name is not None and name not in frame.columns]
        frame = frame.reset_index()[[*named, *frame.columns]]
    columns: dict[str, Any] = {}
    for at, name in enumerate(frame.columns):
        if not isinstance(name, str):
            raise WorkbenchError(
                f"a column of the DataFrame is named {name!r}, which is not text",
                hint="rename it: df.columns = df.columns.astype(str)",
            )
        if name in columns:
            raise WorkbenchError(
                f"column {name!r} is in the DataFrame twice", hint="rename one of them", field=name
            )
        columns[name] = frame.iloc[:, at]
    return columns


def series_values(series: Any) -> list[Any]:
    """Return the Python objects of a pandas column, its missing markers as None."""
    missing = series.isna().to_numpy()
    return [None if gone else value for value, gone in zip(series.tolist(), missing, strict=True)]


def series_to_arrow(series: Any) -> pa.ChunkedArray:
    """Return a pandas column as Arrow; NaN in NumPy float columns is NULL."""
    array = pa.array(series, from_pandas=True)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def open_stream(rows: Any) -> pa.RecordBatchReader | None:
    """Return a reader over anything that streams Arrow (Arrow, Polars, DuckDB, Ibis), or None."""
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows]).to_reader()
    if isinstance(rows, pa.Table):
        return rows.to_reader()
    if hasattr(rows, "to_pyarrow_batches"):
        return rows.to_pyarrow_batches()
    if _comes_from(rows, "polars"):
        rows = _polars(rows)
    if not hasattr(rows, "__arrow_c_stream__") or isinstance(rows, Mapping):
        return None
    try:
        return pa.RecordBatchReader.from_stream(rows)
    except pa.ArrowException as error:
        raise WorkbenchError(
            f"this {type(rows).__name__} cannot be read as Arrow: {error}",
            hint="cast its columns to types that Arrow and DuckDB know",
        ) from None


def _polars(rows: Any) -> Any:
    frame = rows.collect() if hasattr(rows, "collect") else rows
    for name, kind in getattr(frame, "schema", {}).items():
        if str(kind) == "Object":  # Polars exports the addresses of the objects
            raise WorkbenchError(
                f"column {name!r}: Polars columns of type Object are not supported",
                hint="convert it first, or leave it out",
                field=name,
            )
    return frame
