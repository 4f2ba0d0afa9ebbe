"""Times, dates and intervals."""

from __future__ import annotations

from workbench.online.scalars.casts import DAY, cast
from workbench.online.scalars.handlers import simple
from workbench.online.scalars.value import Unsupported, Value, is_integer
from workbench.online.scalars.writer import Writer, null

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
        raise Unsupported("epoch() of an interval is not compiled")
    if value.type not in ("DATE", "TIMESTAMP"):
        raise Unsupported(f"epoch() of {value.type} is not compiled")
    return w.strict([w.finite(cast(w, value, "TIMESTAMP"))], "({} / 1000000)".format, "DOUBLE", nan=False)
