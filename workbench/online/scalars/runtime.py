"""What generated functions call. Arguments are never None, in the internal form of their types."""

from __future__ import annotations

import functools
import hashlib
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


def float_quotient(a: float, b: float) -> float | None:
    """``a // b`` of floats, which DuckDB does not round; NULL where b is 0."""
    return a / b if b else None


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
    """Return a DOUBLE as DuckDB writes it; NaN fails, which it writes with or without a sign."""
    if value != value:
        raise NotHere
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


def moment(micros: int) -> date:
    """The day of a TIMESTAMP."""
    return date.fromordinal(micros // _DAY + _ORDINAL)


def months(micros: int) -> int:
    """Months since the year 0."""
    day = date.fromordinal(micros // _DAY + _ORDINAL)
    return day.year * 12 + day.month - 1


def first_of(micros: int, length: int) -> int:
    """The beginning of the month, quarter or year of a TIMESTAMP."""
    year, month = divmod(months(micros) // length * length, 12)
    return (date(year, month + 1, 1).toordinal() - _ORDINAL) * _DAY


def last_day(micros: int) -> int:
    """The last day of the month of a TIMESTAMP."""
    day = moment(micros)
    return day.toordinal() - _ORDINAL - day.day + _days_of_month(day.year, day.month)


def day_of(year: int, month: int, day: int) -> int:
    """The day of a date in parts; one that there is not fails."""
    return date(year, month, day).toordinal() - _ORDINAL


def formatted(micros: int, shape: str) -> str:
    """A TIMESTAMP by strftime's letters."""
    time = to_datetime(micros)
    if time.year < 1000:
        raise NotHere
    return time.strftime(shape)


def interval_seconds(value: tuple[int, int, int]) -> float:
    """The seconds of an INTERVAL without months."""
    months, days, micros = value
    if months:
        raise NotHere
    return (days * _DAY + micros) / 1_000_000


# -- texts

#: Below this code point a character is one to the eye, has one upper and one lower form, and no Unicode changes that.
_COMBINING = "\u0300"
_SPECIAL_UPPER = frozenset("ßŉǰİıſ")


def _plain(text: str) -> str:
    if not text.isascii() and max(text) >= _COMBINING:
        raise NotHere
    return text


def upper(text: str) -> str:
    """A text in upper case."""
    if not text.isascii() and not _SPECIAL_UPPER.isdisjoint(_plain(text)):
        raise NotHere
    return text.upper()


def lower(text: str) -> str:
    """A text in lower case."""
    if not text.isascii() and not _SPECIAL_UPPER.isdisjoint(_plain(text)):
        raise NotHere
    return text.lower()


def reversed_text(text: str) -> str:
    """A text back to front, by what the eye takes for characters."""
    if "\r" in _plain(text):
        raise NotHere
    return text[::-1]


def replaced(text: str, part: str, other: str) -> str:
    """A text with another part in all places of a part."""
    return text.replace(part, other) if part else text


_FAR, _REST = 2**30, 2**62


def part(text: str, start: int, size: int = _REST) -> str:
    """A part of a text, counted from 1, or from the end where negative."""
    length = len(text)
    if size < 0 or not -length <= start < _FAR or (size > _FAR and size != _REST):
        raise NotHere
    if start > 0:
        begin = min(length, start - 1)
    elif start < 0:
        begin = max(length + start, 0)
    else:
        begin, size = 0, max(size - 1, 0)
    return text[begin : min(length, begin + size)]


def left(text: str, count: int) -> str:
    """The first characters; all but the last ones where negative."""
    return text[:count] if count >= 0 else text[: max(0, len(text) + count)]


def right(text: str, count: int) -> str:
    """The last characters; all but the first ones where negative."""
    if count >= 0:
        return text[max(0, len(text) - count) :]
    return text[min(len(text), -count) :]


def lpad(text: str, size: int, pad: str) -> str:
    """A text filled up in front to a size, or cut to it."""
    return _padding(text, size, pad) + text[: max(size, 0)]


def rpad(text: str, size: int, pad: str) -> str:
    """A text filled up behind to a size, or cut to it."""
    return text[: max(size, 0)] + _padding(text, size, pad)


def _padding(text: str, size: int, pad: str) -> str:
    missing = size - len(text)
    if missing <= 0:
        return ""
    if not pad or size > 100_000:
        raise NotHere
    return (pad * (missing // len(pad) + 1))[:missing]


def split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators."""
    if not separator:
        raise NotHere
    return text.split(separator)


def split_part(text: str, separator: str, place: int) -> str:
    """One part of a text between separators, from 1, or from the end where negative; '' where there is none."""
    parts = text.split(separator) if separator else [text]
    if not separator and len(text) > 1:
        raise NotHere
    if place == 0 or abs(place) > len(parts):
        if place == 0:
            raise NotHere
        return ""
    return parts[place - 1 if place > 0 else place]


def code_point(text: str) -> int:
    """The code point of the first character."""
    if not text:
        raise NotHere
    return ord(text[0])


def md5(text: str) -> str:
    """The MD5 of a text as hexadecimal digits."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    """The SHA-256 of a text as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=1024)
def _pattern(like: str) -> re.Pattern[str]:
    signs = {"%": ".*", "_": "."}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in like), re.DOTALL)


def matches(text: str, like: str) -> bool:
    """Whether a text is LIKE a pattern."""
    return _pattern(like).fullmatch(text) is not None
