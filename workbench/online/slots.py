"""Slots: a few rows in memory of fixed place, which a prepared statement reads anew at every execution.

DuckDB scans registered numpy arrays where they lie. That costs a fraction of an Arrow scan, which goes through a
scanner of its own each time, so it is how single requests are answered. What slots cannot hold (nested types, decimals,
NaN, many rows) is for Arrow.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.storage.arrays import bool_values, contiguous, null_mask, raw_int64, raw_values
from workbench.storage.session import connect, quoted
from workbench.values.types import arrow_type, duckdb_type, python_example

#: Rows that do not fit are answered over Arrow, whose overhead is small beside so many rows.
CAPACITY = 256

_NUMBERS = np.arange(CAPACITY + 1)
_NOT_A_TIME = -(2**63)
_MANY_DAYS = 100_000_000


class _Column:
    """One column: numpy arrays under private names, and SQL that makes its values of them."""

    def __init__(self, name: str, values: npt.NDArray[Any]) -> None:
        self.name = name
        self.values = values

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {self.name: self.values}

    def sql(self) -> str:
        return self.name

    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        """Write values; False when they cannot be held."""
        raise NotImplementedError


class _WithNulls(_Column):
    """Integers and booleans, whose NULLs need a column of their own."""

    def __init__(self, name: str, values: npt.NDArray[Any]) -> None:
        super().__init__(name, values)
        self.nulls = np.zeros(len(values), dtype=bool)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {self.name: self.values, f"{self.name}_null": self.nulls}

    def sql(self) -> str:
        return f"CASE WHEN {self.name}_null THEN NULL ELSE {self.name} END"

    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        nulls = null_mask(array)
        self.nulls[begin:end] = False if nulls is None else nulls
        if array.null_count < len(array):
            self.values[begin:end] = self._content(array)
        return True

    def _content(self, array: pa.Array) -> npt.NDArray[Any]:
        return raw_values(array, self.values.dtype)


class _Booleans(_WithNulls):
    def _content(self, array: pa.Array) -> npt.NDArray[Any]:
        return bool_values(array)


class _Dates(_WithNulls):
    def sql(self) -> str:
        return f"CASE WHEN {self.name}_null THEN NULL ELSE DATE '1970-01-01' + {self.name} END"

    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        super().put(begin, end, array)
        # Beyond are the infinities of DuckDB.
        return bool((np.abs(self.values[begin:end]) < _MANY_DAYS).all())


class _Floats(_Column):
    """DuckDB reads NaN of numpy as NULL, so it stands for NULL here, and NaN itself cannot be held."""

    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        if array.null_count == len(array):
            self.values[begin:end] = np.nan
            return True
        content, nulls = raw_values(array, self.values.dtype), null_mask(array)
        if np.isnan(content if nulls is None else content[~nulls]).any():
            return False
        self.values[begin:end] = content
        if nulls is not None:
            self.values[begin:end][nulls] = np.nan
        return True


class _Times(_Column):
    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        numbers = self.values.view(np.int64)[begin:end]
        if array.null_count < len(array):
            numbers[:] = raw_int64(array)
        nulls = null_mask(array)
        if nulls is not None:
            numbers[nulls] = _NOT_A_TIME
        return True


class _Texts(_Column):
    """Texts, and what Arrow holds as such."""

    def __init__(self, name: str, values: npt.NDArray[Any], kind: str) -> None:
        super().__init__(name, values)
        self.kind = kind

    def sql(self) -> str:
        # Whatever the slots held when the statement was prepared.
        return f"CAST(CAST({self.name} AS VARCHAR) AS {self.kind})"

    def put(self, begin: int, end: int, array: pa.Array) -> bool:
        self.values[begin:end] = array.to_pylist()
        return True


def _column(name: str, text: str, capacity: int) -> _Column | None:
    kind = arrow_type(text)
    if pa.types.is_string(kind):
        values = np.empty(capacity, dtype=object)
        values[:] = "" if text == "VARCHAR" else python_example(text)
        return _Texts(name, values, text)
    if duckdb_type(kind) != text:
        return None
    if pa.types.is_integer(kind):
        return _WithNulls(name, np.zeros(capacity, dtype=str(kind)))
    if pa.types.is_boolean(kind):
        return _Booleans(name, np.zeros(capacity, dtype=bool))
    if kind == pa.date32():
        return _Dates(name, np.zeros(capacity, dtype=np.int32))
    if kind == pa.float64() or kind == pa.float32():
        return _Floats(name, np.zeros(capacity, dtype=np.float64 if kind == pa.float64() else np.float32))
    if kind == pa.timestamp("us"):
        return _Times(name, np.zeros(capacity, dtype="datetime64[us]"))
    return None


@functools.lru_cache(maxsize=4096)
def can_hold(text: str) -> bool:
    """Whether slots can hold values of a DuckDB type."""
    return text != "INTERVAL" and _column("", text, 0) is not None


class Slots:
    """Room for up to ``capacity`` rows with ``__pos``, ``__age``, ``__seq`` and the given columns.

    Parameters
    ----------
    connection
        The session that reads them.
    name
        Their name in it.
    columns
        Names and DuckDB types of the columns; :func:`can_hold` holds for each.
    capacity
        How many rows there is room for.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Mapping[str, str],
        capacity: int,
    ) -> None:
        self.capacity = capacity
        self._columns: list[_Column] = []
        for number, (column, kind) in enumerate(columns.items()):
            made = _column(f"v{number}", kind, capacity)
            assert made is not None, f"{column} is {kind}"
            self._columns.append(made)
        self._pos = np.full(capacity, -1, dtype=np.int64)
        self._age = np.zeros(capacity, dtype=np.int64)
        self._seq = _WithNulls("seq", np.zeros(capacity, dtype=np.int64))
        self._used = 0
        # The arrays stay referred to by the session as long as the name is registered.
        arrays = {"pos": self._pos, "age": self._age, **self._seq.arrays()}
        for made in self._columns:
            arrays |= made.arrays()
        connection.register(name, arrays)
        values = "".join(
            f", {made.sql()} AS {quoted(column)}" for column, made in zip(columns, self._columns, strict=True)
        )
        #: FROM text of the rows.
        self.sql = f"(SELECT pos AS __pos, age AS __age, {self._seq.sql()} AS __seq{values} FROM {name} WHERE pos >= 0)"

    def fill(
        self, own: list[pa.Array] | None, own_seq: int | None, seen: pa.Table | None, order: int
    ) -> bool:
        """Hold a request row at position 0, then stored rows from position 1; False when that is not possible.

        Parameters
        ----------
        own
            The columns of the request row, None to leave it out.
        own_seq
            Its seq where it is a stored row.
        seen
            The columns of the stored rows, newest first, then ``__ord`` and ``__seq``.
        order
            The request row's order value, from which ages count.
        """
        begin = 0
        if own is not None:
            begin = 1
            if not all(column.put(0, 1, array) for column, array in zip(self._columns, own, strict=True)):
                return False
            self._pos[0] = self._age[0] = 0
            self._seq.values[0], self._seq.nulls[0] = own_seq or 0, own_seq is None
        end = begin
        if seen is not None:
            end += seen.num_rows
            if end > self.capacity:
                return False
            for number, column in enumerate(self._columns):
                if not column.put(begin, end, contiguous(seen.column(number))):
                    return False
            width = len(self._columns)
            self._pos[begin:end] = _NUMBERS[1 : end - begin + 1]
            np.subtract(order, raw_int64(contiguous(seen.column(width))), out=self._age[begin:end])
            self._seq.put(begin, end, contiguous(seen.column(width + 1)))
        self._pos[end : self._used] = -1
        self._used = end
        return True


@functools.cache
def supported() -> bool:
    """Whether this DuckDB reads slots anew at every execution and without a change; tried once a process."""
    samples: list[tuple[str, list[Any]]] = [
        ("BIGINT", [1, None, -(2**63), 2**63 - 1]),
        ("UTINYINT", [None, 255, 0, 1]),
        ("BOOLEAN", [True, None, False, True]),
        ("DOUBLE", [0.1, None, -0.0, float("inf")]),
        ("FLOAT", [None, 0.5, 1.0, 2.0]),
        ("TIMESTAMP", [dt.datetime(1960, 2, 3, 4, 5, 6, 7), None, dt.datetime(9999, 12, 31), None]),
        ("DATE", [dt.date(1960, 2, 3), None, dt.date(9999, 12, 31), dt.date(1970, 1, 1)]),
        ("VARCHAR", [None, "ä\0b", "", "x" * 100]),
    ]
    types = {f"c{number}": kind for number, (kind, _) in enumerate(samples)}
    try:
        with connect(threads=1) as connection:
            slots = Slots(connection, "trial", types, 8)
            connection.execute(f"PREPARE trial_rows AS SELECT * FROM {slots.sql}")
            for turn in (samples, [(kind, values[::-1][:3]) for kind, values in samples]):
                arrays = [pa.array(values, arrow_type(kind)) for kind, values in turn]
                count = len(arrays[0])
                numbers = pa.array(range(count), pa.int64())
                seen = pa.Table.from_arrays([*arrays, numbers, numbers], names=[*types, "__ord", "__seq"])
                filled = slots.fill(None, None, seen, 10)
                expected = [
                    (row + 1, 10 - row, row, *(array[row].as_py() for array in arrays))
                    for row in range(count)
                ]
                if not filled or connection.execute("EXECUTE trial_rows").fetchall() != expected:
                    return False
    except duckdb.Error:
        return False
    return True
