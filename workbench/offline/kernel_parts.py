"""Whether a plan wants kernels offline, and whether this process has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from workbench.plan.kernel_bulk import bulk_part
from workbench.plan.kernel_form import KernelPart
from workbench.plan.model import FeaturePlan
from workbench.plan.stages import stages


def uses_kernels(plan: FeaturePlan) -> bool:
    """Whether kernels compute something of a plan or of those below it."""
    return any(
        isinstance(bulk_part(below, stage), KernelPart) for below in plan.nested() for stage in stages(below)
    )


def load_kernels(
    folder: Path, compile: bool = True, progress: Callable[[str, float], None] | None = None
) -> bool:
    """Load the kernels into this process, compiled first where they are not and may be.

    Returns whether it has them. Where they cannot be compiled or loaded there is one warning, and DuckDB computes what
    they would.

    Parameters
    ----------
    folder
        Where a project has them.
    compile
        Compile them where they are not yet.
    progress
        Called with what is being done and the share that is done, while they are compiled.
    """
    from workbench.kernels import warm

    def step(what: str) -> None:
        if progress is not None:
            progress(what, 0.0)

    if not warm.available() and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"):
        if compile:
            warm.warm(folder, step)
        warm.load(folder)
    return warm.available()
