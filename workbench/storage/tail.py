"""The tail: what this process knows of the project's committed state, followed commit by commit."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass

from workbench.storage.database import Database
from workbench.storage.delta import Delta
from workbench.storage.log import Record, decode_record, read_records
from workbench.storage.manifest import Manifest, TableEntry, read_counters, read_manifest
from workbench.storage.watch import ChangeCounter


@dataclass(frozen=True)
class State:
    """One committed state: the manifest, the last seq, and every table's rows that are still in the log."""

    manifest: Manifest
    last_seq: int
    deltas: dict[int, Delta]

    def delta(self, table_id: int) -> Delta:
        """Return the delta of a table."""
        return self.deltas.get(table_id, _EMPTY)


_EMPTY = Delta(0)


class Tail:
    """Follows the commits of all processes.

    A record that another process flushed before it was seen here is simply not in the log any more: its rows are in
    the parts of the manifest that the same read returns.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: tuple[State | None, ChangeCounter] = (None, (-1, 0))
        _instances.add(self)

    def state(self) -> State:
        """Return the newest committed state; about 0.5 µs when nothing was committed since the last call."""
        state, counter = self._known
        if state is not None and self._database.change_counter() == counter:
            return state
        with self._lock:
            # The counter is read first: a commit in between makes the next call look again.
            counter = self._database.change_counter()
            state = self._read(self._known[0])
            self._known = (state, counter)
            return state

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._known = (None, (-1, 0))

    def _read(self, known: State | None) -> State:
        with self._database.watching() as connection:
            last_seq, version = read_counters(connection)
            changed = known is None or known.manifest.version != version
            manifest = read_manifest(connection) if changed or known is None else known.manifest
            rows = connection.execute(
                "SELECT first_seq, table_id, data FROM log WHERE first_seq > ? ORDER BY first_seq",
                (known.last_seq if known else 0,),
            ).fetchall()
            again = {
                table_id: read_records(connection, entry.table)
                for table_id, entry in manifest.tables.items()
                if changed and _erased(known, entry)
            }
        deltas = dict(known.deltas) if known else {}
        if changed:
            deltas = {
                table_id: _without_flushed(deltas.get(table_id, _EMPTY), known, entry)
                for table_id, entry in manifest.tables.items()
            }
        fresh: dict[int, list[Record]] = {}
        for row in rows:
            table = manifest.tables[row["table_id"]].table
            fresh.setdefault(table.id, []).append(decode_record(table, row["first_seq"], row["data"]))
        for table_id, records in again.items():
            deltas[table_id] = deltas[table_id].emptied()
            fresh[table_id] = records
        for table_id, records in fresh.items():
            if not records:
                continue
            deltas[table_id] = deltas.get(table_id, _EMPTY).extended(records)
        return State(manifest, last_seq, deltas)


def _without_flushed(delta: Delta, known: State | None, entry: TableEntry) -> Delta:
    before = known.manifest.tables.get(entry.table.id) if known else None
    if before is None or before.flushed_seq != entry.flushed_seq:
        delta = delta.after(entry.flushed_seq)
    if before is not None and len(before.table.columns) != len(entry.table.columns):
        delta = delta.completed(entry.table)
    return delta


def _erased(known: State | None, entry: TableEntry) -> bool:
    """Whether rows of the table's log were erased since."""
    before = known.manifest.tables.get(entry.table.id) if known else None
    return before is not None and before.erasures != entry.erasures


_instances: weakref.WeakSet[Tail] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for tail in list(_instances):
        tail._forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
