"""The server's log: JSON lines on standard error. No headers, no bodies, no keys."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from workbench.serving.call import Call

MAX_BYTES = 64 << 20


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


def access(call: Call, status: int, seconds: float) -> None:
    """Write the line of one request."""
    line = {
        "time": _now(),
        "request_id": call.request_id,
        "method": call.method,
        "route": call.route,
        "target": call.target,
        "version": call.version,
        "status": status,
        "ms": round(seconds * 1000, 3),
    }
    try:
        os.write(2, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    except OSError:
        return  # a full disk must not fail the request


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
