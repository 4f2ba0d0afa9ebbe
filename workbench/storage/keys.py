"""Keys: what DuckDB types may be one, and a physical form of their values that sorts and compares exactly.

Every key value becomes an int64 or a byte string whose order is the order of the values, so that one bisection serves
all types. -0.0 is 0.0, NaN equals NaN and sorts last.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
import uuid
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa

from workbench.errors import RowError, WorkbenchError
from workbench.storage.arrays import int64_array, null_mask, raw_values, validity
from workbench.storage.session import quoted
from workbench.storage.tables import microseconds
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, arrow_type

ORDER_TYPES = ("TIMESTAMP", "DATE", *(n for n in INTEGER_RANGES if n not in WIDE_INTEGERS and n != "UBIGINT"))
KEY_HINT = "cast it to VARCHAR, a number, a boolean or a time in the table"

_EPOCH = dt.datetime(1970, 1, 1)
_DAY_ZERO = _EPOCH.toordinal()
_MICROSECOND = dt.timedelta(microseconds=1)
_MIN, _MAX = -(2**63), 2**63 - 1
_EXACT = Context(prec=100)


class _Missing:
    """Stands for a value that no row can have, such as 1.5 in an integer column."""


MISSING = _Missing()
Physical = int | bytes | None | _Missing


class KeyCodec:
    """The physical form of one key column.

    Parameters
    ----------
    column, duckdb_type
        The key column and its type.

    Raises
    ------
    WorkbenchError
        When columns of that type cannot be keys.
    """

    def __init__(self, column: str, duckdb_type: str) -> None:
        self.column = column
        self.type = duckdb_type
        self._arrow = arrow_type(duckdb_type)
        self._encode, self._physical = self._choose()

    def sql(self) -> str:
        """Return the SQL expression whose order and equality are those of the physical form."""
        name = quoted(self.column)
        if self.type in ("FLOAT", "DOUBLE"):
            return f"CASE WHEN {name} = 0 THEN 0.0::DOUBLE ELSE CAST({name} AS DOUBLE) END"
        return f"CAST({name} AS VARCHAR)" if self.type == "UUID" else f"CAST({name} AS {self.type})"

    def encode(self, value: Any) -> Physical:
        """Return the physical form of a Python value; MISSING for one that this type cannot hold.

        Raises
        ------
        RowError
            When the value is of another kind altogether, such as text for a number.
        """
        if value is None:
            return None
        if isinstance(value, np.generic):
            value = value.item()
        try:
            return self._encode(value)
        except (TypeError, ValueError, AttributeError, InvalidOperation):
            raise RowError(
                f"key column {self.column!r} is {self.type}, but the value is {value!r}", field=self.column
            ) from None

    def physical(self, array: pa.Array) -> pa.Array:
        """Return an Arrow array of the column in physical form: int64 or large_binary."""
        return self._physical(array)

    def _choose(self) -> tuple[Callable[[Any], Physical], Callable[[pa.Array], pa.Array]]:
        kind = self.type
        if kind in ("FLOAT", "DOUBLE"):
            return _encode_float, _physical_float
        if kind == "UBIGINT":
            return lambda v: _shifted(_encode_integer(v)), _physical_unsigned
        if kind == "BOOLEAN" or (kind in INTEGER_RANGES and kind not in WIDE_INTEGERS):
            return lambda v: _in_range(_encode_integer(v)), lambda a: a.cast(pa.int64())
        if kind == "DATE":
            return _encode_date, lambda a: a.view(pa.int32()).cast(pa.int64())
        if kind == "TIMESTAMP":
            return _encode_timestamp, lambda a: a.view(pa.int64())
        if kind == "TIME":
            return _encode_time, lambda a: a.view(pa.int64())
        if pa.types.is_decimal(self._arrow):
            scale, small = self._arrow.scale, self._arrow.precision <= 18
            if small:
                return lambda v: _in_range(_unscaled(v, scale)), _physical_small_decimal
            return lambda v: _big_endian(_unscaled(v, scale)), _physical_decimal
        if kind == "VARCHAR":
            return lambda v: _checked(v, str).encode(), _physical_bytes
        if kind == "UUID":
            return _encode_uuid, _physical_bytes
        if kind == "BLOB":
            return lambda v: bytes(_checked(v, (bytes, bytearray, memoryview))), _physical_bytes
        raise WorkbenchError(f"a column of type {kind} cannot be a key", field=self.column, hint=KEY_HINT)


def ord_values(array: pa.Array) -> pa.Array:
    """Return an order column as int64: µs since 1970 for times and dates, integers as they are; NULLs stay."""
    if pa.types.is_timestamp(array.type):
        return array.view(pa.int64())
    if pa.types.is_date32(array.type):
        return int64_array(microseconds(array), null_mask(array))
    return array.cast(pa.int64())


def _checked(value: Any, kinds: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _encode_integer(value: Any) -> int | _Missing:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return MISSING
    return _unscaled(value, scale=0)


def _in_range(value: int | _Missing) -> Physical:
    return MISSING if isinstance(value, _Missing) or not _MIN <= value <= _MAX else value


def _shifted(value: int | _Missing) -> Physical:
    return value if isinstance(value, _Missing) else _in_range(value - 2**63)


def _encode_float(value: Any) -> Physical:
    if not isinstance(value, int | float | Decimal):
        raise TypeError
    try:
        number = float(value)
    except OverflowError:
        return MISSING
    if number != number:
        number = float("nan")
    elif number != value:
        return MISSING
    return _float_order(number)


def _float_order(number: float) -> int:
    # Adding 0.0 turns -0.0 into 0.0. Negative floats sort backwards as integers, so their magnitude is inverted.
    bits: int = struct.unpack("<q", struct.pack("<d", number + 0.0))[0]
    return bits if bits >= 0 else bits ^ _MAX


def _physical_float(array: pa.Array) -> pa.Array:
    values = raw_values(array.cast(pa.float64()), np.float64) + 0.0
    values = np.where(np.isnan(values), np.nan, values)
    bits = values.view(np.int64)
    return int64_array(np.where(bits >= 0, bits, bits ^ _MAX), null_mask(array))


def _physical_unsigned(array: pa.Array) -> pa.Array:
    values = raw_values(array, np.uint64) ^ np.uint64(2**63)
    return int64_array(values.view(np.int64), null_mask(array))


def _encode_date(value: Any) -> Physical:
    if isinstance(value, dt.datetime):
        value = _naive(value)
        return value.toordinal() - _DAY_ZERO if value.time() == dt.time() else MISSING
    return int(_checked(value, dt.date).toordinal()) - _DAY_ZERO


def _encode_timestamp(value: Any) -> Physical:
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(_checked(value, dt.date), dt.time())
    return (_naive(value) - _EPOCH) // _MICROSECOND


def _naive(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)


def _encode_time(value: Any) -> Physical:
    _checked(value, dt.time)
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + int(value.microsecond)


def _unscaled(value: Any, scale: int) -> int | _Missing:
    if not isinstance(value, int | float | Decimal):
        raise TypeError
    number = Decimal(value)
    if not number.is_finite():
        return MISSING
    shifted = number.scaleb(scale, _EXACT)
    return int(shifted) if shifted == shifted.to_integral_value() else MISSING


def _big_endian(value: int | _Missing) -> Physical:
    if isinstance(value, _Missing) or not -(2**127) <= value < 2**127:
        return MISSING
    return (value + 2**127).to_bytes(16, "big")


def _words(array: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the (low, high) 64-bit words of a decimal128 array."""
    buffer = array.buffers()[1]
    words = np.frombuffer(buffer, dtype="<i8", count=2 * (array.offset + len(array)))
    return words.reshape(-1, 2)[array.offset :]


def _physical_small_decimal(array: pa.Array) -> pa.Array:
    return int64_array(_words(array)[:, 0], null_mask(array))


def _physical_decimal(array: pa.Array) -> pa.Array:
    flipped = np.empty((len(array), 2), dtype=">u8")
    words = _words(array).view(np.uint64)
    flipped[:, 0] = words[:, 1] ^ np.uint64(2**63)
    flipped[:, 1] = words[:, 0]
    raw = pa.py_buffer(flipped.tobytes())
    fixed = pa.Array.from_buffers(pa.binary(16), len(array), [validity(null_mask(array)), raw])
    return fixed.cast(pa.large_binary())


def _physical_bytes(array: pa.Array) -> pa.Array:
    return array.cast(pa.binary()).cast(pa.large_binary())


def _encode_uuid(value: Any) -> Physical:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(_checked(value, str))).encode()
