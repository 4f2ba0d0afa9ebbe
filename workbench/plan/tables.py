"""What a query needs to know of a table: its columns and which of them is time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceTable:
    """A table as queries see it: column names with DuckDB types; ``time`` None means that it is static.

    A row becomes known ``delay`` microseconds after its time, or at the time in the column ``known``; it is visible for
    ``ttl`` microseconds.
    """

    name: str
    columns: dict[str, str]
    time: str | None = None
    delay: int = 0
    known: str | None = None
    ttl: int | None = None
