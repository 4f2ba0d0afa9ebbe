"""Which types a feature can have: those that Arrow, JSON and both sides carry without loss."""

from __future__ import annotations

from workbench.errors import WorkbenchError
from workbench.values.types import arrow_type

#: Times that are exactly TIMESTAMP (UTC, microseconds) in another coat.
TIMES = frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS"})


def refusal(kind: str) -> tuple[str, str] | None:
    """Return why a feature cannot have a type, and what to do, or None when it can.

    >>> refusal("BIGINT") is None, refusal("BIT")
    (True, ('a feature cannot be BIT', 'CAST it to another type, such as VARCHAR'))
    """
    if "WITH TIME ZONE" in kind or any(
        name in kind for name in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
    ):
        return f"a feature cannot be {kind}", "CAST it AS TIMESTAMP, which is UTC in microseconds"
    try:
        arrow_type(kind)
    except WorkbenchError:
        return f"a feature cannot be {kind}", "CAST it to another type, such as VARCHAR"
    return None
