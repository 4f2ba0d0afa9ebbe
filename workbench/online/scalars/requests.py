"""Request rows as lanes by a generated function: what is plain at once, everything else is for the ordinary coercer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from workbench.online.scalars.runtime import from_decimal, single
from workbench.online.scalars.value import decimal_parts, is_decimal
from workbench.values.convert import converter
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, parse

RequestLanes = Callable[[Any], tuple[Any, ...] | None]

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_ORDINAL = date(1970, 1, 1).toordinal()
#: Integers up to here are floats.
_EXACT = 2**53

_CHECKS: dict[str, str] = {
    "DOUBLE": """
if type({v}) is not float:
 if type({v}) is int and {exact}: {v} = float({v})
 elif {v} is not None: return None""",
    "FLOAT": """
if {v} is not None:
 if type({v}) is not float: return None
 {v} = single({v})""",
    "VARCHAR": """
if type({v}) is str:
 if not {v}.isascii(): {v}.encode()
elif {v} is not None: return None""",
    "BOOLEAN": """
if type({v}) is not bool and {v} is not None: return None""",
    "TIMESTAMP": """
if type({v}) is str: {v} = micros({v})
elif type({v}) is datetime and {v}.tzinfo is None:
 span = {v} - EPOCH
 {v} = (span.days * 86400 + span.seconds) * 1000000 + span.microseconds
elif {v} is not None: return None""",
    "DATE": """
if type({v}) is str: {v} = day({v})
elif type({v}) is date: {v} = {v}.toordinal() - ORDINAL
elif {v} is not None: return None""",
}


def compile_request(
    columns: Mapping[str, str], wanted: Sequence[str], time: str | None = None
) -> RequestLanes:
    """Return ``lanes(row)``: the values of some columns of a request row as lanes, in their order, or None.

    None stands for every row that is out of the ordinary: one that has an unknown, a missing or an unfit value, names
    in another case, numbers as text, times of other zones. :func:`workbench.values.coerce.row_coercer` says what is
    wrong with it, or takes it.

    Parameters
    ----------
    columns
        The table's columns with their types. A row may have any of them.
    wanted
        The columns whose values are returned; a row must have them, only ``time`` may be left out (None).
    time
        The event time.

    Examples
    --------
    >>> lanes = compile_request({"id": "BIGINT", "ts": "TIMESTAMP"}, ["ts", "id"], "ts")
    >>> lanes({"id": 7, "ts": "1970-01-01T00:00:01Z"}), lanes({"id": 7}), lanes({"id": "7"})
    ((1000000, 7), (None, 7), None)
    """
    lines = ["if type(row) is not dict: return None"]
    names = {name: f"v{number}" for number, name in enumerate(columns)}
    namespace: dict[str, Any] = {
        "EPOCH": _EPOCH,
        "ORDINAL": _ORDINAL,
        "datetime": datetime,
        "date": date,
        "micros": _micros,
        "day": _day,
        "single": single,
        "from_decimal": from_decimal,
    }
    needed = [name for name in columns if name in wanted and name != time]
    for name in needed:
        lines += [f"{names[name]} = row[{name!r}]", *_check(name, columns[name], names[name], namespace)]
    lines.append(f"found = {len(needed)}")
    if time is not None and time in columns:
        lines += [f"if {time!r} in row:", " found += 1", f" {names[time]} = row[{time!r}]"]
        lines += [f" if {names[time]} is None: return None"]
        lines += [f" {line}" for line in _check(time, columns[time], names[time], namespace)]
        lines += [f"else: {names[time]} = None"]
    rest = [name for name in columns if name not in needed and name != time]
    if rest:
        lines.append("if found != len(row):")
        for name in rest:
            lines += [f" if {name!r} in row:", "  found += 1", f"  {names[name]} = row[{name!r}]"]
            lines += [f"  {line}" for line in _check(name, columns[name], names[name], namespace)]
    lines.append("if found != len(row): return None")
    lines.append(f"return ({''.join(f'{names[name]}, ' for name in wanted)})")
    body = "\n".join(f"  {line}" for line in lines)
    source = f"def lanes(row):\n try:\n{body}\n except (ValueError, KeyError, ArithmeticError): return None\n"
    exec(source, namespace)
    made: RequestLanes = namespace["lanes"]
    return made


def _check(name: str, kind: str, v: str, namespace: dict[str, Any]) -> list[str]:
    """Lines that make a lane of a value, or return."""
    if kind in INTEGER_RANGES and kind not in WIDE_INTEGERS:
        low, high = INTEGER_RANGES[kind]
        return [
            f"if type({v}) is not int:",
            f" if {v} is not None: return None",
            f"elif not {low} <= {v} <= {high}: return None",
        ]
    if kind in _CHECKS:
        exact = f"-{_EXACT} <= {v} <= {_EXACT}"
        return _CHECKS[kind].format(v=v, exact=exact).strip().splitlines()
    namespace[f"convert_{v}"] = converter(parse(kind))
    code = f"convert_{v}({v})"
    if is_decimal(kind) and decimal_parts(kind)[0] <= 18:
        code = f"from_decimal({code}, {decimal_parts(kind)[1]})"
    elif kind == "TIME":
        return [f"if {v} is not None:", f" {v} = convert_{v}({v})", f" {v} = {_TIME.format(v=v)}"]
    return [f"if {v} is not None: {v} = {code}"]


_TIME = "(({v}.hour * 60 + {v}.minute) * 60 + {v}.second) * 1000000 + {v}.microsecond"


def _micros(text: str) -> int:
    """The microseconds of ``2026-01-02T03:04:05.678901Z``; anything else is refused."""
    if (
        len(text) not in (20, 24, 27)
        or text[-1] != "Z"
        or text[10] != "T"
        or text[4] != "-"
        or text[13] != ":"
    ):
        raise ValueError
    span = datetime.fromisoformat(text) - _EPOCH_UTC
    return (span.days * 86400 + span.seconds) * 1_000_000 + span.microseconds


def _day(text: str) -> int:
    """The day of ``2026-01-02``; anything else is refused."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise ValueError
    return date.fromisoformat(text).toordinal() - _ORDINAL
