"""Random HTTP requests as bytes: right ones, wrong ones, and broken ones.

The project is that of :mod:`tests.serving.cards`.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

VIEWS = ("card_risk", "wire")
FEATURES = tuple(f"/v1/features/{view}" for view in VIEWS)
ROWS = "/v1/tables/transactions/rows"
JSON = "application/json"
TYPES = (
    *(JSON, "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json", "text/json"),
    *("application/json; charset=latin-1", "application/x-ndjson", "application/vnd.apache.arrow.stream"),
    *("text/plain", "", " ", ";", "multipart/form-data; boundary=x", 'application/json; charset="utf8"'),
)
PATHS = (
    *("/v1/features/Card_Risk", "/v1/features/card%5frisk", "/v1/features/", "/v1/features/no"),
    *("/v1/features/card_risk/", "/v1/features/%00", "/v1/features/..%2f..", "/v1/features/%ff%fe"),
    *("/v1/tables/no/rows", "/v1/tables//rows", "/v1/tables/transactions/rows/", "/v1/tables/a%2frows/rows"),
    *("/v1/views", "/v1/views/card_risk", "/v1/views/no", "/v1/views/wire/rollback", "/nothing", "/v1", "//"),
)
#: Those whose answers depend on the moment; a comparison of two servers leaves them out.
CHANGING = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/")
QUERIES = (
    *(
        "version=1",
        "version=2",
        "version=",
        "version=-1",
        "version=1&version=1",
        "version=%31",
        "append=true",
    ),
    *("append=false", "append=maybe", "as_of=2026-01-03T00:00:00Z", "as_of=never", "as_of=0001-01-01"),
    *(
        "as_of=2026-01-03&append=1",
        "as_of=9999-12-31T23:59:59%2B23:59",
        "x=1",
        "=",
        "&",
        "%zz",
        "version",
        "a=%ff",
    ),
)
TEXTS = (
    "",
    "a",
    "ü\u0000\U0001f600",
    '":',
    '"',
    "\\",
    "null",
    "{",
    "[",
    "NaN",
    "Infinity",
    "x" * 3000,
    "7",
    "\u2028",
)


@dataclass
class Request:
    """A request, in the pieces that are sent one after the other."""

    method: str = "POST"
    target: str = FEATURES[0]
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    pieces: tuple[int, ...] = ()
    chunked: bool = False
    version: str = "1.1"

    def data(self) -> list[bytes]:
        """Return the bytes to send, cut into pieces."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            middle = len(self.body) // 2
            parts = [part for part in (self.body[:middle], self.body[middle:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        else:
            body = self.body
            if not any(name.lower() == "content-length" for name, _ in self.headers):
                lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        cuts = [0, *sorted({cut % len(text) for cut in self.pieces} - {0}), len(text)]
        return [text[start:end] for start, end in pairwise(cuts)]


class Requests:
    """A stream of random requests.

    Parameters
    ----------
    seed
        Of the stream.
    keys
        API keys that are right, in any scope.
    changing
        Whether to ask routes whose answers depend on the moment, and to change what is deployed.
    """

    def __init__(self, seed: int, keys: list[str], *, changing: bool = False) -> None:
        self._random = random.Random(seed)
        self._keys = keys
        self._changing = changing
        self._number = 0

    def next(self) -> Request:
        """Return one more."""
        some = self._random
        self._number += 1
        target = some.choice(FEATURES) if some.random() < 0.7 else some.choice((ROWS, ROWS, *PATHS))
        if self._changing and some.random() < 0.05:
            target = some.choice(CHANGING)
        if not self._changing and target.endswith("rollback"):
            target = ROWS
        method = "POST"
        if some.random() < 0.06 or target in CHANGING:
            method = some.choice(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"))
        if some.random() < 0.12:
            target += "?" + "&".join(some.sample(QUERIES, some.choice((1, 1, 2))))
        request = Request(method, target, self._headers(), self._body(target))
        if _SHORT in request.headers:
            request.body = request.body.ljust(int(_SHORT[1]))  # a server waits for what is announced
        if some.random() < 0.1:
            request.chunked = True
        if some.random() < 0.25:
            request.pieces = tuple(some.randrange(1, 10_000) for _ in range(some.choice((1, 1, 2, 5))))
        if some.random() < 0.02:
            request.version = "1.0"
        return request

    def _headers(self) -> list[tuple[str, str]]:
        some = self._random
        found = [("Host", "here")]
        found.append(("X-Request-ID", f"r{self._number}" if some.random() < 0.95 else some.choice(_IDS)))
        if some.random() < 0.97:
            found.append(("X-API-Key", some.choice(self._keys)))
        else:
            found += [("X-API-Key", key) for key in some.choice(([], [""], ["wrong"], ["a", self._keys[0]]))]
        if some.random() < 0.85:
            found.append(("Content-Type", JSON))
        else:
            found.append(("Content-Type", some.choice(TYPES)))
        if some.random() < 0.08:
            found.append(some.choice(_HEADERS))
        some.shuffle(found)
        return found

    # -- bodies

    def _body(self, target: str) -> bytes:
        some = self._random
        kind = some.random()
        if kind < 0.05:
            return some.choice(_BROKEN)
        if kind < 0.65:
            rows: Any = self._row()
        else:
            rows = [
                self._row() if some.random() < 0.95 else self._any(1)
                for _ in range(some.choice((0, 1, 2, 5)))
            ]
        if kind > 0.93:
            rows = self._any(0)
        text = json.dumps(rows, ensure_ascii=some.random() < 0.5, indent=some.choice((None, None, None, 1)))
        if some.random() < 0.05:
            text = self._doubled(text)
        body = text.encode("utf-8", "surrogatepass")
        if some.random() < 0.06 and body:
            body = self._damaged(body)
        if "rows" in target and some.random() < 0.1:
            body += b"\n" + body
        return body

    def _row(self) -> dict[str, Any]:
        some = self._random
        row: dict[str, Any] = {
            "card_id": some.choice((7, 8, some.randrange(-5, 500))),
            "amount": some.choice((1.5, some.uniform(-1e6, 1e6), some.randrange(100))),
        }
        if some.random() < 0.9:
            zone = some.choice(("", "Z", ".5", "+01:00"))
            month, day, hour = some.randrange(1, 9), some.randrange(10), some.randrange(10)
            row["ts"] = f"2026-0{month}-1{day}T0{hour}:00:00{zone}"
        if some.random() < 0.6:
            row |= {
                "price": some.choice(("1.5", 2, 2.25, None)),
                "note": some.choice((None, *TEXTS)),
                "payload": some.choice((None, "AAH/")),
                "ok": some.choice((True, False, None)),
                "day": some.choice(("2026-02-28", None)),
                "huge": some.choice(("9" * 38, 12345678901234567890123, 5, None)),
                "tags": some.choice(([], ["a", None], None)),
            }
        for _ in range(some.choice((0, 0, 0, 0, 1, 1, 2))):
            name = some.choice((*row, *row, "unknown", "CARD_ID", ""))
            if some.random() < 0.2:
                row.pop(name, None)
            else:
                row[name] = self._any(some.choice((2, 3)))
        return row

    def _any(self, depth: int) -> Any:
        some = self._random
        kind = some.randrange(12 if depth < 3 else 9)
        if kind < 2:
            return some.choice((None, True, False))
        if kind < 5:
            return some.choice(
                (0, -1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40, some.getrandbits(200))
            )
        if kind < 7:
            return some.choice((0.1, -0.0, 1e308, 5e-324, 1.5, 3.0, math.nan, math.inf, -math.inf))
        if kind < 9:
            return some.choice(TEXTS)
        if kind == 9:
            return [self._any(depth + 1) for _ in range(some.randrange(3))]
        if kind == 10:
            return {
                some.choice(("a", "b", "card_id")): self._any(depth + 1) for _ in range(some.randrange(3))
            }
        return _nested(some.choice((10, 63, 64, 65, 70, 2000)))

    def _doubled(self, text: str) -> str:
        place = text.find("{")
        return text if place < 0 else text[: place + 1] + self._random.choice(_TWICE) + text[place + 1 :]

    def _damaged(self, body: bytes) -> bytes:
        some = self._random
        place = some.randrange(len(body))
        kind = some.randrange(4)
        if kind == 0:
            return body[:place]
        if kind == 1:
            return body[:place] + bytes([some.randrange(256)]) + body[place + 1 :]
        if kind == 2:
            return body[:place] + some.choice((b"\xff", b"\xed\xa0\x80", b"\x00", b",", b"}")) + body[place:]
        return body + some.choice((b" ", b"\n", b"}", b"\x00", b"{}"))


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(min(depth, 200)):
        value = [value]
    return value


_IDS = ("", "a b", "x" * 128, "x" * 129, '"quoted"', "back\\slash", "\xfc")
_TWICE = (
    '"card_id": 7, ',
    '"card_id" : 7, "card_id"\n:8, ',
    '"note": "\\":", "x": {"a": 1, "a": 2}, ',
    '"": 1, "":2, ',
)
_BROKEN = (
    *(b"", b" ", b"\n", b"{", b"}", b"nul", b"null", b"true", b"7", b'"a"', b"[]", b"{}", b"[[]]", b"[null]"),
    *(
        b"\xef\xbb\xbf{}",
        b'{"card_id": 1e999}',
        b'{"card_id": NaN}',
        b"[" * 5000,
        b'{"a":' * 5000,
        b"\xff\xfe{\x00}\x00",
    ),
    *(
        b'{"card_id": 7, "amount": 1, "note": "\\ud800"}',
        b'{"card_id": 01}',
        b"{'card_id': 7}",
        b'{"card_id": 7,}',
    ),
    *(
        b'{"amount": 1e-400, "card_id": 7}',
        b'{"card_id": -0, "amount": -0}',
        b'{"card_id": 7.0, "amount": 1E2}',
    ),
)
#: Less than most bodies have: what follows is another request, and no right one.
_SHORT = ("Content-Length", "5")
_HEADERS = (
    *(("Idempotency-Key", "k"), ("Idempotency-Key", "a b"), ("Idempotency-Key", "x" * 256)),
    *(("Content-Encoding", "gzip"), ("Content-Encoding", "identity"), ("Expect", "100-continue")),
    *(
        ("Connection", "close"),
        ("Connection", "keep-alive"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ),
    *(
        _SHORT,
        ("Content-Length", "abc"),
        ("Content-Length", "-1"),
        ("Content-Length", "99999999999"),
    ),
    *(
        ("X-Forwarded-Prefix", "/proxy/1"),
        ("Accept", "text/html"),
        ("Cookie", "a=b"),
        ("Content-Type", "text/plain"),
    ),
    *(
        ("X-API-Key", "second"),
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "gzip"),
        ("Trailer", "x"),
    ),
)
