"""The one place that decides how a DuckDB session behaves.

Every DuckDB connection of the workbench comes from :func:`connect`: times are UTC, no extension is downloaded or
loaded, Python variables are not visible to SQL, and the only files within reach are the directories named by the
caller. The settings are locked, so a query cannot lift them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from workbench.kernels.farmhash import FINGERPRINT, fingerprint_of, fingerprints_of

DEFAULT_THREADS = 2


def connect(
    *,
    readable: Iterable[Path | str] = (),
    threads: int = DEFAULT_THREADS,
    memory_limit: str | None = None,
    temp_directory: Path | str | None = None,
    by_row: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open a private in-memory DuckDB session with the settings that everything here relies on.

    Parameters
    ----------
    readable
        Directories whose files SQL may read; all other files are out of reach.
    threads
        How many threads a query may use.
    memory_limit
        DuckDB notation, for example ``"1GB"``; None leaves DuckDB's default.
    temp_directory
        Where larger-than-memory sorts spill; None refuses to spill.
    by_row
        Whether our own functions are called once a row rather than once for some thousand:
        a fifth of the time for a single request, seven times as long in bulk.

    >>> connect().execute("SELECT current_setting('TimeZone')").fetchone()
    ('UTC',)
    """
    readable = list(readable)
    connection = duckdb.connect(":memory:", config={"threads": threads})
    settings: list[tuple[str, object]] = [
        ("TimeZone", "UTC"),
        ("autoinstall_known_extensions", False),
        ("autoload_known_extensions", False),
        ("python_enable_replacements", False),
        # in a kernel DuckDB shows a bar of its own for every query of more than two seconds
        ("enable_progress_bar", False),
        ("temp_directory", str(temp_directory) if temp_directory is not None else ""),
        # It fails (INTERNAL, "type mismatch") where row_number() = 1 stands over a filtered Arrow scan, the log's tail.
        # Where there are only Arrow rows, joins push filters into their scans that PyArrow does not know; see hold().
        ("disabled_optimizers", f"top_n_window_elimination{'' if readable else ',join_filter_pushdown'}"),
    ]
    if memory_limit is not None:
        settings.append(("memory_limit", memory_limit))
    settings.append(("allowed_directories", [str(Path(path).resolve()) for path in readable]))
    settings.append(("enable_external_access", False))
    settings.append(("lock_configuration", True))
    for name, value in settings:
        connection.execute(f"SET {name} = {_literal(value)}")
    _add_functions(connection, by_row)
    return connection


def _add_functions(connection: Any, by_row: bool) -> None:
    if by_row:
        connection.create_function(FINGERPRINT, fingerprint_of, ["BLOB", "BOOLEAN"], "BIGINT")
    else:
        connection.create_function(FINGERPRINT, fingerprints_of, ["BLOB", "BOOLEAN"], "BIGINT", type="arrow")


def hold(connection: duckdb.DuckDBPyConnection, name: str, rows: object) -> None:
    """Copy an Arrow table into a temporary table of a session.

    What is registered instead must not be joined: joins push the filters that they find out while they run into its
    scan, and PyArrow does not know all of them ("Pushdown Filter Type BLOOM_FILTER is not currently supported").
    """
    connection.register(f"{name}_arrow", rows)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {name}_arrow")
    connection.unregister(f"{name}_arrow")


def quoted(name: str) -> str:
    """Return a column or relation name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return text(str(value))
