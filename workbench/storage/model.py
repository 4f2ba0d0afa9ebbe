"""The nouns that storage hands out: tables, receipts, index specifications and the parts of the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

SEQ = "__seq"
ORD = "__ord"
RESERVED_PREFIX = "__"


@dataclass(frozen=True)
class StoredTable:
    """A table as storage knows it: columns with their DuckDB types, and the event-time column.

    ``options`` belongs to the layers above; storage keeps it without looking inside, except for ``id``, the column that
    names rows. ``id`` 0 means that the table is not stored yet (see :meth:`Storage.bulk_load`, which can create and
    fill a table in one commit).
    """

    id: int
    name: str
    columns: dict[str, str]
    time: str | None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def id_column(self) -> str | None:
        """The column whose values name rows: a row of a known id is not stored again."""
        name: str | None = self.options.get("id")
        return name


@dataclass(frozen=True)
class Receipt:
    """What an append answers: how many rows are new, and the arrival numbers they got.

    ``replayed`` says that the idempotency token was known, so nothing was stored this time. When no rows were stored,
    ``last_seq`` is ``first_seq - 1``. Of a table with ids, ``known`` counts the rows that were left out because a row
    of their id is stored, and ``different`` those among them whose content is another than that row's.
    """

    accepted: int
    first_seq: int
    last_seq: int
    replayed: bool = False
    known: int = 0
    different: int = 0


@dataclass(frozen=True)
class IndexSpec:
    """Which rows lie together: a table, its key columns, and the column that orders the rows of one key.

    ``order=None`` is arrival order; ``keys=()`` makes the whole table one key.
    """

    table: str
    keys: tuple[str, ...]
    order: str | None

    @cached_property
    def id(self) -> str:
        """A short text that is the same wherever the same index is meant."""
        text = json.dumps([self.table, list(self.keys), self.order])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.table}({', '.join(self.keys)}; {self.order or 'arrival'})"


@dataclass(frozen=True)
class IndexInfo:
    """An index as stored: its columns, whether a deployment relies on it, and its size."""

    spec: IndexSpec
    columns: tuple[str, ...]
    live: bool
    rows: int
    bytes: int


@dataclass(frozen=True)
class Part:
    """One immutable Parquet file of a table; the rows' seq is ``base_seq`` plus the file's relative ``__seq``."""

    id: int
    table_id: int
    path: str
    base_seq: int
    rows: int
    bytes: int
    min_seq: int
    max_seq: int
    first_time: int | None
    last_time: int | None


@dataclass(frozen=True)
class ColumnFile:
    """One file of a segment: a column, or the distinct keys with the offsets of their rows (column ``__keys``)."""

    column: str
    path: str
    bytes: int
    crc32: int


@dataclass(frozen=True)
class Segment:
    """The rows of one part in the order of one index, one file per column."""

    id: int
    part: Part
    files: dict[str, ColumnFile]


@dataclass(frozen=True)
class StoredIndex:
    """An index in the manifest; complete when every part of its table has a segment with all columns."""

    id: int
    spec: IndexSpec
    table_id: int
    live: bool
    columns: tuple[str, ...]
    segments: tuple[Segment, ...]
