"""Commands about what is served."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.shared import (
    JsonOption,
    ProjectOption,
    ViewArgument,
    opened,
)
from workbench.locate import existing_project_path
from workbench.terminal import progress, say, say_json, say_table

if TYPE_CHECKING:
    from workbench.storage.housekeeping import HousekeepingState


def deploy(name: ViewArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Serve a view as an HTTP endpoint; starts the project's server when it does not run."""
    view = opened(project).view(name)
    with progress(not as_json) as told:
        deployment = view.deploy(progress=told)
    if as_json:
        say_json({"view": deployment.view, "version": deployment.version, "url": deployment.url})
    else:
        say(
            f"{deployment.view} version {deployment.version} is live at {deployment.url}\n{deployment.curl()}"
        )


def rollback(name: ViewArgument, project: ProjectOption = None) -> None:
    """Serve the version before the current one again."""
    deployment = opened(project).deployment(name).rollback()
    say(f"{name} version {deployment.version} is live at {deployment.url}")


def ps(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List what is deployed, and where."""
    states = [deployment.status() for deployment in opened(project).deployments()]
    if as_json:
        say_json(states)
    elif states:
        columns = ["view", "version", "state", "url", "requests", "p50_ms"]
        say_table(
            columns, [["" if state[name] is None else state[name] for name in columns] for state in states]
        )
    else:
        say("nothing is deployed")
    if not as_json:
        say(_housekeeping(opened(project).storage.housekeeping()))


def housekeeping(
    once: Annotated[bool, typer.Option("--once", help="Do what is due, and return.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say who keeps house, and what it does.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep house in the foreground: flush, merge, expire, remove. A running server has a process that does."""
    from workbench.deployment.housekeeping import keep_house

    here = existing_project_path(project)
    if status:
        state = opened(project).storage.housekeeping()
        if as_json:
            say_json(None if state is None else asdict(state))
        else:
            say(_housekeeping(state))
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    kept = keep_house(here, stop, once=once)
    if as_json:
        say_json({"kept": kept})
    elif once:
        say("the house is in order" if kept else "another process keeps house")


def _housekeeping(state: HousekeepingState | None) -> str:
    if state is None:
        return "housekeeping: no process; whoever appends flushes"
    problem = f"; last problem: {state.problem}" if state.problem else ""
    return f"housekeeping: process {state.pid}, {state.doing}{problem}"


def stop(
    name: Annotated[
        str | None, typer.Argument(metavar="[VIEW]", help="A view; without it the whole server.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Take a view's endpoint away, or stop the project's server."""
    from workbench.deployment import stop_server

    here = opened(project)
    if name:
        here.deployment(name).stop()
        say(f"{name} is no longer served")
    else:
        say("the server has stopped" if stop_server(here.path) else "no server runs")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that serve; by default as many as there are cores.")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", "-f", help="Serve until SIGTERM or Ctrl-C, for containers.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the project's server, unless it runs; what is deployed is served again.

    In the background, or with --foreground as a process that ends with this one.
    """
    from workbench.deployment import ServerInfo, ensure_server, run_server

    def told(server: ServerInfo) -> None:
        if as_json:
            say_json({"url": server.url, "pid": server.pid})
        else:
            say(f"the server (process {server.pid}) listens at {server.url}")
        sys.stdout.flush()

    path = existing_project_path(project)
    with progress(not as_json) as shown:
        opened(project).warmup(lambda step: shown(step, 0.1))
    if foreground:
        raise typer.Exit(run_server(path, workers=workers, host=host, port=port, told=told))
    told(ensure_server(path, workers=workers, host=host, port=port))
