"""A project: tables, feature views and their endpoints in one folder. What notebooks, the CLI and servers call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from workbench.catalog import definitions, deployments, functions, labels, tables, views
from workbench.catalog.names import check_free
from workbench.deployment import Deployment
from workbench.errors import Conflict, DefinitionError, NotFound
from workbench.functions import PythonFunction, capture, load
from workbench.label import Label, refusal
from workbench.offline import Progress, Result, ad_hoc
from workbench.offline.export import KindLike
from workbench.online import Engine, tidy_indexes, warm_kernels
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.queries import Queries
from workbench.storage import Storage
from workbench.table import Table
from workbench.training import training_set
from workbench.values.names import check_name
from workbench.view import View

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from workbench.importing import ImportReport
    from workbench.sql.functions import Functions

Defined = TypeVar("Defined", bound=Callable[..., Any])


class Project:
    """A project, opened with :func:`workbench.open`.

    Parameters
    ----------
    path
        The project's folder, created when missing. Opening it several times, from several processes, is fine.

    Raises
    ------
    StorageError
        When the folder cannot hold a project, such as on a network file system.

    Examples
    --------
    >>> import workbench as wb
    >>> project = wb.open("flights")                                       # doctest: +SKIP
    >>> project.create_table("transactions", "tx.parquet", time="ts")      # doctest: +SKIP
    """

    def __init__(self, path: str | Path) -> None:
        self.storage = Storage.open(path)
        self._engines: dict[tuple[object, ...], Engine] = {}
        self._queries = Queries(self.storage)
        self._lock = threading.RLock()

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.storage.path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    # -- tables

    def create_table(
        self,
        name: str,
        obj: Any,
        *,
        time: str | None = None,
        ttl: str | None = None,
        delay: str | None = None,
        known: str | None = None,
        keep: str | None = None,
        id: str | None = None,
        if_exists: Literal["error", "skip", "replace"] = "error",
        schema: Any = None,
        on_invalid: Literal["reject", "quarantine"] = "reject",
        progress: Progress | None = None,
    ) -> Table:
        """Create a table and load it; all rows or none.

        Parameters
        ----------
        name
            The table's name.
        obj
            A path (Parquet, CSV, JSON), a DataFrame, Arrow, an Ibis table, a pandera schema, or ``{column: type}``.
        time
            The event-time column (a TIMESTAMP, UTC); without it the table is static, ordered by arrival alone.
        ttl
            How long rows are visible, such as ``"30d"``; by default for ever.
        delay, known
            When a row becomes known: a duration after its time such as ``"6h"``, or the TIMESTAMP column that says it.
        keep
            How long the rows of a table with ``ttl`` stay in its files as history for training sets; by default ``ttl``
            and as much again, at least 30 days more.
        id
            The column that names rows (a whole number, VARCHAR, UUID or BLOB): a row of a known id is not stored again,
            and a request for one is answered at the place that the stored row has.
        if_exists
            What to do when the table exists with other content; the same content is always a no-op.
        schema
            A pandera schema or model whose checks all rows must pass, also those that are appended later.
        on_invalid
            What happens to rows that fail: ``"reject"`` refuses everything that came with them, ``"quarantine"`` stores
            the others and keeps them in the table ``<name>_quarantine``, with the reason.
        progress
            Called with each step and the share that is done.
        """
        check_free(self.storage, name, "table")
        tables.create_table(
            self.storage,
            name,
            obj,
            time=time,
            ttl=ttl,
            delay=delay,
            known=known,
            keep=keep,
            id=id,
            if_exists=if_exists,
            schema=schema,
            on_invalid=on_invalid,
            progress=progress,
        )
        return self.table(name)

    def table(self, name: str) -> Table:
        """Return a table; NotFound with the closest name when there is none."""
        return Table(self.storage, name)

    def list_tables(self) -> list[str]:
        """Return the names of the tables, sorted."""
        return sorted(table.name for table in self.storage.tables())

    def drop_table(self, name: str) -> None:
        """Drop a table with all its rows; Conflict while a view or label uses it."""
        labels.check_unused(self.storage, name)
        tables.drop(self.storage, name)

    def sql(self, query: str) -> Result:
        """Return the rows of an ad hoc DuckDB SELECT over the project's tables (read-only, nothing is point-in-time).

        Parameters
        ----------
        query
            One SELECT statement, or DESCRIBE or SUMMARIZE of one or of a table.

        Raises
        ------
        DefinitionError
            It is something else, reads files, or does not bind.
        NotFound
            It names a table that does not exist.
        """
        return ad_hoc(self.storage, query)

    # -- views

    def define(
        self,
        name: str,
        query: str | ir.Table,
        dialect: str = "workbench",
        params: Mapping[str, Any] | None = None,
    ) -> View:
        """Define a feature view: writes its draft, over an earlier one.

        Parameters
        ----------
        name
            The view's name.
        query
            One SELECT in the dialect, or an Ibis expression. Its FROM and LAST JOIN may name other views: ``risk`` is
            the newest version (the draft where none was cut), ``risk@3`` version 3, ``risk@draft`` the draft. What they
            are now is part of this definition: it stays as it is when they change.
        dialect
            The dialect of the text.
        params
            Values of the text's parameters, such as ``{"days": 7}`` for ``INTERVAL :days DAY PRECEDING``: bool, int,
            float, str, Decimal, date, datetime, timedelta, None or lists of them. They are part of the version.

        Raises
        ------
        DefinitionError
            With line, column and a hint, when the query cannot be accepted.
        """
        check_name(name, "view")
        check_free(self.storage, name, "view")
        try:
            plan = self._queries.plan(query, dialect, params, name)
        except DefinitionError as error:
            raise self._of_label(error) from None
        text = query if isinstance(query, str) else self._queries.text_of(query, plan)
        before = views.latest_hash(self.storage, name)
        saved = views.save_draft(self.storage, name, text, dialect, plan.to_json(), plan.hash)
        if before is not None and before != plan.hash:
            tidy_indexes(self.storage)
        return View(self, saved)

    def preview(
        self,
        query: str | ir.Table,
        frames: Mapping[str, Any] | None = None,
        *,
        times: Mapping[str, str] | None = None,
        rows: int = 20,
        params: Mapping[str, Any] | None = None,
    ) -> Result:
        """Try a feature query, on DataFrames too; nothing is defined or stored.

        Parameters
        ----------
        query
            One SELECT, or an Ibis expression (``ibis.memtable`` may stand in it).
        frames
            DataFrames, Arrow tables, dicts or files, by the names that the query has for them. Their rows are in the
            order of arrival. A name of the project's tables means the frame here.
        times
            The time columns of frames; by default a frame's only TIMESTAMP column.
        rows
            How many anchor rows to show at most: a spread sample that includes the newest.
        params
            Values of the text's parameters.

        Raises
        ------
        DefinitionError
            The query cannot be accepted, or a frame has several columns that could be its time.

        Examples
        --------
        >>> project.preview("SELECT sum(x) OVER w AS s FROM df WINDOW w AS (ORDER BY ts)", {"df": df})  # doctest: +SKIP
        """
        from workbench.offline.local import LocalTables, preview_local
        from workbench.plan.ibis_query import memtables

        given = {**(frames or {}), **({} if isinstance(query, str) else memtables(query))}
        local = LocalTables(given, times or {})
        plan = self._queries.plan(query, params=params, tables=local.sources)
        return preview_local(self.storage, plan, local, rows)

    def view(self, name: str, version: int | None = None) -> View:
        """Return a view: its draft, else its newest version, or the version asked for."""
        try:
            return View(self, views.get(self.storage, name, version))
        except NotFound:
            if labels.find(self.storage, name) is not None:
                raise refusal(name, "used as a view") from None
            raise

    def import_sql(
        self,
        script: str | Path,
        *,
        deploy: bool = False,
        dry_run: bool = False,
        transpile: bool = False,
        skip_refused: bool = False,
        folder: str | Path | None = None,
    ) -> ImportReport:
        """Carry out a script of OpenMLDB statements: tables, rows, files to load, and SELECTs as views.

        Parameters
        ----------
        script
            The script's text, or the path of its file.
        deploy
            Also publish what the script deploys; without it, DEPLOY defines the view.
        dry_run
            Change nothing, and say what would be done.
        transpile
            Report each query in the workbench's own dialect as well.
        skip_refused
            Carry out the other statements where some cannot be; by default nothing is done then.
        folder
            What relative paths of LOAD DATA are relative to; by default the script's folder.

        Raises
        ------
        WorkbenchError
            A statement cannot be carried out, with its line.

        Examples
        --------
        >>> print(project.import_sql("taxi.sql", dry_run=True))                # doctest: +SKIP
        line 1: ignored: CREATE DATABASE demo_db
            a project is the database
        """
        from workbench.importing import import_sql

        return import_sql(
            self,
            script,
            deploy=deploy,
            dry_run=dry_run,
            transpile=transpile,
            skip_refused=skip_refused,
            folder=Path(folder) if folder is not None else None,
        )

    def list_views(self) -> list[str]:
        """Return the names of the views, sorted."""
        return sorted({record.view for record in views.list(self.storage)})

    def drop_view(self, name: str) -> None:
        """Drop a view with all its versions, and the indexes that no other needs; Conflict while it is deployed."""
        views.drop(self.storage, name)
        tidy_indexes(self.storage)

    def _of_label(self, error: DefinitionError) -> DefinitionError:
        """The error of a query, or where it points at the name of a label, that a view cannot use it."""
        pointed = error.pointed()
        if pointed is None or labels.find(self.storage, pointed) is None:
            return error
        refused = refusal(pointed, "used in a view")
        return DefinitionError(
            refused.message, hint=refused.hint, position=error.position, source=error.source
        )

    # -- labels and training sets

    def define_label(
        self, name: str, query: str, dialect: str = "workbench", params: Mapping[str, Any] | None = None
    ) -> Label:
        """Define a label: writes its draft, over an earlier one.

        A label is a feature query whose windows may look ahead (``BETWEEN CURRENT ROW AND 7d FOLLOWING``, ``lead``). It
        is for training only: no endpoint can answer it, and no view can use it.

        Parameters
        ----------
        name
            The label's name.
        query
            One SELECT in the dialect.
        dialect
            The dialect of the text.
        params
            Values of the text's parameters, as of :meth:`define`.

        Raises
        ------
        DefinitionError
            With line, column and a hint, when the query cannot be accepted.
        Conflict
            A table or view has that name.
        """
        check_name(name, "label")
        check_free(self.storage, name, "label")
        plan = self._queries.label_plan(query, dialect, params, name)
        return Label(self, labels.save(self.storage, name, query, dialect, plan))

    def label(self, name: str, version: int | None = None) -> Label:
        """Return a label: its draft, else its newest version, or the version asked for."""
        return Label(self, labels.get(self.storage, name, version))

    def list_labels(self) -> list[str]:
        """Return the names of the labels, sorted."""
        return labels.names(self.storage)

    def drop_label(self, name: str) -> None:
        """Drop a label with all its versions."""
        labels.drop(self.storage, name)

    def training_set(
        self,
        spine: Any,
        features: View | str | Sequence[View | str],
        *,
        label: Label | str | None = None,
        exclude: str | Sequence[str] = (),
        prefix: bool = False,
        cut: int | None = None,
        as_of: datetime | str | None = None,
        kinds: Mapping[str, KindLike] | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Return rows with the features of several views, each as of the row's own time, and a label.

        The result's ``metadata`` (and that of a Parquet file) says which versions, plans and cut it comes from; the
        same cut gives the same rows again.

        Parameters
        ----------
        spine
            Rows with the columns that the views use, and others, which are kept; or the name of a table, whose stored
            rows they are then.
        features
            The view or views, or their names. A draft is cut into a version. Their anchor tables may differ, as long
            as the spine has the columns that each uses.
        label
            What to predict, which comes last: a column of the spine, or a label of the project. Rows whose label's
            horizon has not passed are left out, and ``metadata["dropped"]`` counts them.
        exclude
            Names or patterns of columns to leave out: ``"cnt_7d"``, ``"cnt_*"``, ``"card_risk.*"``.
        prefix
            Put the view's name before each feature's, as ``card_risk_cnt_7d``.
        cut
            Rows that arrived later are not known; by default all are.
        as_of
            The latest time that counts as known to the label; by default the newest time of the tables it looks at.
        kinds
            What columns are to a model (``{"city": "discrete:1000"}``), over what the queries say.
        progress
            Called with each step and the share that is done.

        Raises
        ------
        Conflict
            Two columns have one name.
        NotFound
            There is no such view, label or column.
        """
        return training_set(
            self,
            spine,
            features,
            label=label,
            exclude=exclude,
            prefix=prefix,
            cut=cut,
            as_of=as_of,
            kinds=kinds,
            progress=progress,
        )

    # -- Python functions

    @overload
    def function(self, function: Defined, /) -> Defined: ...

    @overload
    def function(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        args: Sequence[str] | None = None,
        returns: str | None = None,
        aggregate: bool = False,
        null: Literal["null", "call"] = "null",
    ) -> Callable[[Defined], Defined]: ...

    def function(
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        args: Sequence[str] | None = None,
        returns: str | None = None,
        aggregate: bool = False,
        null: Literal["null", "call"] = "null",
    ) -> Any:
        """Make a Python function callable in feature queries; to be used as a decorator.

        Its text is kept in the project and runs wherever the features do, in the server's processes too. So it may use
        its arguments, builtins, constants (whose values are kept with it) and modules that are installed there; a
        change of its text is a new version, and views keep the version that they were defined with. Who may define
        functions in a project may run code where the project is served.

        Parameters
        ----------
        function
            A ``def``; it stays as it is.
        name
            Its name in SQL; by default its own.
        args, returns
            DuckDB types, where annotations (``x: float``) do not say them.
        aggregate
            It is called with a list for each argument, the values of the window's rows from the oldest to the newest:
            ``spread(amount) OVER w``.
        null
            ``"null"``: NULL in, NULL out, without a call; of an aggregate, rows with a NULL are left out, and no rows
            give NULL. ``"call"``: NULL is passed as None, and no rows as empty lists.

        Raises
        ------
        DefinitionError
            Its text or types are not known, or it uses what a server does not have.

        Examples
        --------
        >>> @project.function                                    # doctest: +SKIP
        ... def clip01(x: float) -> float:
        ...     return min(max(x, 0.0), 1.0)
        >>> project.define("v", "SELECT clip01(amount) AS c FROM tx")   # doctest: +SKIP
        """

        def decorated(given: Callable[..., Any]) -> Callable[..., Any]:
            made = capture(given, name, args, returns, aggregate, null)
            self._check_function_name(made.name)
            load(made)
            functions.save(self.storage, made)
            return given

        return decorated if function is None else decorated(function)

    def list_functions(self) -> list[str]:
        """Return the names of the Python functions, sorted."""
        return definitions.names(self.storage, functions.KIND)

    def python_function(self, name: str, version: int | None = None) -> PythonFunction:
        """Return what is kept of a Python function: its text, types and what it uses."""
        return functions.get(self.storage, name, version)

    def drop_function(self, name: str) -> None:
        """Drop a Python function with all its versions; Conflict while a view or label uses one."""
        functions.drop(self.storage, name)

    def _check_function_name(self, name: str) -> None:
        known = self.functions()
        if known.python(name) is None and name.casefold() in known.known_names():
            raise Conflict(f"DuckDB has a function {name!r}", hint="choose another name, or pass name=")

    # -- deployments

    def deployments(self) -> list[Deployment]:
        """Return the handles on all endpoints."""
        return [Deployment(self.path, d.view, d.version) for d in deployments.current(self.storage)]

    def deployment(self, name: str) -> Deployment:
        """Return the handle on a view's endpoint; NotFound when it is not deployed."""
        return Deployment(self.path, name)

    def warmup(self, progress: Callable[[str], None] | None = None) -> bool:
        """Compile what answers requests in microseconds, once a machine; return whether it is there.

        Deploying does it by itself. Without it, or where it cannot be compiled, DuckDB answers, in a millisecond.

        Parameters
        ----------
        progress
            Called with what is being done, before a step that takes seconds.
        """
        ready = warm_kernels(self.storage, progress)
        with self._lock:
            for key in [key for key, engine in self._engines.items() if engine.quick is None]:
                del self._engines[key]
        return ready

    # -- shared parts

    def engine(self, plan: FeaturePlan) -> Engine:
        """Return the request engine of a plan, kept for the next call while its tables stay as they are."""
        key = (plan.hash, *(self.storage.table(name).id for name in plan.tables()))
        with self._lock:
            if key not in self._engines:
                self._engines[key] = Engine(self.storage, plan)
            return self._engines[key]

    def functions(self) -> Functions:
        """Return DuckDB's functions, for translating queries."""
        return self._queries.functions()

    def source_tables(self) -> dict[str, SourceTable]:
        """Return the tables as queries see them, by name."""
        return self._queries.tables()

    def condition(self, text: str, table: str) -> str:
        """Return a condition on rows of a table as SQL over ``a``, checked as a feature query is."""
        return self._queries.condition(text, table)

    def close(self) -> None:
        """Free sessions and files; the endpoints keep running."""
        with self._lock:
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()
        self.storage.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Project {self.name}: {len(self.list_tables())} tables, {len(self.list_views())} views>"
