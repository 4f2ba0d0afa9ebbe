"""Which stages of a plan run on kernels offline, and whether this process has kernels."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from workbench.plan.kernel_form import KernelPart, Refusal, kernel_stage
from workbench.plan.model import FeaturePlan
from workbench.plan.stages import Member, Stage, stages


def on_kernels(plan: FeaturePlan, stage: Stage) -> KernelPart | None:
    """Return what kernels compute of a stage, or None where DuckDB computes all of it.

    Unlike for a request, rows of a source that are computed first are there: they are read as if they were stored.
    """
    if stage.ahead:
        return None
    part = kernel_stage(plan, _stored(stage))
    return part if not isinstance(part, Refusal) and part.names else None


def whole_on_kernels(plan: FeaturePlan) -> bool:
    """Whether kernels compute every aggregate of a plan and of those below it."""
    for below in plan.nested():
        for stage in stages(below):
            part = on_kernels(below, stage)
            if part is None or part.refused:
                return False
    return True


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
        if compile or warm.ready(warm.shared_cache()):
            warm.warm(folder, step)
        warm.load(folder)
    return warm.available()


def _stored(stage: Stage) -> Stage:
    """The stage as if its rows were stored ones."""
    source = msgspec.structs.replace(stage.source, rows=None)
    members = stage.members
    if members is not None:
        members = tuple(Member(_stored(m.stage), m.columns, m.rank) for m in members)
    return msgspec.structs.replace(stage, source=source, members=members)
