"""Which rows may go: those that no row that comes now can see, with slack for training sets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.catalog import deployments, views
from workbench.catalog.schema import prepare
from workbench.catalog.tables import availability, microseconds
from workbench.plan.model import FeaturePlan, Source

if TYPE_CHECKING:
    from workbench.storage import Storage, StoredTable

_LEAST_SLACK = 30 * 86_400_000_000
Reach = dict[str, float]


def kept_for(table: StoredTable) -> int | None:
    """Return for how many microseconds a table's rows are kept; None: for ever.

    That is what ``keep`` says, else ``ttl`` and as much again, at least 30 days more: rows that a request cannot see
    any more are history for training sets.
    """
    options = availability(table)
    if options["ttl"] is None:
        return None
    ttl = microseconds(options["ttl"])
    if options["keep"] is not None:
        return max(ttl, microseconds(options["keep"]))
    return ttl + max(ttl, _LEAST_SLACK)


def horizons(storage: Storage) -> dict[str, int]:
    """Return for each table whose rows expire the time (µs) before which nobody needs them.

    Time is the server's clock, or the newest time in the table where that is older: loading an old data set does not
    lose it. A view that computes windows over another view's rows looks further back than its tables' ``ttl``; rows
    that it reaches stay.
    """
    prepare(storage)
    reaches = _reaches(storage)
    found = {}
    for table in storage.tables():
        kept = kept_for(table)
        newest = storage.newest_time(table.name)
        reach = reaches.get(table.name, 0)
        if kept is not None and newest is not None and reach != float("inf"):
            found[table.name] = min(int(time.time() * 1_000_000), newest) - max(kept, int(reach))
    return found


def answers_from(plan: FeaturePlan, floors: Mapping[str, int]) -> int | None:
    """Return the first time (µs) at which a plan sees all rows that it should, None when nothing has expired.

    Parameters
    ----------
    plan
        The plan.
    floors
        For each table of which rows have expired the time before which they may be gone; see :meth:`Storage.floors`.
    """
    found = None
    for source in sources_of(plan):
        below = answers_from(source.rows, floors) if source.rows is not None else floors.get(source.table)
        if below is not None and source.ttl is not None:
            found = below + source.ttl if found is None else max(found, below + source.ttl)
    if plan.rows is not None:
        below = answers_from(plan.rows, floors)
        found = below if found is None else found if below is None else max(found, below)
    return found


def sources_of(plan: FeaturePlan) -> list[Source]:
    """Return where the rows of a plan's windows and lookups come from."""
    found = [lookup.source for lookup in plan.lookups]
    for window in plan.windows:
        found += [window.source, *(union.source for union in window.union)]
    return found


def _reaches(storage: Storage) -> Reach:
    """How far back (µs) what is defined and deployed looks into each table."""
    plans = [record.plan_json for record in views.list(storage)]
    plans += [deployed.plan_json for deployed in deployments.current(storage)]
    found: Reach = {}
    for plan in plans:
        for table, reach in _reach(FeaturePlan.from_json(plan)).items():
            found[table] = max(reach, found.get(table, 0))
    return found


def _reach(plan: FeaturePlan) -> Reach:
    """How far a plan looks back: through rows of another plan, that one's reach comes on top."""
    found: Reach = {}
    for source in sources_of(plan):
        own = float("inf") if source.ttl is None else source.ttl
        found[source.table] = max(source.ttl or 0, found.get(source.table, 0))
        if source.rows is not None:
            for table, reach in _reach(source.rows).items():
                found[table] = max(own + reach, found.get(table, 0))
    if plan.rows is not None:
        for table, reach in _reach(plan.rows).items():
            found[table] = max(reach, found.get(table, 0))
    return found
