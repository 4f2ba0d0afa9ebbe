"""Parameters of a query as they are written in a terminal or in the line of a magic: ``days=7``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
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
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise WorkbenchError(f"a parameter is written name=value, not {text!r}", hint="such as days=7")
        values[name.strip()] = literal(value.strip())
    return values


def literal(text: str) -> Any:
    """Return the value of one of Python's literals, and anything else as text.

    >>> literal("7"), literal("Oslo")
    (7, 'Oslo')
    """
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
