"""The installed package itself: is it whole, and is it ours?

PyPI has an unrelated distribution called ``workbench`` that installs the same import name. Beside ours in one
environment the two write into the same folder, and uninstalling either removes files of both.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

REMEDY = "pip uninstall -y workbench && pip install --force-reinstall --no-deps feature-workbench"


def foreign_distribution(folders: list[str] | None = None) -> Path | None:
    """Return the metadata folder of the unrelated distribution ``workbench``, or None when there is none.

    Parameters
    ----------
    folders
        Where to look; ``sys.path`` by default.
    """
    for folder in sys.path if folders is None else folders:
        # ours is called feature_workbench-<version>.dist-info, so this pattern finds only the other one
        for metadata in Path(folder or ".").glob("workbench-*.dist-info"):
            return metadata
    return None


def clash(folders: list[str] | None = None) -> str | None:
    """Say that the unrelated package is installed too and what to do; None when all is well."""
    metadata = foreign_distribution(folders)
    if metadata is None:
        return None
    return (
        f"the unrelated package {metadata.stem!r} is installed beside feature-workbench ({metadata}); both use "
        f"the import name 'workbench' and overwrite each other's files. Remove it and repair ours: {REMEDY}"
    )


def warn_of_clash() -> None:
    """Warn, once per process, when the unrelated package is installed too."""
    message = clash()
    if message:
        warnings.warn(message, RuntimeWarning, stacklevel=3)


def incomplete(module: str) -> ImportError:
    """Return the error for a module of ours that is not there."""
    reason = clash() or f"another package overwrote or removed files of ours. Repair it: {REMEDY}"
    return ImportError(f"{module} is missing: {reason}")
