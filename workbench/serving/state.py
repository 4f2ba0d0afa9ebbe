"""Which deployments this worker serves.

The catalog is the truth. A worker polls the project's change counter at every request and between requests; when the
catalog's generation moved it loads the engines of new deployments beside the old ones, switches in one step, and
closes an old engine when the last request that uses it is done. So deploys and rollbacks drop nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from workbench.catalog import deployments, views
from workbench.catalog.deployments import DeployedView
from workbench.deployment import workers
from workbench.errors import WorkbenchError
from workbench.plan.model import FeaturePlan
from workbench.serving.problems import Problem, sentence, unknown
from workbench.storage.added import defaults
from workbench.values import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.online import Engine
    from workbench.storage import Storage
    from workbench.storage.watch import ChangeCounter
    from workbench.values.coerce import Default

POLL_SECONDS = 0.05
HEARTBEAT_SECONDS = 5.0
RETRY_SECONDS = 1.0

VersionKey = tuple[str, int]

logger = logging.getLogger("workbench.serving")


def load_engine(storage: Storage, plan: FeaturePlan) -> Engine:
    """Return the engine that answers requests of a plan."""
    from workbench.online import Engine

    return Engine(storage, plan)


@dataclass(eq=False)
class ServedView:
    """One loaded version of a view; ``columns`` are all of the anchor's table, ``needed`` those a row must carry.

    ``plain`` says that the JSON encoder carries all features but numbers that are not finite without ``encode``.
    """

    view: str
    version: int
    plan: FeaturePlan
    engine: Engine
    columns: Mapping[str, str]
    defaults: Mapping[str, Default]
    needed: frozenset[str]
    encode: Callable[[dict[str, Any]], dict[str, Any]]
    plain: bool
    leases: int = 0
    retired: bool = False


@dataclass(frozen=True)
class Endpoint:
    """What one view answers with: its deployed version, and the one that a rollback goes back to."""

    current: ServedView
    previous: ServedView | None
    deployed_at: str


@dataclass(frozen=True)
class Snapshot:
    """What a worker serves at one generation of the catalog."""

    generation: int = -1
    endpoints: Mapping[str, Endpoint] = field(default_factory=lambda: MappingProxyType({}))
    failures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class ServingState:
    """The deployments of one project in one worker; its methods belong to the event loop unless they say so."""

    def __init__(self, storage: Storage, threads: int, told: Callable[[int], None]) -> None:
        self.storage = storage
        self._told = told
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="workbench")
        self.snapshot = Snapshot()
        self.stopping = False
        self._counter: ChangeCounter | None = None
        self._generation = -1
        self._folded: dict[str, str] = {}
        self._loaded: dict[VersionKey, ServedView] = {}
        self._reload: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load what is deployed, register as a worker, and follow the catalog from now on."""
        self.poll()
        if self._reload:
            await self._reload
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._beat())]

    async def stop(self) -> None:
        """Leave the list of workers and close the engines; requests are done by now."""
        self.stopping = True
        for task in [*self._tasks, *([self._reload] if self._reload else [])]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.run(workers.leave, self.storage, os.getpid())
        for served in self._loaded.values():
            served.engine.close()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.storage.close()

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        """Run blocking work on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *args)

    def poll(self) -> int:
        """Notice a change of the catalog; cheap enough for every request. Returns the catalog's generation."""
        counter = self.storage.change_counter()
        if counter != self._counter:
            self._counter = counter
            self._generation = deployments.generation(self.storage)
        if self._generation != self.snapshot.generation and (self._reload is None or self._reload.done()):
            self._reload = asyncio.create_task(self._switch())
        return self._generation

    def served(self, view: str, version: int | None = None) -> ServedView:
        """Return the loaded version that answers for ``view``.

        Raises
        ------
        Problem
            404 when the view or the version is not deployed, 503 when it could not be loaded.
        """
        endpoints = self.snapshot.endpoints
        endpoint = endpoints.get(view) or endpoints.get(self._folded.get(view.casefold(), ""))
        if endpoint is None:
            if view in self.snapshot.failures:
                raise Problem(503, "unavailable", self.snapshot.failures[view], headers={"Retry-After": "5"})
            raise unknown("deployed view", view, endpoints)
        loaded = [endpoint.current] + ([endpoint.previous] if endpoint.previous else [])
        for served in loaded:
            if version is None or served.version == version:
                return served
        known = " and ".join(str(served.version) for served in loaded)
        raise Problem(404, "not-found", f"version {version} of view {view!r} is not served; served: {known}")

    @contextmanager
    def lease(self, view: str, version: int | None = None) -> Iterator[ServedView]:
        """Hold the loaded version for one request, so that a deploy does not close it under the request."""
        served = self.served(view, version)
        served.leases += 1
        try:
            yield served
        finally:
            served.leases -= 1
            self._close_if_done(served)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                self.poll()
            except Exception:
                logger.exception("the catalog cannot be read")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self.snapshot.failures and (self._reload is None or self._reload.done()):
                self._reload = asyncio.create_task(self._switch())
            else:
                await self._register()

    async def _register(self) -> None:
        snapshot = self.snapshot
        try:
            await self.run(workers.beat, self.storage, os.getpid(), snapshot.generation, snapshot.failures)
        except WorkbenchError as failure:
            logger.error("the worker cannot register itself: %s", failure)

    async def _switch(self) -> None:
        generation = self._generation
        try:
            snapshot, loaded = await self.run(self._load, generation)
        except Exception:
            logger.exception("the deployments of generation %s cannot be read", generation)
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.snapshot = snapshot
        self._told(snapshot.generation)
        self._folded = {name.casefold(): name for name in snapshot.endpoints}
        before, self._loaded = self._loaded, loaded
        for served in before.values():
            if served not in loaded.values():
                served.retired = True
                self._close_if_done(served)
        await self._register()
        logger.info("serving generation %s: %s", generation, _summary(snapshot))

    def _load(self, generation: int) -> tuple[Snapshot, dict[VersionKey, ServedView]]:
        """Read the deployments and load what is new (on a thread); a failure leaves the old version in place."""
        endpoints: dict[str, Endpoint] = {}
        failures: dict[str, str] = {}
        for deployed in deployments.current(self.storage):
            try:
                endpoints[deployed.view] = self._endpoint(deployed)
            except Exception as error:
                reason = (
                    sentence(error)
                    if isinstance(error, WorkbenchError)
                    else f"{type(error).__name__}: {error}"
                )
                failures[deployed.view] = (
                    f"version {deployed.version} of {deployed.view!r} cannot be loaded: {reason}"
                )
                logger.exception("version %s of %r cannot be loaded", deployed.version, deployed.view)
                if deployed.view in self.snapshot.endpoints:
                    endpoints[deployed.view] = self.snapshot.endpoints[deployed.view]
        kept = [served for e in endpoints.values() for served in (e.current, e.previous) if served]
        loaded = {(served.view, served.version): served for served in kept}
        return Snapshot(generation, MappingProxyType(endpoints), MappingProxyType(failures)), loaded

    def _endpoint(self, deployed: DeployedView) -> Endpoint:
        current = self._version(deployed.view, deployed.version, deployed.plan_json)
        return Endpoint(current, self._before(deployed), deployed.deployed_at)

    def _before(self, deployed: DeployedView) -> ServedView | None:
        """Return the version that a rollback goes back to; ``?version=`` may ask for it. It is allowed to be broken."""
        if deployed.previous_version is None:
            return None
        try:
            plan = views.get(self.storage, deployed.view, deployed.previous_version).plan_json
            return self._version(deployed.view, deployed.previous_version, plan)
        except Exception as error:
            logger.warning(
                "version %s of %r is not kept: %s", deployed.previous_version, deployed.view, error
            )
            return None

    def _version(self, view: str, version: int, plan_json: str) -> ServedView:
        """Return a version of a view, loaded."""
        plan = FeaturePlan.from_json(plan_json)
        table = self.storage.table(plan.table)
        loaded = self._loaded.get((view, version))
        if loaded is not None and loaded.plan == plan:
            if (
                loaded.columns != table.columns
            ):  # a column was added; requests look at both, so one by one is fine
                loaded.columns = MappingProxyType(dict(table.columns))
                loaded.defaults = defaults(table)
            return loaded
        return ServedView(
            view=view,
            version=version,
            plan=plan,
            engine=load_engine(self.storage, plan),
            columns=MappingProxyType(dict(table.columns)),
            defaults=defaults(table),
            needed=frozenset(plan.request_columns) - {plan.base.time},
            encode=wire.encoder(plan.features),
            plain=all(wire.is_plain(kind) for kind in plan.features.values()),
        )

    def _close_if_done(self, served: ServedView) -> None:
        if served.retired and not served.leases:
            self.pool.submit(served.engine.close)


def _summary(snapshot: Snapshot) -> str:
    return (
        ", ".join(f"{name} v{item.current.version}" for name, item in snapshot.endpoints.items())
        or "no deployment"
    )
