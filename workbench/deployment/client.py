"""HTTP to the project's own server, with the owner's key; problems become the errors that Python code knows."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from workbench.deployment.process import ServerInfo, find_server
from workbench.errors import Conflict, Forbidden, NotFound, RowError, Unavailable, WorkbenchError

KEY_FILE = "api_key"
TIMEOUT_SECONDS = 60.0


class Client:
    """Connections to one project's server, one a thread, kept open.

    Parameters
    ----------
    path
        The project's folder, absolute.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    @property
    def api_key(self) -> str:
        """The owner's API key, from the project's 0600 file."""
        try:
            return (self._path / KEY_FILE).read_text().strip()
        except OSError as error:
            raise Forbidden(
                f"the project's API key cannot be read: {error.strerror}",
                hint="it belongs to the user who made the first deployment; ask for a key of your own",
            ) from None

    def server(self) -> ServerInfo:
        """Return the running server; raises :class:`Unavailable` when there is none."""
        info = find_server(self._path)
        if info is None:
            raise Unavailable(
                f"no server runs for the project {self._path}",
                hint="start it with: workbench serve, or by deploying a view",
            )
        return info

    def call(
        self,
        method: str,
        route: tuple[str, ...],
        document: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request and return the JSON answer.

        Parameters
        ----------
        method, route, query
            ``("v1", "features", "card_risk")`` is ``/v1/features/card_risk``.
        document
            The JSON body; None sends none.
        headers
            More headers.

        Raises
        ------
        WorkbenchError
            What the server refused, as the subclass that fits; :class:`Unavailable` when it cannot be reached.
        """
        path = "/" + "/".join(quote(part, safe="") for part in route)
        path += f"?{urlencode(query)}" if query else ""
        body = None if document is None else json.dumps(document, allow_nan=False).encode()
        sent = {"X-API-Key": self.api_key, "Content-Type": "application/json", **(headers or {})}
        repeatable = method == "GET" or "Idempotency-Key" in sent or not (query or {}).get("append")
        status, content = self._exchange(method, path, body, sent, repeatable)
        return _unpack(status, content)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], repeatable: bool
    ) -> tuple[int, bytes]:
        kept = self._kept()
        for connection in ([kept] if kept and repeatable else []) + [None]:
            try:
                connection = connection or self._connect()
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except TimeoutError:
                self._forget()
                raise Unavailable(f"the server did not answer within {TIMEOUT_SECONDS:g} s") from None
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                failure: Exception = error
        raise Unavailable(
            f"the server of {self._path} broke the connection: {failure}",
            hint="whether the request was carried out is not known",
        )

    def _kept(self) -> http.client.HTTPConnection | None:
        return getattr(self._local, "connection", None)

    def _connect(self) -> http.client.HTTPConnection:
        self._forget()
        connection = http.client.HTTPConnection(*self.server().address, timeout=TIMEOUT_SECONDS)
        self._local.connection = connection
        return connection

    def _forget(self) -> None:
        kept = self._kept()
        if kept:
            kept.close()
        self._local.connection = None


def _unpack(status: int, content: bytes) -> Any:
    try:
        document = json.loads(content)
    except ValueError:
        raise Unavailable(
            f"what answers at the server's address is not the workbench (HTTP {status})"
        ) from None
    if status < 400:
        return document
    detail = document.get("detail") or f"HTTP {status}"
    first = (document.get("errors") or [{}])[0]
    if status in (400, 413, 415, 422):
        raise RowError(detail, field=first.get("field"), row=first.get("row"))
    kinds: dict[int, type[WorkbenchError]] = {
        401: Forbidden,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        503: Unavailable,
    }
    raise kinds.get(status, WorkbenchError)(detail)
