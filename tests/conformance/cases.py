"""Cases of OpenMLDB's test suite: a query, the tables it reads and the rows that it must give."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from workbench.sql.openmldb.types import TYPES

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class CaseTable:
    """A table of a case; ``rows`` are in arrival order, with values of Python."""

    name: str
    columns: dict[str, str]
    indexes: tuple[str, ...]
    rows: list[dict[str, Any]]

    @property
    def time(self) -> str | None:
        """The column that ``workbench import`` makes the table's time: the TS of its first index with one."""
        for index in self.indexes:
            parts = index.split(":")
            name = parts[2].strip("`") if len(parts) > 2 else ""
            if self.columns.get(name) == "TIMESTAMP":
                return name
        return None


@dataclass(frozen=True)
class Case:
    """One case; ``requests`` are the request rows of a batch request, ``order`` the column to compare by."""

    id: str
    source: str
    features: tuple[str, ...]
    sql: str
    tables: tuple[CaseTable, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    order: str | None = None
    requests: list[dict[str, Any]] | None = None
    parameters: list[Any] | None = None


def read_jsonl(path: Path) -> list[Case]:
    """Read cases of one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        return [of_json(json.loads(line)) for line in lines if line.strip()]


def of_json(raw: dict[str, Any]) -> Case:
    """Return a case of its JSON object."""
    batch = raw.get("batch_request")
    expect = raw["expect"]
    kinds = [kind for _, kind in expect["columns"]]
    return Case(
        raw["id"],
        raw["source"],
        tuple(raw["features"]),
        raw["sql"],
        tuple(_tables(raw["tables"], raw["sql"])),
        tuple(name for name, _ in expect["columns"]),
        tuple(TYPES[kind] for kind in kinds),
        [_values(row, kinds) for row in expect["rows"]],
        expect.get("order"),
        _rows(batch) if batch else None,
        _parameters(raw.get("parameters")),
    )


def _tables(raw: Iterable[dict[str, Any]], sql: str) -> Iterator[CaseTable]:
    tables = list(raw)
    names = [table["name"] for table in tables]
    databases = {name: _databases(sql, name) for name in names if names.count(name) > 1}
    for table in tables:
        name = table["name"]
        if name in databases:
            # Tables of one name in several databases are told apart by the database's name.
            name = f"{databases[name].pop(0)}_{name}"
        columns = {column: TYPES[kind] for column, kind in table["columns"]}
        yield CaseTable(name, columns, tuple(table["indexes"]), _rows(table))


def _databases(sql: str, table: str) -> list[str]:
    """The databases whose table of a name a query reads, in the order of their mention."""
    words = sql.replace("(", " ").replace(")", " ").split()
    found = [word.split(".")[0] for word in words if word.count(".") == 1 and word.endswith(f".{table}")]
    return list(dict.fromkeys(found))


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    names = [name for name, _ in table["columns"]]
    kinds = [kind for _, kind in table["columns"]]
    rows = [dict(zip(names, _values(row, kinds), strict=True)) for row in table["rows"] or []]
    return rows * (table.get("repeat") or 1)


def _parameters(raw: Any) -> list[Any] | None:
    if not raw:
        return None
    kinds = raw.get("columns") or raw.get("types") or []
    kinds = [kind[1] if isinstance(kind, list | tuple) else kind for kind in kinds]
    rows = raw.get("rows") or [raw.get("values") or []]
    return list(_values(rows[0], kinds))


def _values(row: list[Any], kinds: list[str]) -> tuple[Any, ...]:
    return tuple(value_of(value, kind) for value, kind in zip(row, kinds, strict=True))


def value_of(value: Any, kind: str) -> Any:
    """Return a value as the suite writes it as a value of Python.

    >>> value_of(1000, "timestamp"), value_of("null", "int")
    (datetime.datetime(1970, 1, 1, 0, 0, 1), None)
    """
    if value is None or (isinstance(value, str) and value.strip().upper() == "NULL"):
        return None
    if kind == "timestamp":
        return _EPOCH + timedelta(milliseconds=int(value)) if not isinstance(value, datetime) else value
    if kind == "date":
        return value if isinstance(value, date) else date(*(int(part) for part in str(value).split("-")))
    if kind == "bool":
        return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "1")
    if kind in ("float", "double"):
        return float(value)
    if kind in ("smallint", "int16", "int", "int32", "bigint", "int64"):
        return int(value)
    return str(value)
