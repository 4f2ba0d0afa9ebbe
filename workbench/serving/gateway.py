"""The ASGI layer in front: request id, key, limits, access log, metrics; it dispatches the hot routes by itself.

FastAPI declares every route and answers all but the hot ones. Both ways run the same handlers on the same
:class:`~workbench.serving.call.Call`, which rides along in the ASGI scope.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from time import perf_counter

from workbench.serving.auth import Authenticator
from workbench.serving.call import Call, ClientGone, Message, Receive, Reply, Scope, Send, settle
from workbench.serving.fast import FastLane
from workbench.serving.log import AccessLog
from workbench.serving.metrics import Metrics
from workbench.serving.problems import Problem
from workbench.serving.settings import Settings
from workbench.serving.state import ServingState

Handler = Callable[[Call, str], Awaitable[Reply]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CALL = "workbench.call"
PREFIX = re.compile(r"(/[A-Za-z0-9._~@%+-]+)+")
CLIENT_CLOSED = 499
FEATURES, TABLES, ROWS = "/v1/features/", "/v1/tables/", "/rows"

logger = logging.getLogger("workbench.serving")


class Gateway:
    """The outermost ASGI application.

    Parameters
    ----------
    inner
        The FastAPI application.
    features, rows
        Handlers of the hot routes; ``None`` leaves them to ``inner``.
    """

    def __init__(
        self,
        inner: App,
        state: ServingState,
        metrics: Metrics,
        settings: Settings,
        *,
        features: Handler | None,
        rows: Handler | None,
    ) -> None:
        self._inner = inner
        self._state = state
        self._metrics = metrics
        self._settings = settings
        self._features = features
        self._rows = rows
        self._keys = Authenticator(state.storage)
        self._log = AccessLog()
        self._in_flight = 0
        #: What the protocol asks before this application: plain requests for features.
        self.fast = FastLane(state, self._keys, metrics, self._log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "http":
            await self._serve(Call(scope, receive), scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._inner(scope, receive, send)
            self._log.flush()

    async def _serve(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = perf_counter(), CLIENT_CLOSED
        self._in_flight += 1
        try:
            refusal = await settle(self._admit, call)
            if refusal.status:
                status = await _send(refusal, call, send)
            elif hot := self._hot(call):
                status = await _send(await settle(hot[0], call, hot[1]), call, send)
            else:
                status = await self._delegate(call, scope, receive, send)
        except ClientGone:
            pass
        finally:
            self._in_flight -= 1
            self._metrics.in_flight(self._in_flight)
            seconds = perf_counter() - started
            self._metrics.record(call, status, seconds)
            self._log.add(call, status, seconds)

    async def _admit(self, call: Call) -> Reply:
        """Return a reply with status 0, or raise what refuses the call."""
        generation = self._state.poll()
        self._metrics.in_flight(self._in_flight)
        self._keys.identify(call, generation)
        if self._in_flight > self._settings.max_in_flight and call.path.startswith("/v1/"):
            limit = f"{self._settings.max_in_flight} requests are being worked on; try again"
            raise Problem(503, "unavailable", limit, headers={"Retry-After": "1"})
        return Reply(0, b"")

    def _hot(self, call: Call) -> tuple[Handler, str] | None:
        if call.method != "POST":
            return None
        if self._features and call.path.startswith(FEATURES):
            name = call.path[len(FEATURES) :]
            call.route = "features"
            return (self._features, name) if name and "/" not in name else None
        if self._rows and call.path.startswith(TABLES) and call.path.endswith(ROWS):
            name = call.path[len(TABLES) : -len(ROWS)]
            call.route = "rows"
            return (self._rows, name) if name and "/" not in name else None
        return None

    async def _delegate(self, call: Call, scope: Scope, receive: Receive, send: Send) -> int:
        status = 500

        async def recording(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", call.request_id.encode()),
                ]
            await send(message)

        prefix = call.header(b"x-forwarded-prefix")
        if prefix and call.from_loopback and PREFIX.fullmatch(prefix.rstrip("/")):
            scope["root_path"] = prefix.rstrip("/")
        scope[CALL] = call
        if call.method == "HEAD":  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        try:
            await self._inner(scope, receive, recording)
        except ClientGone:
            raise
        except Exception:
            logger.exception("request %s failed", call.request_id)
        return status


async def _send(reply: Reply, call: Call, send: Send) -> int:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", call.request_id.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
    return reply.status
