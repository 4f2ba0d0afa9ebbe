"""What a query needs to know of a table: its columns and which of them is time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceTable:
    """A table as queries see it: column names with DuckDB types; ``time`` None means that it is static."""

    name: str
    columns: dict[str, str]
    time: str | None = None
