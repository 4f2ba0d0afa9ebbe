"""What the values of a table's columns look like: counts, quantiles, a small histogram or frequent values.

Pure: an Arrow table in, frozen dataclasses out. Nothing here knows views, HTML or the notebook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BARS = 20
TOP = 5
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class TopValue:
    """A frequent value and how many rows have it."""

    value: Any
    count: int


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column.

    Attributes
    ----------
    name, type
        The column, and its type as it is shown.
    rows, nulls, not_finite
        How many rows there are, how many are null, and how many are NaN or infinite.
    distinct
        How many different values there are, nulls not counted; None for nested types.
    quantiles
        Minimum, lower quartile, median, upper quartile, maximum of the finite values: values of the column,
        never interpolated. Empty for types without a scale (text, booleans, …) and when there is no value.
    bars
        Rows per equal-width bar of a histogram from minimum to maximum; empty where ``quantiles`` are.
    top
        The most frequent values of a column without a scale.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int | None = None
    not_finite: int = 0
    quantiles: tuple[Any, ...] = ()
    bars: tuple[int, ...] = field(default=(), repr=False)
    top: tuple[TopValue, ...] = ()

    @property
    def null_share(self) -> float:
        """Nulls as a share of all rows, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


def profile(table: pa.Table, types: Mapping[str, str] | None = None) -> list[ColumnProfile]:
    """Profile every column of ``table``.

    Parameters
    ----------
    table
        The rows to look at.
    types
        The type names to show per column; Arrow's own names where it has none.

    Examples
    --------
    >>> import pyarrow as pa
    >>> [amount] = profile(pa.table({"amount": [1.0, 2.0, None]}))
    >>> amount.nulls, amount.distinct, amount.quantiles
    (1, 2, (1.0, 1.0, 1.0, 1.0, 2.0))
    """
    shown = types or {}
    return [
        _profile_column(name, shown.get(name, str(column.type)), _one_array(column))
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]


def _one_array(column: pa.ChunkedArray) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _profile_column(name: str, type_name: str, values: Any) -> ColumnProfile:
    rows, nulls = len(values), values.null_count
    present = values.drop_null()
    if pa.types.is_nested(values.type):
        return ColumnProfile(name, type_name, rows, nulls, top=_top(map(str, present.to_pylist())))
    distinct = len(pc.unique(present))
    if not _has_scale(values.type):
        return ColumnProfile(name, type_name, rows, nulls, distinct, top=_top(present.to_pylist()))
    finite = present.filter(pc.is_finite(present)) if pa.types.is_floating(values.type) else present
    return ColumnProfile(
        name,
        type_name,
        rows,
        nulls,
        distinct,
        not_finite=len(present) - len(finite),
        quantiles=_quantiles(finite),
        bars=_bars(_on_a_line(finite), distinct),
    )


def _has_scale(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind))
    )


def _quantiles(finite: Any) -> tuple[Any, ...]:
    if not len(finite):
        return ()
    in_order = finite.take(pc.sort_indices(finite))
    return tuple(in_order[int(share * (len(in_order) - 1))].as_py() for share in QUANTILES)


def _on_a_line(finite: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers and times as float64; exact enough for a bar of a histogram."""
    if pa.types.is_temporal(finite.type):
        finite = finite.cast(pa.int32() if finite.type.bit_width == 32 else pa.int64())
    return np.asarray(finite.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _bars(line: np.ndarray[Any, np.dtype[np.float64]], distinct: int) -> tuple[int, ...]:
    if not len(line):
        return ()
    halves = line / 2.0  # the span from the smallest to the largest double is no double, half of it is
    low, span = halves.min(), halves.max() - halves.min()
    bars = min(BARS, distinct) if span > 0 else 1
    place = (halves - low) / span * bars if span > 0 else np.zeros(len(line))
    counts = np.bincount(np.minimum(place.astype(np.int64), bars - 1), minlength=bars)
    return tuple(int(count) for count in counts)


def _top(values: Any) -> tuple[TopValue, ...]:
    counted = sorted(Counter(values).items(), key=lambda pair: (-pair[1], str(pair[0])))
    return tuple(TopValue(value, count) for value, count in counted[:TOP])
