"""Whether two results are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

#: The suite's own numbers are written by hand with few digits.
TOLERANCE = {"FLOAT": 1e-5, "DOUBLE": 1e-6}


def difference(
    names: Sequence[str],
    types: Sequence[str],
    expected: Sequence[tuple[Any, ...]],
    found: Sequence[tuple[Any, ...]],
    order: str | None,
) -> str | None:
    """Return the first difference in words, or None where the results are the same.

    Parameters
    ----------
    names, types
        The columns.
    expected, found
        The rows.
    order
        The column to sort both by; None compares them as bags of rows.
    """
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}: {found} instead of {expected}"
    place = next((i for i, name in enumerate(names) if name == order), None)

    def key(row: tuple[Any, ...]) -> list[tuple[bool, str, Any]]:
        values = row if place is None else (row[place], *row)
        return [_sortable(value) for value in values]

    pairs = list(zip(expected, found, strict=True))
    if order is not None or not all(_same_row(types, *pair) for pair in pairs):
        pairs = list(zip(sorted(expected, key=key), sorted(found, key=key), strict=True))
    for wanted, given in pairs:
        if not _same_row(types, wanted, given):
            at = next(i for i, kind in enumerate(types) if not same(kind, wanted[i], given[i]))
            return f"{names[at]} is {given[at]!r} instead of {wanted[at]!r} in {wanted}"
    return None


def _same_row(types: Sequence[str], wanted: tuple[Any, ...], given: tuple[Any, ...]) -> bool:
    return all(same(kind, *pair) for kind, pair in zip(types, zip(wanted, given, strict=True), strict=True))


def same(kind: str, wanted: Any, given: Any) -> bool:
    """Whether two values of a type are the same, floats within :data:`TOLERANCE`."""
    if wanted is None or given is None or kind not in TOLERANCE:
        return wanted == given
    if math.isnan(wanted) or math.isnan(given):
        return math.isnan(wanted) and math.isnan(given)
    return math.isclose(wanted, given, rel_tol=TOLERANCE[kind], abs_tol=TOLERANCE[kind])


def _sortable(value: Any) -> tuple[bool, str, Any]:
    if isinstance(value, float):
        value = float("-inf") if math.isnan(value) else float(f"{value:.5g}")
    return (value is None, type(value).__name__ if value is not None else "", value)
