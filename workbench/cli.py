"""The command ``workbench``: the same verbs as in Python, for terminals and CI/CD.

Exit codes: 0 all is well; 1 the answer is no (``check`` found a difference, ``doctor`` a problem); 2 the command could
not be carried out, and the reason is one message on standard error.
"""

from __future__ import annotations

import dataclasses
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import workbench
from workbench.assignments import assigned
from workbench.locate import existing_project_path, write_marker
from workbench.terminal import CommandGroup, progress, say, say_json, say_table

if TYPE_CHECKING:
    from workbench.project import Project
    from workbench.table import Table
    from workbench.view import View

app = typer.Typer(
    name="workbench",
    cls=CommandGroup,
    help="Feature SQL: previewed on history, checked value by value, served by the same query.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
tables = typer.Typer(
    cls=CommandGroup, help="Add, list, show, append to and drop tables.", no_args_is_help=True
)
app.add_typer(tables, name="table")

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
TimeOption = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Event time; without it: static.")
]


class IfExists(StrEnum):
    """What to do when a table of that name exists."""

    ERROR = "error"
    SKIP = "skip"
    REPLACE = "replace"


def main() -> None:
    """The entry point of the commands ``workbench`` and ``feature-workbench``."""
    app()


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        say(workbench.__version__)
        raise typer.Exit


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The project's folder; created when missing.")],
) -> None:
    """Create a project, and a workbench.toml in the working directory that names it."""
    project = workbench.open(path.expanduser())
    marker = write_marker(Path(project.path))
    say(
        f"project {project.name} in {project.path}; {marker} names it for the commands and notebooks below it"
    )


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
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="Names rows: a known one is not stored again."),
    ] = None,
    if_exists: Annotated[IfExists, typer.Option(help="The same content is never an error.")] = IfExists.ERROR,
    project: ProjectOption = None,
) -> None:
    """Create a table from a Parquet, CSV or JSON file."""
    table = _project(project).create_table(
        name,
        str(file),
        time=time,
        ttl=ttl,
        delay=delay,
        known=known,
        id=id,
        if_exists=if_exists.value,
    )
    say(f"table {table.name}: {table.count():,} rows, {len(table.columns)} columns")


@tables.command("list")
def table_list(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the project's tables."""
    opened = _project(project)
    found = [_about(opened.table(name)) for name in opened.list_tables()]
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

    opened = _project(project)
    table = opened.table(name)
    if as_json:
        say_json(_about(table))
        return
    options = "".join(f", {name} {value}" for name, value in table.options.items())
    say(f"{table.name}: {table.count():,} rows, time {table.time or 'none (static)'}{options}")
    say_table(["column", "type"], table.columns.items())
    _say_result(opened.sql(f"SELECT * FROM {quoted(table.name)} LIMIT 5"))


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

    table = _project(project).table(name)
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


@tables.command("drop")
def table_drop(name: TableArgument, project: ProjectOption = None) -> None:
    """Drop a table that no view uses."""
    _project(project).drop_table(name)
    say(f"table {name} dropped")


@app.command()
def define(
    name: ViewArgument,
    file: Annotated[str, typer.Argument(metavar="FILE.sql|-", help="The query; - reads standard input.")],
    dialect: Annotated[str, typer.Option(help="workbench or openmldb.")] = "workbench",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="The value of :NAME; may be repeated."),
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Cut a version at once, not only a draft.")] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Define a feature view from a file of SQL, and show its columns and what to look at."""
    sql = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    view = _project(project).define(name, sql, dialect=dialect, params=assigned(param or []))
    if save:
        view = view.save()
    findings = view.lint()
    if as_json:
        shown = [dataclasses.asdict(finding) for finding in findings]
        say_json({"view": name, "version": view.version, "features": view.schema, "findings": shown})
        return
    say(f"{name} ({_version(view)}): one row per row of {view.anchor}")
    say_table(["feature", "type"], view.schema.items())
    for finding in findings:
        say(f"{finding.severity}: {finding.message}" + (f"\n  {finding.hint}" if finding.hint else ""))


@app.command()
def label(
    name: Annotated[str, typer.Argument(metavar="LABEL", help="The label's name.")],
    file: Annotated[str, typer.Argument(metavar="FILE.sql|-", help="The query; - reads standard input.")],
    dialect: Annotated[str, typer.Option(help="workbench or openmldb.")] = "workbench",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Define a label, whose windows may look ahead, from a file of SQL."""
    sql = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    made = _project(project).define_label(name, sql, dialect=dialect)
    if as_json:
        say_json({"label": made.name, "version": made.version, "columns": made.schema})
        return
    say(
        f"{made.name} ({f'version {made.version}' if made.version else 'draft'}): labels of rows of {made.anchor}"
    )
    say_table(["column", "type"], made.schema.items())


@app.command()
def train(
    spine: Annotated[
        str, typer.Argument(metavar="SPINE", help="A table, or a Parquet, CSV or JSON file of rows.")
    ],
    views: Annotated[
        list[str], typer.Argument(metavar="VIEW...", help="The views whose features are joined.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A .parquet, .csv or .svm file.")],
    target: Annotated[
        str | None, typer.Option("--label", metavar="NAME", help="A label, or a column of the spine.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="Columns to leave out; repeatable."),
    ] = None,
    cut: Annotated[
        int | None, typer.Option(metavar="SEQ", help="Rows that arrived later are not known.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a training set: rows with the features of views, each as of the row's own time, and a label."""
    from workbench.values.infer import infer

    writers = {".parquet": "to_parquet", ".csv": "to_csv", ".svm": "to_libsvm"}
    if out.suffix not in writers:
        raise typer.BadParameter(f"--out ends with {', '.join(writers)}, not {out.suffix or 'nothing'}")
    opened = _project(project)
    rows = (
        spine if spine.casefold() in map(str.casefold, opened.list_tables()) else infer(spine)[1].read_all()
    )
    with progress(not as_json) as told:
        result = opened.training_set(rows, views, label=target, exclude=exclude or (), cut=cut, progress=told)
        getattr(result, writers[out.suffix])(out)
    if as_json:
        say_json({"file": str(out), "columns": result.columns, **result.metadata})
    else:
        known = result.metadata
        dropped = f"; {known['dropped']} rows without a known label" if "dropped" in known else ""
        say(f"{out}: {len(result.columns)} columns of {known['versions']}, cut {known['cut']}{dropped}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.sql", help="A script of OpenMLDB statements.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")
    ] = False,
    transpile: Annotated[
        bool, typer.Option("--transpile", help="Print each query in the workbench's own dialect.")
    ] = False,
    deploy: Annotated[bool, typer.Option("--deploy", help="Publish what the script deploys.")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Carry out the rest where statements cannot be.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a script of OpenMLDB into the project; exit code 1 when statements were refused."""
    report = _project(project).import_sql(
        file, deploy=deploy, dry_run=dry_run, transpile=transpile, skip_refused=skip_refused
    )
    if as_json:
        say_json([dataclasses.asdict(step) for step in report.steps])
    else:
        say(str(report))
    if report.refused:
        raise typer.Exit(1)


@app.command()
def preview(
    name: ViewArgument,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many rows.")] = 20,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the features of rows spread over the history, the newest among them."""
    result = _project(project).view(name).preview(rows)
    if as_json:
        say_json(_json_rows(result))
    else:
        _say_result(result)


@app.command()
def check(
    name: ViewArgument,
    rows: Annotated[
        str, typer.Option("--rows", "-n", help="How many anchor rows to replay, or all.")
    ] = "10000",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that requests answer what the history says, value by value; exit code 1 when any value differs."""
    view = _project(project).view(name)
    with progress(not as_json) as told:
        report = view.check(rows=_rows(rows), progress=told)
    if as_json:
        say_json(report.to_dict())
    else:
        say(repr(report))
    if report.different:
        raise typer.Exit(1)


@app.command()
def compare(
    name: ViewArgument,
    file: FileArgument,
    on: Annotated[
        str,
        typer.Option("--on", metavar="COLUMNS", help="Columns that tell which stored row is meant: id,ts."),
    ],
    tolerance: Annotated[
        float, typer.Option(metavar="RATIO", help="Relative difference up to which numbers are equal.")
    ] = 1e-9,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the feature values of a file beside ours; exit code 1 when any differs, or none could be compared."""
    view = _project(project).view(name)
    with progress(not as_json) as told:
        found = view.compare(
            file, [part.strip() for part in on.split(",")], tolerance=tolerance, progress=told
        )
    if as_json:
        say_json(found.to_dict())
    else:
        say(repr(found))
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def deploy(name: ViewArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Serve a view as an HTTP endpoint; starts the project's server when it does not run."""
    view = _project(project).view(name)
    with progress(not as_json) as told:
        deployment = view.deploy(progress=told)
    if as_json:
        say_json({"view": deployment.view, "version": deployment.version, "url": deployment.url})
    else:
        say(
            f"{deployment.view} version {deployment.version} is live at {deployment.url}\n{deployment.curl()}"
        )


@app.command()
def rollback(name: ViewArgument, project: ProjectOption = None) -> None:
    """Serve the version before the current one again."""
    deployment = _project(project).deployment(name).rollback()
    say(f"{name} version {deployment.version} is live at {deployment.url}")


@app.command()
def ps(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List what is deployed, and where."""
    states = [deployment.status() for deployment in _project(project).deployments()]
    if as_json:
        say_json(states)
    elif states:
        columns = ["view", "version", "state", "url", "requests", "p50_ms"]
        say_table(
            columns, [["" if state[name] is None else state[name] for name in columns] for state in states]
        )
    else:
        say("nothing is deployed")


@app.command()
def stop(
    name: Annotated[
        str | None, typer.Argument(metavar="[VIEW]", help="A view; without it the whole server.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Take a view's endpoint away, or stop the project's server."""
    from workbench.deployment import stop_server

    opened = _project(project)
    if name:
        opened.deployment(name).stop()
        say(f"{name} is no longer served")
    else:
        say("the server has stopped" if stop_server(opened.path) else "no server runs")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the project's server in the background, unless it runs; what is deployed is served again."""
    from workbench.deployment import ensure_server

    server = ensure_server(existing_project_path(project), workers=workers, host=host, port=port)
    if as_json:
        say_json({"url": server.url, "pid": server.pid})
    else:
        say(f"the server (process {server.pid}) listens at {server.url}")


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the project and its server running.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole path on a year of flights: define, train, check, deploy, append, ask."""
    from workbench.demo import run

    run(keep=keep, json=as_json)


@app.command()
def docs(
    name: Annotated[
        str | None, typer.Argument(metavar="PAGE", help="The page; without it, their names.")
    ] = None,
) -> None:
    """Print a page of the documentation."""
    from workbench.docs import page, pages

    typer.echo("\n".join(pages()) if name is None else page(name), nl=name is None)


@app.command()
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


def _project(explicit: str | None) -> Project:
    return workbench.open(existing_project_path(explicit))


def _about(table: Table) -> dict[str, Any]:
    about = {"table": table.name, "rows": table.count(), "time": table.time}
    return {**about, "columns": dict(table.columns), "options": table.options}


def _version(view: View) -> str:
    return f"version {view.version}" if view.version else "draft"


def _say_result(result: Any) -> None:
    rows = result.to_pyarrow()
    say_table(rows.column_names, zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _json_rows(result: Any) -> list[dict[str, Any]]:
    from workbench.values.types import duckdb_type
    from workbench.values.wire import encoder

    rows = result.to_pyarrow()
    encode = encoder({field.name: duckdb_type(field.type) for field in rows.schema})
    return [encode(row) for row in rows.to_pylist()]


def _rows(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if not text.isdigit() or int(text) == 0:
        raise typer.BadParameter(f"--rows is a number of rows or all, not {text!r}")
    return int(text)
