"""Arithmetic and the functions of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench.online.scalars import times
from workbench.online.scalars.casts import EXACT, cast, common_type
from workbench.online.scalars.handlers import function, operator, simple
from workbench.online.scalars.value import (
    FLOATS,
    TEMPORAL,
    Unsupported,
    Value,
    decimal_parts,
    is_decimal,
    is_integer,
    is_number,
)
from workbench.online.scalars.writer import Writer, null
from workbench.plan.expr import Call, Op
from workbench.values.types import INTEGER_RANGES


@operator("+", "-", "*")
def _arithmetic(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    if any(side.type in (*TEMPORAL, "INTERVAL") for side in (left, right)):
        return times.moved(w, op.op, left, right)
    if any(side.is_const and side.const is None for side in (left, right)):
        return null(op.type or common_type([left, right]))
    if not (is_number(left.type) and is_number(right.type)):
        raise Unsupported(f"{left.type} {op.op} {right.type} is not compiled")
    if left.type in FLOATS or right.type in FLOATS:
        return _float_arithmetic(w, op.op, left, right)
    if is_decimal(left.type) or is_decimal(right.type):
        return _decimal_arithmetic(w, op.op, left, right)
    kind = common_type([left, right])
    left, right = cast(w, left, kind), cast(w, right, kind)
    low, high = _bounds(op.op, left, right)
    made = w.strict([left, right], f"({{}} {op.op} {{}})".format, kind, low=low, high=high)
    return w.checked(made, *INTEGER_RANGES[kind])


def _bounds(op: str, left: Value, right: Value) -> tuple[int, int]:
    (a, b), (c, d) = left.bounds, right.bounds
    if op == "+":
        return a + c, b + d
    if op == "-":
        return a - d, b - c
    products = [x * y for x in (a, b) for y in (c, d)]
    return min(products), max(products)


def _float_arithmetic(w: Writer, op: str, left: Value, right: Value) -> Value:
    kind = common_type([left, right])
    sides = [cast(w, left, kind), cast(w, right, kind)]
    code = f"({{}} {op} {{}})" if kind == "DOUBLE" else f"single({{}} {op} {{}})"
    return w.strict(sides, code.format, kind, fails=kind != "DOUBLE")


def _decimal_arithmetic(w: Writer, op: str, left: Value, right: Value) -> Value:
    (p1, s1), (p2, s2) = decimal_parts(left.type), decimal_parts(right.type)
    if op == "*":
        precision, scale = p1 + p2, s1 + s2
        kinds = [f"DECIMAL({p1},{s1})", f"DECIMAL({p2},{s2})"]
    else:
        scale = max(s1, s2)
        precision = max(scale + max(p1 - s1, p2 - s2), p1, p2) + 1
    # Up to 18 digits stay 18 digits, of which an overflow is an error.
    most = 18 if max(p1, p2) <= 18 else 38
    precision = most if precision > most else precision
    if scale > precision:
        raise Unsupported(f"{left.type} {op} {right.type} is not compiled")
    kind = f"DECIMAL({precision},{scale})"
    if op != "*":
        kinds = [kind, kind]
    sides = [cast(w, left, kinds[0]), cast(w, right, kinds[1])]
    made = w.strict(sides, f"({{}} {op} {{}})".format, kind)
    limit = 10**precision - 1
    return w.checked(made, -limit, limit)


@operator("/")
def _division(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    if any(side.is_const and side.const is None for side in (left, right)):
        return null("DOUBLE")
    if not (is_number(left.type) and is_number(right.type)):
        raise Unsupported(f"{left.type} / {right.type} is not compiled")
    if "FLOAT" in (left.type, right.type) and common_type([left, right]) != "DOUBLE":
        raise Unsupported(f"{left.type} / {right.type} is not compiled")
    sides = [_exact(w, left), _exact(w, right)]
    if right.nonzero:
        return w.strict(sides, "({} / {})".format, "DOUBLE", nan=left.nan or right.nan)
    return w.strict(sides, "divided({}, {})".format, "DOUBLE")


def _exact(w: Writer, value: Value) -> Value:
    """A value as a divisor or dividend: a float, or an integer that is one."""
    if is_integer(value.type) and not value.is_const:
        low, high = value.bounds
        if low >= -EXACT and high <= EXACT:
            return replace(value, nan=False)
    return cast(w, value, "DOUBLE")


@operator("//")
def _whole_division(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    if any(side.is_const and side.const is None for side in (left, right)):
        return null(op.type or common_type([left, right]))
    kind = common_type([left, right])
    if kind == "DOUBLE":
        sides = [cast(w, left, kind), cast(w, right, kind)]
        return replace(w.strict(sides, "float_quotient({}, {})".format, kind), null=True)
    if not is_integer(kind):
        raise Unsupported(f"{left.type} // {right.type} is not compiled")
    left, right = cast(w, left, kind), cast(w, right, kind)
    made = w.strict([left, right], "quotient({}, {})".format, kind)
    if not (right.is_const and right.const):
        made = replace(made, null=True)
    low, high = left.bounds
    most = max(abs(low), abs(high))
    return w.checked(replace(made, low=-most, high=most), *INTEGER_RANGES[kind])


@operator("%")
def _remainder(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    if any(side.is_const and side.const is None for side in (left, right)):
        return null(op.type or common_type([left, right]))
    kind = common_type([left, right])
    left, right = cast(w, left, kind), cast(w, right, kind)
    if kind == "DOUBLE":
        return w.strict([left, right], "float_remainder({}, {})".format, kind)
    if not is_integer(kind):
        raise Unsupported(f"{left.type} % {right.type} is not compiled")
    made = w.strict([left, right], "remainder({}, {})".format, kind, fails=True)
    return made if right.is_const and right.const else replace(made, null=True)


@operator("**")
def _power_operator(w: Writer, op: Op) -> Value:
    return _power(w, *(w.value(arg) for arg in op.args))


@simple("pow", "power")
def _power(w: Writer, base: Value, exponent: Value) -> Value:
    return w.strict([cast(w, base, "DOUBLE"), cast(w, exponent, "DOUBLE")], "power({}, {})".format, "DOUBLE")


@operator("negate")
def _negate(w: Writer, op: Op) -> Value:
    value = w.value(op.args[0])
    kind = value.type
    if kind in FLOATS or is_decimal(kind):
        return w.strict([value], "(-{})".format, kind, nan=value.nan, nonzero=value.nonzero)
    if not is_integer(kind):
        raise Unsupported(f"- of {kind} is not compiled")
    low, high = value.bounds
    made = w.strict([value], "(-{})".format, kind, low=-high, high=-low, nonzero=value.nonzero)
    return w.checked(made, *INTEGER_RANGES[kind])


@operator("&", "|")
def _bits(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    kind = common_type([left, right])
    if not is_integer(kind):
        raise Unsupported(f"{op.op} of {kind} is not compiled")
    return w.strict([cast(w, left, kind), cast(w, right, kind)], f"({{}} {op.op} {{}})".format, kind)


@operator("bitwise not")
def _bitwise_not(w: Writer, op: Op) -> Value:
    value = w.value(op.args[0])
    if value.type not in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
        raise Unsupported(f"~ of {value.type} is not compiled")
    return w.strict([value], "(~{})".format, value.type)


# -- functions


@simple("abs")
def _abs(w: Writer, value: Value) -> Value:
    kind = value.type
    if kind in FLOATS or is_decimal(kind):
        return w.strict([value], "abs({})".format, kind, nan=value.nan, nonzero=value.nonzero)
    if not is_integer(kind):
        raise Unsupported(f"abs() of {kind} is not compiled")
    low, high = value.bounds
    made = w.strict([value], "abs({})".format, kind, low=0, high=max(abs(low), abs(high)))
    return replace(w.checked(made, *INTEGER_RANGES[kind]), nonzero=value.nonzero)


@simple("sign")
def _sign(w: Writer, value: Value) -> Value:
    if not is_number(value.type):
        raise Unsupported(f"sign() of {value.type} is not compiled")
    named = w.named(value)
    code = f"(({named.code} > 0) - ({named.code} < 0))"
    return w.strict([named], lambda _: code, "TINYINT", low=-1, high=1)


def _of_double(name: str, code: str, **known: bool) -> Callable[[Writer, Value], Value]:
    def handler(w: Writer, value: Value) -> Value:
        if not is_number(value.type):
            raise Unsupported(f"{name}() of {value.type} is not compiled")
        return w.strict([cast(w, value, "DOUBLE")], code.format, "DOUBLE", fails=True, **known)

    return handler


for _name, _code in {
    "ln": "natural_log({})",
    "log10": "common_log({})",
    "log2": "binary_log({})",
    "exp": "exponential({})",
    "sqrt": "square_root({})",
    "sin": "sin({})",
    "cos": "cos({})",
    "tan": "tan({})",
    "asin": "asin({})",
    "acos": "acos({})",
    "atan": "atan({})",
    "cbrt": "cbrt({})",
    "degrees": "({} * (180.0 / PI))",
    "radians": "({} * (PI / 180.0))",
}.items():
    simple(_name)(_of_double(_name, _code))


@simple("atan2")
def _atan2(w: Writer, a: Value, b: Value) -> Value:
    return w.strict([cast(w, a, "DOUBLE"), cast(w, b, "DOUBLE")], "atan2({}, {})".format, "DOUBLE")


@simple("pi")
def _pi(w: Writer) -> Value:
    return Value("PI", "DOUBLE", null=False, atom=True, nan=False, nonzero=True)


@simple("log")
def _log(w: Writer, first: Value, *rest: Value) -> Value:
    if rest:
        sides = [cast(w, first, "DOUBLE"), cast(w, rest[0], "DOUBLE")]
        return w.strict(sides, "based_log({}, {})".format, "DOUBLE", fails=True)
    return _of_double("log", "common_log({})")(w, first)


@function("floor", "ceil", "ceiling")
def _floor(w: Writer, call: Call) -> Value:
    value = w.value(call.args[0])
    name = "floor" if call.name == "floor" else "ceil"
    if is_decimal(value.type):
        precision, scale = decimal_parts(value.type)
        unit = 10**scale
        code = f"({{}} // {unit})" if name == "floor" else f"(-(-{{}} // {unit}))"
        return w.strict([value], code.format, f"DECIMAL({precision},0)")
    if value.type != "DOUBLE" and not is_integer(value.type):
        raise Unsupported(f"{name}() of {value.type} is not compiled")
    return w.strict([cast(w, value, "DOUBLE")], f"{name}_float({{}})".format, "DOUBLE", nan=value.nan)


@simple("round")
def _round(w: Writer, value: Value, *rest: Value) -> Value:
    places = rest[0] if rest else None
    if places is not None and not (places.is_const and isinstance(places.const, int)):
        raise Unsupported("round() to a computed number of places is not compiled")
    digits = 0 if places is None else int(places.const)
    if value.type == "DOUBLE":
        code = f"rounded_to({{}}, {digits}, {float(10 ** abs(digits))!r})"
        if places is None:
            code = "rounded({})"
        if abs(digits) > 22:
            raise Unsupported("round() to so many places is not compiled")
        return w.strict([value], code.format, "DOUBLE")
    if is_integer(value.type) and digits >= 0:
        return replace(value, literal=False)
    if is_decimal(value.type) and digits >= 0:
        precision, scale = decimal_parts(value.type)
        if digits >= scale:
            return value
        code = f"rescaled({{}}, {10 ** (scale - digits)})"
        return w.strict([value], code.format, f"DECIMAL({precision},{digits})")
    raise Unsupported(f"round() of {value.type} is not compiled")
