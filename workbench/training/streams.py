"""Features in the order of their rows, as training sets read them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from workbench.training.spine import KEY


class Stream:
    """Features that come in the order of their keys, taken as far as a key."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self._rest = reader.schema.empty_table()
        self._done = False

    def until(self, key: int) -> pa.Table:
        """Return the rows up to a key that were not returned yet."""
        parts = [self._rest]
        while not self._done and (not parts[-1].num_rows or parts[-1].column(KEY)[-1].as_py() <= key):
            try:
                parts.append(pa.Table.from_batches([self._reader.read_next_batch()]))
            except StopIteration:
                self._done = True
        rows = pa.concat_tables(parts)
        count = pc.sum(pc.less_equal(rows.column(KEY), key)).as_py() or 0
        self._rest = rows.slice(count)
        return rows.slice(0, count)


def renamed(reader: pa.RecordBatchReader, keys: pa.Array | None = None) -> pa.RecordBatchReader:
    """Return features whose first column, the number of the row, becomes its key."""
    schema = pa.schema([pa.field(KEY, pa.int64()), *list(reader.schema)[1:]])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            first = batch.column(0) if keys is None else keys.take(batch.column(0))
            yield pa.RecordBatch.from_arrays([first, *batch.columns[1:]], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
