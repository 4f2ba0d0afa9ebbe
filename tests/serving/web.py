"""A small HTTP client that sends exactly the bytes it is told to."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What came back; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The sentence of a problem, after checking that it is a whole problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        assert set(self.json) == {"type", "title", "status", "detail", "request_id", "errors"}
        assert self.json["status"] == self.status
        assert b"Traceback" not in self.body and b".py" not in self.body
        return str(self.json["detail"])


class Web:
    """One connection to a server, kept open; not to be shared by threads."""

    def __init__(self, url: str, key: str | None) -> None:
        self.host, _, port = url.removeprefix("http://").partition(":")
        self.port = int(port)
        self.key = key
        self._connection: http.client.HTTPConnection | None = None

    def another(self, key: str | None = None) -> Web:
        return Web(f"http://{self.host}:{self.port}", key or self.key)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> Answer:
        """Send; a body that is not bytes is sent as JSON. A header None is left out."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": JSON, "X-API-Key": self.key, **(headers or {})}
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            self._connection.request(
                method, path, data, {name: value for name, value in sent.items() if value is not None}
            )
            response = self._connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        except BaseException:
            self.close()
            raise

    def get(self, path: str, headers: dict[str, str | None] | None = None) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any, headers: dict[str, str | None] | None = None) -> Answer:
        return self.send("POST", path, body, headers)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def owner(path: Path) -> str:
    """The owner's key of a project."""
    return (path / "api_key").read_text().strip()
