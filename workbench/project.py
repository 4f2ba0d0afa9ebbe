"""A project: tables, feature views and their endpoints in one folder. What notebooks, the CLI and servers call."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.catalog import deployments, tables, views
from workbench.deployment import Deployment
from workbench.errors import Conflict
from workbench.offline import Progress, Result, ad_hoc
from workbench.online import Engine, index_needs
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.plan.tables import SourceTable
from workbench.storage import IndexSpec, Storage, StoredTable
from workbench.table import Table
from workbench.training import training_set
from workbench.values.names import check_name
from workbench.view import View

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from workbench.sql.functions import Functions


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
        self._functions: Functions | None = None
        self._functions_pid = 0
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
        id: str | None = None,
        if_exists: Literal["error", "skip", "replace"] = "error",
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
        id
            Not available in this version.
        if_exists
            What to do when the table exists with other content; the same content is always a no-op.
        progress
            Called with each step and the share that is done.
        """
        if any(view.casefold() == name.casefold() for view in self.list_views()):
            raise Conflict(
                f"{name!r} is the name of a view", hint="tables and views share their names; choose another"
            )
        tables.create_table(
            self.storage,
            name,
            obj,
            time=time,
            ttl=ttl,
            delay=delay,
            known=known,
            id=id,
            if_exists=if_exists,
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
        """Drop a table with all its rows; Conflict while a view uses it."""
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

    def define(self, name: str, query: str | ir.Table, dialect: str = "workbench") -> View:
        """Define a feature view: writes its draft, over an earlier one.

        Parameters
        ----------
        name
            The view's name.
        query
            One SELECT in the dialect, or an Ibis expression.
        dialect
            The dialect of the text.

        Raises
        ------
        DefinitionError
            With line, column and a hint, when the query cannot be accepted.
        """
        from workbench.sql.define import define

        check_name(name, "view")
        if any(table.casefold() == name.casefold() for table in self.list_tables()):
            raise Conflict(
                f"{name!r} is the name of a table", hint="tables and views share their names; choose another"
            )
        with self._lock:
            plan = define(query, self.source_tables(), self.functions(), dialect)
        text = query if isinstance(query, str) else ""
        return View(self, views.save_draft(self.storage, name, text, dialect, plan.to_json(), plan.hash))

    def view(self, name: str, version: int | None = None) -> View:
        """Return a view: its draft, else its newest version, or the version asked for."""
        return View(self, views.get(self.storage, name, version))

    def list_views(self) -> list[str]:
        """Return the names of the views, sorted."""
        return sorted({record.view for record in views.list(self.storage)})

    def drop_view(self, name: str) -> None:
        """Drop a view with all its versions, and the indexes that no other needs; Conflict while it is deployed."""
        views.drop(self.storage, name)
        needed = self._needed_indexes()
        for index in self.storage.indexes():
            if index.live and index.spec not in needed:
                self.storage.demote_index(index.spec)
        self.storage.drop_draft_indexes(keep=needed)

    def training_set(
        self,
        spine: Any,
        features: View | str | Sequence[View | str],
        *,
        label: str | None = None,
        exclude: str | Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Result:
        """Return spine rows with the features of several views, each as of the row's own time.

        Parameters
        ----------
        spine
            Rows with the columns that the views use, and others (such as the label), which are kept.
        features
            The view or views, or their names. A draft is cut into a version.
        label
            The spine's column to predict; it comes last.
        exclude
            Column or columns to leave out of the result.
        progress
            Called with each step and the share that is done.
        """
        named = [features] if isinstance(features, str | View) else features
        chosen = [self.view(view) if isinstance(view, str) else view for view in named]
        without = [exclude] if isinstance(exclude, str) else exclude
        return training_set(self.storage, spine, [view.save() for view in chosen], label, without, progress)

    # -- deployments

    def deployments(self) -> list[Deployment]:
        """Return the handles on all endpoints."""
        return [Deployment(self.path, d.view, d.version) for d in deployments.current(self.storage)]

    def deployment(self, name: str) -> Deployment:
        """Return the handle on a view's endpoint; NotFound when it is not deployed."""
        return Deployment(self.path, name)

    def _needed_indexes(self) -> set[IndexSpec]:
        """The indexes that any version or draft of any view reads."""
        records = [
            record
            for latest in views.list(self.storage)
            for record in (latest, *views.versions(self.storage, latest.view))
        ]
        plans = [FeaturePlan.from_json(record.plan_json) for record in records]
        return {spec for plan in plans for spec, _ in index_needs(plan)}

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
        from workbench.sql.functions import Functions
        from workbench.storage.session import connect

        with self._lock:
            if self._functions is None or self._functions_pid != os.getpid():
                # A DuckDB session does not survive a fork.
                self._functions, self._functions_pid = Functions(connect(threads=1)), os.getpid()
            return self._functions

    def source_tables(self) -> dict[str, SourceTable]:
        """Return the tables as queries see them, by name."""
        return {table.name: _source_table(table) for table in self.storage.tables()}

    def condition(self, text: str, table: str) -> str:
        """Return a condition on rows of a table as SQL over ``a``, checked as a feature query is."""
        from workbench.sql.define import condition

        with self._lock:
            return plan_sql(condition(text, self.source_tables()[table], self.functions()))

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


def _source_table(table: StoredTable) -> SourceTable:
    options = tables.availability(table)
    delay, ttl = (
        tables.microseconds(value) if value else None for value in (options["delay"], options["ttl"])
    )
    return SourceTable(table.name, table.columns, table.time, delay or 0, options["known"], ttl)
