"""What commands share: their arguments and options, the project that they are about, and rows as they are shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import workbench
from workbench.locate import existing_project_path
from workbench.terminal import say_table

if TYPE_CHECKING:
    from workbench.project import Project

ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        metavar="PATH",
        help="The project's folder; else $WORKBENCH_PROJECT, else what the nearest workbench.toml names.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
ViewArgument = Annotated[str, typer.Argument(metavar="VIEW", help="The view's name.")]
TableArgument = Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A Parquet, CSV or JSON file.")]
QueryArgument = Annotated[
    str, typer.Argument(metavar="FILE.sql|-", help="The query; - reads standard input.")
]
DialectOption = Annotated[str, typer.Option("--dialect", help="workbench or openmldb.")]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="The value of :NAME; may be repeated."),
]
SaveOption = Annotated[bool, typer.Option("--save", help="Cut a version at once, not only a draft.")]


def opened(explicit: str | None) -> Project:
    """Return the project that a command is about."""
    return workbench.open(existing_project_path(explicit))


def query_in(file: str) -> str:
    """Return the text of a query's file."""
    return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")


def say_result(result: Any) -> None:
    """Print the rows of a result."""
    rows = result.to_pyarrow()
    say_table(rows.column_names, zip(*(column.to_pylist() for column in rows.columns), strict=True))


def json_rows(result: Any) -> list[dict[str, Any]]:
    """Return the rows of a result as JSON has them."""
    from workbench.values.types import duckdb_type
    from workbench.values.wire import encoder

    rows = result.to_pyarrow()
    encode = encoder({field.name: duckdb_type(field.type) for field in rows.schema})
    return [encode(row) for row in rows.to_pylist()]
