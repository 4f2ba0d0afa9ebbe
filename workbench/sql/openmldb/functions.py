"""OpenMLDB's scalar functions whose meaning is another in DuckDB, or that DuckDB lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.ops import Native
from workbench.sql.openmldb import types as t

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions

#: Given the translator, the call and its arguments, returns the value.
OpenMLDBFunction: TypeAlias = "Callable[[OpenMLDBExpressions, exp.Anonymous, list[ops.Value]], ops.Value]"
FUNCTIONS: dict[str, OpenMLDBFunction] = {}


def _named(*names: str) -> Callable[[OpenMLDBFunction], OpenMLDBFunction]:
    def register(function: OpenMLDBFunction) -> OpenMLDBFunction:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return register


def _arity(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value], low: int, high: int) -> None:
    if not low <= len(args) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        x.fail(node, f"{node.name}() takes {wanted} arguments, not {len(args)}")


# -- casts

_CASTS = {
    "bool": "BOOLEAN",
    "smallint": "SMALLINT",
    "int16": "SMALLINT",
    "int": "INTEGER",
    "int32": "INTEGER",
    "bigint": "BIGINT",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "varchar": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


@_named(*_CASTS)
def _cast(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.convert(node, args[0], _CASTS[node.name.casefold()])


# -- NULL


@_named("ifnull", "if_null", "nvl")
def _ifnull(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    return x.bind(node, "call", "coalesce", x.unified(node, args))


@_named("nvl2")
def _nvl2(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 3, 3)
    there = x.bind(node, "op", "not", [x.bind(node, "op", "is null", [args[0]])])
    return x.bind(node, "op", "case", [there, *x.unified(node, args[1:])])


@_named("isnull", "is_null")
def _isnull(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.bind(node, "op", "is null", args)


@_named("identity")
def _identity(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return args[0]


# -- text


def _texts(x: OpenMLDBExpressions, node: exp.Expr, args: list[ops.Value]) -> list[ops.Value]:
    return [x.convert(node, argument, "VARCHAR") for argument in args]


@_named("concat")
def _concat(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    return _joined(x, node, _texts(x, node, args))


def _joined(x: OpenMLDBExpressions, node: exp.Anonymous, parts: list[ops.Value]) -> ops.Value:
    if not parts:
        return x.constant(node, "''")
    result = parts[0]
    for part in parts[1:]:
        result = x.bind(node, "op", "||", [result, part])
    # With a literal NULL among the parts, DuckDB gives it no type of its own.
    return x.convert(node, result, "VARCHAR")


@_named("concat_ws")
def _concat_ws(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    if not args:
        x.fail(node, "concat_ws() takes a separator and values")
    separator, *values = _texts(x, node, args)
    parts = [part for value in values for part in (separator, value)][1:]
    return _joined(x, node, parts)


@_named("substr", "substring")
def _substr(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """From the n-th character, from the end where n is negative; '' where there is nothing."""
    _arity(x, node, args, 2, 3)
    value = x.convert(node, args[0], "VARCHAR")
    numbers = [x.convert(node, argument, "BIGINT") for argument in args[1:]]

    def build(s: str, n: str, count: str = "9223372036854775807") -> str:
        outside = f"{n} = 0 OR abs({n}) > length({s}) OR {count} <= 0"
        rest = f"substring({s}, {n}, least({count}, length({s})))"
        return f"CASE WHEN {s} IS NOT NULL AND {n} IS NOT NULL AND {count} IS NOT NULL THEN " + (
            f"CASE WHEN {outside} THEN '' ELSE {rest} END END"
        )

    return x.sql(node, build, value, *numbers)


@_named("strcmp")
def _strcmp(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    return x.sql(
        node,
        lambda a, b: f"CASE WHEN {a} < {b} THEN -1 WHEN {a} > {b} THEN 1 WHEN {a} = {b} THEN 0 END",
        *_texts(x, node, args),
    )


@_named("replace")
def _replace(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 3)
    parts = _texts(x, node, args)
    return x.bind(node, "call", "replace", [*parts, x.constant(node, "''")][:3])


@_named("char")
def _char(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    number = x.convert(node, args[0], "INTEGER")
    return x.sql(node, lambda n: f"chr(CAST((({n} % 256) + 256) % 256 AS INTEGER))", number)


@_named("char_length", "character_length")
def _char_length(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Bytes, not characters."""
    _arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(strlen({s}) AS INTEGER)", *_texts(x, node, args))


@_named("lcase", "lower", "ucase", "upper", "reverse")
def _letters(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    names = {"lcase": "lower", "ucase": "upper"}
    name = names.get(node.name.casefold(), node.name.casefold())
    return x.bind(node, "call", name, _texts(x, node, args))


@_named("like_match", "ilike_match")
def _like_match(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 3)
    word = "ILIKE" if node.name.casefold().startswith("i") else "LIKE"
    return x.like(node, word, args[0], args[1], args[2] if len(args) > 2 else None)


@_named("regexp_like")
def _regexp_like(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 3)
    return x.bind(node, "call", "regexp_full_match", _texts(x, node, args))


@_named("locate")
def _locate(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 3)
    part, whole = _texts(x, node, args[:2])
    start = x.convert(node, args[2], "INTEGER") if len(args) > 2 else x.constant(node, "1")

    def build(p: str, s: str, n: str) -> str:
        rest = f"substring({s}, {n})"
        found = f"CASE WHEN strpos({rest}, {p}) = 0 THEN 0 ELSE strpos({rest}, {p}) + {n} - 1 END"
        inside = f"CASE WHEN {n} < 1 OR {n} > length({s}) + 1 THEN 0 WHEN {p} = '' THEN {n} ELSE {found} END"
        there = f"{p} IS NOT NULL AND {s} IS NOT NULL AND {n} IS NOT NULL"
        return f"CAST(CASE WHEN {there} THEN {inside} END AS INTEGER)"

    return x.sql(node, build, part, whole, start)


@_named("hex")
def _hex(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    kind = x.type_of(args[0])
    if kind == "VARCHAR":
        return x.sql(node, lambda s: f"hex(encode({s}))", args[0])
    number = args[0]
    if kind in t.FLOATS:
        number = x.bind(node, "call", "round", [number])
    number = x.convert(node, number, "BIGINT")
    return x.sql(node, lambda n: f"hex({n})", number)


@_named("unhex")
def _unhex(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)

    def build(s: str) -> str:
        good = f"regexp_full_match({s}, '[0-9A-Fa-f]*')"
        even = f"CASE WHEN length({s}) % 2 = 1 THEN '0' || {s} ELSE {s} END"
        return f"CASE WHEN {good} THEN try(decode(unhex({even}))) END"

    return x.sql(node, build, *_texts(x, node, args))


@_named("size")
def _size(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(coalesce(len({s}), 0) AS INTEGER)", args[0])


# -- lists, of parts of texts

_COUNTED = "list_aggregate({parts}, 'histogram')"
_BY_COUNT = f"list_sort(list_transform(map_entries({_COUNTED}), lambda __e: {{{{'n': -__e.value, 'part': __e.key}}}}))"
_MOST = f"list_transform({_BY_COUNT}[:{{n}}], lambda __e: __e.part)"
#: Aggregates of the parts of window_split(): given the list of parts, and a number.
OF_PARTS = {
    "topn_frequency": "CASE WHEN coalesce(len({parts}), 0) = 0 THEN '' "
    f"ELSE array_to_string(list_resize({_MOST}, {{n}}, 'NULL'), ',') END",
    "top1_ratio": f"coalesce(list_max(map_values({_COUNTED})) / len({{parts}}), 0)",
    "distinct_count": "CAST(coalesce(list_unique({parts}), 0) AS BIGINT)",
}


@_named("json_array_length")
def _json_array_length(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.sql(
        node,
        lambda s: f"CASE WHEN json_valid({s}) THEN CAST(json_array_length({s}) AS INTEGER) END",
        *_texts(x, node, args),
    )


@_named("get_json_object")
def _get_json_object(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The value at a JSON pointer, as text; of what is no JSON, NULL."""
    _arity(x, node, args, 2, 2)
    return x.sql(
        node,
        lambda s, p: f"CASE WHEN json_valid({s}) THEN json_extract_string({s}, {p}) END",
        *_texts(x, node, args),
    )


@_named("map")
def _map(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """``map(key, value, key, value, ...)``"""
    if not args or len(args) % 2:
        x.fail(node, "map() takes a value for each key", "write map('a', 1, 'b', 2)")
    sides = [x.bind(node, "op", "list", x.unified(node, args[place::2])) for place in (0, 1)]
    return x.bind(node, "call", "map", sides)


@_named("at")
def _at(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The n-th element of a list, from 0."""
    _arity(x, node, args, 2, 2)
    if not x.type_of(args[0]).endswith("]"):
        x.fail(node, "at() of a column is a value of a window", "write at(x, 1) OVER w")
    place = x.convert(node, args[1], "BIGINT")
    return x.sql(node, lambda s, n: f"{s}[CASE WHEN {n} >= 0 THEN {n} + 1 END]", args[0], place)


# -- numbers


def _float_kind(x: OpenMLDBExpressions, value: ops.Value) -> str:
    return "FLOAT" if x.type_of(value) == "FLOAT" else "DOUBLE"


def _real(
    x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value], build: Callable[[str], str]
) -> ops.Value:
    """A function of a real number that returns FLOAT of FLOAT, and DOUBLE of every other number."""
    _arity(x, node, args, 1, 1)
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


@_named(*_DOMAIN)
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


@_named("log", "ln", "log2", "log10")
def _log(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """``log(x)`` is the natural logarithm; ``log(b, x)`` that to the base b."""
    name = {"log": "ln"}.get(node.name.casefold(), node.name.casefold())
    if len(args) == 2 and node.name.casefold() == "log":
        base, number = (x.convert(node, x.number(node, value), "DOUBLE") for value in args)
        return x.sql(
            node, lambda b, n: f"({_logarithm('ln')(n)}) / nullif(({_logarithm('ln')(b)}), 0)", base, number
        )
    return _real(x, node, args, _logarithm(name))


@_named("pow", "power", "atan2")
def _two_reals(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    name = {"power": "pow"}.get(node.name.casefold(), node.name.casefold())
    numbers = [x.convert(node, x.number(node, value), "DOUBLE") for value in args]
    return x.bind(node, "call", name, numbers)


@_named("abs")
def _abs(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    number = x.number(node, args[0])
    kind = {"SMALLINT": "INTEGER", "INTEGER": "INTEGER", "BIGINT": "BIGINT"}.get(x.type_of(number), "DOUBLE")
    room = {"INTEGER": "BIGINT", "BIGINT": "HUGEINT"}.get(kind)
    if room is None:
        return x.bind(node, "call", "abs", [x.convert(node, number, "DOUBLE")])
    return x.sql(node, lambda n: t.wrapped(f"abs(CAST({n} AS {room}))", kind), number)


@_named("ceil", "ceiling", "floor", "truncate", "round")
def _rounded(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Whole numbers stay BIGINT (round of an INTEGER stays one); FLOAT and DOUBLE stay what they are."""
    names = {"ceiling": "ceil", "truncate": "trunc"}
    name = names.get(node.name.casefold(), node.name.casefold())
    _arity(x, node, args, 1, 2 if name == "round" else 1)
    number = x.number(node, args[0])
    kind = x.type_of(number)
    if len(args) == 2:
        places = x.convert(node, args[1], "INTEGER")
        value = x.bind(node, "call", "round", [x.convert(node, number, "DOUBLE"), places])
        return x.convert(node, value, kind if kind in t.INTEGERS else "DOUBLE")
    if kind in t.INTEGERS:
        return x.convert(node, number, "BIGINT" if name != "round" or kind == "BIGINT" else "INTEGER")
    return _real(x, node, [number], lambda n: f"{name}({n})")


@_named("pmod")
def _pmod(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The remainder that is never negative."""
    _arity(x, node, args, 2, 2)
    numbers = [x.number(node, value) for value in args]
    kind = t.wider(*(x.type_of(number) for number in numbers))
    kind = "SMALLINT" if kind == "BOOLEAN" else kind
    room = "HUGEINT" if kind in t.INTEGERS else kind

    def build(a: str, b: str) -> str:
        divisor = f"nullif(CAST({b} AS {room}), 0)"
        return f"CAST(((CAST({a} AS {room}) % {divisor}) + {divisor}) % {divisor} AS {kind})"

    return x.sql(node, build, *numbers)


@_named("maximum", "minimum")
def _extreme(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The greater or smaller of two values, NULL where either is."""
    _arity(x, node, args, 2, 2)
    a, b = x.unified(node, args)
    op = ">=" if node.name.casefold() == "maximum" else "<="
    return x.sql(
        node,
        lambda m, n: f"CASE WHEN {m} {op} {n} THEN {m} WHEN {n} IS NOT NULL AND {m} IS NOT NULL THEN {n} END",
        a,
        b,
    )


@_named("inc")
def _inc(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.arithmetic(node, "+", args[0], Native("literal", "CAST(1 AS SMALLINT)", (), "SMALLINT"))


@_named("add")
def _add(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    return x.arithmetic(node, "+", *args)


# -- dates, in the zone


def _local(x: OpenMLDBExpressions, node: exp.Anonymous, value: ops.Value) -> ops.Value:
    """A date, or a time in the zone; numbers are milliseconds, and a text is a time."""
    if x.type_of(value) == "DATE":
        return value
    time = x.convert(node, value, "TIMESTAMP")
    return x.sql(node, lambda s: f"{s} + {t.ZONE}", time)


_PARTS = {
    **dict.fromkeys(("year", "month", "day", "hour", "minute", "second"), "{0}"),
    "dayofmonth": "day",
    "dayofyear": "dayofyear",
    "week": "week",
    "weekofyear": "week",
}


@_named(*_PARTS)
def _part(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    name = _PARTS[node.name.casefold()].format(node.name.casefold())
    return x.sql(node, lambda s: f"CAST({name}({s}) AS INTEGER)", _local(x, node, args[0]))


@_named("dayofweek")
def _dayofweek(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """1 is Sunday."""
    _arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(dayofweek({s}) + 1 AS INTEGER)", _local(x, node, args[0]))


@_named("last_day")
def _last_day(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(last_day({s}) AS DATE)", _local(x, node, args[0]))


@_named("date_format")
def _date_format(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    pattern = x.convert(node, args[1], "VARCHAR")
    return x.bind(node, "call", "strftime", [_local(x, node, args[0]), pattern])


@_named("datediff")
def _datediff(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Days from the second date to the first."""
    _arity(x, node, args, 2, 2)
    dates = [x.convert(node, value, "DATE") for value in args]
    return x.sql(node, lambda a, b: f"CAST({a} - {b} AS INTEGER)", *dates)


@_named("add_months")
def _add_months(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    _arity(x, node, args, 2, 2)
    date, count = x.convert(node, args[0], "DATE"), x.convert(node, args[1], "INTEGER")
    return x.sql(node, lambda d, n: f"try(CAST({d} + to_months({n}) AS DATE))", date, count)


@_named("unix_timestamp")
def _unix_timestamp(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Seconds; of nothing, NULL or '' those of now."""
    _arity(x, node, args, 0, 1)
    if not args:
        return x.sql(node, _seconds, x.now(node, "TIMESTAMP"))
    time = x.convert(node, args[0], "TIMESTAMP")
    if not x.has_now:
        return x.sql(node, _seconds, time)
    nothing = "{0} IS NULL OR {0} = ''" if x.type_of(args[0]) == "VARCHAR" else "{0} IS NULL"
    absent = x.bind(node, "sql", nothing, [args[0]])
    return x.sql(node, _seconds, x.bind(node, "op", "case", [absent, x.now(node, "TIMESTAMP"), time]))


def _seconds(time: str) -> str:
    return f"CAST(epoch_ms({time}) // 1000 AS BIGINT)"
