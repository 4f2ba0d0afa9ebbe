"""The manifest: which tables, files, indexes and segments make up the project, changed only in transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from workbench.storage.model import (
    SUFFIX,
    Added,
    ColumnFile,
    IndexSpec,
    Needs,
    Part,
    Segment,
    StoredIndex,
    StoredTable,
)

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counters (id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL, version INTEGER NOT NULL);
INSERT INTO counters VALUES (1, 0, 1);
CREATE TABLE tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, columns TEXT NOT NULL, time TEXT,
    options TEXT NOT NULL, flushed_seq INTEGER NOT NULL DEFAULT 0, tail_rows INTEGER NOT NULL DEFAULT 0,
    tail_bytes INTEGER NOT NULL DEFAULT 0, tail_records INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL REFERENCES tables, path TEXT NOT NULL,
    base_seq INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, min_seq INTEGER NOT NULL,
    max_seq INTEGER NOT NULL, first_time INTEGER, last_time INTEGER
);
CREATE INDEX parts_by_table ON parts (table_id);
CREATE TABLE indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL REFERENCES tables, keys TEXT NOT NULL,
    order_column TEXT NOT NULL, live INTEGER NOT NULL, columns TEXT NOT NULL, UNIQUE (table_id, keys, order_column)
);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, index_id INTEGER NOT NULL REFERENCES indexes,
    part_id INTEGER NOT NULL REFERENCES parts, UNIQUE (index_id, part_id)
);
CREATE INDEX segments_by_part ON segments (part_id);
CREATE TABLE segment_files (
    segment_id INTEGER NOT NULL REFERENCES segments, column_name TEXT NOT NULL, path TEXT NOT NULL,
    bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL, PRIMARY KEY (segment_id, column_name)
);
"""

#: Runs once in every project, also in those that were made before.
LIFE = """
ALTER TABLE tables ADD COLUMN added TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tables ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tables ADD COLUMN flush_wanted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tables ADD COLUMN flushed_at REAL;
ALTER TABLE tables ADD COLUMN merged_at REAL;
ALTER TABLE tables ADD COLUMN expired_at REAL;
ALTER TABLE tables ADD COLUMN expired_rows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tables ADD COLUMN expired_before INTEGER;
ALTER TABLE parts ADD COLUMN columns INTEGER NOT NULL DEFAULT 0;
UPDATE parts SET columns =
    (SELECT count(*) FROM tables, json_each(tables.columns) WHERE tables.id = parts.table_id);
CREATE TABLE housekeeping (
    one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL, started_at REAL NOT NULL, heartbeat REAL NOT NULL,
    doing TEXT NOT NULL, problem TEXT
);
"""


@dataclass(frozen=True)
class TableEntry:
    """A table and its parts; rows up to ``flushed_seq`` are in the parts, later ones in the log.

    ``erasures`` moves on when rows of the log were erased. Rows with a time (µs) before ``expired_before`` may be gone.
    """

    table: StoredTable
    flushed_seq: int
    parts: tuple[Part, ...]
    erasures: int = 0
    expired_before: int | None = None


@dataclass(frozen=True)
class Manifest:
    """One committed version of the manifest."""

    version: int
    tables: dict[int, TableEntry]
    by_name: dict[str, TableEntry]
    indexes: dict[IndexSpec, StoredIndex]

    @cached_property
    def erasures(self) -> int:
        """How often rows were erased so far."""
        return sum(entry.erasures for entry in self.tables.values())

    @cached_property
    def floors(self) -> dict[str, int]:
        """The time (µs) before which rows of a table may have expired, of those tables where some have."""
        return {
            name: entry.expired_before
            for name, entry in self.by_name.items()
            if entry.expired_before is not None
        }


def read_counters(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return (last seq, manifest version)."""
    row = connection.execute("SELECT last_seq, version FROM counters").fetchone()
    return row["last_seq"], row["version"]


def bump_version(connection: sqlite3.Connection) -> int:
    """Start a new manifest version in this transaction and return it."""
    connection.execute("UPDATE counters SET version = version + 1")
    return read_counters(connection)[1]


def reserve_seq(connection: sqlite3.Connection, rows: int) -> int:
    """Take ``rows`` arrival numbers in this transaction and return the first."""
    first = read_counters(connection)[0] + 1
    connection.execute("UPDATE counters SET last_seq = last_seq + ?", (rows,))
    return first


def table_of_row(row: sqlite3.Row) -> StoredTable:
    """Return the table that a row of ``tables`` describes."""
    added = {name: Added(*found) for name, found in json.loads(row["added"]).items()}
    return StoredTable(
        row["id"], row["name"], json.loads(row["columns"]), row["time"], json.loads(row["options"]), added
    )


def part_of_row(row: sqlite3.Row) -> Part:
    """Return the part that a row of ``parts`` describes."""
    return Part(**{name: row[name] for name in Part.__dataclass_fields__})


def read_manifest(connection: sqlite3.Connection) -> Manifest:
    """Read the whole manifest; call it inside one reading transaction."""
    version = read_counters(connection)[1]
    parts: dict[int, list[Part]] = {}
    for row in connection.execute("SELECT * FROM parts ORDER BY id"):
        parts.setdefault(row["table_id"], []).append(part_of_row(row))
    tables = {}
    for row in connection.execute("SELECT * FROM tables ORDER BY name"):
        tables[row["id"]] = TableEntry(
            table_of_row(row),
            row["flushed_seq"],
            tuple(parts.get(row["id"], ())),
            row["erasures"],
            row["expired_before"],
        )
    indexes = _read_indexes(connection, tables, {part.id: part for ps in parts.values() for part in ps})
    by_name = {entry.table.name: entry for entry in tables.values()}
    return Manifest(version, tables, by_name, {index.spec: index for index in indexes})


def _read_indexes(
    connection: sqlite3.Connection, tables: dict[int, TableEntry], parts: dict[int, Part]
) -> list[StoredIndex]:
    files: dict[int, dict[str, ColumnFile]] = {}
    for row in connection.execute("SELECT * FROM segment_files"):
        file = ColumnFile(row["column_name"], row["path"], row["bytes"], row["crc32"])
        if not file.path.endswith(SUFFIX):
            continue  # of an older layout: built again when its index is ensured
        files.setdefault(row["segment_id"], {})[file.column] = file
    segments: dict[int, list[Segment]] = {}
    for row in connection.execute("SELECT id, index_id, part_id FROM segments ORDER BY part_id"):
        segment = Segment(row["id"], parts[row["part_id"]], files.get(row["id"], {}))
        segments.setdefault(row["index_id"], []).append(segment)
    found = []
    for row in connection.execute("SELECT * FROM indexes ORDER BY id"):
        table = tables[row["table_id"]].table
        spec = IndexSpec(table.name, tuple(json.loads(row["keys"])), row["order_column"] or None)
        needs = Needs.from_json(row["columns"])
        found.append(
            StoredIndex(
                row["id"], spec, table.id, bool(row["live"]), needs, tuple(segments.get(row["id"], ()))
            )
        )
    return found


def insert_part(connection: sqlite3.Connection, part: Part) -> int:
    """Name a new lake file; ``part.id`` is ignored and the new id returned."""
    names = [name for name in Part.__dataclass_fields__ if name != "id"]
    cursor = connection.execute(
        f"INSERT INTO parts ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [getattr(part, name) for name in names],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_segment_files(
    connection: sqlite3.Connection, index_id: int, part_id: int, files: Iterable[ColumnFile]
) -> None:
    """Name files of the segment of one index over one part; the segment is created when missing."""
    connection.execute(
        "INSERT OR IGNORE INTO segments (index_id, part_id) VALUES (?, ?)", (index_id, part_id)
    )
    (segment_id,) = connection.execute(
        "SELECT id FROM segments WHERE index_id = ? AND part_id = ?", (index_id, part_id)
    ).fetchone()
    connection.executemany(
        "INSERT INTO segment_files VALUES (?, ?, ?, ?, ?)",
        [(segment_id, file.column, file.path, file.bytes, file.crc32) for file in files],
    )


def drop_segments(connection: sqlite3.Connection, version: int, where: str, *params: object) -> None:
    """Forget the segments that match a condition on ``segments``; their files are removed later."""
    chosen = f"SELECT id FROM segments WHERE {where}"
    connection.execute(
        f"INSERT OR IGNORE INTO removals SELECT path, ? FROM segment_files WHERE segment_id IN ({chosen})",
        (version, *params),
    )
    connection.execute(f"DELETE FROM segment_files WHERE segment_id IN ({chosen})", params)
    connection.execute(f"DELETE FROM segments WHERE {where}", params)


def drop_part(connection: sqlite3.Connection, version: int, part_id: int) -> None:
    """Forget a lake file and its segments; the files are removed later."""
    drop_segments(connection, version, "part_id = ?", part_id)
    connection.execute(
        "INSERT OR IGNORE INTO removals SELECT path, ? FROM parts WHERE id = ?", (version, part_id)
    )
    connection.execute("DELETE FROM parts WHERE id = ?", (part_id,))


def drop_index(connection: sqlite3.Connection, version: int, index_id: int) -> None:
    """Forget an index; its files are removed later."""
    drop_segments(connection, version, "index_id = ?", index_id)
    connection.execute("DELETE FROM indexes WHERE id = ?", (index_id,))
