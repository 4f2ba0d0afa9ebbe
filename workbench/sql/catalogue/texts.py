"""Values as OpenMLDB's text aggregates write them."""

from __future__ import annotations


def as_text(value: str, kind: str) -> str:
    """Return DuckDB text that writes a value of a type: floats with six digits, times to the second.

    A dialect that shows times on another clock than UTC says so in the type: ``TIMESTAMP + INTERVAL 8 HOUR``.
    """
    if kind in ("FLOAT", "DOUBLE"):
        return f"printf('%f', {value})"
    if kind.startswith("TIMESTAMP"):
        return f"strftime({value}{kind.removeprefix('TIMESTAMP')}, '%Y-%m-%d %H:%M:%S')"
    return f"CAST({value} AS VARCHAR)"


def joined(items: str) -> str:
    """Return DuckDB text that joins a list of texts with commas; '' of none."""
    return f"coalesce(array_to_string({items}, ','), '')"
