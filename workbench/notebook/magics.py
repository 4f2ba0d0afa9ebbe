"""``%%feature``, ``%%label`` and ``%workbench``: thin shells over :class:`workbench.Project`."""

from __future__ import annotations

import functools
import keyword
import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

import workbench
from workbench.assignments import assigned
from workbench.errors import NotFound, WorkbenchError, describe
from workbench.locate import existing_project_path
from workbench.notebook.output import progress_line
from workbench.notebook.show import Listing
from workbench.notebook.summary import ROWS_SHOWN
from workbench.notebook.work import Progress

if TYPE_CHECKING:
    from workbench.label import Label
    from workbench.project import Project
    from workbench.view import View

DEBUG = "WORKBENCH_DEBUG"


def short_errors(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Show any error as a message, without the stack of the magic; ``WORKBENCH_DEBUG=1`` shows the stack."""

    @functools.wraps(magic)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return magic(*args, **kwargs)
        except (UsageError, WorkbenchError):
            raise  # these two are shown as a message already
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            raise WorkbenchError(describe(error), hint=f"the whole traceback: %env {DEBUG}=1") from error

    return guarded


_PROJECT = argument(
    "--project", help="the project's folder; else the opened one, $WORKBENCH_PROJECT, workbench.toml"
)


def _query_arguments(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The arguments of a cell whose SQL defines something."""
    name = f"the {what}'s name; also the variable that the cell binds, unless -o says another"
    values = "the value of :NAME in the query; may be repeated"
    arguments = (
        argument("name", help=name),
        argument("-o", "--out", metavar="VAR", help=f"the variable to bind the {what} to"),
        argument("--dialect", default="workbench", help="workbench (default) or openmldb"),
        argument("--param", action="append", default=[], metavar="NAME=VALUE", help=values),
        argument(
            "--save", action="store_true", help=f"cut a version of the {what} at once, not only a draft"
        ),
        _PROJECT,
    )

    def decorated(magic: Callable[..., Any]) -> Callable[..., Any]:
        for one in reversed(arguments):
            magic = one(magic)
        return magic

    return decorated


@magics_class
class WorkbenchMagics(Magics):
    """The magics of one IPython session; they remember the project that ``%workbench open`` named."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._opened: Project | None = None
        self._rows_shown: dict[str, int] = {}

    @no_var_expand
    @magic_arguments()
    @_query_arguments("view")
    @argument(
        "--preview", type=int, default=ROWS_SHOWN, metavar="N", help="preview rows to show; 0 computes none"
    )
    @cell_magic
    @short_errors
    def feature(self, line: str, cell: str) -> View:
        """Define a feature view from the SQL of this cell, show it, and bind it to a variable.

        Running the cell again replaces the draft::

            %%feature card_risk
            SELECT card_id, amount, sum(amount) OVER w AS spent_7d
            FROM transactions
            WINDOW w AS (PARTITION BY card_id ORDER BY ts ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)

        The panel below shows columns, preview rows, their profile and what to look at, and checks and deploys the
        view. The cell returns the view: card_risk.offline(), card_risk.request(row), card_risk.check().
        """
        asked = parse_argstring(self.feature, line)
        variable = _variable(asked.out or asked.name)
        if not cell.strip():
            raise UsageError(f"write the query of {asked.name} in the lines below %%feature")
        view = self.project(asked.project).define(
            asked.name, cell, dialect=asked.dialect, params=assigned(asked.param)
        )
        if asked.save:
            view = view.save()
        self._rows_shown[view.name] = asked.preview
        assert self.shell is not None
        self.shell.user_ns[variable] = view
        return view

    @no_var_expand
    @magic_arguments()
    @_query_arguments("label")
    @cell_magic
    @short_errors
    def label(self, line: str, cell: str) -> Label:
        """Define a label from the SQL of this cell, whose windows may look ahead, and bind it to a variable.

        ::

            %%label churned
            SELECT user_id, ts, count(*) OVER w = 0 AS churned
            FROM visits
            WINDOW w AS (PARTITION BY user_id ORDER BY ts
                         ROWS_RANGE BETWEEN 0s OPEN FOLLOWING AND 30d FOLLOWING)

        The cell returns the label, for project.training_set(spine, views, label=churned); it is never served.
        """
        asked = parse_argstring(self.label, line)
        variable = _variable(asked.out or asked.name, "label")
        if not cell.strip():
            raise UsageError(f"write the query of {asked.name} in the lines below %%label")
        label = self.project(asked.project).define_label(
            asked.name, cell, dialect=asked.dialect, params=assigned(asked.param)
        )
        if asked.save:
            label = label.save()
        assert self.shell is not None
        self.shell.user_ns[variable] = label
        return label

    @no_var_expand
    @magic_arguments()
    @argument(
        "command",
        choices=["open", "tables", "views", "labels", "show", "check", "deploy", "ps", "stop"],
        help="what to do",
    )
    @argument(
        "name",
        nargs="?",
        help="open: a folder; show, check, deploy, stop: a view (show: also a table or label)",
    )
    @_PROJECT
    @line_magic
    @short_errors
    def workbench(self, line: str) -> Any:
        """Work with a project: each command returns what the Python call of the same meaning returns.

        ::

            %workbench open flights    the project of this session; created when missing
            %workbench tables          project.list_tables()
            %workbench views           project.list_views()
            %workbench labels          project.list_labels()
            %workbench show NAME       project.view(NAME), project.table(NAME) or project.label(NAME)
            %workbench check NAME      project.view(NAME).check()
            %workbench deploy NAME     project.view(NAME).deploy()
            %workbench ps              project.deployments()
            %workbench stop [NAME]     project.deployment(NAME).stop(); without NAME the whole server
        """
        asked = parse_argstring(self.workbench, line)
        return getattr(self, f"_{asked.command}")(asked)

    def project(self, explicit: str | None = None) -> Project:
        """Return the project that is meant: ``explicit``, else the opened one, else as the command line finds it."""
        if explicit is None and self._opened is not None:
            return self._opened
        return workbench.open(existing_project_path(explicit))

    def show(self, view: View) -> None:
        """How a view is displayed: as a panel, and in a terminal, which has neither HTML nor widgets, as text."""
        if not self._in_notebook():
            print(repr(view))
            return
        from workbench.notebook.cell import FeatureCell

        FeatureCell(view, self._rows_shown.get(view.name, ROWS_SHOWN)).show()

    # The commands of %workbench.

    def _open(self, asked: Namespace) -> Project:
        self._opened = workbench.open(Path(_need(asked, "the project's folder")).expanduser())
        return self._opened

    def _tables(self, asked: Namespace) -> Any:
        project = self.project(asked.project)

        def row(name: str) -> list[Any]:
            table = project.table(name)
            return [name, table.count(), table.time or "static", len(table.columns)]

        return Listing(project.list_tables(), ["table", "rows", "time", "columns"], row)

    def _views(self, asked: Namespace) -> Any:
        project = self.project(asked.project)

        def row(name: str) -> list[Any]:
            view = project.view(name)
            return [name, view.version or "draft", view.anchor, len(view.schema)]

        return Listing(project.list_views(), ["view", "version", "anchor", "features"], row)

    def _labels(self, asked: Namespace) -> Any:
        project = self.project(asked.project)

        def row(name: str) -> list[Any]:
            label = project.label(name)
            return [name, label.version or "draft", label.anchor, ", ".join(label.schema)]

        return Listing(project.list_labels(), ["label", "version", "anchor", "columns"], row)

    def _show(self, asked: Namespace) -> Any:
        project, name = self.project(asked.project), _need(asked, "a view, table or label")
        if name.casefold() in map(str.casefold, project.list_labels()):
            return project.label(name)
        try:
            return project.view(name)
        except NotFound as no_view:
            try:
                return project.table(name)
            except NotFound:
                raise no_view from None

    def _check(self, asked: Namespace) -> Any:
        view = self.project(asked.project).view(_need(asked, "a view"))
        with self._progress() as progress:
            return view.check(progress=progress)

    def _deploy(self, asked: Namespace) -> Any:
        view = self.project(asked.project).view(_need(asked, "a view"))
        with self._progress() as progress:
            return view.deploy(progress=progress)

    def _ps(self, asked: Namespace) -> Any:
        columns = ["view", "version", "state", "url", "requests", "p50_ms"]
        deployments = self.project(asked.project).deployments()
        return Listing(deployments, columns, lambda one: list(map(one.status().get, columns)))

    def _stop(self, asked: Namespace) -> Any:
        from workbench.deployment import stop_server

        project = self.project(asked.project)
        return project.deployment(asked.name).stop() if asked.name else stop_server(project.path)

    def _in_notebook(self) -> bool:
        return hasattr(self.shell, "kernel")

    def _progress(self) -> AbstractContextManager[Progress | None]:
        return progress_line() if self._in_notebook() else nullcontext()


def _need(asked: Namespace, what: str) -> str:
    if not asked.name:
        raise UsageError(f"%workbench {asked.command} needs {what}")
    return str(asked.name)


def _variable(name: str, magic: str = "feature") -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be a Python variable; say which to bind: %%{magic} NAME -o VAR")
    return name
