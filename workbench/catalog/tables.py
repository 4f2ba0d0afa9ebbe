"""Tables: named, typed, append-only rows.

The rows and the schema live in storage; the catalog adds what it needs to know beside them, such as the fingerprint of
the rows that a table was created from, by which running a notebook cell again is recognised.
"""

from __future__ import annotations

import sqlite3
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from workbench.catalog import views
from workbench.catalog.schema import bump, prepare
from workbench.errors import Conflict, NotFound, WorkbenchError, did_you_mean
from workbench.storage.added import defaults
from workbench.values.checks import ON_INVALID, from_pandera
from workbench.values.coerce import Default
from workbench.values.content import Fingerprint
from workbench.values.infer import check_time, infer
from workbench.values.names import check_columns, check_name
from workbench.values.types import stored

if TYPE_CHECKING:
    from workbench.storage import Storage, StoredTable

IfExists = Literal["error", "skip", "replace"]
Progress = Callable[[str, float], None]
RowProgress = Callable[[int], None]

_CONTENT = "content"
_AVAILABILITIES = ("ttl", "delay", "known", "keep")
_ID = "id"
_CHECKS = "checks"
_AVAILABILITY = "availability"
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


@dataclass(frozen=True)
class TableSpec:
    """The definition of a table.

    ``time`` is the event-time column; without it rows are ordered by arrival alone. A row becomes known ``delay`` after
    its time, or at the time in the column ``known``; it is visible for ``ttl``. The column ``id`` names rows: a row of
    a known id is not stored again. ``checks`` is what rows must fulfil beyond their types.
    Columns that were added later and left out by rows are what ``defaults`` says.
    """

    name: str
    columns: dict[str, str] = field(hash=False)
    time: str | None = None
    ttl: str | None = None
    delay: str | None = None
    known: str | None = None
    id: str | None = None
    defaults: Mapping[str, Default] = field(default_factory=dict, hash=False)
    keep: str | None = None
    checks: dict[str, Any] | None = field(default=None, hash=False)


def create(storage: Storage, spec: TableSpec) -> TableSpec:
    """Create an empty table and return its definition as stored.

    Raises
    ------
    WorkbenchError
        A name, type or option cannot be.
    Conflict
        A table or view of that name exists.
    """
    columns = {name: stored(kind) for name, kind in spec.columns.items()}
    check_columns(columns)
    options = {name: getattr(spec, name) for name in ("ttl", "delay", "known", "keep", "id")}
    return create_table(storage, spec.name, columns, time=spec.time, if_exists="error", **options)


def create_table(
    storage: Storage,
    name: str,
    obj: Any,
    *,
    time: str | None = None,
    ttl: str | None = None,
    delay: str | None = None,
    known: str | None = None,
    keep: str | None = None,
    id: str | None = None,
    if_exists: IfExists = "error",
    schema: Any = None,
    on_invalid: str = "reject",
    progress: Progress | None = None,
) -> TableSpec:
    """Create a table and load its rows: both or nothing, in one commit.

    Parameters
    ----------
    name
        Letters, digits and ``_``.
    obj
        A path, a DataFrame, an Arrow or Ibis table, dicts or a schema; see :func:`workbench.values.infer.infer`.
    time
        The event-time column, a TIMESTAMP.
    ttl, delay
        Durations such as ``"30d"`` and ``"6h"``: how long rows are visible, and how long after its time a row is known.
    known
        The TIMESTAMP column that says when a row became known.
    keep
        How long rows of a table with ``ttl`` stay in its files; by default ``ttl`` and as much again, at least 30 days
        more.
    id
        The column that names rows (a whole number, VARCHAR, UUID or BLOB, never NULL): a row of a known id is not
        stored again.
    if_exists
        ``error``: an existing table of the same definition that was created from the same rows stays as it is (rows
        appended since included), any other is a Conflict. ``skip``: an existing table stays whatever it holds.
        ``replace``: it is replaced in one step, unless it holds exactly these rows.
    schema
        A pandera schema or model whose checks all rows must pass, those of ``obj`` and later ones. Kept as JSON; checks
        that are functions cannot be kept and are refused.
    on_invalid
        ``reject``: rows that fail are refused with everything that came with them. ``quarantine``: the others are
        stored, and those that fail are kept in the table ``<name>_quarantine`` with the reason.
    progress
        Called with each step and the share that is done; the share stays 0 while the number of rows is not known.

    Raises
    ------
    WorkbenchError
        Nothing can be read from ``obj``, or a name, type or option cannot be.
    RowError
        A row cannot be stored; nothing is left behind.
    Conflict
        The table differs, or views rely on what would be replaced.
    """
    check_name(name, "table")
    if if_exists not in ("error", "skip", "replace"):
        raise WorkbenchError(f"if_exists={if_exists!r} is not known", hint="use 'error', 'skip' or 'replace'")
    prepare(storage)
    existing = _find(storage, name)
    if existing is not None and if_exists == "skip":
        return _spec(existing)
    report = _row_progress(progress, _total(obj))
    columns, reader = infer(obj, time)
    wanted = TableSpec(
        name,
        columns,
        check_time(columns, time) if time is not None else None,
        ttl,
        delay,
        known,
        id,
        keep=keep,
        checks=_checks(existing.name if existing else name, schema, on_invalid, columns),
    )
    _check_availability(wanted)
    if existing is None:
        _refuse_view_name(storage, name)
        # Once more in the commit: loading may take minutes, in which others work on.
        return _load(storage, wanted, reader, report, tx_extra=lambda *_: _refuse_view_name(storage, name))
    wanted = replace(wanted, name=existing.name)
    if if_exists == "replace":
        return _replace(storage, existing, wanted, reader, report)
    _require_same(existing, wanted, reader, report)
    return _spec(existing)


def get(storage: Storage, name: str) -> TableSpec:
    """Return the definition of a table; names match without regard to case.

    Raises
    ------
    NotFound
        There is no such table.
    """
    return _spec(_require(storage, name))


def list(storage: Storage) -> Sequence[TableSpec]:
    """Return the definitions of all tables, by name."""
    return [_spec(table) for table in storage.tables()]


def dependants(storage: Storage, name: str) -> Sequence[str]:
    """Return the names of the views of which some draft or version reads a table."""
    return sorted({item.view for item in views.reading(storage, name)})


def add_column(storage: Storage, name: str, column: str, kind: str, default: Any = None) -> TableSpec:
    """Give a table a further column, in one small transaction; nothing is reloaded.

    Parameters
    ----------
    name
        The table.
    column
        The new column's name.
    kind
        Its DuckDB type.
    default
        What it is in rows that are stored already, and in those that are appended without it.

    Raises
    ------
    NotFound
        There is no such table.
    WorkbenchError
        The name is taken or reserved, a column cannot have the type, or the type cannot hold the default exactly.
    """
    prepare(storage)
    table = _require(storage, name)
    with storage.transaction() as transaction:
        stored_table = storage.add_column(transaction, table.name, column, kind, default)
        bump(transaction)  # servers look again at the columns of what they serve
    return _spec(stored_table)


def drop(storage: Storage, name: str) -> None:
    """Remove a table with all its rows.

    Raises
    ------
    NotFound
        There is no such table.
    Conflict
        Views read it.
    """
    prepare(storage)
    table = _require(storage, name)
    with storage.transaction() as transaction:
        used = dependants(storage, table.name)
        if used:
            raise Conflict(f"table {table.name!r} is used by {_listed(used)}", hint="drop the views first")
        storage.drop_table(transaction, table.name)


# --- loading ---


class _Unchanged(Exception):
    """The rows read are those that the table holds: roll back."""


def _load(
    storage: Storage,
    spec: TableSpec,
    reader: pa.RecordBatchReader,
    progress: RowProgress | None,
    *,
    under: str | None = None,
    tx_extra: Callable[[sqlite3.Connection, dict[str, Any]], None] | None = None,
) -> TableSpec:
    """Load a new table; ``under`` is its name until ``tx_extra`` renames it in the same commit."""
    options: dict[str, Any] = {_ID: spec.id} if spec.id is not None else {}
    if spec.checks is not None:
        options[_CHECKS] = spec.checks
    table = storage.new_table(under or spec.name, spec.columns, spec.time, options)

    def batches() -> Iterator[pa.RecordBatch]:
        content = Fingerprint(reader.schema)
        yield from content.through(reader)
        table.options[_AVAILABILITY] = {name: getattr(spec, name) for name in _AVAILABILITIES}
        table.options[_CONTENT] = _content(content)  # known by now, and stored with the table in the commit

    rows = pa.RecordBatchReader.from_batches(reader.schema, batches())
    extra = (lambda transaction: tx_extra(transaction, table.options)) if tx_extra else None
    storage.bulk_load(table, rows, progress=progress, tx_extra=extra)
    if spec.id is not None:
        storage.ensure_ids(storage.table(spec.name))
    return spec


def _total(obj: Any) -> int | None:
    """Return the number of rows where it is known before they are read."""
    return (
        len(obj)
        if hasattr(obj, "__len__") and not isinstance(obj, str | bytes | Mapping | pa.Schema)
        else None
    )


def _row_progress(progress: Progress | None, total: int | None) -> RowProgress | None:
    if progress is None:
        return None
    started = clock.monotonic()

    def report(rows: int) -> None:
        rate = rows / max(clock.monotonic() - started, 1e-3)
        progress(f"{rows:,} rows read, {rate:,.0f} a second", rows / total if total else 0.0)

    return report


def _replace(
    storage: Storage,
    existing: StoredTable,
    spec: TableSpec,
    reader: pa.RecordBatchReader,
    progress: RowProgress | None,
) -> TableSpec:
    temporary = f"__replacing_{existing.name}"
    _check_replaceable(storage, existing, spec)
    same_definition = _difference(existing, spec) is None

    def swap(transaction: sqlite3.Connection, options: dict[str, Any]) -> None:
        _check_replaceable(storage, existing, spec)
        if same_definition and _holds_exactly(storage, existing, options[_CONTENT]):
            raise _Unchanged
        storage.drop_table(transaction, existing.name)
        transaction.execute("UPDATE tables SET name = ? WHERE name = ?", (existing.name, temporary))

    try:
        return _load(storage, spec, reader, progress, under=temporary, tx_extra=swap)
    except _Unchanged:
        return _spec(existing)


def _holds_exactly(storage: Storage, table: StoredTable, content: dict[str, Any]) -> bool:
    rows: int = storage.table_stats(table.name)["rows"]
    return bool(table.options.get(_CONTENT) == content and rows == content["rows"])


def _check_replaceable(storage: Storage, existing: StoredTable, spec: TableSpec) -> None:
    """Views must find what they read; those that are served must not lose their indexes for a moment."""
    readers = views.reading(storage, existing.name)
    deployed = sorted({item.view for item in readers if item.state == "deployed"})
    if deployed:
        raise Conflict(
            f"table {existing.name!r} is read by deployed {_listed(deployed)}",
            hint="stop the deployments first, or append the new rows",
        )
    missing = [name for name, kind in existing.columns.items() if spec.columns.get(name) != kind]
    if readers and (missing or spec.time != existing.time):
        used = sorted({item.view for item in readers})
        what = f"column {missing[0]!r}" if missing else "the time column"
        raise Conflict(
            f"table {existing.name!r} is used by {_listed(used)}, and {what} would not be the same",
            hint="keep names, types and time, or drop the views first",
        )


def _require_same(
    existing: StoredTable, spec: TableSpec, reader: pa.RecordBatchReader, progress: RowProgress | None
) -> None:
    difference = _difference(existing, spec)
    if difference is None:
        content = Fingerprint(reader.schema)
        for _ in content.through(reader):
            if progress is not None:
                progress(content.rows)
        if existing.options.get(_CONTENT) != _content(content):
            difference = "was created from other rows"
    if difference is not None:
        raise Conflict(
            f"table {existing.name!r} exists and {difference}",
            hint='if_exists="replace" replaces it, "skip" keeps it; to add rows, append them',
        )


def _difference(existing: StoredTable, spec: TableSpec) -> str | None:
    for name, kind in spec.columns.items():
        if name not in existing.columns:
            return f"has no column {name!r}"
        if existing.columns[name] != kind:
            return f"its column {name!r} is {existing.columns[name]}, not {kind}"
    for name in existing.columns:
        if name not in spec.columns and name not in existing.added:
            return f"has a further column {name!r}"
    if [name for name in existing.columns if name in spec.columns] != [*spec.columns]:
        return f"its columns stand in another order: {', '.join(existing.columns)}"
    if existing.time != spec.time:
        return (
            f"its time column is {existing.time!r}, not {spec.time!r}"
            if existing.time
            else "has no time column"
        )
    if existing.checks != spec.checks:
        return "its checks (schema=, on_invalid=) are others"
    for name, value in (availability(existing) | {_ID: existing.id_column}).items():
        if value != getattr(spec, name):
            return f"its {name} is {value}, not {getattr(spec, name)}"
    return None


def _checks(name: str, schema: Any, on_invalid: str, columns: dict[str, str]) -> dict[str, Any] | None:
    if on_invalid not in ON_INVALID:
        raise WorkbenchError(f"on_invalid={on_invalid!r} is not known", hint="use 'reject' or 'quarantine'")
    if schema is None:
        if on_invalid != "reject":
            raise WorkbenchError(
                f"on_invalid={on_invalid!r} needs checks", hint="give schema= a pandera schema"
            )
        return None
    rules = from_pandera(schema, columns)
    return {"on_invalid": on_invalid, "into": f"{name}_quarantine", "rules": rules}


def _content(fingerprint: Fingerprint) -> dict[str, Any]:
    return {"rows": fingerprint.rows, "digest": fingerprint.hex()}


# --- checks ---


def _check_availability(spec: TableSpec) -> None:
    """ttl, delay and known are about the time of rows, and are constants that mean something."""
    for name in _AVAILABILITIES:
        if getattr(spec, name) is not None and spec.time is None:
            raise WorkbenchError(f"{name}= needs a time column", hint="create the table with time=")
    if spec.delay is not None and spec.known is not None:
        raise WorkbenchError("delay= and known= both say when a row becomes known", hint="give one of them")
    for name in ("ttl", "delay", "keep"):
        if getattr(spec, name) is not None and microseconds(getattr(spec, name)) <= 0:
            raise WorkbenchError(
                f"{name}= is longer than nothing", hint=f"write {name}='6h', or leave it out"
            )
    if spec.keep is not None and (spec.ttl is None or microseconds(spec.keep) < microseconds(spec.ttl)):
        raise WorkbenchError(
            f"keep={spec.keep!r} is about rows that are not visible any more",
            hint="give ttl= too, and keep rows at least that long",
        )
    if spec.known is not None and spec.columns.get(spec.known) != "TIMESTAMP":
        found = spec.columns.get(spec.known)
        close = did_you_mean(spec.known, spec.columns)
        problem = f"is {found}, not TIMESTAMP" if found else "is not there" + (f"; {close}" if close else "")
        raise WorkbenchError(f"the column known={spec.known!r} {problem}")


def microseconds(duration: str) -> int:
    """Return a duration such as ``6h``, ``30d`` or ``90s`` in microseconds.

    >>> microseconds("6h")
    21600000000
    """
    number, unit = duration.rstrip("abcdefghijklmnopqrstuvwxyz"), duration.lstrip("0123456789")
    if not number.isdigit() or unit not in _UNITS:
        raise WorkbenchError(
            f"{duration!r} is not a duration", hint="write a number and a unit: 90s, 15m, 6h, 30d"
        )
    return int(number) * _UNITS[unit]


def _find(storage: Storage, name: str) -> StoredTable | None:
    folded = name.casefold()
    return next((table for table in storage.tables() if table.name.casefold() == folded), None)


def _require(storage: Storage, name: str) -> StoredTable:
    table = _find(storage, name)
    if table is None:
        names = [one.name for one in storage.tables()]
        listed = f"the tables are {', '.join(names)}" if names else "there are no tables yet"
        raise NotFound(f"there is no table {name!r}", hint=did_you_mean(name, names) or listed)
    return table


def _refuse_view_name(storage: Storage, name: str) -> None:
    for view in views.list(storage):
        if view.view.casefold() == name.casefold():
            raise Conflict(f"{view.view!r} is a view already", hint="give the table another name")


def _spec(table: StoredTable) -> TableSpec:
    return TableSpec(
        table.name,
        dict(table.columns),
        table.time,
        **availability(table),
        id=table.id_column,
        checks=table.checks,
        defaults=defaults(table),
    )


def availability(table: StoredTable) -> dict[str, str | None]:
    """Return ``ttl``, ``delay``, ``known`` and ``keep`` of a stored table."""
    options = table.options.get(_AVAILABILITY) or {}
    return {name: options.get(name) for name in _AVAILABILITIES}


def _listed(names: Sequence[str]) -> str:
    return ("view " if len(names) == 1 else "views ") + ", ".join(repr(name) for name in names)
