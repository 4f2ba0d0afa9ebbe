"""Which indexes a plan needs to answer requests."""

from __future__ import annotations

from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.stages import Stage, lookup_columns, stages
from workbench.storage import IndexSpec


def index_of(part: Stage | Lookup) -> IndexSpec:
    """Return the index that a stage or lookup reads."""
    return IndexSpec(part.source.table, tuple(key.row for key in part.keys), part.order)


def index_needs(plan: FeaturePlan) -> list[tuple[IndexSpec, set[str]]]:
    """Return the indexes that a plan reads, with the columns it reads of each."""
    needs: dict[IndexSpec, set[str]] = {}
    for lookup in plan.lookups:
        needs.setdefault(index_of(lookup), set()).update(lookup_columns(plan, lookup))
    for stage in stages(plan):
        for reader in stage.readers():
            needs.setdefault(index_of(reader), set()).update(reader.columns)
    return list(needs.items())
