"""A client that sends the bytes it is told to, and reads what comes back."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from tests.fuzz.requests import Request

SECONDS = 20


@dataclass(frozen=True)
class Reply:
    """What came back; ``status`` 0 when the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Raw:
    """A connection that is opened again when the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def exchange(self, request: Request) -> Reply:
        """Send a request piece by piece and return the answer.

        Raises
        ------
        TimeoutError
            There is no answer.
        """
        connection = self._socket or socket.create_connection(self._address, timeout=SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = None
        try:
            for piece in request.data():
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before it was complete
        try:
            response = http.client.HTTPResponse(connection, method=request.method)
            response.begin()
            body = response.read()
        except TimeoutError:
            connection.close()
            raise
        except (http.client.HTTPException, OSError):
            connection.close()
            return Reply(0, {}, b"")
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close or not self._is_whole(request):
            connection.close()
        else:
            self._socket = connection
        return Reply(response.status, headers, body)

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _is_whole(request: Request) -> bool:
        """Whether the server can tell where the request ends, so that another one may follow it."""
        names = {name.lower() for name, _ in request.headers}
        return names.isdisjoint(("content-length", "transfer-encoding", "upgrade"))
