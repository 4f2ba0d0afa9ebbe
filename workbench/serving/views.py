"""``/v1/views``: what is deployed, with schema, version, query and plan; and going back to the version before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from workbench.catalog import deployments
from workbench.catalog import views as catalog_views
from workbench.serving.call import Call, Reply
from workbench.serving.features import read_options
from workbench.serving.metrics import Metrics
from workbench.serving.openapi import example_row, request_schema, response_schema
from workbench.serving.state import Endpoint, ServedView, ServingState

if TYPE_CHECKING:
    from workbench.storage import Storage


class Views:
    """Handlers of the routes below ``/v1/views``."""

    def __init__(self, state: ServingState, metrics: Metrics) -> None:
        self._state = state
        self._metrics = metrics

    async def list(self, call: Call) -> Reply:
        """Return the deployed views."""
        call.require("read")
        call.query(())
        found = [_summary(endpoint) for _, endpoint in sorted(self._state.snapshot.endpoints.items())]
        return Reply.json({"views": found, "generation": self._state.snapshot.generation})

    async def describe(self, call: Call, view: str) -> Reply:
        """Return everything about one view: its versions, request and response, query, plan, traffic."""
        call.require("read")
        options = read_options(call.query(("version",)))
        with self._state.lease(view, options.version) as served:
            call.target, call.version = served.view, str(served.version)
            endpoint = self._state.snapshot.endpoints[served.view]
            document = await self._state.run(self._document, endpoint, served)
        return Reply.json(document)

    async def rollback(self, call: Call, view: str) -> Reply:
        """Serve the version before; done when all workers serve it."""
        call.require("admin")
        call.query(())
        call.target = self._state.served(view).view
        version = await self._state.run(roll_back, self._state.storage, call.target)
        return Reply.json({"view": call.target, "version": version})

    def _document(self, endpoint: Endpoint, served: ServedView) -> dict[str, Any]:
        plan = served.plan
        return _summary(endpoint) | {
            "version": served.version,
            "sql": catalog_views.get(self._state.storage, served.view, served.version).sql,
            "table": plan.table,
            "time": plan.base.time,
            "columns": dict(served.columns),
            "request_columns": plan.request_columns,
            "example": example_row(served),
            "features": plan.features,
            "request_schema": request_schema(served),
            "response_schema": response_schema(served),
            "plan": orjson.loads(plan.to_json()),
            "traffic": self._metrics.traffic(served.view).to_dict(),
        }


def roll_back(storage: Storage, view: str) -> int:
    """Switch to the version before and wait until it is served (on a thread); return that version."""
    from workbench.deployment import wait_for_generation
    from workbench.online import rollback, tidy_indexes

    deployed = rollback(storage, view)
    wait_for_generation(storage.path, deployments.generation(storage), view=view)
    tidy_indexes(storage)
    return deployed.version


def _summary(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "view": endpoint.current.view,
        "version": endpoint.current.version,
        "previous_version": endpoint.previous.version if endpoint.previous else None,
        "deployed_at": endpoint.deployed_at,
        "path": f"/v1/features/{endpoint.current.view}",
    }
