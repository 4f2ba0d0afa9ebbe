"""The application: FastAPI declares the routes, the gateway stands in front."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

import workbench
from workbench.serving import openapi
from workbench.serving.answers import RESPONSES
from workbench.serving.call import Call, Reply, settle
from workbench.serving.features import Features
from workbench.serving.gateway import CALL, Gateway
from workbench.serving.health import Health
from workbench.serving.metrics import Metrics
from workbench.serving.problems import Problem, from_status
from workbench.serving.settings import Settings
from workbench.serving.state import ServingState
from workbench.serving.tables import EraseRows, TableRows
from workbench.serving.views import Views
from workbench.storage import Storage

Endpoint = Callable[..., Awaitable[Response]]


def create_app(
    path: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    hot: bool = True,
    background: Sequence[Callable[[], Awaitable[None]]] = (),
) -> Gateway:
    """Return the ASGI application of a project.

    Parameters
    ----------
    path
        The project's folder.
    settings
        Limits; from the environment by default.
    hot
        Whether the gateway dispatches the hot routes; with False FastAPI does, with the same answers.
    background
        Coroutine functions that run as long as the application does.
    """
    settings = settings or Settings.from_environment()
    storage = Storage.open(Path(path))
    metrics = Metrics()
    state = ServingState(storage, settings.threads, metrics.generation)
    features, rows = Features(state, settings), TableRows(state, settings)
    app = _declare(
        state,
        features,
        rows,
        EraseRows(state, settings),
        Views(state, metrics),
        Health(state, metrics),
        background,
    )
    return Gateway(
        app, state, metrics, settings, features=features if hot else None, rows=rows if hot else None
    )


def _declare(
    state: ServingState,
    features: Features,
    rows: TableRows,
    erasure: EraseRows,
    views: Views,
    health: Health,
    background: Sequence[Callable[[], Awaitable[None]]],
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await state.start()
        tasks = [asyncio.ensure_future(work()) for work in background]
        yield
        for task in tasks:
            task.cancel()
        await state.stop()

    app = FastAPI(
        title="feature workbench",
        version=workbench.__version__,
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(HTTPException, _refused_by_router)
    app.add_exception_handler(Exception, _failed)

    @app.post(
        "/v1/features/{view}",
        tags=["features"],
        summary="Features of one row or of several",
        responses=RESPONSES["features"],
    )
    async def post_features(request: Request, view: str) -> Response:
        return await _respond(request, "features", features, view)

    @app.post(
        "/v1/tables/{table}/rows",
        tags=["tables"],
        summary="Append rows, all or nothing",
        responses=RESPONSES["rows"],
    )
    async def post_rows(request: Request, table: str) -> Response:
        return await _respond(request, "rows", rows, table)

    @app.delete(
        "/v1/tables/{table}/rows",
        tags=["tables"],
        summary="Erase an entity's rows",
        responses=RESPONSES["erase"],
    )
    async def delete_rows(request: Request, table: str) -> Response:
        return await _respond(request, "erase", erasure, table)

    @app.get("/v1/views", tags=["views"], summary="Deployed views", responses=RESPONSES["views"])
    async def get_views(request: Request) -> Response:
        return await _respond(request, "views", views.list)

    @app.get(
        "/v1/views/{view}",
        tags=["views"],
        summary="Schema, version, query and plan",
        responses=RESPONSES["view"],
    )
    async def get_view(request: Request, view: str) -> Response:
        return await _respond(request, "view", views.describe, view)

    @app.post(
        "/v1/views/{view}/rollback",
        tags=["views"],
        summary="Back to the version before",
        responses=RESPONSES["rollback"],
    )
    async def post_rollback(request: Request, view: str) -> Response:
        return await _respond(request, "rollback", views.rollback, view)

    @app.get("/healthz", tags=["health"], summary="Alive, and which project", responses=RESPONSES["healthz"])
    async def get_healthz(request: Request) -> Response:
        return await _respond(request, "healthz", health.alive)

    @app.get(
        "/readyz",
        tags=["health"],
        summary="Ready: everything deployed is served",
        responses=RESPONSES["readyz"],
    )
    async def get_readyz(request: Request) -> Response:
        return await _respond(request, "readyz", health.ready)

    @app.get(
        "/metrics",
        tags=["health"],
        summary="Prometheus metrics",
        responses=RESPONSES["metrics"],
        response_class=PlainTextResponse,
    )
    async def get_metrics(request: Request) -> Response:
        return await _respond(request, "metrics", health.numbers)

    _declare_docs(app, state)
    return app


# The page brings all it needs: it works without access to the internet, and nobody else's code sees the key.
_ONLY_OURSELVES = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def _declare_docs(app: FastAPI, state: ServingState) -> None:
    page = Path(__file__).with_name("docs.html").read_text(encoding="utf-8")

    @app.get("/openapi.json", include_in_schema=False)
    async def get_openapi(request: Request) -> Response:
        async def handler(_: Call) -> Reply:
            views = [endpoint.current for _, endpoint in sorted(state.snapshot.endpoints.items())]
            tables = await state.run(state.storage.tables)
            document = openapi.document(app.openapi(), views, tables)
            prefix = request.scope.get("root_path", "")
            return Reply.json(document | {"servers": [{"url": prefix}]} if prefix else document)

        return await _respond(request, "openapi", handler)

    @app.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> HTMLResponse:
        _of(request).route = "docs"
        return HTMLResponse(page, headers={"Content-Security-Policy": _ONLY_OURSELVES})

    @app.get("/", include_in_schema=False)
    async def get_root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


async def _respond(
    request: Request, route: str, handler: Callable[..., Awaitable[Reply]], *args: str
) -> Response:
    call = _of(request)
    call.route = route
    reply = await settle(handler, call, *args)
    return _response(reply)


def _of(request: Request) -> Call:
    call: Call = request.scope[CALL]
    return call


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, media_type=reply.content_type.decode())
    for name, value in reply.headers:
        response.headers[name.decode()] = value.decode("latin-1")
    return response


async def _refused_by_router(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    call = _of(request)
    allow = (error.headers or {}).get("Allow")
    if allow == "GET":
        allow = "GET, HEAD"
    return _response(Reply.of(from_status(error.status_code, call.method, call.path, allow), call.request_id))


async def _failed(request: Request, _: Exception) -> Response:
    call = _of(request)
    detail = f"the server failed to answer; its log has the cause under request id {call.request_id}"
    return _response(Reply.of(Problem(500, "internal", detail), call.request_id))
