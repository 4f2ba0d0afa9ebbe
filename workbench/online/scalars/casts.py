"""Casts: those that a query says, and those that DuckDB adds where two types meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench.online.scalars.handlers import operator
from workbench.online.scalars.value import (
    FLOATS,
    NULL,
    TEMPORAL,
    Unsupported,
    Value,
    decimal_parts,
    is_decimal,
    is_integer,
)
from workbench.online.scalars.writer import Writer, null
from workbench.plan.expr import Op
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS

DAY = 86_400_000_000
#: Up to here every integer is a float.
EXACT = 2**53


@operator("cast", "try_cast")
def _cast(w: Writer, op: Op) -> Value:
    # What TRY_CAST makes NULL of, no code here computes either: it fails, and DuckDB is asked.
    return replace(cast(w, w.value(op.args[0]), op.type), literal=False)


def cast(w: Writer, value: Value, kind: str) -> Value:
    """Return a value as another type.

    Raises
    ------
    Unsupported
        When there is no exact code for that cast.
    """
    if value.type == kind:
        return value
    if value.is_const:
        if value.const is None:
            return null(kind)
        return w.constants.cast(value, kind)
    if value.type == NULL:
        return null(kind)
    found = _PAIRS.get((_family(value.type), _family(kind)))
    if found is None:
        raise Unsupported(f"a cast of {value.type} to {kind} is not compiled")
    return found(w, value, kind)


def _family(kind: str) -> str:
    if is_integer(kind):
        return "wide" if kind in WIDE_INTEGERS else "integer"
    return "decimal" if is_decimal(kind) else kind


# -- where types meet


def common_type(values: Sequence[Value]) -> str:
    """Return the type that DuckDB casts values to that must be of one type.

    Raises
    ------
    Unsupported
        When that is not known here.
    """
    known = [value for value in values if value.type != NULL and not (value.is_const and value.const is None)]
    if not known:
        kinds = [value.type for value in values if value.type != NULL]
        return kinds[0] if kinds else "INTEGER"
    firm = [value for value in known if not _adapts(value)]
    kind = firm[0].type if firm else known[0].type
    for value in [*firm, *(value for value in known if _adapts(value))]:
        kind = _met(kind, value)
    return kind


def _adapts(value: Value) -> bool:
    return value.literal and (value.type == "VARCHAR" or is_integer(value.type))


def _met(kind: str, value: Value) -> str:
    other = value.type
    if kind == other:
        return kind
    if value.literal and other == "VARCHAR" and kind in (*TEMPORAL, *FLOATS, "BOOLEAN"):
        return kind
    if is_integer(kind) and is_integer(other):
        low, high = INTEGER_RANGES[kind]
        if value.literal and value.is_const and low <= value.const <= high:
            return kind
        return _wider(kind, other)
    if {kind, other} == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    for one, two in ((kind, other), (other, kind)):
        if one in FLOATS and (is_integer(two) or is_decimal(two)):
            return one
        if one == "DOUBLE" and two == "FLOAT":
            return one
        if is_decimal(one) and (is_decimal(two) or is_integer(two)):
            return _wider_decimal(one, two)
    raise Unsupported(f"{kind} beside {other} is not compiled")


def _wider(one: str, two: str) -> str:
    for kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"):
        ranges = [INTEGER_RANGES[part] for part in (one, two)]
        low, high = INTEGER_RANGES[kind]
        unsigned = all(part.startswith("U") for part in (one, two))
        if unsigned:
            kind = f"U{kind}"
            low, high = INTEGER_RANGES[kind]
        if all(low <= least and most <= high for least, most in ranges):
            return kind
    raise Unsupported(f"{one} beside {two} is not compiled")


def _wider_decimal(one: str, two: str) -> str:
    (p1, s1), (p2, s2) = decimal_parts(one), decimal_parts(two)
    scale = max(s1, s2)
    precision = max(p1 - s1, p2 - s2) + scale
    if precision > 38:
        raise Unsupported(f"{one} beside {two} is not compiled")
    return f"DECIMAL({precision},{scale})"


# -- pairs


def _integer_integer(w: Writer, value: Value, kind: str) -> Value:
    low, high = INTEGER_RANGES[kind]
    least, most = value.bounds
    checked = w.checked(replace(value, low=least, high=most), low, high)
    return replace(checked, type=kind, literal=False)


def _integer_float(w: Writer, value: Value, kind: str) -> Value:
    known = {"nan": False, "nonzero": value.nonzero}
    if kind == "DOUBLE":
        return w.strict([value], "float({})".format, kind, **known)
    return w.strict([w.checked(value, -EXACT, EXACT)], "single({})".format, kind, **known)


def _wide_float(w: Writer, value: Value, kind: str) -> Value:
    if kind != "DOUBLE":
        raise Unsupported(f"a cast of {value.type} to {kind} is not compiled")
    return w.strict([w.checked(value, -EXACT, EXACT)], "float({})".format, kind, nan=False)


def _integer_text(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "str({})".format, kind)


def _integer_boolean(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "({} != 0)".format, kind)


def _float_boolean(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "({} != 0.0)".format, kind)


def _boolean_integer(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "(1 if {} else 0)".format, kind, low=0, high=1)


def _boolean_float(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "(1.0 if {} else 0.0)".format, kind, nan=False)


def _boolean_text(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([value], "('true' if {} else 'false')".format, kind)


def _float_integer(w: Writer, value: Value, kind: str) -> Value:
    # to the nearest, halves to the even one; round() of NaN and of infinities fails
    low, high = INTEGER_RANGES[kind]
    return w.checked(w.strict([value], "round({})".format, kind, fails=True), low, high)


def _float_float(w: Writer, value: Value, kind: str) -> Value:
    if kind == "DOUBLE":
        return replace(value, type=kind)
    return w.strict([value], "single({})".format, kind, fails=True, nan=value.nan)


def _float_text(w: Writer, value: Value, kind: str) -> Value:
    code = "double_text({})" if value.type == "DOUBLE" else "single_text({})"
    return w.strict([value], code.format, kind, fails=True)


def _date_timestamp(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([w.finite(value)], f"({{}} * {DAY})".format, kind)


def _timestamp_date(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([w.finite(value)], f"({{}} // {DAY})".format, kind)


def _timestamp_time(w: Writer, value: Value, kind: str) -> Value:
    return w.strict([w.finite(value)], f"({{}} % {DAY})".format, kind)


def _through(name: str) -> Callable[[Writer, Value, str], Value]:
    def code(w: Writer, value: Value, kind: str) -> Value:
        return w.strict([value], f"{name}({{}})".format, kind, fails=True)

    return code


def _text_integer(w: Writer, value: Value, kind: str) -> Value:
    low, high = INTEGER_RANGES[kind]
    return w.checked(w.strict([value], "text_integer({})".format, kind, fails=True), low, high)


def _decimal_float(w: Writer, value: Value, kind: str) -> Value:
    if kind != "DOUBLE":
        raise Unsupported(f"a cast of {value.type} to {kind} is not compiled")
    scale = decimal_parts(value.type)[1]
    if scale > 22:
        raise Unsupported(f"a cast of {value.type} to {kind} is not compiled")
    checked = w.checked(value, -EXACT, EXACT)
    return w.strict(
        [checked], f"({{}} / {float(10**scale)!r})".format, kind, nan=False, nonzero=value.nonzero
    )


def _decimal_text(w: Writer, value: Value, kind: str) -> Value:
    scale = decimal_parts(value.type)[1]
    return w.strict([value], f"decimal_text({{}}, {scale})".format, kind)


def _decimal_integer(w: Writer, value: Value, kind: str) -> Value:
    scale = decimal_parts(value.type)[1]
    if not scale:
        return _bounded_integer(w, w.strict([value], "{}".format, kind), kind)
    return _bounded_integer(w, w.strict([value], f"rescaled({{}}, {10**scale})".format, kind), kind)


def _bounded_integer(w: Writer, value: Value, kind: str) -> Value:
    return w.checked(value, *INTEGER_RANGES[kind])


def _decimal_decimal(w: Writer, value: Value, kind: str) -> Value:
    (_, had), (precision, scale) = decimal_parts(value.type), decimal_parts(kind)
    low, high = value.low, value.high
    if scale >= had:
        factor = 10 ** (scale - had)
        if low is None or high is None:
            limit = 10 ** decimal_parts(value.type)[0] - 1
            low, high = -limit, limit
        code = "{}" if factor == 1 else f"({{}} * {factor})"
        made = w.strict([value], code.format, kind, low=low * factor, high=high * factor)
    else:
        made = w.strict([value], f"rescaled({{}}, {10 ** (had - scale)})".format, kind)
    limit = 10**precision - 1
    return w.checked(replace(made, nonzero=value.nonzero and scale >= had), -limit, limit)


def _integer_decimal(w: Writer, value: Value, kind: str) -> Value:
    precision, scale = decimal_parts(kind)
    least, most = value.bounds
    factor = 10**scale
    code = "{}" if scale == 0 else f"({{}} * {factor})"
    made = w.strict([value], code.format, kind, low=least * factor, high=most * factor, nonzero=value.nonzero)
    limit = 10**precision - 1
    return w.checked(made, -limit, limit)


_PAIRS: dict[tuple[str, str], Callable[[Writer, Value, str], Value]] = {
    ("integer", "integer"): _integer_integer,
    ("integer", "wide"): _integer_integer,
    ("wide", "integer"): _integer_integer,
    ("integer", "DOUBLE"): _integer_float,
    ("integer", "FLOAT"): _integer_float,
    ("wide", "DOUBLE"): _wide_float,
    ("integer", "VARCHAR"): _integer_text,
    ("wide", "VARCHAR"): _integer_text,
    ("integer", "BOOLEAN"): _integer_boolean,
    ("integer", "decimal"): _integer_decimal,
    ("wide", "decimal"): _integer_decimal,
    ("BOOLEAN", "integer"): _boolean_integer,
    ("BOOLEAN", "wide"): _boolean_integer,
    ("BOOLEAN", "DOUBLE"): _boolean_float,
    ("BOOLEAN", "FLOAT"): _boolean_float,
    ("BOOLEAN", "VARCHAR"): _boolean_text,
    ("DOUBLE", "integer"): _float_integer,
    ("FLOAT", "integer"): _float_integer,
    ("DOUBLE", "FLOAT"): _float_float,
    ("FLOAT", "DOUBLE"): _float_float,
    ("DOUBLE", "VARCHAR"): _float_text,
    ("FLOAT", "VARCHAR"): _float_text,
    ("DOUBLE", "BOOLEAN"): _float_boolean,
    ("FLOAT", "BOOLEAN"): _float_boolean,
    ("DATE", "TIMESTAMP"): _date_timestamp,
    ("TIMESTAMP", "DATE"): _timestamp_date,
    ("TIMESTAMP", "TIME"): _timestamp_time,
    ("DATE", "VARCHAR"): _through("date_text"),
    ("TIMESTAMP", "VARCHAR"): _through("timestamp_text"),
    ("TIME", "VARCHAR"): _through("time_text"),
    ("VARCHAR", "integer"): _text_integer,
    ("VARCHAR", "DOUBLE"): _through("text_double"),
    ("VARCHAR", "DATE"): _through("text_date"),
    ("VARCHAR", "TIMESTAMP"): _through("text_timestamp"),
    ("VARCHAR", "BOOLEAN"): _through("text_boolean"),
    ("decimal", "DOUBLE"): _decimal_float,
    ("decimal", "VARCHAR"): _decimal_text,
    ("decimal", "integer"): _decimal_integer,
    ("decimal", "wide"): _decimal_integer,
    ("decimal", "decimal"): _decimal_decimal,
}
