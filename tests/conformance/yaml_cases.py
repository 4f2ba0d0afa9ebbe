"""The YAML files of an OpenMLDB checkout's ``cases/`` folder, read as data.

A file holds ``cases``, and names that they share (``db``, ``version`` and the like). A case has ``inputs`` (tables),
``sql`` with ``{0}`` for the name of the first table, and ``expect``. With ``dataProvider`` (a list of lists) it stands
for every combination of one value of each list, written ``d[0]``, ``d[1]`` in the text; ``expectProvider`` then has
what to expect of each combination, by place, over what ``expect`` says.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance.cases import Case, of_json
from workbench.sql.openmldb.types import TYPES

_TAGS = {
    "window": r"\bover\b",
    "rows": r"\brows\s+between\b",
    "rows_range": r"\brows_range\s+between\b",
    "last_join": r"\blast\s+join\b",
    "left_join": r"\bleft\s+(outer\s+)?join\b",
    "window_union": r"\(\s*union\b",
    "union_all": r"\bunion\s+all\b",
    "maxsize": r"\bmaxsize\b",
    "exclude_current_row": r"\bexclude\s+current_row\b",
    "exclude_current_time": r"\bexclude\s+current_time\b",
    "instance_not_in_window": r"\binstance_not_in_window\b",
    "open": r"\bopen\s+preceding\b",
    "where": r"\bwhere\b",
    "group_by": r"\bgroup\s+by\b",
    "having": r"\bhaving\b",
    "limit": r"\blimit\b",
    "like": r"\bi?like\b",
    "cast": r"\bcast\s*\(",
    "case_when": r"\bcase\b",
    "subquery": r"\(\s*select\b",
    "with": r"^\s*with\b",
}


def read_folder(folder: Path) -> list[Case]:
    """Return the query cases of every YAML file below a folder that have rows to expect, each once.

    Left out are cases that are marked as to do, that no request can do, that expect an error, or that are about
    statements other than one SELECT.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Case] = {}
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        try:
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        except yaml.YAMLError:
            continue  # one of the suite's files is no YAML
        for raw in _cases(content):
            case = _case(raw, str(path.relative_to(folder)))
            if case is not None:
                found.setdefault(case.id, case)
    return list(found.values())


def _cases(content: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(content, dict):
        return
    for raw in content.get("cases") or []:
        if isinstance(raw, dict) and not _skipped(raw):
            yield from expanded(raw)


def _skipped(raw: dict[str, Any]) -> bool:
    tags = raw.get("tags") or []
    marks = " ".join(str(tag).upper() for tag in (tags if isinstance(tags, list) else [tags]))
    return "TODO" in marks or "request-unsupport" in str(raw.get("mode") or "")


def expanded(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the cases that a case with ``dataProvider`` stands for.

    >>> case = {"id": 1, "sql": "select d[0] from {0}", "dataProvider": [["a", "b"]], "expect": {"rows": [[1]]}}
    >>> [made["sql"] for made in expanded(case)]
    ['select a from {0}', 'select b from {0}']
    """
    provider = raw.get("dataProvider")
    if not provider:
        yield raw
        return
    for choice in itertools.product(*(list(enumerate(values)) for values in provider)):
        made = dict(raw)
        for place, (_, value) in enumerate(choice):
            made = _replaced(made, f"d[{place}]", "" if value is None else str(value))
        expect = dict(made.get("expect") or {})
        expect.update(_provided(raw.get("expectProvider"), [number for number, _ in choice]) or {})
        made["expect"] = expect
        yield made


def _replaced(value: Any, mark: str, by: str) -> Any:
    if isinstance(value, str):
        return value.replace(mark, by)
    if isinstance(value, list):
        return [_replaced(item, mark, by) for item in value]
    if isinstance(value, dict):
        return {
            k: v if k in ("dataProvider", "expectProvider") else _replaced(v, mark, by)
            for k, v in value.items()
        }
    return value


def _provided(provider: Any, numbers: list[int]) -> dict[str, Any] | None:
    """What ``expectProvider`` has for a combination: maps by number, one inside another for each list."""
    found = provider
    for number in numbers:
        if not isinstance(found, dict):
            return None
        inner = found.get(number, found.get(str(number)))
        if inner is None:
            return found if {"rows", "columns", "schema", "order", "success"} & set(found) else None
        found = inner
    return found if isinstance(found, dict) else None


def _case(raw: dict[str, Any], path: str) -> Case | None:
    expect = raw.get("expect") or {}
    sql = raw.get("sql") or (raw.get("sqls") or [""])[-1]
    columns = _columns(expect)
    rows = _rows(expect)
    if not sql or expect.get("success") is False or columns is None or rows is None:
        return None
    if not re.match(r"\s*(select|with)\b", sql, re.IGNORECASE):
        return None
    try:
        tables = [_table(table, number) for number, table in enumerate(raw.get("inputs") or [])]
        sql = _named(sql, tables)
        made = {
            "source": f"{path}#{raw.get('id')}",
            "features": sorted(
                tag for tag, pattern in _TAGS.items() if re.search(pattern, sql, re.IGNORECASE)
            ),
            "sql": sql,
            "tables": tables,
            "batch_request": _table(raw["batch_request"], 0) if raw.get("batch_request") else None,
            "parameters": raw.get("parameters"),
            "expect": {"columns": columns, "rows": rows, "order": expect.get("order") or None},
            "offline_ok": "offline-unsupport" not in str(raw.get("mode") or ""),
        }
        identity = json.dumps([made["sql"], tables, made["expect"]], default=str, sort_keys=True)
        return of_json({**made, "id": hashlib.sha256(identity.encode()).hexdigest()[:12]})
    except (KeyError, ValueError, TypeError, IndexError):
        return None  # a table of another system, or data in a file beside it


def _named(sql: str, tables: list[dict[str, Any]]) -> str:
    """``{0}`` and ``${0}`` are names of tables; ``{auto}`` and ``{db_name.t}`` are not known here."""
    for number, table in enumerate(tables):
        sql = sql.replace(f"{{{number}}}", table["name"])
    return sql


def _table(raw: dict[str, Any], number: int) -> dict[str, Any]:
    columns = _columns(raw)
    if columns is None:
        columns = _of_create(raw["create"])
    indexes = raw.get("indexs") or raw.get("index") or []
    if isinstance(indexes, str):
        indexes = [part.strip() for part in indexes.split(",") if part.strip()]
    name = str(raw.get("name") or f"t{number}")
    rows = _rows(raw) or []
    inserted = [raw["insert"]] if raw.get("insert") else raw.get("inserts") or []
    for insert in inserted:
        rows = [*rows, *_inserted(insert)]
    repeat = int(raw.get("repeat") or 1)
    return {
        "name": name,
        "columns": columns,
        "indexes": [str(i) for i in indexes],
        "rows": rows,
        "repeat": repeat,
    }


def _columns(raw: dict[str, Any]) -> list[list[str]] | None:
    """``[c1 int, c2 string]`` or ``c1:int, c2:string``."""
    given = raw.get("columns") or raw.get("schema")
    if not given:
        return None
    parts = given if isinstance(given, list) else str(given).split(",")
    found = []
    for part in parts:
        words = str(part).strip()
        name, _, kind = words.rpartition(":") if ":" in words else words.rpartition(" ")
        kind = kind.strip().casefold()
        if kind not in TYPES:
            raise ValueError(kind)
        found.append([name.strip().strip("`"), kind])
    return found


def _rows(raw: dict[str, Any]) -> list[list[Any]] | None:
    """``rows`` as lists, or ``data`` as lines of comma separated values."""
    if raw.get("rows") is not None:
        return [list(row) for row in raw["rows"]]
    if raw.get("data") is None:
        return None
    lines = [line for line in str(raw["data"]).strip().splitlines() if line.strip()]
    return [[word.strip() for word in line.split(",")] for line in lines]


def _of_create(text: str) -> list[list[str]]:
    from workbench.sql.openmldb.script import CreateTable, read_script

    names = {"BOOLEAN": "bool", "INTEGER": "int", "VARCHAR": "string"}
    made = next(s for s in read_script(re.sub(r"\{\d+\}", "t", text)) if isinstance(s, CreateTable))
    return [[name, names.get(kind, kind.lower())] for name, kind in made.columns.items()]


def _inserted(text: str) -> list[list[Any]]:
    from workbench.sql.openmldb.script import Insert, read_script

    return [
        row
        for statement in read_script(re.sub(r"\{\d+\}", "t", text))
        if isinstance(statement, Insert)
        for row in statement.rows
    ]
