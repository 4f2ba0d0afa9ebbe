"""Which indexes a plan needs to answer requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.plan.expr import Column
from workbench.plan.kernel_form import KernelPart, kernel_form
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import plan_sql
from workbench.plan.stages import Stage, lookup_columns, stages
from workbench.storage import IndexSpec


def index_of(part: Stage | Lookup) -> IndexSpec:
    """Return the index that a stage or lookup reads: always of stored columns, also where the source is derived."""
    source = part.source
    order = source.stored(part.order) if part.order is not None else None
    return IndexSpec(source.table, tuple(source.stored(key.row) for key in part.keys), order)


def index_needs(plan: FeaturePlan) -> list[tuple[IndexSpec, set[str]]]:
    """Return the indexes that a plan reads, with the stored columns it reads of each.

    Of a derived source these are the columns that its plan needs of the table; the indexes that this plan and the one
    of the anchor's rows read themselves are among them.
    """
    needs: dict[IndexSpec, set[str]] = {}
    for part in _parts(plan):
        below = part.source.rows
        if below is None:
            columns = part.columns if isinstance(part, Stage) else lookup_columns(plan, part)
        else:
            columns = tuple(below.request_columns)
        needs.setdefault(index_of(part), set()).update(columns)
    for below in plan.derived():
        for spec, read in index_needs(below):
            needs.setdefault(spec, set()).update(read)
    return list(needs.items())


@dataclass
class KernelNeeds:
    """What kernels read of an index besides columns of the table.

    ``derived``: expressions over a row, as SQL and type by the name of their column; ``trees`` and ``newer``: columns
    with partial aggregates, and with the distances to equal values.
    """

    derived: dict[str, tuple[str, str]] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)
    newer: set[str] = field(default_factory=set)


def kernel_needs(plan: FeaturePlan) -> dict[IndexSpec, KernelNeeds]:
    """Return what kernels need of the indexes of a plan; nothing where they do not answer it."""
    form = kernel_form(plan)
    if form.refusals:
        return {}
    needs = {} if plan.rows is None else kernel_needs(plan.rows)
    for part in (*form.lookups, *form.stages):
        assert isinstance(part, KernelPart)
        for member, reader in enumerate(part.readers):
            columns, trees, newer = part.needs(member)
            found = needs.setdefault(index_of(reader), KernelNeeds())
            for name, value in columns.items():
                if not isinstance(value, Column):
                    found.derived[name] = plan_sql(value), value.type
            found.trees |= trees
            found.newer |= newer
    return needs


def _parts(plan: FeaturePlan) -> list[Stage | Lookup]:
    return [*plan.lookups, *(reader for stage in stages(plan) for reader in stage.readers())]
