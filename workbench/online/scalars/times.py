"""Times, dates and intervals."""

from __future__ import annotations

from workbench.online.scalars.casts import DAY, cast
from workbench.online.scalars.handlers import function, simple
from workbench.online.scalars.value import Unsupported, Value, is_integer
from workbench.online.scalars.writer import Writer, null
from workbench.plan.expr import Call

_LOWEST, _HIGHEST = -62_135_596_800_000_000, 253_402_300_799_999_998


def moved(w: Writer, op: str, left: Value, right: Value) -> Value:
    """Return what ``+`` and ``-`` make of times, dates and intervals.

    Raises
    ------
    Unsupported
        For combinations that are not compiled.
    """
    kinds = (left.type, op, right.type)
    if kinds == ("DATE", "-", "DATE"):
        return w.strict(
            [w.finite(left), w.finite(right)], "({} - {})".format, "BIGINT", low=-4_000_000, high=4_000_000
        )
    if kinds == ("TIMESTAMP", "-", "TIMESTAMP"):
        return w.strict([w.finite(left), w.finite(right)], "between_times({} - {})".format, "INTERVAL")
    if left.type == "DATE" and is_integer(right.type):
        return _day(w, w.strict([w.finite(left), right], f"({{}} {op} {{}})".format, "DATE"))
    if op == "+" and right.type == "DATE" and is_integer(left.type):
        return _day(w, w.strict([left, w.finite(right)], "({} + {})".format, "DATE"))
    if op == "+" and left.type == "INTERVAL" and right.type in ("DATE", "TIMESTAMP"):
        left, right = right, left
    if left.type in ("DATE", "TIMESTAMP") and right.type == "INTERVAL":
        return _shifted(w, op, cast(w, left, "TIMESTAMP"), right)
    raise Unsupported(f"{left.type} {op} {right.type} is not compiled")


def _day(w: Writer, value: Value) -> Value:
    return w.checked(value, _LOWEST // DAY, _HIGHEST // DAY)


def _shifted(w: Writer, op: str, time: Value, step: Value) -> Value:
    if step.is_const and step.const is None:
        return null("TIMESTAMP")
    time = w.finite(time)
    if step.is_const and not step.const[0]:
        micros = step.const[1] * DAY + step.const[2]
        return w.checked(w.strict([time], f"({{}} {op} {micros})".format, "TIMESTAMP"), _LOWEST, _HIGHEST)
    sign = -1 if op == "-" else 1
    made = w.strict([time, step], f"shifted({{}}, {{}}, {sign})".format, "TIMESTAMP", fails=True)
    return w.checked(made, _LOWEST, _HIGHEST)


@simple("epoch_us")
def _epoch_us(w: Writer, value: Value) -> Value:
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"epoch_us() of {value.type} is not compiled")
    return w.strict(
        [w.finite(cast(w, value, "TIMESTAMP"))], "{}".format, "BIGINT", low=_LOWEST, high=_HIGHEST
    )


@simple("epoch")
def _epoch(w: Writer, value: Value) -> Value:
    if value.type == "INTERVAL":
        if value.is_const and value.const is not None and not value.const[0]:
            seconds = (value.const[1] * DAY + value.const[2]) / 1_000_000
            return Value(repr(seconds), "DOUBLE", null=False, atom=True, nan=False, nonzero=seconds != 0)
        return w.strict([value], "interval_seconds({})".format, "DOUBLE", fails=True, nan=False)
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"epoch() of {value.type} is not compiled")
    return w.strict([w.finite(cast(w, value, "TIMESTAMP"))], "({} / 1000000)".format, "DOUBLE", nan=False)


# -- parts

_HOUR, _MINUTE, _SECOND = 3_600_000_000, 60_000_000, 1_000_000
#: Code of a part of a TIMESTAMP, and its bounds.
_PARTS: dict[str, tuple[str, int, int]] = {
    "hour": (f"({{}} // {_HOUR} % 24)", 0, 23),
    "minute": (f"({{}} // {_MINUTE} % 60)", 0, 59),
    "second": (f"({{}} // {_SECOND} % 60)", 0, 59),
    "millisecond": (f"({{}} // 1000 % {60_000})", 0, 59_999),
    "microsecond": (f"({{}} % {_MINUTE})", 0, 59_999_999),
    "isodow": (f"(({{}} // {DAY} + 3) % 7 + 1)", 1, 7),
    "dow": (f"(({{}} // {DAY} + 4) % 7)", 0, 6),
    "year": ("moment({}).year", 1, 9999),
    "month": ("moment({}).month", 1, 12),
    "day": ("moment({}).day", 1, 31),
    "quarter": ("((moment({}).month + 2) // 3)", 1, 4),
    "doy": ("moment({}).timetuple().tm_yday", 1, 366),
    "week": ("moment({}).isocalendar()[1]", 1, 53),
    "isoyear": ("moment({}).isocalendar()[0]", 0, 10_000),
}
_NAMES = {
    **{part: part for part in _PARTS},
    **{f"{part}s": part for part in ("hour", "minute", "second", "year", "month", "day", "quarter", "week")},
    "milliseconds": "millisecond",
    "microseconds": "microsecond",
    "dayofweek": "dow",
    "weekday": "dow",
    "dayofmonth": "day",
    "dayofyear": "doy",
    "weekofyear": "week",
}


def _part(w: Writer, name: str, value: Value) -> Value:
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"{name} of {value.type} is not compiled")
    code, low, high = _PARTS[name]
    moment = w.finite(cast(w, value, "TIMESTAMP"))
    return w.strict([moment], code.format, "BIGINT", low=low, high=high, nonzero=low > 0)


def _registered(function_name: str, part: str) -> None:
    @simple(function_name)
    def handler(w: Writer, value: Value) -> Value:
        return _part(w, part, value)


for _function in (
    *("hour", "minute", "second", "millisecond", "microsecond", "isodow", "year", "month", "day", "quarter"),
    *("dayofweek", "weekday", "dayofmonth", "dayofyear", "week", "weekofyear", "isoyear"),
):
    _registered(_function, _NAMES[_function])


@simple("date_part", "datepart")
def _date_part(w: Writer, part: Value, value: Value) -> Value:
    name = _unit(part)
    if name in ("epoch", "epochs"):
        return _epoch(w, value)
    if name not in _NAMES:
        raise Unsupported(f"the part {name} of a time is not compiled")
    return _part(w, _NAMES[name], value)


def _unit(value: Value) -> str:
    if not (value.is_const and isinstance(value.const, str)):
        raise Unsupported("a computed part of a time is not compiled")
    return value.const.lower()


# -- units

_LENGTHS = {
    "microsecond": 1,
    "millisecond": 1000,
    "second": _SECOND,
    "minute": _MINUTE,
    "hour": _HOUR,
    "day": DAY,
}
_CALENDAR = {"month": 1, "quarter": 3, "year": 12}


@simple("date_diff", "datediff")
def _date_diff(w: Writer, unit: Value, start: Value, end: Value) -> Value:
    name = _unit(unit).removesuffix("s")
    if any(side.type not in ("DATE", "TIMESTAMP", "NULL") for side in (start, end)):
        raise Unsupported(f"date_diff() of {start.type} and {end.type} is not compiled")
    begin, end = (w.finite(cast(w, side, "TIMESTAMP")) for side in (start, end))
    known = {"low": -(2**62), "high": 2**62}
    if name in _LENGTHS:
        length = _LENGTHS[name]
        code = f"({{1}} // {length} - {{0}} // {length})" if length > 1 else "({1} - {0})"
    elif name == "week":
        code = f"quotient({{1}} // {DAY} - {{0}} // {DAY}, 7)"
    elif name in _CALENDAR:
        code = f"(months({{1}}) // {_CALENDAR[name]} - months({{0}}) // {_CALENDAR[name]})"
    else:
        raise Unsupported(f"date_diff() in {name}s is not compiled")
    return w.strict([begin, end], code.format, "BIGINT", **known)


@function("date_trunc", "datetrunc")
def _date_trunc(w: Writer, call: Call) -> Value:
    unit, value = (w.value(arg) for arg in call.args)
    name = _unit(unit).removesuffix("s")
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"date_trunc() of {value.type} is not compiled")
    moment = w.finite(cast(w, value, "TIMESTAMP"))
    if name in _LENGTHS:
        made = w.strict([moment], f"({{0}} - {{0}} % {_LENGTHS[name]})".format, "TIMESTAMP")
    elif name == "week":
        made = w.strict([moment], f"(({{0}} // {DAY} + 3) // 7 * {7 * DAY} - {3 * DAY})".format, "TIMESTAMP")
    elif name in _CALENDAR:
        made = w.strict([moment], f"first_of({{0}}, {_CALENDAR[name]})".format, "TIMESTAMP")
    else:
        raise Unsupported(f"date_trunc() to {name}s is not compiled")
    return cast(w, made, call.type) if call.type == "DATE" else made


@simple("epoch_ms")
def _epoch_ms(w: Writer, value: Value) -> Value:
    if is_integer(value.type):
        low, high = _LOWEST // 1000, _HIGHEST // 1000
        return w.strict([w.checked(value, low, high)], "({} * 1000)".format, "TIMESTAMP")
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"epoch_ms() of {value.type} is not compiled")
    return w.strict([w.finite(cast(w, value, "TIMESTAMP"))], "quotient({}, 1000)".format, "BIGINT")


@simple("make_timestamp")
def _make_timestamp(w: Writer, *args: Value) -> Value:
    if len(args) != 1 or not is_integer(args[0].type):
        raise Unsupported("make_timestamp() of parts is not compiled")
    return w.strict([w.checked(args[0], _LOWEST, _HIGHEST)], "{}".format, "TIMESTAMP")


@simple("make_date")
def _make_date(w: Writer, *args: Value) -> Value:
    if len(args) != 3:
        raise Unsupported("make_date() of one argument is not compiled")
    return w.strict([cast(w, arg, "BIGINT") for arg in args], "day_of({}, {}, {})".format, "DATE", fails=True)


@simple("last_day")
def _last_day(w: Writer, value: Value) -> Value:
    return w.strict([w.finite(cast(w, value, "TIMESTAMP"))], "last_day({})".format, "DATE")


@simple("strftime")
def _strftime(w: Writer, value: Value, shape: Value) -> Value:
    if value.type == "VARCHAR":
        value, shape = shape, value
    if not (shape.is_const and isinstance(shape.const, str)) or value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported("strftime() with a computed format is not compiled")
    letters = {shape.const[1 + place] for place, sign in enumerate(shape.const[:-1]) if sign == "%"}
    if not letters <= set("YmdHMSfyj") or shape.const.endswith("%") or not shape.const.isascii():
        raise Unsupported(f"strftime() with {shape.const!r} is not compiled")
    moment = w.finite(cast(w, value, "TIMESTAMP"))
    return w.strict([moment], f"formatted({{}}, {shape.const!r})".format, "VARCHAR", fails=True)


def _to_interval(name: str, part: str) -> None:
    @simple(name)
    def handler(w: Writer, value: Value) -> Value:
        if not is_integer(value.type):
            raise Unsupported(f"{name}() of {value.type} is not compiled")
        return w.strict([w.checked(value, -(10**6), 10**6)], part.format, "INTERVAL")


for _name, _code in {
    "to_years": "({} * 12, 0, 0)",
    "to_months": "({}, 0, 0)",
    "to_weeks": "(0, {} * 7, 0)",
    "to_days": "(0, {}, 0)",
    "to_hours": f"(0, 0, {{}} * {_HOUR})",
    "to_minutes": f"(0, 0, {{}} * {_MINUTE})",
}.items():
    _to_interval(_name, _code)
