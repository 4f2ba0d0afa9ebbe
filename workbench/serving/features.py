"""``POST /v1/features/{view}``: features of one row or of many; with ``append=true`` the rows are stored then."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import Conflict, RowError
from workbench.serving.bodies import JSON_TYPE, body_type, json_rows
from workbench.serving.call import Call, Reply, invalid_parameter
from workbench.serving.problems import FieldError, Problem, row_problem, sentence
from workbench.serving.replies import Replies, key_reused
from workbench.serving.settings import Settings
from workbench.serving.state import ServedView, ServingState
from workbench.values import coerce, wire

if TYPE_CHECKING:
    from workbench.online import Answer
    from workbench.storage import Receipt, Storage

SMALL_BYTES = 1 << 16  # longer bodies are decoded on a thread, so that others need not wait
PARAMETERS = frozenset({"version", "append", "as_of"})


@dataclass(frozen=True)
class Options:
    """The query parameters of a request."""

    version: int | None = None
    append: bool = False
    as_of: datetime | None = None


@dataclass
class Outcome:
    """One answer a row, in wire form, and where the rows were stored."""

    answers: list[dict[str, Any]]
    appended: dict[str, int | None] | None = None
    replayed: bool = False
    failed: int = 0


@dataclass(frozen=True)
class Append:
    """What a request with ``append=true`` needs besides its rows: where answers are kept, and under which token."""

    replies: Replies
    token: str | None
    body_hash: str

    def earlier(self, served: ServedView) -> Outcome | None:
        """Return what was answered under the token before."""
        kept = self.replies.find(served.view, self.token, self.body_hash) if self.token else None
        return Outcome(kept["answers"], replayed=True) if kept else None

    def keep(self, served: ServedView, outcome: Outcome) -> Outcome:
        """Keep the answers under the token; return those that count, which a quicker repetition may have kept."""
        if self.token is None:
            return outcome
        return Outcome(
            self.replies.keep(served.view, self.token, self.body_hash, {"answers": outcome.answers})[
                "answers"
            ]
        )


class Features:
    """The route's handler."""

    def __init__(self, state: ServingState, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._replies: Replies | None = None

    async def __call__(self, call: Call, view: str) -> Reply:
        """Answer one request."""
        call.require("read")
        options = read_options(call.query(PARAMETERS))
        if options.append:
            call.require("write")
        call.target = self._state.served(view, options.version).view
        token = call.idempotency_key()
        body_type(call.header(b"content-type"), (JSON_TYPE,))
        body = await call.body(self._settings.max_request_bytes)
        small = len(body) <= SMALL_BYTES
        rows, single = json_rows(body) if small else await self._state.run(json_rows, body)
        self._check_count(rows)
        with self._state.lease(view, options.version) as served:
            call.version, call.rows = str(served.version), len(rows)
            if options.append:
                append = Append(self._kept(), self._token(call, token), _hash(call, body))
                outcome = await self._state.run(
                    ask_then_append, self._state.storage, served, rows, options, append, single
                )
            else:
                outcome = await self._state.run(ask, served, rows, options, single)
        return self._reply(call, served, outcome, single)

    def _check_count(self, rows: list[Any]) -> None:
        if len(rows) > self._settings.max_request_rows:
            limit = f"{self._settings.max_request_rows:,}"
            raise Problem(
                413, "too-large", f"{len(rows):,} rows in one request, at most {limit} are answered at once"
            )

    def _kept(self) -> Replies:
        if self._replies is None:
            self._replies = Replies(self._state.storage)
        return self._replies

    @staticmethod
    def _token(call: Call, token: str | None) -> str | None:
        return f"{call.key.name}\nask\n{token}" if token and call.key else None

    @staticmethod
    def _reply(call: Call, served: ServedView, outcome: Outcome, single: bool) -> Reply:
        head: dict[str, Any] = {"view": served.view, "version": served.version, "request_id": call.request_id}
        if single:
            answer = outcome.answers[0]
            if "error" in answer:
                raise _refusal(answer["error"])
            head |= answer
        else:
            head |= {"answers": outcome.answers, "failed": outcome.failed}
        if outcome.appended:
            head["appended"] = outcome.appended
        reply = Reply.json(head)
        if outcome.replayed:
            reply.headers.append((b"idempotency-replayed", b"true"))
        return reply


def read_options(query: Mapping[str, str]) -> Options:
    """Read the query parameters; a wrong value is a 422 that names the parameter."""
    version = query.get("version")
    if version is not None and not re.fullmatch(r"[0-9]{1,9}", version):
        raise invalid_parameter("version", f"version must be a whole number, not {version!r:.40}")
    append = query.get("append", "false").lower()
    if append not in ("true", "false", "1", "0"):
        raise invalid_parameter("append", f"append must be true or false, not {query['append']!r}")
    as_of = None
    if "as_of" in query:
        try:
            as_of = wire.decode(query["as_of"], "TIMESTAMP")
        except RowError as error:
            raise invalid_parameter("as_of", f"as_of: {sentence(error)}") from None
    if as_of and append in ("true", "1"):
        raise invalid_parameter(
            "as_of", "as_of cannot be given with append=true; a stored row has its own time"
        )
    return Options(int(version) if version else None, append in ("true", "1"), as_of)


def ask(served: ServedView, rows: list[Any], options: Options, single: bool) -> Outcome:
    """Answer rows (on a thread): one ``{features}`` or ``{error}`` each."""
    as_of = [options.as_of] * len(rows) if options.as_of else None
    answers = [
        _wire_answer(served, answer, None if single else place)
        for place, answer in enumerate(served.engine.request(rows, as_of=as_of))
    ]
    return Outcome(answers, failed=sum("error" in answer for answer in answers))


def ask_then_append(
    storage: Storage, served: ServedView, rows: list[Any], options: Options, append: Append, single: bool
) -> Outcome:
    """Answer rows, then store them all (on a thread); when one cannot be answered none is stored."""
    outcome = append.earlier(served)
    if outcome is None:
        outcome = ask(served, rows, options, single)
        if outcome.failed:
            raise _nothing_appended(outcome)
        _stored_rows(served, rows, outcome, single)  # what the table refuses must not leave an answer behind
        outcome = append.keep(served, outcome)
    try:
        receipt: Receipt = storage.append(
            served.plan.table,
            _stored_rows(served, rows, outcome, single),
            token=append.token,
            body_hash=append.body_hash if append.token else None,
        )
    except Conflict:
        raise key_reused() from None
    outcome.appended = {"first_seq": receipt.first_seq, "last_seq": receipt.last_seq}
    if receipt.known:
        outcome.appended["known"] = receipt.known
    outcome.replayed |= receipt.replayed
    return outcome


def _stored_rows(served: ServedView, rows: list[Any], outcome: Outcome, single: bool) -> pa.Table:
    """Return the rows as the table stores them; one without a time gets the time at which it was answered."""
    try:
        table = coerce.to_table(dict(served.columns), rows, defaults=served.defaults)
        time = served.plan.base.time
        if time is None:
            return table
        given, kind = table.column(time), served.columns[time]
        answered = [
            {time: answer["as_of"][:10] if kind == "DATE" else answer["as_of"]} for answer in outcome.answers
        ]
        filled = pc.coalesce(given, coerce.to_table({time: kind}, answered).column(time))
        return table.set_column(table.column_names.index(time), table.schema.field(time), filled)
    except RowError as error:
        raise row_problem(error, single, "nothing was appended") from None


def _wire_answer(served: ServedView, answer: Answer, place: int | None) -> dict[str, Any]:
    if answer.error is not None:
        return _error(FieldError(sentence(answer.error), answer.error.field), place)
    found: dict[str, Any] = {"as_of": wire.encode(answer.as_of, "TIMESTAMP"), "last_seq": answer.last_seq}
    found["features"] = None if answer.features is None else served.encode(answer.features)
    if answer.reason:
        found["reason"] = answer.reason
    return found


def _error(wrong: FieldError, place: int | None) -> dict[str, Any]:
    return {"error": FieldError(wrong.reason, wrong.field, place).to_dict()}


def _refusal(error: dict[str, Any]) -> Problem:
    return Problem(422, "invalid-rows", error["reason"], [FieldError(**error)])


def _nothing_appended(outcome: Outcome) -> Problem:
    wrong = [FieldError(**answer["error"]) for answer in outcome.answers if "error" in answer]
    shown = "" if wrong[0].row is None else f"row {wrong[0].row}: "
    return Problem(422, "invalid-rows", f"{shown}{wrong[0].reason}; nothing was appended", wrong)


def _hash(call: Call, body: bytes) -> str:
    return hashlib.sha256(call.scope["query_string"] + b"\n" + body).hexdigest()
