"""Parameters of a query as they are written in a terminal or in the line of a magic: ``days=7``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workbench.errors import WorkbenchError


def assigned(texts: Iterable[str]) -> dict[str, Any]:
    """Return the values of assignments: Python's literals, and anything else as text.

    Raises
    ------
    WorkbenchError
        One of them is no assignment.

    Examples
    --------
    >>> assigned(["days=7", "kinds=['food', 'fuel']", "shop=Oslo", "none=None"])
    {'days': 7, 'kinds': ['food', 'fuel'], 'shop': 'Oslo', 'none': None}
    """
    return {name: literal(value) for name, value in _pairs(texts)}


def assigned_to(texts: Iterable[str], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of assignments to columns, whose types say how they are read: text columns take text as it is.

    Raises
    ------
    WorkbenchError
        One of them is no assignment.

    Examples
    --------
    >>> assigned_to(["zip=01234", "card=7", "shop=None"], {"zip": "VARCHAR", "card": "BIGINT", "shop": "VARCHAR"})
    {'zip': '01234', 'card': 7, 'shop': None}
    """
    kinds = {column.casefold(): kind for column, kind in columns.items()}
    values: dict[str, Any] = {}
    for name, text in _pairs(texts):
        value = literal(text)
        values[name] = text if kinds.get(name.casefold()) == "VARCHAR" and value is not None else value
    return values


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise WorkbenchError(f"a parameter is written name=value, not {text!r}", hint="such as days=7")
        yield name.strip(), value.strip()


def literal(text: str) -> Any:
    """Return the value of one of Python's literals, and anything else as text.

    >>> literal("7"), literal("Oslo")
    (7, 'Oslo')
    """
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
