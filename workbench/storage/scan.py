"""Reading a part's Parquet file with DuckDB: columns and SQL over them, in the order of the file or sorted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType

import duckdb
import pyarrow as pa

from workbench.storage.added import selected
from workbench.storage.files import Files
from workbench.storage.model import SEQ, Part, StoredTable
from workbench.storage.session import connect, text

BATCH_ROWS = 1 << 16
MEMORY = "1GB"


class PartScan:
    """Reads one part; use it as a context manager. Each thread may read batches of its own.

    Parameters
    ----------
    files
        The project's files.
    table
        The part's table.
    part
        The part; its file is named already.
    """

    def __init__(self, files: Files, table: StoredTable, part: Part) -> None:
        self._files = files
        self._stack = ExitStack()
        self._local = threading.local()
        self._relation = part_relation(files, table, part)
        self.rows = part.rows

    def __enter__(self) -> PartScan:
        self._spill = self._stack.enter_context(self._files.spill_directory())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def batches(
        self, columns: Sequence[str], *, seq: bool = False, order: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield SQL over the table's columns, in the order of the file unless an order is given.

        Parameters
        ----------
        columns
            SQL, with ``AS`` where names matter.
        seq
            Add ``__seq``, relative as in the file.
        order
            SQL after ORDER BY.
        """
        shown = ", ".join([*columns, *([SEQ] if seq else [])])
        query = f"SELECT {shown} FROM {self._relation} r" + (f" ORDER BY {order}" if order else "")
        yield from self._connection().execute(query).to_arrow_reader(BATCH_ROWS)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's own: cursors of one connection do not share all its settings."""
        found: duckdb.DuckDBPyConnection | None = getattr(self._local, "connection", None)
        if found is None:
            readable = [self._files.root / "lake"]
            found = connect(readable=readable, memory_limit=MEMORY, temp_directory=self._spill)
            self._local.connection = self._stack.enter_context(found)
        return found


def part_relation(files: Files, table: StoredTable, part: Part) -> str:
    """Return SQL for FROM that gives a part's rows: the table's columns with their types, and relative ``__seq``."""
    columns = selected(table, part.columns)
    return f"(SELECT {columns}, {SEQ} FROM read_parquet({text(str(files.root / part.path))}))"
