"""Commands about the project's folder, the installation and its documentation."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import workbench
from workbench.cli.shared import (
    JsonOption,
    ProjectOption,
    opened,
)
from workbench.errors import NotFound
from workbench.locate import write_marker
from workbench.terminal import progress, say, say_json


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


def warmup(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Compile what answers requests in microseconds: once a machine, about 20 seconds; deploy does it by itself."""
    from workbench.kernels import warm

    with progress(not as_json) as told:
        ready = opened(project).warmup(lambda step: told(step, 0.1))
    if as_json:
        say_json({"ready": ready, "reason": warm.reason()})
    else:
        say("the kernels are compiled" if ready else f"no compiled kernels, DuckDB answers: {warm.reason()}")
    if not ready:
        raise typer.Exit(1)


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which measurements; default all.")
    ] = None,
    scale: Annotated[float, typer.Option("--scale", help="Share of the rows; 1 is what is quoted.")] = 1.0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where data is kept for the next run.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="The file for the numbers.")] = None,
) -> None:
    """Measure, next to what people use instead, and print one table; from a source checkout."""
    checkout = Path(workbench.__file__).resolve().parents[1]
    if not (checkout / "tests" / "benchmarks" / "__main__.py").exists():
        raise NotFound(
            "the benchmarks are not part of the installed package",
            hint="run them from a source checkout: make bench",
        )
    command = [sys.executable, "-m", "tests.benchmarks", *(names or []), "--scale", str(scale)]
    for option, path in (("--folder", folder), ("--json", json)):
        command += [option, str(path.expanduser().resolve())] if path is not None else []
    raise typer.Exit(subprocess.run(command, cwd=checkout, check=False).returncode)


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
