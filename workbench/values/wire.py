"""Values as they travel in JSON, and back.

=====================  =========================================================================================
BOOLEAN, VARCHAR       as in JSON
integers up to 64 bit  numbers
HUGEINT, UHUGEINT      text of digits
DECIMAL                text with all its decimal places: ``"1.500"``
DOUBLE, FLOAT          numbers; ``"NaN"``, ``"Infinity"``, ``"-Infinity"``
TIMESTAMP              ``"2026-01-02T03:04:05.678901Z"``, microseconds only when there are any
DATE, TIME             ``"2026-01-02"``, ``"03:04:05.678901"``
INTERVAL               ISO-8601 duration: ``"P1M2DT3H4M5.678901S"``, each part with its own sign
BLOB                   base64 text
UUID                   text
LIST, STRUCT           array, object
MAP                    object where keys are text, else an array of ``[key, value]``
=====================  =========================================================================================

NULL is null everywhere. :func:`decode` is the exact inverse of :func:`encode`.
"""

from __future__ import annotations

import base64
import decimal
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from workbench.errors import RowError
from workbench.values.convert import Unfit, converter, show
from workbench.values.grammar import Decimal, Enum, List, Map, Scalar, Struct, Type, parse
from workbench.values.types import INTEGER_RANGES, TIMESTAMPS, WIDE_INTEGERS

Code = Callable[[Any], Any]

_INTERVAL = re.compile(
    r"P(?:(?P<years>-?[0-9]+)Y)?(?:(?P<months>-?[0-9]+)M)?(?:(?P<days>-?[0-9]+)D)?"
    r"(?:T(?:(?P<hours>-?[0-9]+)H)?(?:(?P<minutes>-?[0-9]+)M)?(?:(?P<seconds>-?[0-9]+(?:\.[0-9]{1,6})?)S)?)?"
)
#: A year of more than four digits, or one before the first.
_BEYOND = re.compile(r"[0-9]{5,}-[0-9]{2}-[0-9]{2}( .*)?|[0-9]+-.* \(BC\)( .*)?")


def encode(value: Any, duckdb_type: str) -> Any:
    """Return a value of a column type as JSON can carry it.

    >>> encode(float("nan"), "DOUBLE"), encode(datetime(2026, 1, 2), "TIMESTAMP")
    ('NaN', '2026-01-02T00:00:00Z')
    """
    code = _encoder(parse(duckdb_type))
    return value if value is None or code is None else code(value)


def decode(value: Any, duckdb_type: str) -> Any:
    """Return the Python value of what :func:`encode` gave; raises :class:`RowError` on anything else."""
    if value is None:
        return None
    try:
        return _decoder(parse(duckdb_type))(value)
    except Unfit as unfit:
        raise RowError(unfit.message, hint=unfit.hint) from None


def is_beyond(value: Any) -> bool:
    """Whether a value is DuckDB's text of a date or time outside the years 1 to 9999, which Python's cannot hold.

    >>> is_beyond("11024-01-01 00:30:00"), is_beyond("0715-02-03 (BC)"), is_beyond("2024-01-01")
    (True, True, False)
    """
    return isinstance(value, str) and _BEYOND.fullmatch(value) is not None


def is_plain(duckdb_type: str) -> bool:
    """Whether orjson writes all values of a type as :func:`encode` does, but numbers that are not finite.

    >>> is_plain("BIGINT"), is_plain("DOUBLE"), is_plain("TIMESTAMP"), is_plain("DECIMAL(9,2)")
    (True, True, True, False)
    """
    node = parse(duckdb_type)
    return _encoder(node) is None or (isinstance(node, Scalar) and node.name in _PLAIN)


def encoder(columns: Mapping[str, str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a function that encodes rows of these columns, compiled once for all of them.

    >>> encoder({"n": "BIGINT", "price": "DECIMAL(9,2)"})({"n": 1, "price": decimal.Decimal("2.50")})
    {'n': 1, 'price': '2.50'}
    """
    codes = {name: _encoder(parse(kind)) for name, kind in columns.items()}
    changed = [(name, code) for name, code in codes.items() if code is not None]

    def encode_row(row: Mapping[str, Any]) -> dict[str, Any]:
        result = dict(row)
        for name, code in changed:
            value = result[name]
            if value is not None:
                result[name] = code(value)
        return result

    return encode_row


# --- encoding ---

_PLAIN = frozenset(("DOUBLE", "FLOAT", "TIMESTAMP", "DATE", "UUID"))


@lru_cache(maxsize=4096)
def _encoder(node: Type) -> Code | None:
    """Return the code of non-NULL values of a type; None where JSON carries them as they are."""
    if isinstance(node, Decimal):
        return f"{{:.{node.scale}f}}".format
    if isinstance(node, Enum):
        return None
    if isinstance(node, List):
        return _encode_list(_encoder(node.item))
    if isinstance(node, Struct):
        return _encode_struct({name: _encoder(item) for name, item in node.fields})
    if isinstance(node, Map):
        return _encode_map(node)
    return _ENCODERS.get(node.name)


def _encode_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _encode_timestamp(value: datetime | str) -> str:
    if isinstance(value, str):
        return value
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat() + "Z"


def _encode_interval(value: Any) -> str:
    if isinstance(value, timedelta):
        months, days, micros = 0, 0, value // timedelta(microseconds=1)
        days, micros = _toward_zero(micros, 86_400_000_000)
    else:
        months, days, micros = value.months, value.days, _toward_zero(value.nanoseconds, 1000)[0]
    minutes, micros = _toward_zero(micros, 60_000_000)
    hours, minutes = _toward_zero(minutes, 60)
    seconds = f"{decimal.Decimal(micros).scaleb(-6):f}"
    seconds = seconds.rstrip("0").rstrip(".") if "." in seconds else seconds
    day_part = "".join(f"{count}{unit}" for count, unit in ((months, "M"), (days, "D")) if count)
    time_part = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    time_part += f"{seconds}S" if micros else ""
    return f"P{day_part}T{time_part}" if time_part else f"P{day_part}" if day_part else "PT0S"


def _toward_zero(number: int, unit: int) -> tuple[int, int]:
    whole, rest = divmod(abs(number), unit)
    return (whole, rest) if number >= 0 else (-whole, -rest)


def _encode_list(item: Code | None) -> Code:
    if item is None:
        return list
    return lambda values: [None if value is None else item(value) for value in values]


def _encode_struct(fields: dict[str, Code | None]) -> Code:
    def code(value: Mapping[str, Any]) -> dict[str, Any]:
        result = {}
        for name, field in fields.items():
            one = value[name]
            result[name] = one if one is None or field is None else field(one)
        return result

    return code


def _encode_map(node: Map) -> Code:
    to_key, to_value = _encoder(node.key), _encoder(node.value)
    as_object = node.key == Scalar("VARCHAR")

    def code(value: Any) -> Any:
        pairs = value.items() if isinstance(value, Mapping) else value
        coded = [
            [
                key if to_key is None else to_key(key),
                one if one is None or to_value is None else to_value(one),
            ]
            for key, one in pairs
        ]
        return dict(coded) if as_object else coded

    return code


_ENCODERS: dict[str, Code] = {
    **dict.fromkeys(WIDE_INTEGERS, lambda value: str(int(value))),
    **dict.fromkeys(("DOUBLE", "FLOAT"), _encode_float),
    **dict.fromkeys(TIMESTAMPS, _encode_timestamp),
    "DATE": lambda value: value if isinstance(value, str) else value.isoformat(),
    **dict.fromkeys(("TIME", "TIME_NS"), lambda value: value.isoformat()),
    "BLOB": lambda value: base64.b64encode(value).decode(),
    "UUID": str,
    "INTERVAL": _encode_interval,
}


# --- decoding ---


@lru_cache(maxsize=4096)
def _decoder(node: Type) -> Code:
    """Return the inverse of a type's code. The converters know every form but those that JSON alone has."""
    if isinstance(node, List):
        item = _decoder(node.item)
        return lambda values: [
            None if value is None else item(value) for value in _expect(values, list, node)
        ]
    if isinstance(node, Struct):
        return _decode_struct(node)
    if isinstance(node, Map):
        return _decode_map(node)
    if isinstance(node, Scalar) and node.name == "INTERVAL":
        return _decode_interval
    if isinstance(node, Scalar) and node.name in INTEGER_RANGES and node.name not in WIDE_INTEGERS:
        return lambda value: converter(node)(_expect(value, int, node))
    if isinstance(node, Scalar) and (node.name in TIMESTAMPS or node.name == "DATE"):
        return lambda value: value if is_beyond(value) else converter(node)(value)
    return converter(node)


def _decode_struct(node: Struct) -> Code:
    fields = {name: _decoder(item) for name, item in node.fields}

    def code(value: Any) -> dict[str, Any]:
        value = _expect(value, dict, node)
        return {
            name: None if value.get(name) is None else field(value[name]) for name, field in fields.items()
        }

    return code


def _decode_map(node: Map) -> Code:
    to_key, to_value = _decoder(node.key), _decoder(node.value)
    hashable = isinstance(node.key, Scalar | Decimal | Enum)

    def code(value: Any) -> Any:
        pairs = [*value.items()] if isinstance(value, dict) else _expect(value, list, node)
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            raise Unfit(f"{show(value)} is not a {node}", "send an object, or a list of [key, value]")
        decoded = [(to_key(key), None if one is None else to_value(one)) for key, one in pairs]
        return dict(decoded) if hashable else decoded

    return code


def _decode_interval(value: Any) -> Any:
    match = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    if not match or value.endswith(("P", "T")):
        raise Unfit(f"{show(value)} is not an INTERVAL", "send an ISO-8601 duration such as P1DT2H30M")
    part = {name: int(text) for name, text in match.groupdict("0").items() if name != "seconds"}
    micros = int(decimal.Decimal(match["seconds"] or 0).scaleb(6))
    micros += (part["hours"] * 60 + part["minutes"]) * 60_000_000
    months = part["years"] * 12 + part["months"]
    if not months:
        return timedelta(days=part["days"], microseconds=micros)
    from pyarrow import MonthDayNano

    return MonthDayNano([months, part["days"], micros * 1000])


def _expect(value: Any, kind: type, node: Type) -> Any:
    if type(value) is not kind:
        raise Unfit(f"{show(value)} ({type(value).__name__}) is not a {node}")
    return value
