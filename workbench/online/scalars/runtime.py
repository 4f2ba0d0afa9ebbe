"""What generated functions call. Arguments are never None, in the internal form of their types."""

from __future__ import annotations

import math
import re
import struct
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal

from workbench.online.scalars.failures import NotHere

_EPOCH = datetime(1970, 1, 1)
_ORDINAL = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
_WIDE = Context(prec=80)
_SINGLE = struct.Struct("<f")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DOUBLE = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?(e[+-]?[0-9]{1,2})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?", re.ASCII)

# -- outputs


def to_datetime(micros: int) -> datetime:
    """Return a TIMESTAMP as Python has it; beyond the years 1 to 9999 it fails."""
    if micros > 253_402_300_799_999_998:
        raise NotHere  # DuckDB's infinity is shown as the last microsecond
    return _EPOCH + timedelta(0, 0, micros)


def to_date(days: int) -> date:
    """Return a DATE as Python has it."""
    if days > 2_932_895:
        raise NotHere
    return date.fromordinal(days + _ORDINAL)


def to_time(micros: int) -> time:
    """Return a TIME as Python has it; 24:00:00 fails."""
    seconds, micros = divmod(micros, 1_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros)


def to_decimal(unscaled: int, scale: int) -> Decimal:
    """Return a DECIMAL as Python has it."""
    return Decimal(unscaled).scaleb(-scale, _WIDE)


def from_decimal(value: Decimal, scale: int) -> int:
    """Return the unscaled integer of a DECIMAL."""
    return int(value.scaleb(scale, _WIDE))


def to_timedelta(value: tuple[int, int, int]) -> timedelta:
    """Return an INTERVAL as DuckDB's Python package gives it, a month being 30 days."""
    months, days, micros = value
    return timedelta(days=months * 30 + days, microseconds=micros)


# -- arithmetic


def divided(a: float, b: float) -> float:
    """``a / b`` as IEEE 754 has it."""
    if b:
        return a / b
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def quotient(a: int, b: int) -> int | None:
    """``a // b``, rounded toward zero; NULL where b is 0."""
    if not b:
        return None
    found = a // b
    return found + 1 if found < 0 and found * b != a else found


def remainder(a: int, b: int) -> int | None:
    """``a % b`` with the sign of a; NULL where b is 0."""
    if not b:
        return None
    if b == -1:
        raise NotHere
    return a % abs(b) if a >= 0 else -(-a % abs(b))


def float_remainder(a: float, b: float) -> float:
    """``a % b`` of floats."""
    if b == 0 or a != a or b != b or a in (math.inf, -math.inf):
        return math.nan
    return math.fmod(a, b)


def single(value: float) -> float:
    """Round a float to single precision; what would overflow fails."""
    found: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
    return found


def rescaled(unscaled: int, factor: int) -> int:
    """Divide by a power of ten, halves away from zero."""
    half = factor // 2
    return (unscaled + half) // factor if unscaled >= 0 else -((half - unscaled) // factor)


# -- casts


def double_text(value: float) -> str:
    """Return a DOUBLE as DuckDB writes it."""
    if value == 0.0 or not math.isfinite(value):
        if value == 0.0:
            return repr(value)
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    return repr(value)


def single_text(value: float) -> str:
    """Return a FLOAT as DuckDB writes it: the shortest digits that give it back."""
    raise NotHere


def decimal_text(unscaled: int, scale: int) -> str:
    """Return a DECIMAL as text, with all of its decimal places."""
    if not scale:
        return str(unscaled)
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def date_text(days: int) -> str:
    """Return a DATE as text."""
    return to_date(days).isoformat()


def timestamp_text(micros: int) -> str:
    """Return a TIMESTAMP as text, with as many decimal places as it has."""
    text = to_datetime(micros).isoformat(" ")
    return text.rstrip("0") if micros % 1_000_000 else text


def time_text(micros: int) -> str:
    """Return a TIME as text."""
    text = to_time(micros).isoformat()
    return text.rstrip("0") if micros % 1_000_000 else text


def text_integer(text: str) -> int:
    """Return plain digits as an integer; anything else fails."""
    if _INTEGER.fullmatch(text) is None:
        raise NotHere
    return int(text)


def text_double(text: str) -> float:
    """Return a number in plain notation; anything else fails."""
    if _DOUBLE.fullmatch(text) is None:
        raise NotHere
    return float(text)


def text_date(text: str) -> int:
    """Return the day of a date in ISO notation; anything else fails."""
    if _DATE.fullmatch(text) is None:
        raise NotHere
    return date.fromisoformat(text).toordinal() - _ORDINAL


def text_timestamp(text: str) -> int:
    """Return the microseconds of a time in ISO notation; anything else fails."""
    if _TIMESTAMP.fullmatch(text) is None:
        return text_date(text) * _DAY
    whole, _, fraction = text.partition(".")
    moment = datetime.fromisoformat(whole) - _EPOCH
    return (moment.days * 86400 + moment.seconds) * 1_000_000 + int(fraction.ljust(6, "0"))


def text_boolean(text: str) -> bool:
    """Return true or false; anything else fails."""
    if text not in ("true", "false"):
        raise NotHere
    return text == "true"


# -- functions of floats


def rounded(value: float) -> float:
    """Round to a whole number, halves away from zero."""
    size = abs(value)
    if not size < 4503599627370496.0:
        return value
    whole = float(math.floor(size))
    return math.copysign(whole + 1.0 if size - whole >= 0.5 else whole, value)


def rounded_to(value: float, places: int, unit: float) -> float:
    """Round to a number of decimal places; ``unit`` is the power of ten of their number."""
    if places < 0:
        found = rounded(value / unit) * unit
        return found if math.isfinite(found) else 0.0
    found = rounded(value * unit) / unit
    return found if math.isfinite(found) else value


def floor_float(value: float) -> float:
    """The greatest whole number that is not greater."""
    if not abs(value) < 4503599627370496.0:
        return value
    return float(math.floor(value)) or math.copysign(0.0, value)


def ceil_float(value: float) -> float:
    """The least whole number that is not less."""
    if not abs(value) < 4503599627370496.0:
        return value
    return float(math.ceil(value)) or math.copysign(0.0, value)


def exponential(value: float) -> float:
    """``e ** value``."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def power(base: float, exponent: float) -> float:
    """``base ** exponent`` as C's pow has it."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent.is_integer() and exponent % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base:
            return math.nan
        odd = exponent.is_integer() and exponent % 2 == 1
        return math.copysign(math.inf, base) if odd else math.inf


def based_log(base: float, value: float) -> float:
    """The logarithm to a base."""
    divisor = math.log10(base)
    if not divisor:
        raise NotHere
    return math.log10(value) / divisor


natural_log = math.log
common_log = math.log10
binary_log = math.log2
square_root = math.sqrt
sin, cos, tan, asin, acos, atan, atan2 = (
    math.sin,
    math.cos,
    math.tan,
    math.asin,
    math.acos,
    math.atan,
    math.atan2,
)
cbrt = math.cbrt
PI = math.pi
NAN = math.nan
INF = math.inf


# -- times


def between_times(micros: int) -> tuple[int, int, int]:
    """The difference of two times as an interval of days and microseconds."""
    days = abs(micros) // _DAY
    days = days if micros >= 0 else -days
    return 0, days, micros - days * _DAY


def shifted(micros: int, step: tuple[int, int, int], sign: int) -> int:
    """A time moved by an interval; a month ends with its last day."""
    months, days, rest = step
    if months:
        day, time_of_day = divmod(micros, _DAY)
        moment = date.fromordinal(day + _ORDINAL)
        count = moment.year * 12 + moment.month - 1 + sign * months
        year, month = divmod(count, 12)
        last = _days_of_month(year, month + 1)
        day = date(year, month + 1, min(moment.day, last)).toordinal() - _ORDINAL
        micros = day * _DAY + time_of_day
    return micros + sign * (days * _DAY + rest)


def _days_of_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
