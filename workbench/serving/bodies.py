"""From the bytes of a body to rows: JSON, NDJSON or an Arrow stream; a sentence for everything malformed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from workbench.serving.problems import FieldError, Problem

if TYPE_CHECKING:
    import pyarrow as pa

JSON_TYPE = "application/json"
NDJSON_TYPE = "application/x-ndjson"
ARROW_TYPE = "application/vnd.apache.arrow.stream"
MAX_DEPTH = 64

_NAMES = {
    JSON_TYPE: JSON_TYPE,
    NDJSON_TYPE: NDJSON_TYPE,
    "application/ndjson": NDJSON_TYPE,
    "application/jsonl": NDJSON_TYPE,
    "application/jsonlines": NDJSON_TYPE,
    ARROW_TYPE: ARROW_TYPE,
}
_KEY_ENDS = re.compile(rb'"\s*:')
_NON_FINITE = re.compile(rb"-?(NaN|Infinity)\b")
_decode = msgspec.json.Decoder(strict=True).decode


class _Duplicate(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def body_type(content_type: str | None, allowed: tuple[str, ...]) -> str:
    """Return which of the ``allowed`` types a body has; JSON when nothing is said.

    Raises
    ------
    Problem
        415, naming what the route takes.
    """
    if not content_type or not content_type.strip():
        return JSON_TYPE
    name, _, parameters = content_type.partition(";")
    name = name.strip().lower()
    kind = JSON_TYPE if name.endswith("+json") else _NAMES.get(name)
    if kind not in allowed:
        raise Problem(
            415, "unsupported-media-type", f"the content type is {name!r}; send {' or '.join(allowed)}"
        )
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(415, "unsupported-media-type", f"the charset is {charset[1]!r}; send UTF-8")
    return kind


def json_rows(body: bytes) -> tuple[list[Any], bool]:
    """Return the rows of a JSON body and whether it was one object; rows of an array are checked by the caller.

    Raises
    ------
    Problem
        400 for what is not JSON, 422 for JSON that is neither an object nor an array.
    """
    value = decode_json(body)
    if isinstance(value, dict):
        return [value], True
    if isinstance(value, list):
        return value, False
    raise invalid_body(
        f"the body is a JSON {_json_kind(value)}; send an object (one row) or an array of objects", 422
    )


def decode_json(body: bytes, line: int | None = None) -> Any:
    """Decode JSON exactly: big integers stay integers, a name that is given twice is an error.

    Parameters
    ----------
    body
        The bytes; UTF-8.
    line
        The 1-based line of an NDJSON body, for messages.
    """
    where = "" if line is None else f" in line {line}"
    try:
        value = _decode(body)
        names = _count_names(value)
    except RecursionError:
        raise invalid_body(f"the body{where} is nested deeper than {MAX_DEPTH} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid_body(_malformed(body, where, error)) from None
    if names and count_name_ends(body) != names:
        _refuse_duplicates(body, line)
    return value


def ndjson_rows(body: bytes) -> list[Any]:
    """Return the rows of an NDJSON body: one object a line; empty lines are skipped."""
    rows = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            rows.append(decode_json(line, number))
    if not rows:
        raise invalid_body("the body is empty; send one JSON object a line")
    return rows


def arrow_rows(body: bytes, limit: int) -> pa.Table:
    """Return the table of an Arrow IPC stream, which must not unpack to more than ``limit`` bytes."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            batches, size = [], 0
            for batch in reader:
                size += batch.nbytes
                if size > limit:
                    raise Problem(413, "too-large", f"the Arrow stream unpacks to more than {limit:,} bytes")
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
            table.validate(full=True)
            return table
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise invalid_body(f"the body is not an Arrow IPC stream: {reason}") from None


def invalid_body(detail: str, status: int = 400) -> Problem:
    """Return the problem for a body that cannot be read."""
    return Problem(status, "invalid-body", detail, [FieldError(detail)])


def count_name_ends(body: bytes) -> int:
    """Return how many member names a text of JSON has, with those that are doubled and what looks like one in text."""
    return len(_KEY_ENDS.findall(body))


def _count_names(value: Any, depth: int = 1) -> int:
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        count = len(value)
        for item in value.values():
            if isinstance(item, (dict, list)):
                count += _count_names(item, depth + 1)
        return count
    if isinstance(value, list):
        return sum(_count_names(item, depth + 1) for item in value if isinstance(item, (dict, list)))
    return 0


def _refuse_duplicates(body: bytes, line: int | None) -> None:
    """Raise when an object has a name twice; slow, for texts where counting names did not settle it."""
    try:
        json.loads(body, object_pairs_hook=_object)
    except _Duplicate as duplicate:
        where = "" if line is None else f" (line {line})"
        reason = f"the field {duplicate.name!r} is given twice in one object{where}"
        raise Problem(
            422, "invalid-body", reason, [FieldError(reason, duplicate.name, line and line - 1)]
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Duplicate(name)
        found[name] = value
    return found


def _malformed(body: bytes, where: str, error: Exception) -> str:
    if not body.strip():
        return f"the body{where} is empty; send a JSON object or an array of objects"
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as located:
        if "UTF-8: surrogates" in located.msg:
            return f"the body{where} is not UTF-8"
        if "infinity" in located.msg:
            at = f"line {located.lineno} column {located.colno}"
            return (
                f"the body{where} has a number that is too large for JSON at {at}; send big integers as text"
            )
        if name := _non_finite(body, located):
            return f'the body{where} is not JSON: {name} is not a JSON number; send the string "{name}" with its quotes'
        return f"the body{where} is not JSON: {located}"
    return f"the body{where} is not JSON: {error}"


def _non_finite(body: bytes, located: orjson.JSONDecodeError) -> str | None:
    """Return the NaN or Infinity literal that the decoder stopped at; at its sign or just behind it."""
    stopped = len(located.doc[: located.pos].encode())
    for start in (max(0, stopped - 1), stopped):
        if found := _NON_FINITE.match(body, start):
            return found[0].decode()
    return None


def _json_kind(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return kinds[type(value)]
