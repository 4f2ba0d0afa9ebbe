"""Commands about feature views, labels and training sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from workbench.assignments import assigned
from workbench.cli.shared import (
    DialectOption,
    FileArgument,
    JsonOption,
    ParamOption,
    ProjectOption,
    QueryArgument,
    SaveOption,
    ViewArgument,
    json_rows,
    opened,
    query_in,
    say_result,
)
from workbench.terminal import progress, say, say_json, say_table

if TYPE_CHECKING:
    from workbench.label import Label
    from workbench.view import View


def define(
    name: ViewArgument,
    file: QueryArgument,
    dialect: DialectOption = "workbench",
    param: ParamOption = None,
    save: SaveOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Define a feature view from a file of SQL, and show its columns and what to look at."""
    view = opened(project).define(name, query_in(file), dialect=dialect, params=assigned(param or []))
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


def label(
    name: Annotated[str, typer.Argument(metavar="LABEL", help="The label's name.")],
    file: QueryArgument,
    dialect: DialectOption = "workbench",
    param: ParamOption = None,
    save: SaveOption = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Define a label, whose windows may look ahead, from a file of SQL."""
    made = opened(project).define_label(name, query_in(file), dialect=dialect, params=assigned(param or []))
    if save:
        made = made.save()
    if as_json:
        say_json({"label": made.name, "version": made.version, "columns": made.schema})
        return
    say(f"{made.name} ({_version(made)}): labels of rows of {made.anchor}")
    say_table(["column", "type"], made.schema.items())


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
    here = opened(project)
    rows = spine if spine.casefold() in map(str.casefold, here.list_tables()) else infer(spine)[1].read_all()
    with progress(not as_json) as told:
        result = here.training_set(rows, views, label=target, exclude=exclude or (), cut=cut, progress=told)
        getattr(result, writers[out.suffix])(out)
    if as_json:
        say_json({"file": str(out), "columns": result.columns, **result.metadata})
    else:
        known = result.metadata
        dropped = f"; {known['dropped']} rows without a known label" if "dropped" in known else ""
        say(f"{out}: {len(result.columns)} columns of {known['versions']}, cut {known['cut']}{dropped}")


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
    report = opened(project).import_sql(
        file, deploy=deploy, dry_run=dry_run, transpile=transpile, skip_refused=skip_refused
    )
    if as_json:
        say_json([dataclasses.asdict(step) for step in report.steps])
    else:
        say(str(report))
    if report.refused:
        raise typer.Exit(1)


def preview(
    name: ViewArgument,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many rows.")] = 20,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the features of rows spread over the history, the newest among them."""
    result = opened(project).view(name).preview(rows)
    if as_json:
        say_json(json_rows(result))
    else:
        say_result(result)


def check(
    name: ViewArgument,
    rows: Annotated[
        str, typer.Option("--rows", "-n", help="How many anchor rows to replay, or all.")
    ] = "10000",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that requests answer what the history says, value by value; exit code 1 when any value differs."""
    view = opened(project).view(name)
    with progress(not as_json) as told:
        report = view.check(rows=_rows(rows), progress=told)
    if as_json:
        say_json(report.to_dict())
    else:
        say(repr(report))
    if report.different:
        raise typer.Exit(1)


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
    view = opened(project).view(name)
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


def _version(made: View | Label) -> str:
    return f"version {made.version}" if made.version else "draft"


def _rows(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if not text.isdigit() or int(text) == 0:
        raise typer.BadParameter(f"--rows is a number of rows or all, not {text!r}")
    return int(text)
