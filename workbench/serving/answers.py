"""What the declared routes answer, as OpenAPI says it; what views and tables answer is in :mod:`.openapi`."""

from __future__ import annotations

from typing import Any

PROBLEM_TYPE = "application/problem+json"

_TEXT: dict[str, Any] = {"type": "string"}
_INTEGER: dict[str, Any] = {"type": "integer"}
_NUMBER: dict[str, Any] = {"type": "number"}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of a route."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": "problem", "content": content} for status in statuses}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]}


def _list(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _map(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_SUMMARY = {
    "view": _TEXT,
    "version": _INTEGER,
    "previous_version": _or_null(_INTEGER),
    "deployed_at": _TEXT,
    "path": _TEXT,
}
_TRAFFIC = _object(requests=_INTEGER, errors=_INTEGER, p50_ms=_or_null(_NUMBER), p99_ms=_or_null(_NUMBER))
_VIEW = _object(
    **_SUMMARY,
    sql=_TEXT,
    table=_TEXT,
    time=_or_null(_TEXT),
    columns=_map(_TEXT),
    request_columns=_map(_TEXT),
    example=_map({}),
    features=_map(_TEXT),
    request_schema=_map({}),
    response_schema=_map({}),
    plan=_map({}),
    traffic=_TRAFFIC,
)
_READY = _object(
    ready={"type": "boolean"},
    missing=_list(_TEXT),
    failures=_map(_TEXT),
    generation=_INTEGER,
    views=_map(_INTEGER),
)
_ALIVE = _object(
    status={"type": "string", "const": "ok"},
    project_id=_TEXT,
    package_version=_TEXT,
    pid=_INTEGER,
    uptime_seconds=_NUMBER,
)

#: ``{route: {status: response}}``; the routes are named as in the metrics.
RESPONSES: dict[str, dict[int | str, dict[str, Any]]] = {
    "features": {
        "200": _json("features", {"type": "object"}),
        **problems(400, 401, 403, 404, 413, 415, 422, 503),
    },
    "rows": {
        "200": _json("stored, durably", {"$ref": "#/components/schemas/Receipt"}),
        **problems(400, 401, 403, 404, 413, 415, 422, 429, 503),
    },
    "erase": {
        "200": _json(
            "erased on both sides",
            _object(erased=_INTEGER, scrubbed={"type": "boolean"}, views=_list(_TEXT)),
        ),
        **problems(400, 401, 403, 404, 413, 415, 422, 503),
    },
    "views": {
        "200": _json(
            "what is served",
            _object(views=_list(_object(**_SUMMARY)), generation=_INTEGER),
        ),
        **problems(401, 403, 422, 503),
    },
    "view": {"200": _json("the view", _VIEW), **problems(401, 403, 404, 422, 503)},
    "rollback": {
        "200": _json("served by all workers", _object(view=_TEXT, version=_INTEGER)),
        **problems(401, 403, 404, 409, 422, 503),
    },
    "healthz": {"200": _json("alive", _ALIVE)},
    "readyz": {"200": _json("ready", _READY), "503": _json("not ready, and what is missing", _READY)},
    "metrics": {
        "200": {"description": "Prometheus exposition", "content": {"text/plain": {"schema": _TEXT}}},
        **problems(401, 403),
    },
}
