"""Rows that a table's checks refuse: the whole append is refused, or they are kept in a table of their own.

The table ``<name>_quarantine`` has a row for each: when, its number in what was sent, why, and the row as JSON, in the
form in which it can be sent again once it is mended. It is written in the transaction that stores the good rows.
"""

from __future__ import annotations

import sqlite3
import time as clock
from datetime import UTC, datetime

import numpy as np
import orjson
import pyarrow as pa

from workbench.errors import NotFound
from workbench.storage.arrays import int64_array
from workbench.storage.model import StoredTable
from workbench.storage.tables import find_table, insert_table, new_table
from workbench.values import wire
from workbench.values.checks import Verdict, checks_of
from workbench.values.types import arrow_schema

COLUMNS = {"quarantined_at": "TIMESTAMP", "row": "BIGINT", "reason": "VARCHAR", "content": "VARCHAR"}
#: More rows than this in one load are not quarantined: then the source or the schema is wrong.
MOST_ROWS = 100_000


def good_rows(table: StoredTable, rows: pa.Table, *, first_row: int = 0) -> tuple[pa.Table, pa.Table | None]:
    """Return the rows that a table takes, and those for its quarantine, None when there are none.

    Parameters
    ----------
    rows
        All columns of the table.
    first_row
        The number of the first of them, for messages.

    Raises
    ------
    RowError
        When rows fail and the table rejects them, or more than may be quarantined.
    """
    if table.checks is None or not rows.num_rows:
        return rows, None
    verdict = checks_of(table.columns, table.checks["rules"]).verdict(rows)
    if verdict is None:
        return rows, None
    if table.checks["on_invalid"] == "reject":
        raise verdict.error(first_row)
    good = np.delete(np.arange(rows.num_rows), verdict.rows)
    return rows.take(int64_array(good)), _content(table, rows, verdict, first_row)


def _content(table: StoredTable, rows: pa.Table, verdict: Verdict, first_row: int) -> pa.Table:
    bad = rows.take(int64_array(verdict.rows))
    encode = wire.encoder(table.columns)
    now = datetime.fromtimestamp(clock.time(), UTC).replace(tzinfo=None)
    values = {
        "quarantined_at": [now] * bad.num_rows,
        "row": (verdict.rows + first_row).tolist(),
        "reason": verdict.reasons,
        "content": [orjson.dumps(encode(row)).decode() for row in bad.to_pylist()],
    }
    schema = arrow_schema(COLUMNS)
    return pa.Table.from_arrays([pa.array(values[f.name], f.type) for f in schema], schema=schema)


def quarantine_of(connection: sqlite3.Connection, table: StoredTable) -> StoredTable:
    """Return the quarantine of a table in this transaction; made when missing."""
    assert table.checks is not None
    name: str = table.checks["into"]
    try:
        return find_table(connection, name)
    except NotFound:
        return insert_table(connection, new_table(name, COLUMNS, "quarantined_at"))
