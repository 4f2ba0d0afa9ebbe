"""Which project is meant: what was said, ``$WORKBENCH_PROJECT``, or the nearest ``workbench.toml``.

Commands and magics share this. ``workbench.toml`` stands in a repository beside the notebooks and names the
project's folder relative to itself::

    project = "flights"
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import Conflict, NotFound, WorkbenchError

MARKER = "workbench.toml"
VARIABLE = "WORKBENCH_PROJECT"


def project_path(explicit: str | os.PathLike[str] | None = None, start: Path | None = None) -> Path:
    """Return the folder of the project that is meant.

    Parameters
    ----------
    explicit
        What the user said in this call (``--project``); wins when given.
    start
        Where the search for ``workbench.toml`` begins, going upward; the working directory by default.

    Raises
    ------
    NotFound
        Nothing names a project; the message lists the ways to say it.

    Examples
    --------
    >>> project_path("flights").name
    'flights'
    """
    named = explicit or os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    begin = (start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        if (folder / MARKER).is_file():
            return read_marker(folder / MARKER)
    raise NotFound(
        f"no project: there is no {MARKER} in {begin} or above it",
        hint=f"name it with --project PATH or {VARIABLE}=PATH, or create one here: workbench init flights",
    )


def existing_project_path(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Like :func:`project_path`, but the project must exist already: a typing error must not create one."""
    path = project_path(explicit)
    if not (path / "workbench.db").exists():
        raise NotFound(
            f"there is no project in {path}",
            hint=f"{_nearby(path)}create it with: workbench init {path.name}",
        )
    return path


def read_marker(marker: Path) -> Path:
    """Return the project folder that a ``workbench.toml`` names; its own folder when it names none."""
    try:
        content = tomllib.loads(marker.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WorkbenchError(f"{marker} is not valid TOML: {error}") from error
    named = content.get("project", ".")
    if not isinstance(named, str):
        raise WorkbenchError(f"{marker}: project must be a string, the folder of the project, not {named!r}")
    return (marker.parent / Path(named).expanduser()).resolve()


def write_marker(project: Path, folder: Path | None = None) -> Path:
    """Write ``folder/workbench.toml`` so that commands below ``folder`` find ``project``; return its path.

    Raises
    ------
    Conflict
        The folder's ``workbench.toml`` names another project.
    """
    home = (folder or Path.cwd()).resolve()
    marker, target = home / MARKER, project.expanduser().resolve()
    if marker.exists():
        named = read_marker(marker)
        if named != target:
            raise Conflict(
                f"{marker} names another project already: {named}",
                hint=f"edit its line project = …, or work on this one with --project {project}",
            )
        return marker
    relative = os.path.relpath(target, home) if target.is_relative_to(home) else str(target)
    comment = "# The project that %%feature cells and workbench commands in and below this folder use."
    marker.write_text(f"{comment}\nproject = {json.dumps(relative)}\n", encoding="utf-8")
    return marker


def _nearby(path: Path) -> str:
    found = [str(candidate) for candidate in _projects_in(path.parent)][:3]
    return f"did you mean {' or '.join(found)}? Else " if found else ""


def _projects_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (entry.parent for entry in sorted(folder.glob("*/workbench.db")))
