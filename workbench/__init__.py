"""Feature SQL in a notebook cell: previewed on history, checked value by value, served by the same query.

>>> import workbench as wb
>>> project = wb.open("flights")                                # doctest: +SKIP
>>> view = project.define("late_risk", "SELECT ...")            # doctest: +SKIP
>>> view.preview(20); view.check(); view.deploy()               # doctest: +SKIP

Importing this package loads nothing heavy: the public names below are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from workbench.installation import incomplete, warn_of_clash

if TYPE_CHECKING:
    from os import PathLike

    from workbench.project import Project

__version__ = "0.1.0"

_HOME_OF = {
    "Conflict": "errors",
    "DefinitionError": "errors",
    "Forbidden": "errors",
    "NotFound": "errors",
    "Position": "errors",
    "RowError": "errors",
    "StorageError": "errors",
    "Unavailable": "errors",
    "WorkbenchError": "errors",
    "Deployment": "deployment",
    "Project": "project",
    "Table": "table",
    "View": "view",
    "Finding": "plan.lint",
    "Receipt": "storage",
    "Report": "consistency",
    "Result": "offline",
    "last_join": "plan.ibis_api",
    "over": "plan.ibis_api",
    "window": "plan.ibis_api",
}

__all__ = ["__version__", "load_ipython_extension", "open", "unload_ipython_extension", *_HOME_OF]  # noqa: PLE0604

warn_of_clash()


def open(path: str | PathLike[str]) -> Project:
    """Open the project in the folder ``path``, which is created when missing.

    Opening a project twice, in one process or in several, is fine.

    Parameters
    ----------
    path
        The project's folder. It holds everything: the database, the data files, the server's log.

    Raises
    ------
    workbench.StorageError
        The folder cannot hold a project, for example on a network file system; the message says what to do.

    Examples
    --------
    >>> import workbench as wb
    >>> project = wb.open("flights")            # doctest: +SKIP
    """
    return _load("project").Project(path)


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext workbench``: register ``%%feature`` and ``%workbench`` and how views are displayed."""
    _load("notebook").load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext workbench``: take the magics and the displays back."""
    _load("notebook").unload(ipython)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(_load(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load(module: str) -> Any:
    try:
        return importlib.import_module(f"workbench.{module}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("workbench."):
            raise incomplete(error.name) from error
        raise
