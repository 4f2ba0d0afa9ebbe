"""One Arrow column into one column type: the vectorised twin of :mod:`workbench.values.convert`.

Casts that Arrow checks exactly run in Arrow. Whenever Arrow refuses, or the pair of types has no exact cast, the
values go one by one through the converters: they accept or refuse, and their message names the row. So both ways
accept the same values, store the same values and say the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.values.convert import Unfit, converter, show
from workbench.values.grammar import Decimal, List, Map, Scalar, Struct, Type, parse
from workbench.values.types import INTEGER_RANGES, TIMESTAMPS, arrow_type

_EPOCH = datetime(1970, 1, 1)
_MICROS_PER_DAY = 86_400_000_000
_TIME_RANGE = tuple(
    ((moment - _EPOCH).days * 86_400 + (moment - _EPOCH).seconds) * 1_000_000 + moment.microsecond
    for moment in (datetime.min, datetime.max)
)
_DAY_RANGE = tuple((day - _EPOCH.date()).days for day in (date.min, date.max))
_ROWS_NAMED = 5
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_PLAIN = frozenset(
    {*INTEGER_RANGES, "DOUBLE", "FLOAT", "VARCHAR", "BLOB", "BOOLEAN", "TIME", "TIMESTAMP", "DATE"}
    - {"UHUGEINT"}
)


def cast_column(column: pa.ChunkedArray, duckdb_type: str) -> pa.ChunkedArray:
    """Return the column as the Arrow type of a DuckDB type; raises :class:`Unfit` with the row in the column."""
    target = arrow_type(duckdb_type)
    node = parse(duckdb_type)
    chunks, start = [], 0
    for chunk in column.chunks:
        try:
            chunks.append(cast_array(chunk, node, target))
        except Unfit as unfit:
            unfit.row = start + (unfit.row or 0)
            raise
        start += len(chunk)
    return pa.chunked_array(chunks, type=target)


def cast_array(array: Any, node: Type, target: pa.DataType) -> Any:
    """Return one Arrow array as ``target``, the Arrow type of ``node``."""
    types, source = pa.types, array.type
    if types.is_null(source):
        return pa.nulls(len(array), target)
    if types.is_dictionary(source):
        return cast_array(_decoded(array), node, target)
    if types.is_run_end_encoded(source):
        return cast_array(pc.run_end_decode(array), node, target)
    if types.is_timestamp(source) or types.is_date64(source):
        return _from_timestamp(array, node, target)
    if types.is_date32(source) and isinstance(node, Scalar) and node.name in ("DATE", *TIMESTAMPS):
        return _from_date(array, target)
    if types.is_time(source) and target == pa.time64("us"):
        return _from_time(array, target)
    if source.equals(target) and _holds_everything(node):
        return array
    if isinstance(node, Scalar) and node.name == "UUID" and is_text(source) and _all_uuids(array):
        return array.cast(target)
    fast = _exact_cast(array, target) if _holds_everything(node) else None
    return from_values(_python_values(array), node, target) if fast is None else fast


def from_values(values: Iterable[Any], node: Type, target: pa.DataType) -> Any:
    """Return Python values as an Arrow array of ``target``, each converted exactly."""
    convert = converter(node)
    result: list[Any] = []
    add = result.append
    try:
        for value in values:
            add(None if value is None else convert(value))
    except Unfit as unfit:
        unfit.row = len(result)
        raise
    return pa.array(result, type=target)


def _holds_everything(node: Type) -> bool:
    """Whether every Arrow value of the type's own Arrow type is a value of the type."""
    if isinstance(node, List):
        return _holds_everything(node.item)
    if isinstance(node, Struct):
        return all(_holds_everything(item) for _, item in node.fields)
    if isinstance(node, Map):
        return False  # Arrow does not mind a key that is there twice
    if isinstance(node, Scalar):
        return node.name in _PLAIN
    return isinstance(node, Decimal)


def _decoded(array: Any) -> Any:
    dictionary = array.dictionary
    if pa.types.is_string_view(dictionary.type):  # as Polars gives it; Arrow cannot decode that
        dictionary = dictionary.cast(pa.string())
    return pa.DictionaryArray.from_arrays(array.indices, dictionary).dictionary_decode()


def _all_uuids(array: Any) -> bool:
    return pc.all(pc.match_substring_regex(array, _UUID)).as_py() is not False


def _python_values(array: Any) -> list[Any]:
    try:
        values: list[Any] = array.to_pylist()
    except (ValueError, OverflowError) as error:
        raise Unfit(f"a value of the Arrow type {array.type} cannot be read: {error}") from None
    return values


def _exact_cast(array: Any, target: pa.DataType) -> Any:
    """Return Arrow's cast where it is exact and checked, or None."""
    types, source = pa.types, array.type
    try:
        if types.is_integer(source):
            return _from_integer(array, target)
        if types.is_floating(source) and types.is_integer(target):
            return _float_to_integer(array, target)
        if types.is_floating(source) and types.is_floating(target):
            return _float_to_float(array, target)
        if types.is_decimal(source) and (types.is_decimal(target) or types.is_integer(target)):
            return array.cast(target)
        if is_text(source) and types.is_string(target):
            return array.cast(target)
        if is_bytes(source) and types.is_binary(target):
            return array.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return None


def _from_integer(array: Any, target: pa.DataType) -> Any:
    if pa.types.is_integer(target) or pa.types.is_floating(target):
        return array.cast(target)
    if pa.types.is_decimal(target):
        return array.cast(pa.decimal128(38, 0)).cast(target)
    return None


def _float_to_integer(array: Any, target: pa.DataType) -> Any:
    if pc.any(pc.greater(pc.abs(array), 2.0**53)).as_py():
        return None
    return array.cast(target)


def _float_to_float(array: Any, target: pa.DataType) -> Any:
    result = array.cast(target)
    overflown = pc.and_(pc.is_inf(result), pc.invert(pc.is_inf(array.cast(pa.float64()))))
    return None if pc.any(overflown).as_py() else result


def _from_timestamp(array: Any, node: Type, target: pa.DataType) -> Any:
    if pa.types.is_date64(array.type):
        array = array.view(pa.timestamp("ms"))
    if array.type.unit == "ns":
        _refuse_finer(array)
    try:
        array = array.cast(pa.timestamp("us", array.type.tz))
    except pa.ArrowInvalid:
        raise Unfit(f"a time in it is outside the years 1 to 9999 ({array.type})") from None
    micros = array.view(pa.int64())
    _check_range(micros, _TIME_RANGE)
    if target == pa.timestamp("us"):
        return micros.view(target)
    if target == pa.date32():
        return _to_date(array, micros)
    return from_values(_python_values(array), node, target)


def _refuse_finer(array: Any) -> None:
    nanos = array.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(nanos % 1000)
    if len(rows):
        first = array[int(rows[0])]
        more = f"; so have {_rows(rows[1:])}" if len(rows) > 1 else ""
        text = str(first.cast(pa.string()))
        raise Unfit(f"{text} is finer than microseconds{more}", "round to microseconds first", int(rows[0]))


def _rows(rows: Any) -> str:
    named = ", ".join(str(int(row)) for row in rows[:_ROWS_NAMED])
    rest = len(rows) - _ROWS_NAMED
    return ("row " if len(rows) == 1 else "rows ") + named + (f" and {rest:,} more" if rest > 0 else "")


def _check_range(numbers: Any, allowed: tuple[int, ...]) -> None:
    ends = pc.min_max(numbers).as_py()
    if ends["min"] is None or (allowed[0] <= ends["min"] and ends["max"] <= allowed[1]):
        return
    outside = pc.or_(pc.less(numbers, allowed[0]), pc.greater(numbers, allowed[1]))
    raise Unfit("it is outside the years 1 to 9999", row=_first(outside))


def _to_date(array: Any, micros: Any) -> Any:
    values = micros.fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(values % _MICROS_PER_DAY)
    if len(rows):
        moment = array[int(rows[0])].as_py()
        raise Unfit(
            f"{show(moment)} is not a DATE: it has a time of day", "send the date alone", int(rows[0])
        )
    return array.cast(pa.timestamp("us")).cast(pa.date32())


def _from_date(array: Any, target: pa.DataType) -> Any:
    _check_range(array.view(pa.int32()), _DAY_RANGE)
    return array.cast(target)


def _from_time(array: Any, target: pa.DataType) -> Any:
    if array.type == pa.time64("ns"):
        _refuse_finer(array)
    return array.cast(target)


def _first(mask: Any) -> int:
    return int(pc.index(mask, True).as_py())


def is_text(arrow: pa.DataType) -> bool:
    """Whether an Arrow type is one of the text types."""
    types = pa.types
    return bool(types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow))


def is_bytes(arrow: pa.DataType) -> bool:
    """Whether an Arrow type is one of the binary types."""
    types = pa.types
    return bool(
        types.is_binary(arrow)
        or types.is_large_binary(arrow)
        or types.is_binary_view(arrow)
        or types.is_fixed_size_binary(arrow)
    )
