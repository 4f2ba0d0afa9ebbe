"""Functions of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.ops import Native
from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.functions.registry import arity, named

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions


def _float_kind(x: OpenMLDBExpressions, value: ops.Value) -> str:
    return "FLOAT" if x.type_of(value) == "FLOAT" else "DOUBLE"


def _real(
    x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value], build: Callable[[str], str]
) -> ops.Value:
    """A function of a real number that returns FLOAT of FLOAT, and DOUBLE of every other number."""
    arity(x, node, args, 1, 1)
    kind = _float_kind(x, args[0])
    number = x.convert(node, x.number(node, args[0]), "DOUBLE")
    value = x.sql(node, build, number)
    return x.convert(node, value, kind)


#: Real functions of DuckDB, and where they are defined; elsewhere C gives NaN, which DuckDB refuses.
_DOMAIN = {
    **dict.fromkeys(("acos", "asin"), "abs({0}) <= 1"),
    "sqrt": "{0} >= 0",
    "cot": "{0} <> 0",
    **dict.fromkeys(("cos", "sin", "tan", "atan", "exp", "degrees", "radians"), "true"),
}


@named(*_DOMAIN)
def _real_function(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    name = node.name.casefold()
    domain = _DOMAIN[name]
    if domain == "true":
        return _real(x, node, args, lambda n: f"{name}({n})")
    return _real(
        x,
        node,
        args,
        lambda n: f"CASE WHEN {domain.format(n)} OR {n} IS NULL THEN {name}({n}) ELSE 'nan'::DOUBLE END",
    )


def _logarithm(name: str) -> Callable[[str], str]:
    return lambda n: (
        f"CASE WHEN {n} > 0 OR {n} IS NULL THEN {name}({n}) WHEN {n} = 0 THEN '-inf'::DOUBLE ELSE 'nan'::DOUBLE END"
    )


@named("log", "ln", "log2", "log10")
def _log(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """``log(x)`` is the natural logarithm; ``log(b, x)`` that to the base b."""
    name = {"log": "ln"}.get(node.name.casefold(), node.name.casefold())
    if len(args) == 2 and node.name.casefold() == "log":
        base, number = (x.convert(node, x.number(node, value), "DOUBLE") for value in args)
        return x.sql(
            node, lambda b, n: f"({_logarithm('ln')(n)}) / nullif(({_logarithm('ln')(b)}), 0)", base, number
        )
    return _real(x, node, args, _logarithm(name))


@named("pow", "power", "atan2")
def _two_reals(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    name = {"power": "pow"}.get(node.name.casefold(), node.name.casefold())
    numbers = [x.convert(node, x.number(node, value), "DOUBLE") for value in args]
    return x.bind(node, "call", name, numbers)


@named("abs")
def _abs(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    number = x.number(node, args[0])
    kind = {"SMALLINT": "INTEGER", "INTEGER": "INTEGER", "BIGINT": "BIGINT"}.get(x.type_of(number), "DOUBLE")
    room = {"INTEGER": "BIGINT", "BIGINT": "HUGEINT"}.get(kind)
    if room is None:
        return x.bind(node, "call", "abs", [x.convert(node, number, "DOUBLE")])
    return x.sql(node, lambda n: t.wrapped(f"abs(CAST({n} AS {room}))", kind), number)


@named("ceil", "ceiling", "floor", "truncate", "round")
def _rounded(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Whole numbers stay BIGINT (round of an INTEGER stays one); FLOAT and DOUBLE stay what they are."""
    names = {"ceiling": "ceil", "truncate": "trunc"}
    name = names.get(node.name.casefold(), node.name.casefold())
    arity(x, node, args, 1, 2 if name == "round" else 1)
    number = x.number(node, args[0])
    kind = x.type_of(number)
    if len(args) == 2:
        places = x.convert(node, args[1], "INTEGER")
        value = x.bind(node, "call", "round", [x.convert(node, number, "DOUBLE"), places])
        return x.convert(node, value, kind if kind in t.INTEGERS else "DOUBLE")
    if kind in t.INTEGERS:
        return x.convert(node, number, "BIGINT" if name != "round" or kind == "BIGINT" else "INTEGER")
    return _real(x, node, [number], lambda n: f"{name}({n})")


@named("pmod")
def _pmod(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The remainder that is never negative."""
    arity(x, node, args, 2, 2)
    numbers = [x.number(node, value) for value in args]
    kind = t.wider(*(x.type_of(number) for number in numbers))
    kind = "SMALLINT" if kind == "BOOLEAN" else kind
    room = "HUGEINT" if kind in t.INTEGERS else kind

    def build(a: str, b: str) -> str:
        divisor = f"nullif(CAST({b} AS {room}), 0)"
        return f"CAST(((CAST({a} AS {room}) % {divisor}) + {divisor}) % {divisor} AS {kind})"

    return x.sql(node, build, *numbers)


@named("maximum", "minimum")
def _extreme(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The greater or smaller of two values, NULL where either is."""
    arity(x, node, args, 2, 2)
    a, b = x.unified(node, args)
    op = ">=" if node.name.casefold() == "maximum" else "<="
    return x.sql(
        node,
        lambda m, n: f"CASE WHEN {m} {op} {n} THEN {m} WHEN {n} IS NOT NULL AND {m} IS NOT NULL THEN {n} END",
        a,
        b,
    )


@named("inc")
def _inc(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.arithmetic(node, "+", args[0], Native("literal", "CAST(1 AS SMALLINT)", (), "SMALLINT"))


@named("add")
def _add(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    return x.arithmetic(node, "+", *args)
