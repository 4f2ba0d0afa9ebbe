"""Functions of lists, maps and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.sql.openmldb.functions.registry import arity, as_texts, named

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions


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


@named("json_array_length")
def _json_array_length(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.sql(
        node,
        lambda s: f"CASE WHEN json_valid({s}) THEN CAST(json_array_length({s}) AS INTEGER) END",
        *as_texts(x, node, args),
    )


@named("get_json_object")
def _get_json_object(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The value at a JSON pointer, as text; of what is no JSON, NULL."""
    arity(x, node, args, 2, 2)
    return x.sql(
        node,
        lambda s, p: f"CASE WHEN json_valid({s}) THEN json_extract_string({s}, {p}) END",
        *as_texts(x, node, args),
    )


@named("map")
def _map(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """``map(key, value, key, value, ...)``"""
    if not args or len(args) % 2:
        x.fail(node, "map() takes a value for each key", "write map('a', 1, 'b', 2)")
    sides = [x.bind(node, "op", "list", x.unified(node, args[place::2])) for place in (0, 1)]
    return x.bind(node, "call", "map", sides)


@named("at")
def _at(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """The n-th element of a list, from 0."""
    arity(x, node, args, 2, 2)
    if not x.type_of(args[0]).endswith("]"):
        x.fail(node, "at() of a column is a value of a window", "write at(x, 1) OVER w")
    place = x.convert(node, args[1], "BIGINT")
    return x.sql(node, lambda s, n: f"{s}[CASE WHEN {n} >= 0 THEN {n} + 1 END]", args[0], place)
