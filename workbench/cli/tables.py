"""Commands about tables: ``workbench table``."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.assignments import assigned_to, literal
from workbench.cli.shared import (
    FileArgument,
    JsonOption,
    ProjectOption,
    TableArgument,
    opened,
    say_result,
)
from workbench.terminal import CommandGroup, progress, say, say_json, say_table

if TYPE_CHECKING:
    from workbench.table import Table

tables = typer.Typer(
    cls=CommandGroup, help="Add, list, show, append to and drop tables.", no_args_is_help=True
)

TimeOption = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Event time; without it: static.")
]


class IfExists(StrEnum):
    """What to do when a table of that name exists."""

    ERROR = "error"
    SKIP = "skip"
    REPLACE = "replace"


@tables.command("add")
def table_add(
    name: TableArgument,
    file: FileArgument,
    time: TimeOption = None,
    ttl: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long rows are visible, such as 30d.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="DURATION", help="When a row is known after its time, such as 6h.")
    ] = None,
    known: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The time at which a row becomes known.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long rows with --ttl stay in files.")
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="Names rows: a known one is not stored again."),
    ] = None,
    if_exists: Annotated[IfExists, typer.Option(help="The same content is never an error.")] = IfExists.ERROR,
    project: ProjectOption = None,
) -> None:
    """Create a table from a Parquet, CSV or JSON file."""
    table = opened(project).create_table(
        name,
        str(file),
        time=time,
        ttl=ttl,
        delay=delay,
        known=known,
        keep=keep,
        id=id,
        if_exists=if_exists.value,
    )
    say(f"table {table.name}: {table.count():,} rows, {len(table.columns)} columns")


@tables.command("list")
def table_list(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the project's tables."""
    here = opened(project)
    found = [_about(here.table(name)) for name in here.list_tables()]
    if as_json:
        say_json(found)
    else:
        rows = [
            [about["table"], about["rows"], about["time"] or "static", len(about["columns"])]
            for about in found
        ]
        say_table(["table", "rows", "time", "columns"], rows)


@tables.command("show")
def table_show(name: TableArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Show a table's columns and its first rows."""
    from workbench.storage.session import quoted

    here = opened(project)
    table = here.table(name)
    if as_json:
        say_json(_about(table))
        return
    options = "".join(f", {name} {value}" for name, value in table.options.items())
    say(f"{table.name}: {table.count():,} rows, time {table.time or 'none (static)'}{options}")
    say_table(["column", "type"], table.columns.items())
    say_result(here.sql(f"SELECT * FROM {quoted(table.name)} LIMIT 5"))


@tables.command("append")
def table_append(
    name: TableArgument,
    file: FileArgument,
    token: Annotated[
        str | None, typer.Option(help="Idempotency token: the same command again adds nothing.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Append the rows of a Parquet, CSV or JSON file to a table, all or nothing."""
    from workbench.values.infer import infer

    table = opened(project).table(name)
    _, rows = infer(str(file), table.time)
    receipt = table.append(rows, token=token)
    if as_json:
        say_json(dataclasses.asdict(receipt))
    else:
        numbers = f", seq {receipt.first_seq} to {receipt.last_seq}" if receipt.accepted else ""
        say(f"{receipt.accepted:,} rows appended to {name}{numbers}")
        if receipt.known:
            other = f", {receipt.different:,} of them with another content" if receipt.different else ""
            say(f"{receipt.known:,} rows left out: their id is stored already{other}")


@tables.command("add-column")
def table_add_column(
    name: TableArgument,
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="The new column's name.")],
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Its DuckDB type, such as VARCHAR.")],
    default: Annotated[
        str | None, typer.Option(help="What it is in rows that are stored already; by default NULL.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Give a table a further column; nothing is reloaded."""
    value = default if default is None or type.strip().upper() == "VARCHAR" else literal(default)
    table = opened(project).table(name).add_column(column, type, value)
    say(f"table {table.name} has the column {column} {table.columns[column]}")


@tables.command("stats")
def table_stats(name: TableArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Show what a table takes on disk, and what housekeeping did to it."""
    stats = opened(project).table(name).stats()
    if as_json:
        say_json(stats.to_dict())
    else:
        say_table(["", name], stats.lines())


@tables.command("compact")
def table_compact(name: TableArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Move a table's rows into as few files as possible; requests go on meanwhile."""
    table = opened(project).table(name)
    with progress(not as_json) as told:
        stats = table.compact(None if told is None else lambda share: told(f"compacting {name}", share))
    if as_json:
        say_json(stats.to_dict())
    else:
        say_table(["", name], stats.lines())


@tables.command("erase")
def table_erase(
    name: TableArgument,
    key: Annotated[
        list[str], typer.Option("--key", metavar="COLUMN=VALUE", help="May be repeated: all must hold.")
    ],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase an entity's rows for good, from files, log and indexes."""
    table = opened(project).table(name)
    erased = table.erase(assigned_to(key, table.columns))
    if as_json:
        say_json({"rows": erased.rows, "scrubbed": erased.scrubbed, "views": list(erased.views)})
    else:
        say(str(erased))


@tables.command("drop")
def table_drop(name: TableArgument, project: ProjectOption = None) -> None:
    """Drop a table that no view uses."""
    opened(project).drop_table(name)
    say(f"table {name} dropped")


def _about(table: Table) -> dict[str, Any]:
    about = {"table": table.name, "rows": table.count(), "time": table.time}
    return {**about, "columns": dict(table.columns), "options": table.options}
