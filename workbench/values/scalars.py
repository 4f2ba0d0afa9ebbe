"""One Python value into one type that has no parts, for :mod:`workbench.values.convert`."""

from __future__ import annotations

import base64
import binascii
import decimal
import math
import re
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from workbench.values.grammar import Decimal
from workbench.values.types import INTEGER_RANGES, TIMESTAMPS, WIDE_INTEGERS

Convert = Callable[[Any], Any]

_EXACT_FLOAT = 2**53
_NAMED_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DIGITS = re.compile(r"[+-]?[0-9]{1,60}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_FRACTION = re.compile(r"[.,]([0-9]+)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)([0-9a-fA-F]{4}\1){3}[0-9a-fA-F]{12}")
_EXACT = decimal.Context(prec=80, traps=[decimal.Inexact, decimal.InvalidOperation])
_ISO = "2026-01-02T03:04:05.678901Z"


class Unfit(ValueError):
    """A value that a column cannot hold; ``row`` is set where a whole column was converted."""

    def __init__(self, message: str, hint: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.row = row


def show(value: object) -> str:
    """Return a value as it is quoted in messages."""
    text = str(value) if isinstance(value, date | time) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def plain(value: Any) -> Any:
    """Return NumPy, pandas and Arrow scalars as plain Python values; their missing markers become None."""
    kind = type(value)
    if kind.__module__ == "builtins" or value is None:
        return value
    package = kind.__module__.partition(".")[0]
    if package == "numpy":
        return _from_numpy(value)
    if package == "pandas":
        return _from_pandas(value)
    return value.as_py() if package == "pyarrow" and hasattr(value, "as_py") else value


def _from_numpy(value: Any) -> Any:
    kind = type(value).__name__
    if kind == "datetime64":
        if str(value) == "NaT":
            return None
        micros = value.astype("datetime64[us]")
        if micros != value:
            raise Unfit(f"{value} is finer than microseconds", "round it to microseconds first")
        return micros.item()
    return value.tolist() if hasattr(value, "tolist") else value


def _from_pandas(value: Any) -> Any:
    kind = type(value).__name__
    if kind in ("NAType", "NaTType"):
        return None
    if kind == "Timestamp":
        if value.nanosecond:
            raise Unfit(f"{value} is finer than microseconds", "round it to microseconds first")
        return value.to_pydatetime()
    return value


# --- numbers ---


def to_integer(name: str) -> Convert:
    """Return the converter of an integer type."""
    low, high = INTEGER_RANGES[name]
    text_too = name in WIDE_INTEGERS

    def convert(value: Any) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        number = _whole(plain(value), name, text_too)
        if number is not None and not low <= number <= high:
            raise Unfit(f"{show(value)} is out of range for {name} ({low} to {high})")
        return number

    return convert


def _whole(value: Any, name: str, text_too: bool) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise Unfit(f"NaN is not an integer ({name})", "use null (None) for a missing value")
        if not value.is_integer():
            raise Unfit(f"{value!r} is not an integer ({name})", "round it first, or make the column DOUBLE")
        if abs(value) > _EXACT_FLOAT:
            raise Unfit(f"{value!r} is a float too large to be an exact integer ({name})", "send an integer")
        return int(value)
    if isinstance(value, decimal.Decimal) and value.is_finite():
        if value != value.to_integral_value():
            raise Unfit(f"{value} is not an integer ({name})", "round it first")
        return int(value)
    if isinstance(value, str) and text_too and _DIGITS.fullmatch(value):
        return int(value)
    raise wrong_type(value, name, "send an integer" + (", or its digits as text" if text_too else ""))


def _double(value: Any) -> Any:
    if type(value) is float:
        return value
    value = plain(value)
    if value is None or isinstance(value, float):
        return None if value is None else float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _float_of(value, float, "DOUBLE")
    if isinstance(value, decimal.Decimal) and not value.is_snan():
        return float(value)
    if isinstance(value, str) and value in _NAMED_FLOATS:
        return _NAMED_FLOATS[value]
    raise wrong_type(value, "DOUBLE", 'send a number (or "NaN", "Infinity", "-Infinity")')


def _single(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _float_of(value, _to_single, "FLOAT")
    number = _double(value)
    try:
        return None if number is None else _to_single(number)
    except OverflowError:
        raise Unfit(f"{show(value)} is out of range for FLOAT", "make the column DOUBLE") from None


def _to_single(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", float(value)))[0])


def _float_of(value: int, cast: Callable[[Any], float], name: str) -> float:
    try:
        number = cast(value)
    except OverflowError:
        number = math.inf
    if number != value:
        raise Unfit(
            f"the integer {show(value)} cannot be held exactly by {name}",
            "send a float, or make the column DECIMAL",
        )
    return number


def to_decimal(node: Decimal) -> Convert:
    """Return the converter of a DECIMAL."""
    step = decimal.Decimal(1).scaleb(-node.scale)
    limit = decimal.Decimal(10) ** (node.precision - node.scale)

    def convert(value: Any) -> Any:
        number = _as_decimal(plain(value), node)
        if number is None:
            return None
        try:
            exact = number.quantize(step, context=_EXACT)
        except decimal.Inexact:
            raise Unfit(
                f"{show(value)} has more than {node.scale} decimal places ({node})", "round it"
            ) from None
        except decimal.InvalidOperation:
            exact = limit
        if exact.copy_abs() >= limit:  # abs() would round to the caller's context
            raise Unfit(f"{show(value)} is out of range for {node}")
        return exact

    return convert


def _as_decimal(value: Any, node: Decimal) -> decimal.Decimal | None:
    if value is None:
        return None
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return decimal.Decimal(value) if abs(value) < 10**40 else decimal.Decimal("1e40")
    if isinstance(value, float) and math.isfinite(value):
        # Up to 15 digits the shortest text of a float is the decimal that was written; beyond, it is a guess.
        number = decimal.Decimal(repr(float(value)))
        if len(number.normalize().as_tuple().digits) > 15:
            raise Unfit(f"{value!r} is a float, not an exact {node}", "send the digits as text, or a Decimal")
        return number
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return decimal.Decimal(value)
    raise wrong_type(value, str(node), "send the digits as text, or an integer")


# --- text, bytes, booleans ---


def to_varchar(value: Any) -> Any:
    """Return text that UTF-8 can hold."""
    if type(value) is str and value.isascii():
        return value
    value = plain(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(value, "VARCHAR", "send text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{show(value)} is not valid Unicode: it has half of a surrogate pair") from None
    return str(value)


def _uuid(value: Any) -> Any:
    value = plain(value)
    if value is None or isinstance(value, uuid.UUID):
        return value and str(value)
    if isinstance(value, str) and _UUID.fullmatch(value):
        return str(uuid.UUID(value))
    raise wrong_type(value, "UUID", "send it as text: 123e4567-e89b-12d3-a456-426614174000")


def _blob(value: Any) -> Any:
    value = plain(value)
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise Unfit(f"{show(value)} is not base64 (BLOB)", "send bytes, or base64 text") from None
    raise wrong_type(value, "BLOB", "send bytes, or base64 text")


def _boolean(value: Any) -> Any:
    value = plain(value)
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(value, "BOOLEAN", "send true or false")


# --- times ---


def _timestamp(value: Any) -> Any:
    if type(value) is not datetime:
        value = plain(value)
        if isinstance(value, str):
            value = _from_iso(value, datetime, "TIMESTAMP", _ISO)
        elif type(value) is date:
            return datetime(value.year, value.month, value.day)
        elif value is None or not isinstance(value, datetime):
            if value is None:
                return None
            raise wrong_type(value, "TIMESTAMP", f"send ISO-8601 text such as {_ISO}, or a datetime")
    return value if value.tzinfo is None else _utc(value)


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise Unfit(f"{value} is outside the years 1 to 9999 in UTC") from None


def _date(value: Any) -> Any:
    if type(value) is date:
        return value
    value = plain(value)
    if isinstance(value, str) and len(value) <= 10:
        return _from_iso(value, date, "DATE", "2026-01-02")
    if value is None or type(value) is date:
        return value
    if not isinstance(value, str | datetime):
        raise wrong_type(value, "DATE", "send ISO-8601 text such as 2026-01-02, or a date")
    moment = _timestamp(value)
    if moment.time() != time():
        raise Unfit(f"{show(value)} is not a DATE: it has a time of day", "send the date alone")
    return moment.date()


def _time(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str):
        value = _from_iso(value, time, "TIME", "03:04:05.678901")
    if value is None:
        return None
    if not isinstance(value, time):
        raise wrong_type(value, "TIME", "send ISO-8601 text such as 03:04:05, or a time")
    if value.tzinfo is not None and value.utcoffset() != timedelta(0):
        raise Unfit(f"{show(value)} has a zone; TIME is in UTC", "send the time in UTC, without a zone")
    return value.replace(tzinfo=None)


def _from_iso(text: str, kind: Any, name: str, example: str) -> Any:
    try:
        value = kind.fromisoformat(text)
    except ValueError:
        raise Unfit(f"{show(text)} is not a {name}", f"send ISO-8601 text such as {example}") from None
    fraction = _FRACTION.search(text)
    if fraction and fraction[1][6:].strip("0"):  # Python drops these digits without a word
        raise Unfit(f"{show(text)} is finer than microseconds", "send at most 6 decimal places")
    return value


def _interval(value: Any) -> Any:
    value = plain(value)
    if value is None or isinstance(value, timedelta) or type(value).__name__ == "MonthDayNano":
        return value
    raise wrong_type(value, "INTERVAL", "send a timedelta")


def wrong_type(value: Any, name: str, hint: str) -> Unfit:
    """Return the refusal of a value whose Python type the column does not take."""
    if isinstance(value, float) and math.isnan(value):
        hint = "use null (None) for a missing value"
    return Unfit(f"{show(value)} ({type(value).__name__}) is not a {name}", hint)


SCALARS: dict[str, Convert] = {
    "DOUBLE": _double,
    "FLOAT": _single,
    "VARCHAR": to_varchar,
    "JSON": to_varchar,
    "UUID": _uuid,
    "BLOB": _blob,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIME": _time,
    "TIME_NS": _time,
    "INTERVAL": _interval,
    **dict.fromkeys(TIMESTAMPS, _timestamp),
}
