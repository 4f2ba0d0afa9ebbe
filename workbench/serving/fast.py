"""The fast lane: plain requests for features, answered inside the server's read, without a task or a thread.

It answers what is plainly right and nothing else. Whatever is unusual about a request (a wrong key, a body that is not
one flat object, a value that does not fit, a view without a compiled engine) it leaves alone, and the request goes the
way that the declared routes describe. So errors have one origin, and the answers of both ways are the same bytes.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from workbench.serving.bodies import count_name_ends
from workbench.serving.call import REQUEST_ID
from workbench.serving.counters import Cell
from workbench.serving.log import AccessLog
from workbench.serving.metrics import Metrics
from workbench.serving.state import ServedView, ServingState

if TYPE_CHECKING:
    from workbench.online import Answer
    from workbench.serving.auth import Authenticator
    from workbench.serving.state import Snapshot

PREFIX = "/v1/features/"

#: Longer bodies go the other way, where they keep nobody waiting.
MAX_BYTES = 16 << 10

#: Headers that make a request unusual.
UNUSUAL = frozenset(
    (b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"idempotency-key", b"trailer")
)
_JSON_TYPES = frozenset((None, b"application/json", b"application/json; charset=utf-8"))
_PARTS = frozenset((dict, list))
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

_decode = msgspec.json.Decoder(strict=True).decode


@dataclass(frozen=True)
class Lane:
    """A view whose engine answers in microseconds."""

    served: ServedView
    quick: Callable[[dict[str, Any]], Answer | None]
    cell: Cell
    version: str


class FastLane:
    """Answers plain requests; its methods belong to the event loop.

    Parameters
    ----------
    state, keys, metrics, log
        The same that the gateway uses.
    """

    def __init__(self, state: ServingState, keys: Authenticator, metrics: Metrics, log: AccessLog) -> None:
        self._state = state
        self._keys = keys
        self._metrics = metrics
        self._log = log
        self._snapshot: Snapshot | None = None
        self._lanes: dict[bytes, Lane] = {}
        self._start = secrets.token_hex(8)
        self._numbers = itertools.count(secrets.randbits(32))

    def find(self, url: bytes) -> Lane | None:
        """Return the lane of a request's URL; None when it must go the other way."""
        if self._state.snapshot is not self._snapshot:
            self._build()
        return self._lanes.get(url)

    def answer(self, lane: Lane, headers: dict[bytes, bytes], body: bytes) -> tuple[bytes, bytes] | None:
        """Return request id and body of the answer, which is a 200; None when the request must go the other way."""
        started = perf_counter()
        key = self._keys.known(headers.get(b"x-api-key"), self._state.poll())
        if key is None or "read" not in key.scopes or headers.get(b"content-type") not in _JSON_TYPES:
            return None
        row = _decode(body)
        if (
            type(row) is not dict
            or len(row) != count_name_ends(body)
            or not _PARTS.isdisjoint(map(type, row.values()))
        ):
            return None
        given = headers.get(b"x-request-id")
        if given is None:
            request_id = f"{self._start}{next(self._numbers):016x}"
        else:
            request_id = given.decode("latin-1")
            if not REQUEST_ID.fullmatch(request_id):
                return None
        found = lane.quick(row)
        if found is None or found.error is not None:
            return None
        served = lane.served
        reply = _reply(served, found, request_id)
        seconds = perf_counter() - started
        lane.cell.add(seconds, 1)
        self._log.note(request_id, "POST", "features", served.view, lane.version, 200, seconds)
        return request_id.encode(), reply

    def _build(self) -> None:
        self._snapshot = self._state.snapshot
        self._lanes = {}
        for name, endpoint in self._snapshot.endpoints.items():
            served = endpoint.current
            quick = served.engine.quick
            if quick is not None and name.isascii() and name.isidentifier():
                version = str(served.version)
                cell = self._metrics.cell("features", served.view, version, 200)
                self._lanes[f"{PREFIX}{name}".encode()] = Lane(served, quick, cell, version)


def _reply(served: ServedView, found: Answer, request_id: str) -> bytes:
    document = {
        "view": served.view,
        "version": served.version,
        "request_id": request_id,
        "as_of": found.as_of,
        "last_seq": found.last_seq,
        "features": found.features,
    }
    if served.plain:
        text = orjson.dumps(document, option=_OPTIONS)
        if b"null" not in text:  # a number that is not finite would be null
            return text
    document["features"] = None if found.features is None else served.encode(found.features)
    if found.reason:
        document["reason"] = found.reason
    return orjson.dumps(document, option=_OPTIONS)
