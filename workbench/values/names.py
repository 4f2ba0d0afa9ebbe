"""Names of tables, views and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workbench.errors import WorkbenchError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 128


def check_name(name: str, what: str) -> str:
    """Return the name of a table or view, or say why it cannot be one.

    >>> check_name("card_risk", "view")
    'card_risk'
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or len(name) > _LONGEST:
        raise WorkbenchError(
            f"{name!r} cannot be the name of a {what}",
            hint=f"use letters, digits and _, not starting with a digit, at most {_LONGEST} characters",
        )
    if name.startswith("__"):
        raise WorkbenchError(f"{name!r}: names starting with __ are reserved", hint=f"rename the {what}")
    return name


def check_columns(names: Iterable[object]) -> None:
    """Raise when the columns of a table cannot be named like this.

    Names are text, differ by more than case (as in DuckDB), and do not start with ``__``.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise WorkbenchError(
                f"a column cannot be named {name!r}", hint="give every column a name that is text"
            )
        if name.startswith("__"):
            raise WorkbenchError(
                f"column {name!r}: names starting with __ are reserved", hint="rename the column", field=name
            )
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            twice = f"column {name!r} is there twice"
            differ = f"columns {other!r} and {name!r} differ only in case, which SQL does not see"
            raise WorkbenchError(twice if other == name else differ, hint="rename one of them", field=name)
    if not seen:
        raise WorkbenchError("a table needs at least one column")


def unused(name: str, taken: set[str]) -> str:
    """Return a name, with a number where it is taken in any case, and count it among the taken ones.

    >>> taken = {"t"}
    >>> unused("T", taken), unused("t", taken)
    ('T_2', 't_3')
    """
    found, number = name, 1
    while found.casefold() in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found.casefold())
    return found
