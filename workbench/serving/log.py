"""The server's log: JSON lines on standard error. No headers, no bodies, no keys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from workbench.serving.call import Call

MAX_BYTES = 64 << 20
KEPT_SECONDS = 0.2
KEPT_LINES = 1000


class JsonLines(logging.Formatter):
    """One JSON object a record; a traceback is one of its strings."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": _now(),
            "level": record.levelname.lower(),
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure() -> None:
    """Send everything that this process logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class AccessLog:
    """A line for each request, written a moment later and many at a time; errors are written at once.

    What is kept back is lost when the process is killed: at most :data:`KEPT_SECONDS` of requests that went well.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[float, str, str, str, str, str, int, float]] = []
        self._second = (0, "")

    def add(self, call: Call, status: int, seconds: float) -> None:
        """Note one request."""
        self.note(call.request_id, call.method, call.route, call.target, call.version, status, seconds)

    def note(
        self,
        request_id: str,
        method: str,
        route: str,
        target: str,
        version: str,
        status: int,
        seconds: float,
    ) -> None:
        """Note one request."""
        kept = self._kept
        if not kept:
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self.flush)
        kept.append((time.time(), request_id, method, route, target, version, status, seconds))
        if status >= 400 or len(kept) >= KEPT_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        kept, self._kept = self._kept, []
        if kept:
            text = b"".join(
                orjson.dumps(
                    {
                        "time": self._time(moment),
                        "request_id": request_id,
                        "method": method,
                        "route": route,
                        "target": target,
                        "version": version,
                        "status": status,
                        "ms": round(seconds * 1000, 3),
                    },
                    option=orjson.OPT_APPEND_NEWLINE,
                )
                for moment, request_id, method, route, target, version, status, seconds in kept
            )
            with contextlib.suppress(OSError):  # a full disk must not fail the request
                os.write(2, text)

    def _time(self, moment: float) -> str:
        second = int(moment)
        if self._second[0] != second:
            self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        return f"{self._second[1]}.{int((moment - second) * 1000):03d}Z"


def keep_bounded(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Start a new file when the log is too long; every worker calls this now and then and follows the others.

    Parameters
    ----------
    path
        The log that standard error goes to; the old one is kept as ``<path>.1``.
    max_bytes
        Length at which it is renamed.
    """
    try:
        mine = os.fstat(2)
        current = path.stat() if path.exists() else None
        if current and current.st_ino == mine.st_ino:
            if mine.st_size < max_bytes:
                return
            os.replace(path, path.with_name(path.name + ".1"))
        replacement = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(replacement, stream)
        os.close(replacement)
    except OSError as error:
        logging.getLogger("workbench.serving").error("the log cannot be rotated: %s", error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
