"""Feature queries over DataFrames of the caller's own, beside the project's tables: to try them on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from workbench.catalog import functions
from workbench.errors import DefinitionError
from workbench.offline.result import Result
from workbench.plan.failures import failure
from workbench.plan.model import FeaturePlan
from workbench.plan.plain_sql import plain_sql
from workbench.plan.render import quote
from workbench.plan.tables import SourceTable
from workbench.storage import Storage
from workbench.storage.session import hold
from workbench.values.infer import infer
from workbench.values.types import arrow_schema


class LocalTables:
    """DataFrames as tables.

    Parameters
    ----------
    frames
        What :meth:`Project.create_table` takes, by the names that a query has for them.
    times
        The time columns; by default a frame's only TIMESTAMP column.

    Raises
    ------
    DefinitionError
        A frame has several columns that could be its time.
    """

    def __init__(self, frames: Mapping[str, Any], times: Mapping[str, str]) -> None:
        self.sources: dict[str, SourceTable] = {}
        self.rows: dict[str, pa.Table] = {}
        for name, frame in frames.items():
            columns, reader = infer(frame, times.get(name))
            self.sources[name] = SourceTable(name, columns, _time(name, columns, times))
            self.rows[name] = reader.read_all()


def _time(name: str, columns: dict[str, str], times: Mapping[str, str]) -> str | None:
    if name in times:
        return times[name]
    found = [column for column, kind in columns.items() if kind == "TIMESTAMP"]
    if len(found) > 1:
        raise DefinitionError(
            f"the frame {name!r} has several times: {', '.join(found)}",
            hint=f"times={{{name!r}: {found[0]!r}}}",
        )
    return found[0] if found else None


def preview_local(storage: Storage, plan: FeaturePlan, local: LocalTables, rows: int) -> Result:
    """Return the features of a spread sample of a plan's anchors that includes the newest, in their order.

    Raises
    ------
    DefinitionError
        Plain SQL cannot say the plan.
    """
    types = {
        name: local.sources[name].columns if name in local.sources else storage.table(name).columns
        for name in plan.tables()
    }
    features = plain_sql(plan, types, rows=_with_arrival, head=("__seq",))
    names = ", ".join(quote(name) for name in plan.features)
    ranked = f"SELECT *, row_number() OVER (ORDER BY __seq DESC) AS __n, count(*) OVER () AS __all FROM ({features})"
    sampled = f"(__n - 1) % greatest(1, __all // {rows}) = 0 ORDER BY __n LIMIT {rows}"
    sql = f"SELECT {names} FROM (SELECT * FROM ({ranked}) WHERE {sampled}) ORDER BY __seq"

    def produce() -> pa.RecordBatchReader:
        with (
            storage.snapshot() as snapshot,
            storage.connect(temp_directory=Path(storage.path) / "spill") as connection,
        ):
            functions.add_to(connection, storage, plan)
            for number, name in enumerate(plan.tables()):
                if name in local.rows:
                    hold(connection, f"__frame_{number}", local.rows[name])
                    relation = f"(SELECT *, rowid AS __seq FROM __frame_{number})"
                else:
                    relation = snapshot.relation(connection, name)
                connection.execute(f"CREATE TEMP VIEW {_with_arrival(name)} AS SELECT * FROM {relation}")
            try:
                table = connection.execute(sql).to_arrow_table()
            except duckdb.Error as error:
                raise failure(error, plan) from None
        return table.cast(arrow_schema(plan.features)).to_reader()

    return Result(dict(plan.features), produce, kinds=plan.kinds)


def _with_arrival(table: str) -> str:
    return quote(f"{table} with __seq")
