"""The OpenAPI document: the declared routes, and for every deployed view and every table the exact schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.serving.answers import problems
from workbench.serving.bodies import ARROW_TYPE, JSON_TYPE, NDJSON_TYPE
from workbench.values import types

if TYPE_CHECKING:
    from workbench.serving.state import ServedView
    from workbench.storage import StoredTable

DESCRIPTION = """\
Features of rows, answered by the query that made the training set. Every route but health and this page needs the
header `X-API-Key`. DECIMAL and integers beyond 64 bits are strings; NaN, Infinity and -Infinity are strings of that
name; times are ISO-8601 in UTC; BLOB is base64. Errors are problem details (RFC 9457).
"""
_SEQ = {"type": "integer", "description": "arrival number of a row"}
_FIELD_ERROR = {
    "type": "object",
    "properties": {
        "field": {"type": ["string", "null"]},
        "row": {"type": ["integer", "null"], "description": "0-based; null when the body is one object"},
        "reason": {"type": "string"},
    },
    "required": ["field", "row", "reason"],
}
SCHEMAS: dict[str, Any] = {
    "FieldError": _FIELD_ERROR,
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        },
        "required": ["type", "title", "status", "detail", "request_id", "errors"],
    },
    "Receipt": {
        "type": "object",
        "properties": {
            "accepted": {"type": "integer", "description": "rows that are new"},
            "first_seq": _SEQ,
            "last_seq": _SEQ,
            "known": {
                "type": "integer",
                "description": "of a table with ids: rows whose id was stored already",
            },
            "different": {"type": "integer", "description": "rows of known ids whose content is another"},
        },
        "required": ["accepted", "first_seq", "last_seq"],
    },
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the same key and body again, within 7 days, stores nothing and returns the first answer",
    "schema": {"type": "string", "maxLength": 255},
}
_QUERY = [
    {
        "name": "version",
        "in": "query",
        "required": False,
        "description": "a served version; the deployed one by default",
        "schema": {"type": "integer"},
    },
    {
        "name": "append",
        "in": "query",
        "required": False,
        "description": "store the rows in the anchor's table after they are answered",
        "schema": {"type": "boolean", "default": False},
    },
    {
        "name": "as_of",
        "in": "query",
        "required": False,
        "description": "the time of rows that carry none; the server's clock by default",
        "schema": {"type": "string", "format": "date-time"},
    },
]


def request_schema(served: ServedView) -> dict[str, Any]:
    """Return the JSON schema of one row that asks for features: every column of the anchor's table, some required."""
    return {
        "type": "object",
        "properties": {name: types.wire_schema(kind) for name, kind in served.columns.items()},
        "required": sorted(served.needed),
        "additionalProperties": False,
    }


def response_schema(served: ServedView) -> dict[str, Any]:
    """Return the JSON schema of the answer to one row."""
    features = served.plan.features
    return {
        "type": "object",
        "properties": {
            "view": {"type": "string", "const": served.view},
            "version": {"type": "integer"},
            "request_id": {"type": "string"},
            **_answer_properties(features),
        },
        "required": ["view", "version", "request_id", "as_of", "last_seq", "features"],
    }


def document(
    base: dict[str, Any], views: Iterable[ServedView], tables: Iterable[StoredTable]
) -> dict[str, Any]:
    """Return the document with a path for every view and every table.

    Parameters
    ----------
    base
        What FastAPI generated from the declared routes.
    views, tables
        What there is now.
    """
    paths = dict(base.get("paths", {}))
    for served in views:
        paths[f"/v1/features/{served.view}"] = {"post": _features_operation(served)}
    for table in tables:
        paths[f"/v1/tables/{table.name}/rows"] = {
            "post": _rows_operation(table),
            "delete": _erase_operation(table),
        }
    components = dict(base.get("components", {}))
    components["schemas"] = SCHEMAS
    components["securitySchemes"] = {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    return base | {"paths": paths, "components": components, "security": [{"ApiKey": []}]}


def example_row(served: ServedView) -> dict[str, Any]:
    """Return a row that the view can be asked for, in wire form."""
    return _examples({name: served.columns[name] for name in served.columns if name in served.needed})


def _features_operation(served: ServedView) -> dict[str, Any]:
    one, example, answer = request_schema(served), example_row(served), response_schema(served)
    many = {
        "type": "object",
        "properties": {
            **{name: answer["properties"][name] for name in ("view", "version", "request_id")},
            "answers": {"type": "array", "items": {"anyOf": [_one_answer(served.plan.features), _failure()]}},
            "failed": {"type": "integer", "description": "how many of the answers are errors"},
        },
        "required": ["view", "version", "request_id", "answers", "failed"],
    }
    return {
        "tags": ["features"],
        "summary": f"{served.view}, version {served.version}",
        "operationId": f"features_{served.view}",
        "parameters": [*_QUERY, _IDEMPOTENCY],
        "requestBody": {
            "required": True,
            "content": {
                JSON_TYPE: {
                    "schema": {"oneOf": [one, {"type": "array", "items": one}]},
                    "examples": {
                        "one row": {"value": example},
                        "several rows": {"value": [example, example]},
                    },
                }
            },
        },
        "responses": {
            "200": {"description": "features", "content": {JSON_TYPE: {"schema": {"oneOf": [answer, many]}}}},
            **problems(400, 401, 403, 404, 413, 415, 422, 503),
        },
    }


def _rows_operation(table: StoredTable) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {name: types.wire_schema(kind) for name, kind in table.columns.items()},
        "required": [name for name in (table.time, table.id_column) if name],
        "additionalProperties": False,
    }
    example = _examples(table.columns)
    receipt = {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Receipt"}}}
    return {
        "tags": ["tables"],
        "summary": f"Append rows to {table.name}",
        "operationId": f"append_{table.name}",
        "parameters": [_IDEMPOTENCY],
        "requestBody": {
            "required": True,
            "content": {
                JSON_TYPE: {
                    "schema": {"oneOf": [row, {"type": "array", "items": row}]},
                    "example": [example],
                },
                NDJSON_TYPE: {"schema": {"type": "string", "description": "one object a line"}},
                ARROW_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            "200": {"description": "stored, durably", "content": receipt},
            **problems(400, 401, 403, 404, 413, 415, 422, 429, 503),
        },
    }


def _erase_operation(table: StoredTable) -> dict[str, Any]:
    values = {name: types.wire_schema(kind) for name, kind in table.columns.items()}
    key = {"type": "object", "properties": values, "minProperties": 1, "additionalProperties": False}
    body = {"type": "object", "properties": {"key": key}, "required": ["key"], "additionalProperties": False}
    erased = {"erased": {"type": "integer"}, "scrubbed": {"type": "boolean"}}
    views = {"views": {"type": "array", "items": {"type": "string"}}}
    answer = {"type": "object", "properties": {**erased, **views}, "required": [*erased, *views]}
    return {
        "tags": ["tables"],
        "summary": f"Erase an entity's rows of {table.name} for good",
        "operationId": f"erase_{table.name}",
        "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": body}}},
        "responses": {
            "200": {"description": "erased on both sides", "content": {JSON_TYPE: {"schema": answer}}},
            **problems(400, 401, 403, 404, 413, 415, 422, 503),
        },
    }


def _examples(columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: types.python_example(kind) for name, kind in columns.items()}


def _answer_properties(features: Mapping[str, str]) -> dict[str, Any]:
    values = {
        "type": ["object", "null"],
        "properties": {name: types.wire_schema(kind) for name, kind in features.items()},
        "required": list(features),
        "description": "null when the view's WHERE filters the row",
    }
    return {
        "as_of": {"type": "string", "format": "date-time"},
        "last_seq": _SEQ | {"description": "arrival number of the last row that the answer could see"},
        "features": values,
        "reason": {"type": "string", "description": "why features is null"},
        "appended": {
            "type": "object",
            "properties": {"first_seq": _SEQ, "last_seq": _SEQ, "known": {"type": "integer"}},
            "description": "which rows were stored; known: how many were not, because their id is stored already",
        },
    }


def _one_answer(features: Mapping[str, str]) -> dict[str, Any]:
    properties = {name: value for name, value in _answer_properties(features).items() if name != "appended"}
    return {"type": "object", "properties": properties, "required": ["as_of", "last_seq", "features"]}


def _failure() -> dict[str, Any]:
    error = {"error": {"$ref": "#/components/schemas/FieldError"}}
    return {"type": "object", "properties": error, "required": ["error"]}
