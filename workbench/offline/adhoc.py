"""Ad hoc DuckDB queries over a project's tables: to look at data, not to make features."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow as pa

from workbench.errors import DefinitionError, NotFound, WorkbenchError, did_you_mean
from workbench.offline.result import Result
from workbench.plan.failures import sentence
from workbench.plan.render import quote
from workbench.storage import Snapshot, Storage

_NO_TABLE = re.compile(r"Table with name (.+?) does not exist")


def ad_hoc(storage: Storage, query: str) -> Result:
    """Return the rows of one SELECT (or DESCRIBE, SUMMARIZE) over the project's tables.

    Columns of equal names are told apart by a number. The rows are those known when they are first asked for.

    Raises
    ------
    DefinitionError
        It is something else than one SELECT, reads files, or does not bind.
    NotFound
        It names a table that does not exist.
    """
    with storage.snapshot() as snapshot, _session(storage, snapshot) as session:
        relation = _relation(storage, session, query)
        columns = dict(zip(_unique(relation.columns), map(str, relation.types), strict=True))

    def produce() -> pa.RecordBatchReader:
        with storage.snapshot() as snapshot, _session(storage, snapshot) as session:
            try:
                table = _relation(storage, session, query).to_arrow_table()
            except duckdb.Error as error:
                raise WorkbenchError(sentence(error)) from None
        return table.rename_columns(list(columns)).to_reader()

    return Result(columns, produce)


def _session(storage: Storage, snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    session = storage.connect(temp_directory=Path(storage.path) / "spill")
    for table in storage.tables():
        columns = ", ".join(quote(name) for name in table.columns)
        relation = snapshot.relation(session, table.name)
        session.execute(f"CREATE TEMP VIEW {quote(table.name)} AS SELECT {columns} FROM {relation}")
    return session


def _relation(storage: Storage, session: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    if not isinstance(query, str):
        raise DefinitionError(f"project.sql() takes the text of one SELECT, not {type(query).__name__}")
    try:
        statements = session.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise DefinitionError(
                "project.sql() takes one SELECT", hint="tables change through create_table and table.append"
            )
        return session.sql(query)
    except duckdb.PermissionException:
        raise DefinitionError(
            "project.sql() reads the project's tables only, not files",
            hint="load the file first: project.create_table(name, path, time=...)",
        ) from None
    except duckdb.CatalogException as error:
        missing = _NO_TABLE.search(str(error))
        if missing is None:
            raise DefinitionError(sentence(error)) from None
        names = [table.name for table in storage.tables()]
        close = did_you_mean(missing[1], names)
        raise NotFound(
            f"no table {missing[1]!r} in this project" + (f"; {close}" if close else ""),
            hint=f"tables: {', '.join(sorted(names)) or 'none yet'}",
        ) from None
    except duckdb.Error as error:
        raise DefinitionError(sentence(error)) from None


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found
