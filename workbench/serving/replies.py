"""Answers that were given to a request with ``append=true`` and an ``Idempotency-Key``.

Such a request asks first and appends then. When the caller repeats it, the answer must be the first one, which did not
see the appended row, and the row must not be stored twice. So the answer is kept before the row is appended under the
same token: whatever fails between the two, the repetition finds the answer and finishes or repeats the append.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from workbench.serving.problems import FieldError, Problem

if TYPE_CHECKING:
    from workbench.storage import Storage

SCHEMA = """
CREATE TABLE serving_replies (
    view TEXT NOT NULL,
    token TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    reply BLOB NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (view, token)
) WITHOUT ROWID;
"""
KEPT_SECONDS = 7 * 24 * 3600


class Replies:
    """The kept answers of one project."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.ensure_schema("serving", SCHEMA)

    def find(self, view: str, token: str, body_hash: str) -> dict[str, Any] | None:
        """Return the answer that was given under the token.

        Raises
        ------
        Problem
            422 when the token was used with another body.
        """
        found = self._storage.query(
            "SELECT body_hash, reply FROM serving_replies WHERE view = ? AND token = ?", (view, token)
        )
        if not found:
            return None
        if found[0]["body_hash"] != body_hash:
            raise key_reused()
        reply: dict[str, Any] = orjson.loads(found[0]["reply"])
        return reply

    def keep(self, view: str, token: str, body_hash: str, reply: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer and return it; when another request was quicker under the token, return that one's."""
        now = time.time()
        with self._storage.transaction() as connection:
            connection.execute("DELETE FROM serving_replies WHERE created < ?", (now - KEPT_SECONDS,))
            connection.execute(
                "INSERT OR IGNORE INTO serving_replies VALUES (?, ?, ?, ?, ?)",
                (view, token, body_hash, orjson.dumps(reply), now),
            )
        return self.find(view, token, body_hash) or reply


def key_reused() -> Problem:
    """Return the 422 for a token that was used with another body."""
    reason = "this Idempotency-Key was used with another body in the last 7 days; use a new key for new rows"
    return Problem(422, "key-reused", reason, [FieldError(reason, "Idempotency-Key")])
