"""Scripts of other systems brought into a project: OpenMLDB's tables, files, rows and deployments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import DefinitionError, Position, RowError, WorkbenchError
from workbench.plan.tables import SourceTable

if TYPE_CHECKING:
    import pyarrow as pa

    from workbench.plan.model import FeaturePlan
    from workbench.project import Project
    from workbench.sql.openmldb import script as s


@dataclass(frozen=True)
class ImportStep:
    """What became of one statement.

    ``state`` is ``done``, ``planned`` (of a dry run), ``ignored`` or ``refused``; ``text`` is the query in the
    workbench's own dialect where it was asked for.
    """

    line: int
    state: str
    what: str
    notes: tuple[str, ...] = ()
    text: str | None = None


@dataclass(frozen=True)
class ImportReport:
    """What became of a script, statement by statement."""

    steps: tuple[ImportStep, ...] = field(default_factory=tuple)

    @property
    def refused(self) -> tuple[ImportStep, ...]:
        """The statements that were not carried out."""
        return tuple(step for step in self.steps if step.state == "refused")

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that were defined."""
        return tuple(step.what.split()[1] for step in self.steps if step.what.startswith("view "))

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            lines.append(f"line {step.line}: {step.state}: {step.what}")
            lines += [f"    {note}" for note in step.notes]
            lines += [f"    {line}" for line in (step.text or "").splitlines()]
        return "\n".join(lines)

    __repr__ = __str__


def import_sql(
    project: Project,
    script: str | Path,
    *,
    deploy: bool = False,
    dry_run: bool = False,
    transpile: bool = False,
    skip_refused: bool = False,
    folder: Path | None = None,
) -> ImportReport:
    """Carry out a script of OpenMLDB statements; see :meth:`workbench.Project.import_sql`."""
    from workbench.sql.openmldb.script import Refused, read_script

    path = _path(script)
    text = path.read_text(encoding="utf-8") if path is not None else str(script)
    folder = folder or (path.parent if path is not None else Path.cwd())
    statements = read_script(text)
    refused = [statement for statement in statements if isinstance(statement, Refused)]
    if refused and not skip_refused and not dry_run:
        raise DefinitionError(
            "; ".join(f"line {r.line}: {r.reason}" + (f" ({r.hint})" if r.hint else "") for r in refused),
            hint="nothing was done; skip_refused=True (--skip-refused) carries out the others",
        )
    runner = _Runner(project, text, folder, deploy, dry_run, transpile)
    return ImportReport(tuple(runner.step(statement) for statement in statements))


def _path(script: str | Path) -> Path | None:
    if isinstance(script, Path):
        return script
    if "\n" in script or ";" in script:
        return None
    return Path(script)


class _Runner:
    def __init__(
        self, project: Project, script: str, folder: Path, deploy: bool, dry_run: bool, transpile: bool
    ) -> None:
        self.project = project
        self.script = script
        self.folder = folder
        self.deploy = deploy
        self.dry_run = dry_run
        self.transpile = transpile
        self.planned: dict[str, s.CreateTable] = {}

    def step(self, statement: s.Statement) -> ImportStep:
        from workbench.sql.openmldb import script as s

        notes = tuple(dict.fromkeys(statement.notes))
        if isinstance(statement, s.Refused):
            hints = (statement.hint,) if statement.hint else ()
            return ImportStep(statement.line, "refused", statement.reason, hints)
        if isinstance(statement, s.Ignored):
            return ImportStep(statement.line, "ignored", _first_words(statement.text), notes)
        does: dict[type, Callable[[Any], tuple[str, str | None]]] = {
            s.CreateTable: self._create,
            s.LoadData: self._load,
            s.Insert: self._insert,
            s.DefineView: self._define,
        }
        try:
            what, text = does[type(statement)](statement)
        except WorkbenchError as error:
            raise self._placed(error, statement) from None
        return ImportStep(statement.line, "planned" if self.dry_run else "done", what, notes, text)

    def _placed(self, error: WorkbenchError, statement: s.Statement) -> WorkbenchError:
        """An error at its place in the script."""
        from workbench.sql.openmldb.script import DefineView

        place = error.position
        if place is None or not isinstance(statement, DefineView):
            return DefinitionError(f"line {statement.line}: {error.message}", hint=error.hint)
        start = statement.start
        column = place.column + (start.column - 1 if place.line == 1 else 0)
        moved = Position(place.line + start.line - 1, column, place.length)
        return DefinitionError(error.message, hint=error.hint, position=moved, source=self.script)

    def _create(self, statement: s.CreateTable) -> tuple[str, None]:
        self.planned[statement.name.casefold()] = statement
        what = f"table {statement.name}, time {statement.time or 'none'}"
        if not self.dry_run:
            exists = "skip" if statement.skip else "error"
            self.project.create_table(
                statement.name,
                statement.columns,
                time=statement.time,
                ttl=statement.ttl,
                if_exists=exists,  # type: ignore[arg-type]
            )
        return what, None

    def _columns(self, table: str) -> dict[str, str]:
        planned = self.planned.get(table.casefold())
        return planned.columns if planned is not None else self.project.table(table).columns

    def _load(self, statement: s.LoadData) -> tuple[str, None]:
        columns = self._columns(statement.table)
        paths = self._files(statement.path)
        if self.dry_run:
            return f"{len(paths)} files into {statement.table}", None
        count = 0
        for path in paths:
            rows = _read_file(path, statement.options, columns)
            count += self.project.table(statement.table).append(rows).accepted
        return f"{count:,} rows of {statement.path} into {statement.table}", None

    def _files(self, path: str) -> list[Path]:
        given = Path(path.removeprefix("file://"))
        place = given if given.is_absolute() else self.folder / given
        found = sorted(place.parent.glob(place.name)) if "*" in place.name else [place]
        if len(found) == 1 and found[0].is_dir():
            found = sorted(p for p in found[0].iterdir() if not p.name.startswith(("_", ".")))
        missing = [str(file) for file in found if not file.exists()]
        if missing or not found:
            raise WorkbenchError(
                f"there is no file {missing[0] if missing else path}",
                hint="paths are relative to the script's folder",
            )
        return found

    def _insert(self, statement: s.Insert) -> tuple[str, None]:
        from workbench.sql.openmldb.script import stored_value

        columns = self._columns(statement.table)
        names = statement.columns or list(columns)
        by_folded = {name.casefold(): name for name in columns}
        rows = []
        for values in statement.rows:
            if len(values) != len(names):
                raise RowError(f"{len(values)} values for {len(names)} columns of {statement.table}")
            row = {}
            for name, value in zip(names, values, strict=True):
                column = by_folded.get(name.casefold(), name)
                row[column] = stored_value(value, columns.get(column, ""))
            rows.append(row)
        if not self.dry_run:
            self.project.table(statement.table).append(rows)
        return f"{len(rows)} rows into {statement.table}", None

    def _define(self, statement: s.DefineView) -> tuple[str, str | None]:
        from workbench.sql.define import define

        what = f"view {statement.name}"
        tables = self.project.source_tables()
        if not self.dry_run:
            view = self.project.define(statement.name, statement.query, dialect="openmldb")
            plan = view.plan
            if statement.deployed and self.deploy:
                view.deploy()
                what += " deployed"
        else:
            for made in self.planned.values():
                tables[made.name] = SourceTable(made.name, made.columns, made.time)
            plan = define(statement.query, tables, self.project.functions(), "openmldb")
        return what, self._text(plan, tables) if self.transpile else None

    def _text(self, plan: FeaturePlan, tables: dict[str, SourceTable]) -> str:
        """The query in the workbench's dialect, under comments on what becomes other by that."""
        from workbench.plan.text import text_of
        from workbench.sql.openmldb.transpile import transpiled

        made, notes = transpiled(plan)
        try:
            text = text_of(made, tables)
        except DefinitionError as error:
            return f"-- {error.message}"
        return "".join(f"-- {note}\n" for note in notes) + text.rstrip()


def _first_words(text: str) -> str:
    return " ".join(text.split()[:4])


def _read_file(path: Path, options: dict[str, str], columns: dict[str, str]) -> pa.Table:
    """The rows of a file in the types of a table; texts are converted as the dialect's casts do."""
    import pyarrow.parquet as pq

    kind = options.get("format", "csv").casefold()
    if kind == "parquet" or path.suffix == ".parquet":
        table = pq.read_table(path)
        by_folded = {name.casefold(): name for name in columns}
        return table.rename_columns([by_folded.get(n.casefold(), n) for n in table.column_names])
    if kind != "csv":
        raise WorkbenchError(f"files of the format {kind!r} cannot be loaded", hint="csv or parquet")
    return _converted(_read_csv(path, options, columns), columns, path)


def _read_csv(path: Path, options: dict[str, str], columns: dict[str, str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    header = options.get("header", "true").casefold() == "true"
    quote = options.get("quote") or '"'
    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=list(columns), skip_rows=1 if header else 0),
            parse_options=csv.ParseOptions(delimiter=options.get("delimiter", ","), quote_char=quote),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=[options.get("null_value", "null"), "null", "NULL"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowException as error:
        raise RowError(f"{path.name} cannot be read: {error}") from None


def _converted(texts: pa.Table, columns: dict[str, str], path: Path) -> pa.Table:
    """Texts in the types of the columns; a text that is no value of its type is an error."""
    from workbench.sql.openmldb.types import converted
    from workbench.storage.session import connect, quoted

    connection = connect(threads=1)
    connection.register("texts", texts)
    values, checks = [], []
    for name, kind in columns.items():
        text = f"nullif({quoted(name)}, '')" if kind != "VARCHAR" else quoted(name)
        value = converted(text, "VARCHAR", kind)
        if kind == "TIMESTAMP":
            value = f"coalesce(make_timestamp_ms(TRY_CAST({text} AS BIGINT)), {value})"
        values.append(f"{value} AS {quoted(name)}")
        checks.append(f"count({text}) - count({value})")
    bad = connection.execute(f"SELECT {', '.join(checks)} FROM texts").fetchone() or ()
    for (name, kind), count in zip(columns.items(), bad, strict=True):
        if count:
            raise RowError(f"{count} values of {name!r} in {path.name} are no {kind}", field=name)
    return connection.execute(f"SELECT {', '.join(values)} FROM texts").to_arrow_table()
