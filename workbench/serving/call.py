"""One HTTP request as the handlers see it, and the reply they give.

The hot routes and the routes that FastAPI dispatches both build a :class:`Call` and run the same handlers, so that
their behaviour cannot differ.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from urllib.parse import parse_qsl

import orjson

from workbench.errors import WorkbenchError, did_you_mean
from workbench.serving.problems import CONTENT_TYPE, FieldError, Problem, problem_of

if TYPE_CHECKING:
    from workbench.catalog.keys import KeyInfo

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
P = ParamSpec("P")

JSON = b"application/json"
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TOKEN = re.compile(r"[\x21-\x7e]{1,255}")

logger = logging.getLogger("workbench.serving")


class ClientGone(Exception):
    """The caller closed the connection before its request was complete."""


@dataclass
class Reply:
    """What is sent back."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @staticmethod
    def json(document: Any, status: int = 200) -> Reply:
        """Return a JSON reply."""
        return Reply(status, orjson.dumps(document))

    @staticmethod
    def of(problem: Problem, request_id: str) -> Reply:
        """Return the reply that tells a problem."""
        headers = [
            (name.lower().encode(), value.encode("latin-1", "replace"))
            for name, value in problem.headers.items()
        ]
        return Reply(problem.status, orjson.dumps(problem.document(request_id)), CONTENT_TYPE, headers)


class Call:
    """A request: its headers, its query, its body, who asks.

    ``route`` and ``target`` (the view or table, once it is known to exist) label metrics and the access log.
    """

    __slots__ = (
        "_headers",
        "_receive",
        "key",
        "method",
        "path",
        "request_id",
        "route",
        "rows",
        "scope",
        "target",
        "version",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.request_id = self._request_id()
        self.key: KeyInfo | None = None
        self.route = "other"
        self.target = ""
        self.version = ""
        self.rows = 0

    def _request_id(self) -> str:
        given = self.header(b"x-request-id")
        return given if given and REQUEST_ID.fullmatch(given) else secrets.token_hex(16)

    def header(self, name: bytes) -> str | None:
        """Return the first header of that (lower-case) name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def from_loopback(self) -> bool:
        """Whether the connection comes from this machine."""
        client = self.scope.get("client")
        if not client:
            return False
        try:
            return ipaddress.ip_address(client[0]).is_loopback
        except ValueError:
            return False

    def require(self, scope: str) -> None:
        """Raise the 403 that names ``scope`` unless the caller's key has it."""
        if self.key is None or scope not in self.key.scopes:
            name = f"the API key {self.key.name!r}" if self.key else "the API key"
            raise Problem(
                403, "forbidden", f"{name} lacks the scope {scope!r} that {self.method} {self.path} needs"
            )

    def query(self, allowed: Collection[str]) -> dict[str, str]:
        """Return the query parameters.

        Raises
        ------
        Problem
            422 for a parameter that the route does not know or that is given twice.
        """
        raw: bytes = self.scope["query_string"]
        if not raw:
            return {}
        found: dict[str, str] = {}
        for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            if name not in allowed:
                hint = (
                    did_you_mean(name, allowed) or f"the route takes: {', '.join(sorted(allowed)) or 'none'}"
                )
                raise invalid_parameter(name, f"unknown query parameter {name!r}; {hint}")
            if name in found:
                raise invalid_parameter(name, f"the query parameter {name!r} is given twice")
            found[name] = value
        return found

    def idempotency_key(self) -> str | None:
        """Return the ``Idempotency-Key`` header, checked."""
        given = self.header(b"idempotency-key")
        if given is not None and not TOKEN.fullmatch(given):
            raise invalid_parameter(
                "Idempotency-Key", "the Idempotency-Key must be 1 to 255 visible ASCII characters"
            )
        return given

    def length(self) -> int | None:
        """Return the length of the body where the request tells it before."""
        length = self.header(b"content-length")
        return int(length) if length and length.isdigit() else None

    async def body(self, limit: int, grow: Callable[[int], None] | None = None) -> bytes:
        """Read the body.

        Parameters
        ----------
        limit
            Its largest length in bytes.
        grow
            Called with the bytes read so far where :meth:`length` is not known; it may raise.

        Raises
        ------
        Problem
            413 when it is longer than ``limit`` bytes, 415 when it is compressed.
        ClientGone
            The connection was closed first.
        """
        encoding = self.header(b"content-encoding")
        if encoding and encoding.strip().lower() != "identity":
            raise Problem(
                415, "unsupported-media-type", f"the body is encoded as {encoding!r}; send it uncompressed"
            )
        length = self.length()
        if length is not None and length > limit:
            raise too_large(limit)
        message = await self._next()
        if not message.get("more_body"):
            return self._within(message.get("body", b""), limit)
        chunks = [message.get("body", b"")]
        size = len(chunks[0])
        while message.get("more_body"):
            message = await self._next()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > limit:
                raise too_large(limit)
            if length is None and grow is not None:
                grow(size)
        return b"".join(chunks)

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

    @staticmethod
    def _within(body: bytes, limit: int) -> bytes:
        if len(body) > limit:
            raise too_large(limit)
        return body


def too_large(limit: int) -> Problem:
    """Return the 413 for a body."""
    return Problem(
        413, "too-large", f"the body is larger than {limit:,} bytes; send the rows in several requests"
    )


def invalid_parameter(name: str, reason: str) -> Problem:
    """Return the 422 for a query parameter or header."""
    return Problem(422, "invalid-parameter", reason, [FieldError(reason, name)])


async def settle(
    handler: Callable[Concatenate[Call, P], Awaitable[Reply]], call: Call, *args: P.args, **kwargs: P.kwargs
) -> Reply:
    """Run a handler; what goes wrong becomes a problem, and our own faults go to the log with the request id."""
    try:
        return await handler(call, *args, **kwargs)
    except Problem as problem:
        return Reply.of(problem, call.request_id)
    except WorkbenchError as error:
        return Reply.of(problem_of(error), call.request_id)
    except ClientGone:
        raise
    except Exception:
        logger.exception("request %s failed", call.request_id)
        detail = f"the server failed to answer; its log has the cause under request id {call.request_id}"
        return Reply.of(Problem(500, "internal", detail), call.request_id)
