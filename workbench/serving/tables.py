"""``POST /v1/tables/{table}/rows``: rows into a table, all or nothing.

Nothing waits on a thread: small bodies are decoded on the event loop, large ones on a thread, and the answer is sent
when the committer says that the rows are on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.catalog.erasure import erase
from workbench.errors import Conflict, NotFound, RowError, StorageError, WorkbenchError
from workbench.serving.bodies import (
    ARROW_TYPE,
    JSON_TYPE,
    NDJSON_TYPE,
    arrow_rows,
    body_type,
    json_rows,
    ndjson_rows,
)
from workbench.serving.budget import Budget
from workbench.serving.call import Call, Reply
from workbench.serving.coalesce import Coalescer, fitting
from workbench.serving.problems import Problem, row_problem, sentence, unknown
from workbench.serving.replies import key_reused
from workbench.serving.settings import Settings
from workbench.serving.state import ServingState
from workbench.storage import Receipt
from workbench.storage.added import defaults
from workbench.values import coerce
from workbench.values.json_columns import json_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from workbench.storage import Storage, StoredTable
    from workbench.storage.log import Append

TYPES = (JSON_TYPE, NDJSON_TYPE, ARROW_TYPE)
UNPACKED = 8  # an Arrow stream may be compressed; it may unpack to this many times the largest body
INLINE_BYTES = 8 << 10  # a thread costs more than decoding this
FEW_BYTES = 1 << 10  # one row or two: not worth making columns of


@dataclass(frozen=True)
class Body:
    """A request to store rows, as it came."""

    kind: str
    content: bytes
    token: str | None
    caller: str

    @property
    def single(self) -> bool:
        """Whether it is one object, so that row numbers would say nothing."""
        return self.kind == JSON_TYPE and self.content.lstrip()[:1] == b"{"

    @property
    def digest(self) -> str | None:
        """What the token is compared by."""
        return hashlib.sha256(self.content).hexdigest() if self.token else None


class TableRows:
    """The route's handler."""

    def __init__(self, state: ServingState, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._budget = Budget(settings.max_ingest_bytes)
        self._coalescer = Coalescer(state.storage)
        self._tables: dict[str, StoredTable] = {}

    async def __call__(self, call: Call, table: str) -> Reply:
        """Store the rows of one request."""
        call.require("write")
        call.query(())
        caller = call.key.name if call.key else ""
        stored = self._tables.get(table) or await self._find(table)
        call.target = stored.name
        given = call.idempotency_key()
        token = f"{caller}\nrows\n{given}" if given else None
        kind = body_type(call.header(b"content-type"), TYPES)
        limit = self._settings.max_rows_bytes
        with self._budget.hold(caller, min(call.length() or 0, limit)) as held:
            content = await call.body(limit, held.grow)
            held.grow(len(content))
            stored, receipt = await self._store(stored, Body(kind, content, token, caller))
        call.rows = receipt.accepted
        answer = {"accepted": receipt.accepted, "first_seq": receipt.first_seq, "last_seq": receipt.last_seq}
        if stored.id_column is not None:
            answer |= {"known": receipt.known, "different": receipt.different}
        if stored.checks is not None:
            answer["quarantined"] = receipt.quarantined
        reply = Reply.json(answer)
        if receipt.replayed:
            reply.headers.append((b"idempotency-replayed", b"true"))
        return reply

    async def _find(self, name: str) -> StoredTable:
        """Look a table up; remembered, since the commit says when it is not the same any more."""
        self._tables.pop(name, None)
        found: StoredTable = await self._state.run(find_table, self._state.storage, name)
        self._tables[name] = found
        return found

    async def _store(self, table: StoredTable, body: Body) -> tuple[StoredTable, Receipt]:
        while True:
            try:
                return table, await self._append(table, body)
            except (RowError, NotFound) as error:
                # The table may have been replaced or got a column since it was looked up.
                found = await self._find(table.name)
                if found != table:
                    table = found
                elif isinstance(error, RowError):
                    raise row_problem(error, body.single, "nothing was stored") from None
                else:
                    raise
            except Conflict:
                raise key_reused() from None

    async def _append(self, table: StoredTable, body: Body) -> Receipt:
        if body.token is None and body.kind == JSON_TYPE and len(body.content) <= FEW_BYTES:
            rows = fitting(table, json_rows(body.content)[0])
            stored = await self._coalescer.add(table, rows) if rows else None
            if stored is not None:
                return Receipt(stored[1] - stored[0] + 1, *stored)
        return await self._append_alone(table, body)

    async def _append_alone(self, table: StoredTable, body: Body) -> Receipt:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Append] = loop.create_future()

        def finished(append: Append) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(_resolve, done, append)

        def begin() -> pa.Table | None:
            rows = self._rows(table, body)
            begun = self._state.storage.begin_append(
                table, rows, token=body.token, body_hash=body.digest, caller=body.caller, on_done=finished
            )
            return None if begun else rows

        rest = begin() if len(body.content) <= INLINE_BYTES else await self._state.run(begin)
        if rest is None:
            return (await done).outcome()
        return await self._state.run(append, self._state.storage, table, rest, body)

    def _rows(self, table: StoredTable, body: Body) -> pa.Table:
        return decoded(table, body.kind, body.content, self._settings.max_rows_bytes * UNPACKED)


class EraseRows:
    """The handler of ``DELETE /v1/tables/{table}/rows``: an entity's rows are erased on both sides."""

    def __init__(self, state: ServingState, settings: Settings) -> None:
        self._state = state
        self._settings = settings

    async def __call__(self, call: Call, table: str) -> Reply:
        """Erase the rows that the body's ``key`` names."""
        call.require("admin")
        call.query(())
        stored = await self._state.run(find_table, self._state.storage, table)
        call.target = stored.name
        body_type(call.header(b"content-type"), (JSON_TYPE,))
        rows, _ = json_rows(await call.body(self._settings.max_request_bytes))
        key = rows[0].get("key") if len(rows) == 1 and isinstance(rows[0], dict) else None
        if not isinstance(key, dict) or set(rows[0]) != {"key"}:
            raise Problem(422, "invalid-rows", 'the body is {"key": {column: value, …}}')
        try:
            erased, views = await self._state.run(erase, self._state.storage, stored.name, key)
        except StorageError:
            raise
        except WorkbenchError as error:
            raise Problem(422, "invalid-rows", sentence(error)) from None
        call.rows = erased.rows
        return Reply.json({"erased": erased.rows, "scrubbed": erased.scrubbed, "views": list(views)})


def _resolve(done: asyncio.Future[Append], append: Append) -> None:
    if not done.done():
        done.set_result(append)


def find_table(storage: Storage, name: str) -> StoredTable:
    """Return the table; an unknown name is a 404 with the closest one."""
    try:
        return storage.table(name)
    except NotFound:
        raise unknown("table", name, [table.name for table in storage.tables()]) from None


def decoded(table: StoredTable, kind: str, content: bytes, limit: int) -> pa.Table:
    """Return the rows of a body with exactly the table's columns.

    Raises
    ------
    Problem
        When the body cannot be read.
    RowError
        With the column and the row that cannot be stored.
    """
    rows: Any
    if kind == ARROW_TYPE:
        rows = arrow_rows(content, limit)
    else:
        if len(content) > FEW_BYTES:
            found = json_columns(table.columns, defaults(table)).table(content, lines=kind == NDJSON_TYPE)
            if found is not None:
                return found
        rows = ndjson_rows(content) if kind == NDJSON_TYPE else json_rows(content)[0]
    return coerce.to_table(dict(table.columns), rows, defaults=defaults(table))


def append(storage: Storage, table: StoredTable, rows: pa.Table, body: Body) -> Receipt:
    """Append rows and wait until they are stored (on a thread)."""
    return storage.append(table.name, rows, token=body.token, body_hash=body.digest)
