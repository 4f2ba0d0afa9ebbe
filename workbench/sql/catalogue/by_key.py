"""Aggregates of a window for each value of a key: as a MAP, and as the text that OpenMLDB writes.

Rows without a key or without a value do not count. The work is rows x different keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.sql.catalogue.entry import Function, Part
from workbench.sql.catalogue.texts import as_text, joined

_AGGREGATES = {"sum": "The sum", "count": "How many values there are", "avg": "The mean"}
_AGGREGATES |= {"min": "The least value", "max": "The greatest value"}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_KEYS = "list_sort(list_distinct(list_transform({pairs}, lambda e: e.k)))"
_VALUES = "list_transform(list_filter({pairs}, lambda e: e.k = k), lambda e: e.v)"


def _pairs(where: str = "") -> dict[str, Part]:
    condition = "{x} IS NOT NULL AND {key} IS NOT NULL"
    return {
        "pairs": Part(
            "list",
            ("struct_pack(k := {key}, v := {x})",),
            f"({where}) AND {condition}" if where else condition,
        )
    }


def _aggregated(name: str, kind: str) -> str:
    """DuckDB text of an aggregate of the values of the key ``k``."""
    if name == "count":
        return f"len({_VALUES})"
    found = f"list_{name}({_VALUES})"
    return f"CAST({found} AS BIGINT)" if name == "sum" and kind in _INTEGERS else found


def _as_map(name: str) -> Any:
    def result(types: Mapping[str, str]) -> str:
        pair = f"struct_pack(key := k, value := {_aggregated(name, types['x'])})"
        return f"map_from_entries(list_transform({_KEYS}, lambda k: {pair}))"

    return result


def _value_text(name: str, types: Mapping[str, str], value: str) -> str:
    kind = {"count": "BIGINT", "avg": "DOUBLE"}.get(name, types["x"])
    return as_text(value, kind)


def _as_text(name: str, keys: str = _KEYS) -> Any:
    def result(types: Mapping[str, str]) -> str:
        value = _value_text(name, types, _aggregated(name, types["x"]))
        pair = f"{as_text('k', types['key'])} || ':' || {value}"
        return joined(f"list_transform({keys}, lambda k: {pair})")

    return result


def _greatest_values(name: str) -> Any:
    def result(types: Mapping[str, str]) -> str:
        pairs = (
            f"list_transform({_KEYS}, lambda k: struct_pack(v := {_aggregated(name, types['x'])}, k := k))"
        )
        pair = f"{as_text('e.k', types['key'])} || ':' || {_value_text(name, types, 'e.v')}"
        return joined(f"list_transform(list_reverse_sort({pairs})[1:{{n}}], lambda e: {pair})")

    return result


_BY_KEY: dict[str, Any] = {
    "sum": {"food": 40.0, "fuel": 20.0},
    "count": {"food": 2, "fuel": 1},
    "avg": {"food": 20.0, "fuel": 20.0},
    "min": {"food": 10.0, "fuel": 20.0},
    "max": {"food": 30.0, "fuel": 20.0},
}


def _written(name: str, values: Mapping[str, Any], keys: list[str]) -> str:
    return ",".join(f"{k}:{values[k]}" if name == "count" else f"{k}:{values[k]:f}" for k in keys)


def _kind(name: str) -> str:
    return "number" if name in ("sum", "avg") else "any"


def _maps(name: str, what: str) -> Function:
    return Function(
        f"{name}_by_key",
        f"x: {_kind(name)}, key",
        f"{what} for each value of the key, as a MAP sorted by key.",
        f"{name}_by_key(amount, shop) OVER w",
        _BY_KEY[name],
        parts=_pairs(),
        result=_as_map(name),
        source=f"{name}(x) GROUP BY key",
    )


def _cate(name: str, what: str) -> Function:
    return Function(
        f"{name}_cate",
        f"x: {_kind(name)}, key",
        f"{what} for each value of the key, as OpenMLDB's text key:value,key:value sorted by key.",
        f"{name}_cate(amount, shop) OVER w",
        _written(name, _BY_KEY[name], ["food", "fuel"]),
        parts=_pairs(),
        result=_as_text(name),
        empty="''",
        source="OpenMLDB",
    )


_ITEMS: dict[str, Any] = {
    "sum": {"food": 7, "fuel": 3},
    "count": {"food": 2, "fuel": 1},
    "avg": {"food": 3.5, "fuel": 3.0},
    "min": {"food": 2, "fuel": 3},
    "max": {"food": 5, "fuel": 3},
}


def _item_text(name: str, key: str) -> str:
    value = _ITEMS[name][key]
    return f"{key}:{value:f}" if name == "avg" else f"{key}:{value}"


def _cate_where(name: str, what: str) -> Function:
    return Function(
        f"{name}_cate_where",
        f"x: {_kind(name)}, condition, key",
        f"{what} for each value of the key among the rows that satisfy the condition, as OpenMLDB's text.",
        f"{name}_cate_where(items, items > 1, shop) OVER w",
        ",".join(_item_text(name, key) for key in ("food", "fuel")),
        parts=_pairs("{condition}"),
        result=_as_text(name),
        empty="''",
        source="OpenMLDB",
    )


def _top_keys(name: str, what: str) -> Function:
    return Function(
        f"top_n_key_{name}_cate_where",
        f"x: {_kind(name)}, condition, key, n: whole",
        f"{what} for each of the n greatest keys, greatest key first, as OpenMLDB's text.",
        f"top_n_key_{name}_cate_where(items, items > 1, shop, 1) OVER w",
        _item_text(name, "fuel"),
        parts=_pairs("{condition}"),
        result=_as_text(name, f"list_reverse({_KEYS})[1:{{n}}]"),
        empty="''",
        source="OpenMLDB",
    )


def _top_values(name: str, what: str) -> Function:
    values = _ITEMS[name]
    return Function(
        f"top_n_value_{name}_cate_where",
        f"x: {_kind(name)}, condition, key, n: whole",
        f"{what} for each key, the n greatest values first (the greater key among equal ones), as OpenMLDB's text.",
        f"top_n_value_{name}_cate_where(items, items > 1, shop, 1) OVER w",
        _item_text(name, max(values, key=lambda key: (values[key], key))),
        parts=_pairs("{condition}"),
        result=_greatest_values(name),
        empty="''",
        source="OpenMLDB",
    )


def _ratio(by: str, order: str, gives: str) -> Function:
    def result(types: Mapping[str, str]) -> str:
        count = "list_transform(list_filter({pairs}, lambda e: e.k = k), lambda e: e.c)"
        ratio = f"len(list_filter({count}, lambda c: c)) / len({count})"
        if by == "key":
            pairs = f"list_transform(list_reverse({_KEYS}), lambda k: struct_pack(v := {ratio}, k := k))"
        else:
            pairs = f"list_reverse_sort(list_transform({_KEYS}, lambda k: struct_pack(v := {ratio}, k := k)))"
        pair = f"{as_text('e.k', types['key'])} || ':' || {as_text('e.v', 'DOUBLE')}"
        return joined(f"list_transform(({pairs})[1:{{n}}], lambda e: {pair})")

    return Function(
        f"top_n_{by}_ratio_cate",
        "x, condition, key, n: whole",
        f"The share of each key's rows that satisfy the condition, {order}, as OpenMLDB's text.",
        f"top_n_{by}_ratio_cate(items, ok, shop, 2) OVER w",
        gives,
        parts={
            "pairs": Part(
                "list",
                ("struct_pack(k := {key}, c := coalesce({condition}, false))",),
                "{x} IS NOT NULL AND {key} IS NOT NULL",
            )
        },
        result=result,
        empty="''",
        source="OpenMLDB",
    )


FUNCTIONS = (
    Function(
        "count_by_value",
        "x",
        "How often each value occurs, as a MAP from value to count.",
        "count_by_value(shop) OVER w",
        {"food": 3, "fuel": 1},
        parts={"found": Part("histogram", ("{x}",))},
        result="{found}",
        source="DuckDB's histogram",
    ),
    *(_maps(name, what) for name, what in _AGGREGATES.items()),
    *(_cate(name, what) for name, what in _AGGREGATES.items()),
    *(_cate_where(name, what) for name, what in _AGGREGATES.items()),
    *(_top_keys(name, what) for name, what in _AGGREGATES.items()),
    *(_top_values(name, what) for name, what in _AGGREGATES.items()),
    _ratio("key", "the n greatest keys, greatest first", "fuel:0.000000,food:0.666667"),
    _ratio("value", "the n greatest shares first", "food:0.666667,fuel:0.000000"),
)
