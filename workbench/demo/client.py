"""A client of the endpoint that needs nothing but Python: what a program elsewhere would do."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from json import dumps, loads
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.deployment import Deployment


class Client:
    """Talks to the endpoint over one kept connection."""

    def __init__(self, deployment: Deployment) -> None:
        place = urlsplit(deployment.url)
        self._path = place.path
        self._key = deployment.api_key
        self._connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of a row of the view's anchor."""
        return self._post(self._path, row)["features"]

    def append(self, table: str, row: dict[str, Any]) -> None:
        """Store a row of a table; the next request sees it."""
        self._post(f"/v1/tables/{table}/rows", row)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "X-API-Key": self._key}
        self._connection.request("POST", path, dumps(body), headers)
        response = self._connection.getresponse()
        answer = loads(response.read())
        if response.status != HTTPStatus.OK:
            raise WorkbenchError(f"the endpoint answered {response.status}: {answer.get('detail', answer)}")
        return answer
