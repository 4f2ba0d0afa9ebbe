"""What DuckDB's functions are and what they return, asked of DuckDB itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb

from workbench.errors import WorkbenchError, did_you_mean
from workbench.functions import PythonFunction, register
from workbench.kernels.farmhash import FINGERPRINT
from workbench.plan.failures import sentence
from workbench.sql import catalogue

#: Functions that mean "now": the anchor's time in a feature query.
NOW_TIMESTAMP = frozenset(
    [
        "now",
        "get_current_timestamp",
        "transaction_timestamp",
        "current_localtimestamp",
        "localtimestamp",
        "current_timestamp",
    ]
)
NOW_DATE = frozenset(["today", "current_date"])

#: Functions that look at the host, the session or the engine rather than at their arguments.
_HOST = frozenset(
    [
        "getenv",
        "getvariable",
        "current_setting",
        "current_database",
        "current_schema",
        "current_schemas",
        "current_query",
        "current_user",
        "user",
        "session_user",
        "current_role",
        "version",
        "in_search_path",
        "txid_current",
        "pg_typeof",
        "read_text",
        "read_blob",
        "read_csv",
        "read_csv_auto",
        "read_parquet",
        "parquet_scan",
        "read_json",
        "read_json_auto",
        "read_ndjson",
        "glob",
        "query",
        "query_table",
        "sniff_csv",
        "parquet_metadata",
        "parquet_schema",
        "which_secret",
        "duckdb_secrets",
        "add_parquet_key",
        "current_connection_id",
        "current_query_id",
        "current_transaction_id",
        "write_log",
        "get_current_time",
        "current_time",
        "current_localtime",
        "sqlite_scan",
        "postgres_scan",
        "mysql_scan",
        "iceberg_scan",
        "delta_scan",
        "enable_logging",
        "disable_logging",
        "checkpoint",
        "force_checkpoint",
        "sleep_ms",
        "set_config",
    ]
)


#: Functions that draw at random, though DuckDB does not say so.
_RANDOM = frozenset({"reservoir_quantile"})

#: OpenMLDB's functions that write a row as a line of text.
_INSTANCES = frozenset({"csv", "libsvm", "gcformat"})

#: Parts of DuckDB's grammar that look like functions and are not in its list.
_SYNTAX = frozenset({"coalesce", "ifnull", "try"})


#: Rows without field names, as list_zip makes them: DuckDB shows the type and cannot read it.
_UNNAMED = re.compile(r"STRUCT\(([\w() ]+(?:, [\w() ]+)*)\)((?:\[\])*)")


def _null(kind: str) -> str:
    """A value of a type."""
    row = _UNNAMED.fullmatch(kind)
    if row is None or any(" " in field for field in row[1].split(", ")):
        return f"CAST(NULL AS {kind})"
    depth = len(row[2]) // 2
    fields = ", ".join(f"CAST(NULL AS {field})" for field in row[1].split(", "))
    return f"{'[' * depth}row({fields}){']' * depth}"


@dataclass(frozen=True)
class FunctionInfo:
    """A function's name, its kinds (scalar, aggregate, macro, table ...) and whether equal inputs give equal values."""

    name: str
    kinds: frozenset[str]
    volatile: bool


_known: dict[str, FunctionInfo] | None = None


@dataclass
class Functions:
    """DuckDB's functions, through a connection of its own that holds no data.

    Parameters
    ----------
    connection
        A locked-down DuckDB connection (see :mod:`workbench.storage.session`).
    """

    connection: duckdb.DuckDBPyConnection
    _types: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _python: dict[str, PythonFunction] = field(default_factory=dict)
    _registered: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def use(self, functions: Iterable[PythonFunction], earlier: Iterable[PythonFunction] = ()) -> None:
        """Make these, and no other, the Python functions that a query can call.

        Parameters
        ----------
        functions
            Those that are called by their names.
        earlier
            Versions that can only be called by their full names.
        """
        with self._lock:
            current = list(functions)
            self._python = {function.full_name.casefold(): function for function in (*earlier, *current)}
            for function in self._python.values():
                if function.full_name not in self._registered:
                    register(self.connection, function)
                    self._registered.add(function.full_name)
            self._python |= {function.name.casefold(): function for function in current}

    def python(self, name: str) -> PythonFunction | None:
        """Return the Python function of that name, in any case (``clip`` or ``clip@<version>``), or None."""
        return self._python.get(name.casefold())

    def info(self, name: str) -> FunctionInfo:
        """Return what DuckDB knows of a function.

        Raises
        ------
        WorkbenchError
            When there is none of that name, or when it is not allowed in a feature query.
        """
        known = self._functions()
        found = known.get(name.casefold())
        if (python := self.python(name)) is not None:
            return FunctionInfo(
                name.casefold(), frozenset({"aggregate" if python.aggregate else "scalar"}), False
            )
        if name.casefold() in _HOST:
            raise WorkbenchError(
                f"{name}() is not allowed in a feature query",
                hint="features may depend only on the columns of the project's tables, not on files or the session",
            )
        if name.casefold() in _SYNTAX:
            return FunctionInfo(name.casefold(), frozenset({"scalar"}), False)
        if found is None and name.casefold() in _INSTANCES:
            raise WorkbenchError(
                f"{name}() writes a row as a line of text in OpenMLDB's dialect only",
                hint="mark the outputs, continuous(x), discrete(y, 1000), and write the lines with "
                "result.to_csv(path) or result.to_libsvm(path); or define the view with dialect='openmldb'",
            )
        if found is None:
            close = did_you_mean(name, [*known, *catalogue.names(), *self._python])
            raise WorkbenchError(f"there is no function {name!r}" + (f"; {close}" if close else ""))
        if found.volatile or found.name in _RANDOM:
            raise WorkbenchError(
                f"{name}() is volatile: it gives another value at every call, so training and serving would differ",
                hint="compute it before the row is stored, as a column",
            )
        return found

    def known_names(self) -> set[str]:
        """Return the names of everything that is called in DuckDB, folded."""
        return {*self._functions(), *catalogue.names(), *_SYNTAX, *_HOST}

    def is_aggregate(self, name: str) -> bool:
        """Whether a function (known to exist) is an aggregate."""
        return "aggregate" in self.info(name).kinds

    def names(self) -> list[str]:
        """Names of all scalar and aggregate functions, DuckDB's and the catalogue's, sorted."""
        known = {f.name for f in self._functions().values() if f.kinds & {"scalar", "aggregate", "macro"}}
        return sorted((known | set(catalogue.names())) - {FINGERPRINT})

    def type_of(self, sql: str, columns: tuple[str, ...] = ()) -> str:
        """Return the DuckDB type of an expression such as ``sum(c0)``.

        Parameters
        ----------
        sql
            The expression; it may name columns ``c0``, ``c1`` ...
        columns
            Their types.

        Raises
        ------
        WorkbenchError
            With DuckDB's own sentence, when the expression does not bind.
        """
        with self._lock:
            key = (sql, columns)
            if key not in self._types:
                typed = ", ".join(f"{_null(kind)} AS c{i}" for i, kind in enumerate(columns))
                source = f" FROM (SELECT {typed})" if columns else ""
                (self._types[key],) = self.describe(f"SELECT {sql}{source}").values()
            return self._types[key]

    def describe(self, query: str) -> dict[str, str]:
        """Return the column names and DuckDB types of a query over constants.

        Raises
        ------
        WorkbenchError
            With DuckDB's own sentence, when the query does not bind.
        """
        with self._lock:
            try:
                rows = self.connection.execute(f"DESCRIBE {query}").fetchall()
            except duckdb.Error as error:
                raise WorkbenchError(sentence(error)) from None
        return {row[0]: "INTEGER" if row[1] == '"NULL"' else row[1] for row in rows}

    def interval(self, sql: str) -> tuple[int, int]:
        """Return months and microseconds of an INTERVAL expression."""
        with self._lock:
            try:
                row = self.connection.execute(
                    f"SELECT datepart('year', i) * 12 + datepart('month', i), "
                    f"datepart('day', i) * 86400000000 + datepart('hour', i) * 3600000000 "
                    f"+ datepart('minute', i) * 60000000 + datepart('microseconds', i) FROM (SELECT {sql} AS i)"
                ).fetchone()
            except duckdb.Error as error:
                raise WorkbenchError(sentence(error)) from None
        assert row is not None
        return int(row[0]), int(row[1])

    def _functions(self) -> dict[str, FunctionInfo]:
        """What DuckDB has, which is the same in every session of the process."""
        global _known
        with self._lock:
            if _known is None:
                rows = self.connection.execute(
                    "SELECT lower(function_name), list(DISTINCT function_type), "
                    "coalesce(bool_and(stability = 'VOLATILE'), false) FROM duckdb_functions() "
                    "WHERE NOT starts_with(function_name, '__') OR function_name = ? GROUP BY 1",
                    [FINGERPRINT],
                ).fetchall()
                _known = {
                    name: FunctionInfo(name, frozenset(kinds), volatile) for name, kinds, volatile in rows
                }
            return _known
