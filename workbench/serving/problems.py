"""Error answers as RFC 9457 problem details: what was wrong, in which field of which row, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from workbench.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RowError,
    StorageError,
    Throttled,
    Unavailable,
    WorkbenchError,
    did_you_mean,
)

CONTENT_TYPE = b"application/problem+json"

TITLES = {
    "invalid-body": "The body cannot be read",
    "invalid-parameter": "A parameter of the request is wrong",
    "invalid-rows": "Rows cannot be accepted",
    "unauthenticated": "An API key is needed",
    "forbidden": "The API key does not allow this",
    "not-found": "There is nothing of that name",
    "method-not-allowed": "The route does not take this method",
    "conflict": "That conflicts with what exists",
    "key-reused": "The Idempotency-Key was used for another body",
    "too-large": "The body is too large",
    "unsupported-media-type": "The content type is not supported",
    "throttled": "This caller asks for more than its share",
    "unavailable": "The server cannot do this now",
    "internal": "The server failed",
}


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong: ``field`` of the 0-based ``row`` (each None where it does not apply) and the reason."""

    reason: str
    field: str | None = None
    row: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the member of ``errors``."""
        return {"field": self.field, "row": self.row, "reason": self.reason}


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error.

    Parameters
    ----------
    status
        The HTTP status.
    kind
        A key of :data:`TITLES`; the problem's ``type`` is ``urn:workbench:problem:<kind>``.
    detail
        The sentence that the caller reads.
    errors
        Fields and rows that are wrong.
    headers
        Headers of the answer, for example ``Retry-After``.
    """

    status: int
    kind: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the body of the answer."""
        return {
            "type": f"urn:workbench:problem:{self.kind}",
            "title": TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            "errors": [error.to_dict() for error in self.errors],
        }


def sentence(error: WorkbenchError) -> str:
    """Return message and hint of an error in one line."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def row_problem(error: RowError, single: bool, consequence: str) -> Problem:
    """Return the 422 for a row that was refused, naming its column and, where there are several rows, its number.

    Parameters
    ----------
    error
        What the lower floors said.
    single
        Whether the body is one object, so that a row number would say nothing.
    consequence
        What did not happen: "nothing was stored".
    """
    reason = sentence(error)
    if error.field and f"{error.field!r}" not in reason:
        reason = f"column {error.field!r}: {reason}"
    row = None if single else error.row
    if row is not None and f"row {row}" not in reason:
        reason = f"row {row}: {reason}"
    return Problem(422, "invalid-rows", f"{reason}; {consequence}", [FieldError(reason, error.field, row)])


def problem_of(error: WorkbenchError) -> Problem:
    """Return the problem that an error of the lower floors is for an HTTP caller."""
    detail = sentence(error)
    match error:
        case NotFound():
            return Problem(404, "not-found", detail)
        case Forbidden():
            return Problem(403, "forbidden", detail)
        case Conflict():
            return Problem(409, "conflict", detail)
        case Throttled():
            return Problem(429, "throttled", detail, headers={"Retry-After": "1"})
        case Unavailable() | StorageError():
            return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})
        case _:
            return Problem(422, "invalid-rows", detail, [FieldError(detail, error.field, error.row)])


def from_status(status: int, method: str, path: str, allow: str | None = None) -> Problem:
    """Return the problem for what the router itself refuses: an unknown path or a wrong method."""
    if status == 405:
        detail = (
            f"{path} does not take {method}; it takes {allow}" if allow else f"{path} does not take {method}"
        )
        return Problem(405, "method-not-allowed", detail, headers={"Allow": allow} if allow else {})
    if status == 404:
        return Problem(404, "not-found", f"there is no route {path}; /docs lists the routes")
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "error"
    return Problem(status, "invalid-parameter" if status < 500 else "internal", phrase)


def unknown(what: str, name: str, known: Iterable[str]) -> Problem:
    """Return the 404 for a name that does not exist, with the closest one that does."""
    names = sorted(known)
    hint = did_you_mean(name, names) or (
        f"there are: {', '.join(names[:10])}" if names else f"there is no {what} yet"
    )
    return Problem(404, "not-found", f"there is no {what} {name!r}; {hint}")
