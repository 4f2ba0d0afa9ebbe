"""The nouns that storage hands out: tables, receipts, index specifications and the parts of the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

SEQ = "__seq"
ORD = "__ord"
KEYS = "__keys"
TREE = "__tree:"
NEWER = "__newer:"
#: How the path of a segment file ends.
SUFFIX = ".seg"
RESERVED_PREFIX = "__"


@dataclass(frozen=True)
class Added:
    """A column that was added later: log records up to ``since`` lack it, and their rows have ``default`` in it.

    ``default`` is what DuckDB casts to the column's type; None is NULL.
    """

    since: int
    default: str | None


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
    added: dict[str, Added] = field(default_factory=dict)

    @property
    def id_column(self) -> str | None:
        """The column whose values name rows: a row of a known id is not stored again."""
        name: str | None = self.options.get("id")
        return name

    @property
    def checks(self) -> dict[str, Any] | None:
        """What rows must fulfil: ``rules``, ``on_invalid`` and, for those that do not, the table ``into``."""
        found: dict[str, Any] | None = self.options.get("checks")
        return found


@dataclass(frozen=True)
class Receipt:
    """What an append answers: how many rows are new, and the arrival numbers they got.

    ``replayed`` says that the idempotency token was known, so nothing was stored this time. When no rows were stored,
    ``last_seq`` is ``first_seq - 1``. Of a table with ids, ``known`` counts the rows that were left out because a row
    of their id is stored, and ``different`` those among them whose content is another than that row's.
    ``quarantined`` counts the rows that failed the table's checks and are in its quarantine.
    """

    accepted: int
    first_seq: int
    last_seq: int
    replayed: bool = False
    known: int = 0
    different: int = 0
    quarantined: int = 0


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
    """One immutable Parquet file of a table; the rows' seq is ``base_seq`` plus the file's relative ``__seq``.

    The file has the first ``columns`` of the table's columns; see :mod:`workbench.storage.added`.
    """

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
    columns: int


@dataclass(frozen=True)
class ColumnFile:
    """One file of a segment; ``crc32`` is that of its header, which holds the checksums of everything else.

    ``column`` is a column's name, ``__keys``, ``__ord``, ``__seq``, or ``__tree:`` or ``__newer:`` and a column's name.
    """

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
class Needs:
    """What an index holds besides its order.

    Parameters
    ----------
    columns
        Columns of the table.
    derived
        Further columns: name to SQL over the table's columns of one row, and its DuckDB type.
    trees
        Which columns have a tree of partial aggregates.
    newer
        Of which columns it is known how far the next newer row of the same value is.
    """

    columns: tuple[str, ...] = ()
    derived: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    trees: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Columns of the table, then derived ones."""
        return (*self.columns, *self.derived)

    def __or__(self, other: Needs) -> Needs:
        """Return what both need."""
        return Needs(
            tuple(dict.fromkeys([*self.columns, *other.columns])),
            {**self.derived, **other.derived},
            tuple(sorted({*self.trees, *other.trees})),
            tuple(sorted({*self.newer, *other.newer})),
        )

    def covers(self, other: Needs) -> bool:
        """Whether nothing is missing of what another needs."""
        return all(
            set(theirs) <= set(ours)
            for ours, theirs in (
                (self.columns, other.columns),
                (self.derived, other.derived),
                (self.trees, other.trees),
                (self.newer, other.newer),
            )
        )

    def type_of(self, column: str, table: StoredTable) -> str:
        """Return the DuckDB type of a column of the table or a derived one."""
        return self.derived[column][1] if column in self.derived else table.columns[column]

    def to_json(self) -> str:
        """Return what the manifest stores."""
        derived = {name: list(pair) for name, pair in self.derived.items()}
        return json.dumps(
            {
                "columns": list(self.columns),
                "derived": derived,
                "trees": list(self.trees),
                "newer": list(self.newer),
            }
        )

    @classmethod
    def from_json(cls, content: str) -> Needs:
        """Return what the manifest stores; before there were other things it was a list of columns."""
        found = json.loads(content)
        if isinstance(found, list):
            return cls(tuple(found))
        derived = {name: (sql, kind) for name, (sql, kind) in found["derived"].items()}
        return cls(tuple(found["columns"]), derived, tuple(found["trees"]), tuple(found["newer"]))


@dataclass(frozen=True)
class StoredIndex:
    """An index in the manifest; complete when every part of its table has a segment with all that it needs."""

    id: int
    spec: IndexSpec
    table_id: int
    live: bool
    needs: Needs
    segments: tuple[Segment, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns of the table."""
        return self.needs.columns
