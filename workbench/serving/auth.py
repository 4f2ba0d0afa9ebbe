"""Who asks: the ``X-API-Key`` header, checked against the catalog's hashed keys."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from workbench.catalog import keys
from workbench.serving.call import Call
from workbench.serving.problems import Problem

if TYPE_CHECKING:
    from workbench.catalog.keys import KeyInfo
    from workbench.storage import Storage

OPEN = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", "/"})
OPEN_ON_LOOPBACK = frozenset({"/metrics"})
REMEMBERED = 1_000


class Authenticator:
    """Knows the keys that were right, until the catalog changes; a key itself is never kept, only its SHA-256."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._generation = -1
        self._right: dict[bytes, KeyInfo] = {}

    def known(self, given: bytes | None, generation: int) -> KeyInfo | None:
        """Return what a key may do that was right before in this generation; None for any other."""
        if given is None or generation != self._generation:
            return None
        return self._right.get(hashlib.sha256(given).digest())

    def identify(self, call: Call, generation: int) -> None:
        """Set ``call.key``.

        Parameters
        ----------
        call
            The request.
        generation
            The catalog's generation; keys are looked up anew when it moves.

        Raises
        ------
        Problem
            401 when the route needs a key and none, or a wrong one, was given.
        """
        given = call.header(b"x-api-key")
        call.key = self._verify(given, generation) if given else None
        if call.key or call.path in OPEN or (call.path in OPEN_ON_LOOPBACK and call.from_loopback):
            return
        reason = "the API key is not valid for this project" if given else "there is no API key"
        detail = f"{reason}; send the header X-API-Key with the key in the project's file api_key"
        raise Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": "X-API-Key"})

    def _verify(self, key: str, generation: int) -> KeyInfo | None:
        if generation != self._generation:
            self._right.clear()
            self._generation = generation
        digest = hashlib.sha256(key.encode("latin-1")).digest()
        known = self._right.get(digest)
        if known is None:
            known = keys.verify(self._storage, key)
            if known and len(self._right) < REMEMBERED:
                self._right[digest] = known
        return known
