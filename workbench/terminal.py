"""What commands print: messages, tables of rows, JSON for machines, progress, and errors without a stack trace."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

DEBUG = "WORKBENCH_DEBUG"


class CommandGroup(TyperGroup):
    """Commands whose errors are one message on standard error and exit code 2; ``WORKBENCH_DEBUG=1`` adds the stack."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            complain(error)
            raise typer.Exit(2) from error


def say(text: str) -> None:
    """Print one message."""
    typer.echo(text)


def say_json(content: Any) -> None:
    """Print one JSON document; what JSON does not know is written as text."""
    typer.echo(json.dumps(content, indent=2, default=str))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under their column names. Into a pipe the lines are as long as they need to be."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text("null", style="dim") if item is None else Text(_text(item)) for item in row))
    _console().print(table)


def complain(error: BaseException) -> None:
    """Print an error to standard error as people read it."""
    from workbench.errors import describe

    console = _console(stderr=True)
    if os.environ.get(DEBUG):
        console.print_exception()
    console.print(Text("error: ", style="bold red"), Text(describe(error)), sep="")


@contextmanager
def progress(shown: bool = True) -> Iterator[Callable[[str, float], None]]:
    """Give a callback ``(step, share)`` that draws a bar on standard error while it is a terminal."""
    console = _console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, share: bar.update(task, description=step, completed=share)


def _console(stderr: bool = False) -> Console:
    # made when it is needed: standard output may have been redirected since this module was imported
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 10_000
    return console


def _text(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:.6g}"
    return (
        f"{item:,}"
        if isinstance(item, int) and not isinstance(item, bool) and abs(item) >= 10**9
        else str(item)
    )
