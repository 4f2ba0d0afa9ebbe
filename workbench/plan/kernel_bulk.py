"""What kernels compute of a stage for many anchor rows at once."""

from __future__ import annotations

import msgspec

from workbench.plan.kernel_form import KernelPart, Refusal, kernel_stage
from workbench.plan.model import FeaturePlan
from workbench.plan.stages import Member, Stage, stages


def bulk_part(plan: FeaturePlan, stage: Stage) -> KernelPart | Refusal:
    """Return what kernels compute of a stage in bulk, the aggregates that they do not among its refusals.

    Unlike for a request, rows of a source that are computed first are there: they are read as if they were stored.
    """
    if stage.ahead:
        return Refusal("it looks ahead")
    part = kernel_stage(plan, _stored(stage))
    if isinstance(part, Refusal):
        return part
    if not part.names or (part.refused and stage.members is not None):
        # What is merged is merged with all that the aggregates read, once.
        return next(iter(part.refused.values()), Refusal("there is nothing to compute"))
    return part


def whole_in_bulk(plan: FeaturePlan) -> bool:
    """Whether kernels compute every aggregate of a plan and of those below it."""
    parts = [bulk_part(below, stage) for below in plan.nested() for stage in stages(below)]
    return all(isinstance(part, KernelPart) and not part.refused for part in parts)


def _stored(stage: Stage) -> Stage:
    """The stage as if its rows were stored ones."""
    source = msgspec.structs.replace(stage.source, rows=None)
    members = stage.members
    if members is not None:
        members = tuple(Member(_stored(m.stage), m.columns, m.rank) for m in members)
    return msgspec.structs.replace(stage, source=source, members=members)
