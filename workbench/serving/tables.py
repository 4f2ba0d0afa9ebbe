"""``POST /v1/tables/{table}/rows``: rows into a table, all or nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from workbench.errors import Conflict, NotFound, RowError
from workbench.serving.bodies import (
    ARROW_TYPE,
    JSON_TYPE,
    NDJSON_TYPE,
    arrow_rows,
    body_type,
    json_rows,
    ndjson_rows,
)
from workbench.serving.call import Call, Reply
from workbench.serving.problems import row_problem, unknown
from workbench.serving.replies import key_reused
from workbench.serving.settings import Settings
from workbench.serving.state import ServingState
from workbench.storage.added import defaults
from workbench.values import coerce

if TYPE_CHECKING:
    from workbench.storage import Receipt, Storage, StoredTable

TYPES = (JSON_TYPE, NDJSON_TYPE, ARROW_TYPE)
UNPACKED = 8  # an Arrow stream may be compressed; it may unpack to this many times the largest body


class TableRows:
    """The route's handler."""

    def __init__(self, state: ServingState, settings: Settings) -> None:
        self._state = state
        self._settings = settings

    async def __call__(self, call: Call, table: str) -> Reply:
        """Store the rows of one request."""
        call.require("write")
        call.query(())
        stored = await self._state.run(find_table, self._state.storage, table)
        call.target = stored.name
        given = call.idempotency_key()
        token = f"{call.key.name}\nrows\n{given}" if given and call.key else None
        kind = body_type(call.header(b"content-type"), TYPES)
        body = await call.body(self._settings.max_rows_bytes)
        limit = self._settings.max_rows_bytes * UNPACKED
        receipt: Receipt = await self._state.run(store, self._state.storage, stored, kind, body, token, limit)
        call.rows = receipt.accepted
        answer = {"accepted": receipt.accepted, "first_seq": receipt.first_seq, "last_seq": receipt.last_seq}
        if stored.id_column is not None:
            answer |= {"known": receipt.known, "different": receipt.different}
        reply = Reply.json(answer)
        if receipt.replayed:
            reply.headers.append((b"idempotency-replayed", b"true"))
        return reply


def find_table(storage: Storage, name: str) -> StoredTable:
    """Return the table; an unknown name is a 404 with the closest one."""
    try:
        return storage.table(name)
    except NotFound:
        raise unknown("table", name, [table.name for table in storage.tables()]) from None


def store(
    storage: Storage, table: StoredTable, kind: str, body: bytes, token: str | None, limit: int
) -> Receipt:
    """Decode and append the rows of a body (on a thread)."""
    single = False
    rows: Any
    if kind == ARROW_TYPE:
        rows = arrow_rows(body, limit)
    elif kind == NDJSON_TYPE:
        rows = ndjson_rows(body)
    else:
        rows, single = json_rows(body)
    try:
        checked = coerce.to_table(dict(table.columns), rows, defaults=defaults(table))
        body_hash = hashlib.sha256(body).hexdigest() if token else None
        return storage.append(table.name, checked, token=token, body_hash=body_hash)
    except RowError as error:
        raise row_problem(error, single, "nothing was stored") from None
    except Conflict:
        raise key_reused() from None
