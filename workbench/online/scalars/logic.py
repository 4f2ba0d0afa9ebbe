"""Conditions: three-valued logic, comparisons, CASE and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench.online.scalars.casts import cast, common_type
from workbench.online.scalars.handlers import function, operator
from workbench.online.scalars.value import (
    FLOATS,
    MISSING,
    NULL,
    TEMPORAL,
    Unsupported,
    Value,
    is_number,
    list_item,
)
from workbench.online.scalars.writer import Writer, null
from workbench.plan.expr import Call, Expr, Op

_COMPARABLE = (*TEMPORAL, "VARCHAR", "BOOLEAN")
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


# -- what holds, and what does not


def truth(w: Writer, expr: Expr) -> str:
    """Return a Python condition that holds where an expression is TRUE."""
    return _decided(w, w.unfolded(expr), True)


def _decided(w: Writer, expr: Expr, wanted: bool) -> str:
    """A condition that holds where an expression is ``wanted``."""
    if isinstance(expr, Op):
        if expr.op == "not":
            return _decided(w, w.unfolded(expr.args[0]), not wanted)
        if expr.op in ("and", "or"):
            parts = [_decided(w, w.unfolded(arg), wanted) for arg in expr.args]
            return f"({(' and ' if (expr.op == 'and') is wanted else ' or ').join(parts)})"
        if expr.op in _OPPOSITE:
            left, right = _sides(w, expr.args)
            op = expr.op if wanted else _OPPOSITE[expr.op]
            present = _present([left, right])
            return f"({present}{compared(op, left, right)})"
        if expr.op == "is null":
            return _null_test(w.value(expr.args[0]), w, wanted)
    value = w.value(expr)
    if value.is_const:
        return "True" if value.const is not None and bool(value.const) is wanted else "False"
    if value.type != "BOOLEAN":
        raise Unsupported(f"a condition of type {value.type} is not compiled")
    if wanted:
        return value.code
    if not value.null:
        return f"(not {value.code})"
    name = w.named(value).code
    return f"({name} is not None and not {name})"


def _null_test(value: Value, w: Writer, wanted: bool) -> str:
    if not value.null:
        w.ready(value)
        return "False" if wanted else "True"
    return f"({w.ready(value).code} is {'' if wanted else 'not '}None)"


def _present(values: Sequence[Value]) -> str:
    names = dict.fromkeys(value.code for value in values if value.null)
    return "".join(f"{name} is not None and " for name in names)


@operator("and", "or", "not")
def _logic(w: Writer, op: Op) -> Value:
    args = [w.value(arg) for arg in op.args]
    if not any(arg.null for arg in args):
        parts = [w.ready(arg).code for arg in args]
        code = f"(not {parts[0]})" if op.op == "not" else f"({f' {op.op} '.join(parts)})"
        return Value(code, "BOOLEAN", null=False, raw=op.op != "not" and any(arg.raw for arg in args))
    if op.op == "not":
        return w.strict(args, "(not {})".format, "BOOLEAN")
    yes, no = _decided(w, op, True), _decided(w, op, False)
    return Value(f"(True if {yes} else False if {no} else None)", "BOOLEAN")


@operator("is null")
def _is_null(w: Writer, op: Op) -> Value:
    return Value(_null_test(w.value(op.args[0]), w, True), "BOOLEAN", null=False)


@operator("is true", "is false")
def _is_boolean(w: Writer, op: Op) -> Value:
    condition = _decided(w, w.unfolded(op.args[0]), op.op == "is true")
    return Value(f"(True if {condition} else False)", "BOOLEAN", null=False)


# -- comparisons


def compared(op: str, left: Value, right: Value) -> str:
    """Return a Python comparison of two values of one type that are not NULL; they may stand twice in it."""
    a, b = left.code, right.code
    symbol = {"=": "==", "<>": "!="}.get(op, op)
    if left.type not in FLOATS or not (left.nan or right.nan):
        return f"{a} {symbol} {b}"
    # NaN equals itself and is greater than everything else.
    is_a, is_b = f"{a} != {a}" if left.nan else "", f"{b} != {b}" if right.nan else ""
    both = f"{is_a} and {is_b}" if is_a and is_b else ""
    if op == "=":
        return f"({a} == {b} or {both})" if both else f"{a} == {b}"
    if op == "<>":
        return f"({a} != {b} and not ({both}))" if both else f"{a} != {b}"
    if op == ">":
        return f"({a} > {b} or {is_a} and {b} == {b})" if is_a else f"{a} > {b}"
    if op == "<":
        return f"({a} < {b} or {is_b} and {a} == {a})" if is_b else f"{a} < {b}"
    if op == ">=":
        return f"({a} >= {b} or {is_a})" if is_a else f"{a} >= {b}"
    return f"({a} <= {b} or {is_b})" if is_b else f"{a} <= {b}"


def _one_type(w: Writer, values: Sequence[Value]) -> list[Value]:
    """Values to be compared, as one type, and ready to stand in several places."""
    kind = common_type(values)
    if not (is_number(kind) or kind in _COMPARABLE):
        raise Unsupported(f"comparing {kind} is not compiled")
    return [w.named(cast(w, value, kind)) for value in values]


def _sides(w: Writer, args: Sequence[Expr]) -> list[Value]:
    return _one_type(w, [w.value(arg) for arg in args])


@operator("=", "<>", "<", "<=", ">", ">=")
def _comparison(w: Writer, op: Op) -> Value:
    left, right = _sides(w, op.args)
    return w.strict([left, right], lambda *_: f"({compared(op.op, left, right)})", "BOOLEAN")


@operator("is distinct from", "is not distinct from")
def _distinct(w: Writer, op: Op) -> Value:
    left, right = _sides(w, op.args)
    distinct = op.op == "is distinct from"
    code = f"({compared('<>' if distinct else '=', left, right)})"
    if left.null or right.null:
        some = " or ".join(f"{side.code} is None" for side in (left, right) if side.null)
        both = f"{left.code} is {'not ' if distinct else ''}{right.code}"
        if not (left.null and right.null):
            both = "True" if distinct else "False"
        code = f"({both} if {some} else {code})"
    return Value(code, "BOOLEAN", null=False)


@operator("between")
def _between(w: Writer, op: Op) -> Value:
    value, low, high = _sides(w, op.args)
    inside = f"({compared('>=', value, low)} and {compared('<=', value, high)})"
    if not (low.null or high.null):
        return w.strict([value], lambda *_: inside, "BOOLEAN")
    above, below = _pair(w, ">=", value, low), _pair(w, "<=", value, high)
    code = f"(False if {above} is False or {below} is False else None if {above} is None or {below} is None else True)"
    return Value(code, "BOOLEAN")


def _pair(w: Writer, op: str, left: Value, right: Value) -> str:
    return w.named(w.strict([left, right], lambda *_: f"({compared(op, left, right)})", "BOOLEAN")).code


@operator("in")
def _in(w: Writer, op: Op) -> Value:
    value, *options = _sides(w, op.args)
    if value.is_const and value.const is None:
        return null("BOOLEAN")
    given = [option for option in options if not (option.is_const and option.const is None)]
    if all(option.is_const and not option.nan for option in given):
        inside = f"{value.code} in ({', '.join(option.code for option in given)}{',' if given else ''})"
    else:
        tests = [f"({_present([option])}{compared('=', value, option)})" for option in given]
        inside = f"({' or '.join(tests)})"
    nulls = [option.code for option in options if option.null and not option.is_const]
    if any(option.is_const and option.const is None for option in options):
        inside = f"(True if {inside} else None)"
    elif nulls:
        missing = " or ".join(f"{name} is None" for name in nulls)
        inside = f"(True if {inside} else None if {missing} else False)"
    code = f"({inside})"
    if value.null:
        code = f"(None if {value.code} is None else {code})"
    return Value(code, "BOOLEAN", null=value.null or any(option.null for option in options))


# -- choices


@operator("case")
def _case(w: Writer, op: Op) -> Value:
    kind = _result_type(w, [*op.args[1:-1:2], op.args[-1]], op.type)
    return _cases(w, op.args, 0, kind)


def _result_type(w: Writer, results: Sequence[Expr], said: str) -> str:
    """The type of a CASE or coalesce; where the plan does not say it, the branches are tried."""
    if said:
        return said
    with w.branch():
        return common_type([w.value(result) for result in results])


def _cases(w: Writer, args: Sequence[Expr], place: int, kind: str) -> Value:
    if place == len(args) - 1:
        return cast(w, w.value(args[place]), kind)
    condition = truth(w, args[place])
    return _either(
        w,
        condition,
        lambda: cast(w, w.value(args[place + 1]), kind),
        lambda: _cases(w, args, place + 2, kind),
        kind,
    )


def _either(
    w: Writer, condition: str, then: Callable[[], Value], otherwise: Callable[[], Value], kind: str
) -> Value:
    """A value that depends on a condition; only the one that is needed is computed."""
    with w.branch() as first:
        yes = w.ready(then())
    with w.branch() as second:
        no = w.ready(otherwise())
    known = _joined(yes, no, kind)
    if not first.lines and not second.lines:
        return replace(known, code=f"({yes.code} if {condition} else {no.code})")
    name = w.name()
    w.line(f"if {condition}:")
    first.lines.append(f"{name} = {yes.code}")
    w.lines_of(first)
    w.line("else:")
    second.lines.append(f"{name} = {no.code}")
    w.lines_of(second)
    return replace(known, code=name, atom=True)


def _joined(one: Value, two: Value, kind: str) -> Value:
    """What is known of a value that is one of two."""
    values = [value for value in (one, two) if not (value.is_const and value.const is None)]
    bounded = values and all(value.low is not None and value.high is not None for value in values)
    return Value(
        "",
        kind,
        null=one.null or two.null,
        low=min(value.low or 0 for value in values) if bounded else None,
        high=max(value.high or 0 for value in values) if bounded else None,
        nan=any(value.nan for value in values),
        nonzero=all(value.nonzero for value in values),
        raw=any(value.raw for value in values),
    )


@function("coalesce", "ifnull")
def _coalesce(w: Writer, call: Call) -> Value:
    kind = _result_type(w, call.args, call.type)
    return _first_of(w, call.args, kind)


def _first_of(w: Writer, args: Sequence[Expr], kind: str) -> Value:
    value = cast(w, w.value(args[0]), kind)
    if not value.null or len(args) == 1:
        return value
    if value.is_const:
        return _first_of(w, args[1:], kind)
    name = w.named(value)
    present = replace(name, null=False)
    return _either(w, f"{name.code} is not None", lambda: present, lambda: _first_of(w, args[1:], kind), kind)


@function("nullif")
def _nullif(w: Writer, call: Call) -> Value:
    first, second = (w.value(arg) for arg in call.args)
    if second.is_const and second.const is None:
        return first
    kept = w.named(first)
    left, right = _one_type(w, [kept, second])
    # The value is the first, in the type of both where DuckDB casts it.
    result = kept if not call.type or call.type == kept.type else cast(w, kept, call.type)
    result = w.named(result)
    same = f"{_present([left, right])}{compared('=', left, right)}"
    zero = right.is_const and right.const == 0 and is_number(right.type)
    return replace(
        result,
        code=f"(None if {same} else {result.code})",
        null=True,
        atom=False,
        literal=False,
        nonzero=result.nonzero or zero,
        const=MISSING,
    )


@function("greatest", "least")
def _extreme(w: Writer, call: Call) -> Value:
    values = _sides(w, call.args)
    if any(list_item(value.type) for value in values):
        raise Unsupported(f"{call.name}() of lists is not compiled")
    op = ">" if call.name == "greatest" else "<"
    result = values[0]
    for value in values[1:]:
        if value.is_const and value.const is None:
            continue
        if result.is_const and result.const is None:
            result = value
            continue
        result = w.named(result)
        take = compared(op, value, result)
        if result.null:
            take = f"{result.code} is None or {take}"
        if value.null:
            take = f"{value.code} is not None and ({take})"
        known = _joined(result, value, result.type)
        result = replace(
            known,
            code=f"({value.code} if {take} else {result.code})",
            null=result.null and value.null,
        )
    if result.type == "FLOAT":  # by sort keys, in which both zeros are one
        return w.strict([result], "({} + 0.0)".format, "FLOAT", nan=result.nan)
    return replace(result, literal=False) if result.type != NULL else result
