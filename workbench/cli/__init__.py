"""The command ``workbench``: the same verbs as in Python, for terminals and CI/CD.

Exit codes: 0 all is well; 1 the answer is no (``check`` found a difference, ``doctor`` a problem); 2 the command could
not be carried out, and the reason is one message on standard error.
"""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

import workbench
from workbench.cli import endpoints, features, installation
from workbench.cli.tables import tables
from workbench.terminal import CommandGroup, say

app = typer.Typer(
    name="workbench",
    cls=CommandGroup,
    help="Feature SQL: previewed on history, checked value by value, served by the same query.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The entry point of the commands ``workbench`` and ``feature-workbench``."""
    warnings.showwarning = _say_warning
    app()


def _say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    typer.echo(f"warning: {message}", err=True)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        say(workbench.__version__)
        raise typer.Exit


app.command()(installation.init)
app.add_typer(tables, name="table")
app.command()(features.define)
app.command()(features.label)
app.command()(features.train)
app.command("import")(features.import_)
for _command in (
    features.preview,
    features.check,
    features.compare,
    endpoints.deploy,
    endpoints.rollback,
    endpoints.ps,
    endpoints.stop,
    endpoints.serve,
    endpoints.housekeeping,
    installation.warmup,
    installation.bench,
    installation.demo,
    installation.docs,
    installation.doctor,
):
    app.command()(_command)
