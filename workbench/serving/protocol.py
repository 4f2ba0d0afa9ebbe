"""HTTP/1.1 as uvicorn speaks it, with the fast lane built in.

A plain request for features that arrives whole is answered where it is parsed. All others, and those that the fast lane
leaves alone, run through uvicorn's own code from their first header on, as if nothing had happened.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from workbench.serving.fast import MAX_BYTES, UNUSUAL, FastLane, Lane

_LENGTH_DIGITS = 6


class Protocol(HttpToolsProtocol):
    """One connection.

    Parameters
    ----------
    fast
        What answers plain requests.
    given
        What uvicorn gives its protocols.
    """

    def __init__(self, fast: FastLane, **given: Any) -> None:
        super().__init__(**given)
        self._fast = fast
        self._lane: Lane | None = None
        self._names: dict[bytes, bytes] = {}
        self._body = b""
        self._active = 0.0
        self._defaults: list[tuple[bytes, bytes]] | None = None
        self._head = b""

    # -- what the parser calls

    def on_message_begin(self) -> None:
        """Start a request; uvicorn prepares its own part only when it is needed."""
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide whether the request may be a plain one."""
        lane = self._fast.find(self.url)
        if lane is not None and self._is_plain():
            self._lane = lane
        else:
            self._go_on()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._lane is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Answer, or let uvicorn do so."""
        lane = self._lane
        if lane is None:
            super().on_message_complete()
            return
        try:
            answer = self._fast.answer(lane, self._names, self._body)
        except Exception:  # the other way finds it again, and says it
            answer = None
        if answer is None:
            self._go_on()
            super().on_message_complete()
        else:
            self._lane, self._body = None, b""
            self._write(*answer)

    # -- the connection

    def data_received(self, data: bytes) -> None:
        """Take what arrived. The timer of a quiet connection is left alone: when it rings it looks how quiet it was."""
        self._active = self.loop.time()
        timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        super().data_received(data)
        if self.timeout_keep_alive_task is not None:
            if timer is not None:
                timer.cancel()
        elif timer is not None:
            self.timeout_keep_alive_task = timer
        elif not self._is_working():
            self._arm(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection when it was quiet, else look again later."""
        left = self.timeout_keep_alive - (self.loop.time() - self._active)
        if self._lane is not None or self._is_working():
            left = self.timeout_keep_alive
        if left > 0:
            self._arm(left)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close the connection, after the request that is arriving is answered."""
        if self._lane is not None:
            self._go_on()
        super().shutdown()

    # -- the two ways

    def _is_plain(self) -> bool:
        headers, parser = self.headers, self.parser
        names = self._names = dict(headers)
        length = names.get(b"content-length")
        return (
            length is not None
            and len(length) <= _LENGTH_DIGITS
            and int(length) <= MAX_BYTES
            and len(names) == len(headers)
            and UNUSUAL.isdisjoint(names)
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not self.flow.write_paused
            and not self._is_working()
        )

    def _is_working(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _go_on(self) -> None:
        """Let uvicorn have what has arrived of the request."""
        url, headers, body = self.url, self.headers, self._body
        self._lane, self._body = None, b""
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _write(self, request_id: bytes, reply: bytes) -> None:
        state = self.server_state
        if state.default_headers is not self._defaults:
            self._defaults = state.default_headers
            lines = b"".join(b"%b: %b\r\n" % header for header in self._defaults)
            self._head = b"HTTP/1.1 200 OK\r\n%bcontent-type: application/json\r\ncontent-length: " % lines
        state.total_requests += 1
        self.transport.write(
            b"%b%d\r\nx-request-id: %b\r\n\r\n%b" % (self._head, len(reply), request_id, reply)
        )

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
