"""The two halves of the fuzz: our own random bytes, and what schemathesis makes of the OpenAPI document."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from tests.fuzz.project import Target
from tests.fuzz.raw import Raw
from tests.fuzz.requests import Requests

PROBLEM = {"type", "title", "status", "detail", "request_id", "errors"}
CHECKED = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
)


@dataclass
class Found:
    """How many requests got which status, and what was wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.statuses.total()} requests ({counts}), {len(self.wrong)} wrong"


def random_bytes(target: Target, number: int, seconds: float) -> Found:
    """Send random requests for so long; each must be answered, and with nothing of 5xx but 503."""
    found, until = Found(), time.monotonic() + seconds
    stream = Requests(number, [target.owner, target.owner, target.owner, target.reader], changing=True)
    connection = Raw(target.host, target.port)
    while time.monotonic() < until:
        request = stream.next()
        try:
            reply = connection.exchange(request)
        except TimeoutError:
            found.wrong.append(f"no answer to {request}")
            continue
        found.statuses[reply.status] += 1
        head = request.method == "HEAD"
        wrong = _wrong(reply.status, reply.headers, reply.body, head)
        if wrong:
            found.wrong.append(f"{wrong}: {reply} to {request}")
    connection.close()
    return found


def _wrong(status: int, headers: dict[str, str], body: bytes, head: bool) -> str:
    kind = headers.get("content-type", "")
    if status == 0:
        return "the connection was closed"
    if status >= 500 and status != 503:
        return "a failure of the server"
    if head:
        return ""
    if status >= 400 and kind == "application/problem+json":
        document = json.loads(body)
        if set(document) != PROBLEM or document["status"] != status or not document["detail"]:
            return "not a whole problem"
    elif status >= 400 and not (status == 400 and body == b"Invalid HTTP request received."):
        return "an error that is no problem document"
    elif kind == "application/json":
        json.loads(body)
    return ""


def by_schema(target: Target, number: int, seconds: float) -> Found:
    """Let schemathesis ask every operation of the document, with data that fits it and data that does not."""
    found, until = Found(), time.monotonic() + seconds
    load_all_checks()
    checks = list(CHECKS.get_by_names(CHECKED))
    document = requests.get(f"{target.url}/openapi.json", timeout=20).json()
    schema: Any = schemathesis.openapi.from_dict(document)
    operations = [result.ok() for result in schema.get_all_operations()]
    with requests.Session() as session:
        session.headers["X-API-Key"] = target.owner
        while True:
            for operation in operations:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    if time.monotonic() > until:
                        return found
                    number += 1
                    _ask(operation, mode, number, target, session, checks, found)


def _ask(
    operation: Any,
    mode: GenerationMode,
    number: int,
    target: Target,
    session: requests.Session,
    checks: list[Any],
    found: Found,
) -> None:
    @seed(number)
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        try:
            response = case.call(base_url=target.url, session=session, timeout=20)
            found.statuses[response.status_code] += 1
            case.validate_response(response, checks=checks)
        except requests.Timeout:
            found.wrong.append(f"no answer to {case.as_curl_command()}")
        except FailureGroup as failures:
            found.wrong += [
                f"{operation.label} ({mode.value}, seed {number}): {one}" for one in failures.exceptions
            ]

    try:
        ask()
    except Exception as failure:  # there is nothing to generate, for instance
        if type(failure).__name__ not in ("Unsatisfiable", "FailedHealthCheck"):
            raise
