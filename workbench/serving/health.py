"""Is it alive, is it ready, what does it count: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import os
import time

import workbench
from workbench.catalog import deployments
from workbench.serving import metrics as metrics_module
from workbench.serving.call import Call, Reply
from workbench.serving.metrics import Metrics
from workbench.serving.state import ServingState


class Health:
    """The routes' handlers."""

    def __init__(self, state: ServingState, metrics: Metrics) -> None:
        self._state = state
        self._metrics = metrics
        self._started = time.time()

    async def alive(self, call: Call) -> Reply:
        """Return which project this server serves; it is how a client knows its server."""
        return Reply.json(
            {
                "status": "ok",
                "project_id": self._state.storage.project_id,
                "package_version": workbench.__version__,
                "pid": os.getpid(),
                "uptime_seconds": round(time.time() - self._started, 3),
            }
        )

    async def ready(self, call: Call) -> Reply:
        """Return 200 when every deployment is served at the catalog's generation, else 503 and what is missing."""
        snapshot = self._state.snapshot
        missing = list(snapshot.failures.values())
        try:
            wanted = await self._state.run(deployments.generation, self._state.storage)
            if wanted != snapshot.generation:
                missing.append(f"generation {wanted} is deployed, {snapshot.generation} is served")
        except Exception as error:
            missing.append(f"the project's database cannot be read: {error}")
        if self._state.stopping:
            missing.append("the server is stopping")
        served = {name: endpoint.current.version for name, endpoint in sorted(snapshot.endpoints.items())}
        document = {
            "ready": not missing,
            "missing": missing,
            "failures": dict(snapshot.failures),
            "generation": snapshot.generation,
            "views": served,
        }
        return Reply.json(document, 503 if missing else 200)

    async def numbers(self, call: Call) -> Reply:
        """Return the Prometheus exposition of all workers."""
        if call.key is not None or not call.from_loopback:
            call.require("read")
        text = await self._state.run(self._metrics.text)
        return Reply(200, text, metrics_module.CONTENT_TYPE)
