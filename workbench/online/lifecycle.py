"""Which indexes stay: those of what is served are live, those of the latest definitions are drafts, others go.

An older version that is asked for once more gets its indexes anew, as a new definition does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import duckdb

from workbench.catalog import deployments, views
from workbench.catalog.deployments import DeployedView
from workbench.errors import NotFound, WorkbenchError
from workbench.online.indexes import KernelNeeds, index_needs, kernel_needs
from workbench.plan.model import FeaturePlan
from workbench.storage import IndexSpec, Storage
from workbench.storage.ids import id_index


def ensure_indexes(
    storage: Storage,
    plan: FeaturePlan,
    *,
    live: bool,
    progress: Callable[[IndexSpec, float], None] | None = None,
) -> None:
    """Build the indexes that a plan needs, as far as needed.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan.
    live
        Whether a deployment relies on them.
    progress
        Called with each index and the share of them that is done.
    """
    needs, kernels = index_needs(plan), kernel_needs(plan)
    for number, (spec, columns) in enumerate(needs):
        if progress is not None:
            progress(spec, number / len(needs))
        _ensure(storage, spec, columns, kernels.get(spec), live)


def _ensure(
    storage: Storage, spec: IndexSpec, columns: set[str], kernels: KernelNeeds | None, live: bool
) -> None:
    if kernels is not None:
        try:
            storage.ensure_index(
                spec, columns, live=live, derived=kernels.derived, trees=kernels.trees, newer=kernels.newer
            )
            return
        except duckdb.Error:
            # An expression fails for a stored row, which no request may ever see: DuckDB answers this view.
            pass
    storage.ensure_index(spec, columns, live=live)


def rollback(storage: Storage, view: str) -> DeployedView:
    """Serve the version of a view that was served before, with its indexes and those of the one before that.

    Raises
    ------
    NotFound
        The view is not deployed.
    Conflict
        It has no version before.
    """
    _ensure_previous(storage, view)
    deployed = deployments.rollback(storage, view)
    # The version before is allowed to be broken: it is only kept for one more rollback.
    with contextlib.suppress(WorkbenchError):
        _ensure_previous(storage, view)
    return deployed


def _ensure_previous(storage: Storage, view: str) -> None:
    for deployed in deployments.current(storage):
        if deployed.view.casefold() == view.casefold() and deployed.previous_version is not None:
            record = views.get(storage, deployed.view, deployed.previous_version)
            ensure_indexes(storage, FeaturePlan.from_json(record.plan_json), live=True)


def tidy_indexes(storage: Storage) -> None:
    """Demote live indexes that nothing served needs, and drop those that neither that nor a latest definition needs.

    Call it when what is served, or a definition, has changed, and no server answers with the old one any more.
    """
    ids = {id_index(table) for table in storage.tables() if table.id_column is not None}
    served = ids | _needs(_served(storage))
    for index in storage.indexes():
        if index.live and index.spec not in served:
            storage.demote_index(index.spec)
    latest = (record.plan_json for record in views.list(storage))
    storage.drop_draft_indexes(keep=served | _needs(latest))


def _served(storage: Storage) -> Iterator[str]:
    """The plans that servers hold: what is deployed, and what a rollback goes back to."""
    for deployed in deployments.current(storage):
        yield deployed.plan_json
        if deployed.previous_version is not None:
            try:
                yield views.get(storage, deployed.view, deployed.previous_version).plan_json
            except NotFound:
                continue


def _needs(plans: Iterator[str]) -> set[IndexSpec]:
    return {spec for plan in plans for spec, _ in index_needs(FeaturePlan.from_json(plan))}
