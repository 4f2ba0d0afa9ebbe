"""Limits of the server. Each can be set by an environment variable of the process that starts it."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

MEGABYTE = 1 << 20
SHARED_FOLDER = "WORKBENCH_COUNTERS"  # set by the supervisor for its workers: where they count together


@dataclass(frozen=True)
class Settings:
    """What one worker allows.

    Parameters
    ----------
    max_request_bytes
        Largest body of a feature request.
    max_rows_bytes
        Largest body that carries rows for a table.
    max_ingest_bytes
        Bodies with rows that one worker holds at once, from their first byte to their answer; half of it for one key.
        More are answered 429 or 503.
    max_request_rows
        Most rows in one feature request.
    max_in_flight
        Requests that one worker works on at once; more are answered 503.
    threads
        Threads for blocking work, that is engines and commits.
    """

    max_request_bytes: int = 16 * MEGABYTE
    max_rows_bytes: int = 256 * MEGABYTE
    max_ingest_bytes: int = 512 * MEGABYTE
    max_request_rows: int = 10_000
    max_in_flight: int = 512
    threads: int = 16

    @staticmethod
    def from_environment() -> Settings:
        """Read ``WORKBENCH_MAX_REQUEST_BYTES`` and so on; what is not set keeps its default.

        Raises
        ------
        ValueError
            A variable is not a positive integer.
        """
        given = {}
        for item in fields(Settings):
            name = f"WORKBENCH_{item.name.upper()}"
            if text := os.environ.get(name):
                if not text.isascii() or not text.isdigit() or int(text) == 0:
                    raise ValueError(f"{name} must be a positive integer, not {text!r}")
                given[item.name] = int(text)
        return Settings(**given)
