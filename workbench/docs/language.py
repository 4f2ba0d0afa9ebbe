"""The reference page of the language: clauses and functions with examples, and the results that running them gives."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from workbench.sql.clauses import SECTIONS, TABLES, Clause, ExampleTable

if TYPE_CHECKING:
    from workbench.project import Project
    from workbench.view import View

_INTRODUCTION = """\
# The language

Made from the code by `python -m workbench.docs`; the tests run every example, offline and as requests. Keywords and
names are case-insensitive. Whatever is not said here is DuckDB's: operators, types, literals, and its functions.

**Time.** Every row sees what was there before it. A row of another table is visible when its time is not after the
anchor's; a row of the anchor's own table when it is before it in the order of time and arrival. `create_table` may say
more: with `delay="6h"` or `known="column"` a row is visible only from the time at which it was known, with `ttl="90d"`
no longer than that, and with `id="column"` a row that is already stored is not stored again, and a request for it is
answered at its place.

## The examples' tables

"""


def language() -> str:
    """Return the page."""
    with tempfile.TemporaryDirectory() as folder:
        project = example_project(folder)
        try:
            parts = [_INTRODUCTION, _tables(), *_sections(project), *_functions()]
        finally:
            project.close()
    return "".join(parts)


def example_project(folder: str) -> Project:
    """Return a project in a folder with the examples' tables."""
    import workbench

    project = workbench.open(folder)
    for name, table in TABLES.items():
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        project.create_table(name, table.columns, **table.options)  # type: ignore[arg-type]
        project.table(name).append(rows)
    return project


def defined(project: Project, clause: Clause, name: str = "example") -> View:
    """Return the view of a clause's example."""
    for view, text in clause.views:
        project.define(view, text)
    if clause.parameters:
        return project.define(name, clause.example, params=dict(clause.parameters))
    return project.define(name, clause.example)


def _tables() -> str:
    parts = []
    for name, table in TABLES.items():
        options = "".join(f', {key}="{value}"' for key, value in table.options.items())
        parts.append(f'`project.create_table("{name}", …{options})`\n\n{_stored(table)}\n')
    return "\n".join(parts)


def _stored(table: ExampleTable) -> str:
    return _grid(table.columns, table.rows)


def _sections(project: Project) -> Iterable[str]:
    for title, (text, clauses) in SECTIONS.items():
        yield f"\n## {title}\n\n{text}\n"
        for clause in clauses:
            yield f"\n### {clause.title}\n\n{clause.text}\n"
            if clause.example:
                yield _example(project, clause)


def _example(project: Project, clause: Clause) -> str:
    view = defined(project, clause)
    table = view.offline().to_pyarrow()
    said = "".join(f"-- {name}\n{text}\n\n" for name, text in clause.views)
    said += "".join(f"-- :{name} = {value!r}\n" for name, value in clause.parameters)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return f"\n```sql\n{said}{clause.example}\n```\n\n{_grid(table.column_names, rows)}"


def _functions() -> Iterable[str]:
    from workbench.sql.catalogue import TOPICS, example

    yield "\n## Functions\n\nBeside DuckDB's. The examples are evaluated for the newest row of `visits`:\n\n"
    yield _grid(example.COLUMNS, [tuple(row.values()) for row in example.ROWS])
    yield f"\n```sql\n{example.query('sum(items) OVER w')}\n```\n"
    for topic, (text, functions) in TOPICS.items():
        yield f"\n### {topic}\n\n{text}\n\n"
        rows = []
        for function in functions:
            also = f" Also `{'`, `'.join(function.aliases)}`." if function.aliases else ""
            empty = function.empty if function.is_aggregate else ""
            said = (f"`{function.signature}`", function.summary + also, f"`{function.example}`")
            rows.append((*said, function.gives, empty))
        yield _grid(("function", "meaning", "example", "gives", "of no rows"), rows)


def _grid(columns: Iterable[str] | Mapping[str, str], rows: Iterable[tuple[Any, ...]]) -> str:
    """A Markdown table."""
    names = list(columns)
    lines = [names, ["---"] * len(names), *([_shown(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return re.sub(r"([|])", r"\\\1", value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes" if not value.second else "auto")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(k)}: {_shown(v)}" for k, v in value.items()) + "}"
    return str(value)


__all__ = ["defined", "example_project", "language"]
