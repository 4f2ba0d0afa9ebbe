"""Functions of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.functions.registry import arity, as_texts, named

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions


@named("concat")
def _concat(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    return _joined(x, node, as_texts(x, node, args))


def _joined(x: OpenMLDBExpressions, node: exp.Anonymous, parts: list[ops.Value]) -> ops.Value:
    if not parts:
        return x.constant(node, "''")
    result = parts[0]
    for part in parts[1:]:
        result = x.bind(node, "op", "||", [result, part])
    # With a literal NULL among the parts, DuckDB gives it no type of its own.
    return x.convert(node, result, "VARCHAR")


@named("concat_ws")
def _concat_ws(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    if not args:
        x.fail(node, "concat_ws() takes a separator and values")
    separator, *values = as_texts(x, node, args)
    parts = [part for value in values for part in (separator, value)][1:]
    return _joined(x, node, parts)


@named("substr", "substring")
def _substr(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """From the n-th character, from the end where n is negative; '' where there is nothing."""
    arity(x, node, args, 2, 3)
    value = x.convert(node, args[0], "VARCHAR")
    numbers = [x.convert(node, argument, "BIGINT") for argument in args[1:]]

    def build(s: str, n: str, count: str = "9223372036854775807") -> str:
        outside = f"{n} = 0 OR abs({n}) > length({s}) OR {count} <= 0"
        rest = f"substring({s}, {n}, least({count}, length({s})))"
        return f"CASE WHEN {s} IS NOT NULL AND {n} IS NOT NULL AND {count} IS NOT NULL THEN " + (
            f"CASE WHEN {outside} THEN '' ELSE {rest} END END"
        )

    return x.sql(node, build, value, *numbers)


@named("strcmp")
def _strcmp(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    return x.sql(
        node,
        lambda a, b: f"CASE WHEN {a} < {b} THEN -1 WHEN {a} > {b} THEN 1 WHEN {a} = {b} THEN 0 END",
        *as_texts(x, node, args),
    )


@named("replace")
def _replace(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 3)
    parts = as_texts(x, node, args)
    return x.bind(node, "call", "replace", [*parts, x.constant(node, "''")][:3])


@named("char")
def _char(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    number = x.convert(node, args[0], "INTEGER")
    return x.sql(node, lambda n: f"chr(CAST((({n} % 256) + 256) % 256 AS INTEGER))", number)


@named("char_length", "character_length")
def _char_length(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Bytes, not characters."""
    arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(strlen({s}) AS INTEGER)", *as_texts(x, node, args))


@named("lcase", "lower", "ucase", "upper", "reverse")
def _letters(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    names = {"lcase": "lower", "ucase": "upper"}
    name = names.get(node.name.casefold(), node.name.casefold())
    return x.bind(node, "call", name, as_texts(x, node, args))


@named("like_match", "ilike_match")
def _like_match(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 3)
    word = "ILIKE" if node.name.casefold().startswith("i") else "LIKE"
    return x.like(node, word, args[0], args[1], args[2] if len(args) > 2 else None)


@named("regexp_like")
def _regexp_like(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 3)
    return x.bind(node, "call", "regexp_full_match", as_texts(x, node, args))


@named("locate")
def _locate(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 3)
    part, whole = as_texts(x, node, args[:2])
    start = x.convert(node, args[2], "INTEGER") if len(args) > 2 else x.constant(node, "1")

    def build(p: str, s: str, n: str) -> str:
        rest = f"substring({s}, {n})"
        found = f"CASE WHEN strpos({rest}, {p}) = 0 THEN 0 ELSE strpos({rest}, {p}) + {n} - 1 END"
        inside = f"CASE WHEN {n} < 1 OR {n} > length({s}) + 1 THEN 0 WHEN {p} = '' THEN {n} ELSE {found} END"
        there = f"{p} IS NOT NULL AND {s} IS NOT NULL AND {n} IS NOT NULL"
        return f"CAST(CASE WHEN {there} THEN {inside} END AS INTEGER)"

    return x.sql(node, build, part, whole, start)


@named("hex")
def _hex(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    kind = x.type_of(args[0])
    if kind == "VARCHAR":
        return x.sql(node, lambda s: f"hex(encode({s}))", args[0])
    number = args[0]
    if kind in t.FLOATS:
        number = x.bind(node, "call", "round", [number])
    number = x.convert(node, number, "BIGINT")
    return x.sql(node, lambda n: f"hex({n})", number)


@named("unhex")
def _unhex(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)

    def build(s: str) -> str:
        good = f"regexp_full_match({s}, '[0-9A-Fa-f]*')"
        even = f"CASE WHEN length({s}) % 2 = 1 THEN '0' || {s} ELSE {s} END"
        return f"CASE WHEN {good} THEN try(decode(unhex({even}))) END"

    return x.sql(node, build, *as_texts(x, node, args))


@named("size")
def _size(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(coalesce(len({s}), 0) AS INTEGER)", args[0])
