"""The compiled code of this process."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.kernels.object_file import Machine


class KernelsUnavailable(WorkbenchError):
    """This process has no compiled kernels: they were not compiled yet, or cannot be."""


_machine: Machine | None = None


def machine() -> Machine:
    """Return the compiled code.

    Raises
    ------
    KernelsUnavailable
        When nothing was loaded.
    """
    if _machine is None:
        raise KernelsUnavailable("the kernels are not loaded", hint="run `workbench warmup`")
    return _machine


def use(folder: Path) -> None:
    """Load compiled code from a folder, unless some is loaded."""
    global _machine
    if _machine is None:
        _machine = Machine(folder)


def loaded() -> bool:
    """Return whether this process has compiled code."""
    return _machine is not None
