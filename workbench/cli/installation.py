"""Commands about the project's folder, the installation and its documentation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import workbench
from workbench.cli.shared import (
    JsonOption,
    ProjectOption,
)
from workbench.locate import write_marker
from workbench.terminal import say, say_json

if TYPE_CHECKING:
    pass


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The project's folder; created when missing.")],
) -> None:
    """Create a project, and a workbench.toml in the working directory that names it."""
    project = workbench.open(path.expanduser())
    marker = write_marker(Path(project.path))
    say(
        f"project {project.name} in {project.path}; {marker} names it for the commands and notebooks below it"
    )


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the project and its server running.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole path on a year of flights: define, train, check, deploy, append, ask."""
    from workbench.demo import run

    run(keep=keep, json=as_json)


def docs(
    name: Annotated[
        str | None, typer.Argument(metavar="PAGE", help="The page; without it, their names.")
    ] = None,
) -> None:
    """Print a page of the documentation."""
    from workbench.docs import page, pages

    typer.echo("\n".join(pages()) if name is None else page(name), nl=name is None)


def doctor(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Look at the installation and the project; exit code 1 when something is wrong."""
    from workbench.doctor import examine
    from workbench.errors import NotFound
    from workbench.locate import project_path

    try:
        folder = project_path(project)
    except NotFound:
        folder = None
    seen = list(examine(folder))
    if as_json:
        say_json([dataclasses.asdict(observation) for observation in seen])
    else:
        for observation in seen:
            say(f"{'ok ' if observation.well else 'BAD'} {observation.name}: {observation.found}")
            if not observation.well and observation.remedy:
                say(f"    -> {observation.remedy}")
    if not all(observation.well for observation in seen):
        raise typer.Exit(1)
