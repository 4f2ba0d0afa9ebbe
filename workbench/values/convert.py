"""One Python value into one column type: exact, or refused with the reason.

:func:`converter` gives the function for a type. It returns the plain Python value that the column stores (int, float,
str, bool, bytes, ``Decimal``, ``date``, ``time``, naive UTC ``datetime``, list, dict, list of pairs for a MAP) and
raises :class:`Unfit`. What is accepted beyond the type itself is what loses nothing: integers in floats and decimals,
``3.0`` in integers, ISO-8601 text in times, digits in decimals and 128-bit integers, base64 text in BLOB.
Floating point rounds to nearest, as every literal does; integers that it would change are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from workbench.errors import did_you_mean
from workbench.values.grammar import Decimal, Enum, List, Map, Struct, Type
from workbench.values.scalars import (
    SCALARS,
    Convert,
    Unfit,
    plain,
    show,
    to_decimal,
    to_integer,
    to_varchar,
    wrong_type,
)
from workbench.values.types import INTEGER_RANGES

__all__ = ["Convert", "Unfit", "converter", "show"]


@lru_cache(maxsize=4096)
def converter(node: Type) -> Convert:
    """Return the function that turns any non-NULL value into one of type ``node``, or raises :class:`Unfit`."""
    if isinstance(node, Decimal):
        return to_decimal(node)
    if isinstance(node, Enum):
        return _enum(node)
    if isinstance(node, List):
        return _list(node)
    if isinstance(node, Struct):
        return _struct(node)
    if isinstance(node, Map):
        return _map(node)
    if node.name in INTEGER_RANGES:
        return to_integer(node.name)
    return SCALARS[node.name]


def _enum(node: Enum) -> Convert:
    def convert(value: Any) -> Any:
        text = to_varchar(value)
        if text is not None and text not in node.labels:
            raise Unfit(
                f"{show(text)} is not one of {', '.join(node.labels)}", did_you_mean(text, node.labels)
            )
        return text

    return convert


# --- nested ---


def _list(node: List) -> Convert:
    item = converter(node.item)

    def convert(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            value = _sequence(value, node)
        if node.size is not None and len(value) != node.size:
            raise Unfit(f"it has {len(value)} elements where {node} has {node.size}")
        return [None if one is None else _inside(item, one, f"[{at}]") for at, one in enumerate(value)]

    return convert


def _sequence(value: Any, node: List) -> Any:
    items = value.tolist() if hasattr(value, "tolist") else plain(value)
    if not isinstance(items, list | tuple):
        raise wrong_type(value, str(node), "send a list")
    return items


def _struct(node: Struct) -> Convert:
    items = {name: converter(item) for name, item in node.fields}

    def convert(value: Any) -> Any:
        value = plain(value)
        if not isinstance(value, Mapping):
            raise wrong_type(value, str(node), "send an object with these fields")
        for name in value:
            if name not in items:
                raise Unfit(f"unknown field {name!r} in {node}", did_you_mean(str(name), items))
        return {
            name: None if value.get(name) is None else _inside(item, value[name], f".{name}")
            for name, item in items.items()
        }

    return convert


def _map(node: Map) -> Convert:
    to_key, to_value = converter(node.key), converter(node.value)

    def convert(value: Any) -> Any:
        value = plain(value)
        pairs = list(value.items()) if isinstance(value, Mapping) else value
        if not isinstance(pairs, list | tuple) or any(
            not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs
        ):
            raise wrong_type(value, str(node), "send an object, or a list of [key, value]")
        result = []
        for key, one in pairs:
            place = f"[{show(key)}]"
            name = None if key is None else _inside(to_key, key, place)
            if name is None:  # also what stands for NULL, such as numpy's NaT
                raise Unfit(f"a key of {node} is null")
            result.append((name, None if one is None else _inside(to_value, one, place)))
        keys = [repr(key) for key, _ in result]
        if len(set(keys)) < len(keys):
            raise Unfit(f"a key is there twice in {show(value)} ({node})")
        return result

    return convert


def _inside(convert: Convert, value: Any, place: str) -> Any:
    try:
        return convert(value)
    except Unfit as unfit:
        raise Unfit(f"{place}: {unfit.message}", unfit.hint) from None
