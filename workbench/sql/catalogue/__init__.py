"""The functions that the workbench adds to DuckDB's: one entry each, from which the translator, the completion and the
reference page are made.

An entry is not an implementation: it says what DuckDB expression a call stands for, and that expression is what both
sides run. Entries with ``native`` only document a function of DuckDB, or give it another name.
"""

from __future__ import annotations

from workbench.sql.catalogue import (
    by_key,
    conditional,
    counting,
    dates,
    encoding,
    geography,
    hashing,
    numbers,
    order,
    statistics,
    strings,
    time,
    top,
)
from workbench.sql.catalogue.entry import Function, Parameter, Part

#: Topics in the order of the reference, each with a sentence and its functions.
TOPICS: dict[str, tuple[str, tuple[Function, ...]]] = {
    "Counting": ("How many rows, values, distinct values.", counting.FUNCTIONS),
    "Conditional": ("Aggregates of the rows that satisfy a condition.", conditional.FUNCTIONS),
    "By key": (
        "Aggregates of a window for each value of a key; the work grows with rows times keys.",
        by_key.FUNCTIONS,
    ),
    "Top": ("The greatest and the most frequent values.", top.FUNCTIONS),
    "Order": ("Single rows, changes and runs in the window's order.", order.FUNCTIONS),
    "Time": ("Decay, gaps between rows, sessions, time since.", time.FUNCTIONS),
    "Statistics": ("Spread, trend, and the anchor row against its window.", statistics.FUNCTIONS),
    "Strings and lists": ("Splitting, joining, comparing.", strings.FUNCTIONS),
    "Dates": ("Parts of times and steps between them.", dates.FUNCTIONS),
    "Numbers": ("Arithmetic that says what it does with NULL.", numbers.FUNCTIONS),
    "Geography": ("Distances on the globe.", geography.FUNCTIONS),
    "Hashing": ("Stable hashes and buckets of them.", hashing.FUNCTIONS),
    "Encoding": ("Numbers as positions on a circle or in buckets.", encoding.FUNCTIONS),
}
_FOUND = {
    name: function
    for _, functions in TOPICS.values()
    for function in functions
    for name in (function.name, *function.aliases)
}


def find(name: str) -> Function | None:
    """Return the entry of a function by its name or another name of it, in any case, or None."""
    return _FOUND.get(name.casefold())


def names() -> list[str]:
    """Every name of the catalogue, other names included, sorted."""
    return sorted(_FOUND)


__all__ = ["TOPICS", "Function", "Parameter", "Part", "find", "names"]
