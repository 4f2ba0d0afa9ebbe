"""What bulk evaluation returns: a lazy table that opens into the library of the user's choice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from workbench.errors import did_you_mean
from workbench.plan.kinds import Kind

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

#: Runs the query and returns its batches.
Produce = Callable[[], pa.RecordBatchReader]


class Result:
    """Rows that are computed when they are first asked for.

    Parameters
    ----------
    columns
        Names and DuckDB types of the columns.
    produce
        Computes the rows.
    metadata
        What a Parquet file records of where the rows come from. What is known only when the rows are computed comes
        with them.
    kinds
        What columns are to a model, where a query says it (``discrete(city)``).
    label
        The columns to predict.

    Examples
    --------
    >>> view.preview(5).to_pandas()                     # doctest: +SKIP
    >>> view.offline().to_parquet("train.parquet")      # doctest: +SKIP
    """

    def __init__(
        self,
        columns: dict[str, str],
        produce: Produce,
        metadata: dict[str, str] | None = None,
        kinds: dict[str, Kind] | None = None,
        label: tuple[str, ...] = (),
    ) -> None:
        self.columns = columns
        self.metadata = metadata or {}
        self.kinds = kinds or {}
        self.label = label
        self._produce = produce
        self._table: pa.Table | None = None

    def to_reader(self) -> pa.RecordBatchReader:
        """Return the rows batch by batch, computed anew unless they were kept."""
        return self._table.to_reader() if self._table is not None else self._produce()

    def to_pyarrow(self) -> pa.Table:
        """Return the rows as an Arrow table (computed once, then kept)."""
        if self._table is None:
            self._table = self._produce().read_all()
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas DataFrame."""
        return self.to_pyarrow().to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a Polars DataFrame (polars must be installed)."""
        import polars

        frame = polars.from_arrow(_with_durations(self.to_pyarrow()))
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_parquet(self, path: str | Path) -> Path:
        """Write the rows to a Parquet file, batch by batch; its metadata says which plan and cut they come from."""
        import pyarrow.parquet as pq

        target = Path(path)
        reader = self.to_reader()
        schema = _with_durations(reader.schema.empty_table()).schema.with_metadata(self._encoded())
        with pq.ParquetWriter(target, schema) as writer:
            for batch in reader:
                writer.write_table(
                    _with_durations(pa.Table.from_batches([batch])).replace_schema_metadata(schema.metadata)
                )
        return target

    df = to_pandas
    pl = to_polars
    arrow = to_pyarrow

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_pyarrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self.to_pyarrow().num_rows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        close = did_you_mean(name, ("to_pandas", "to_polars", "to_pyarrow", "to_parquet", "columns"))
        hint = close or "call .to_pandas(), .to_polars() or .to_pyarrow() first"
        raise AttributeError(f"a Result has no {name!r}: {hint}")

    def __repr__(self) -> str:
        state = f"{self._table.num_rows:,} rows" if self._table is not None else "not computed yet"
        calls = ".to_pandas() .to_polars() .to_pyarrow() .to_parquet(path)"
        return f"<Result {len(self.columns)} columns, {state}: {calls}>"

    def _repr_html_(self) -> str:
        frame = self.to_pyarrow().slice(0, 50).to_pandas()
        return str(frame.to_html(index=False, border=0, na_rep="NULL", max_rows=50))

    def _encoded(self) -> dict[bytes, bytes]:
        return {f"workbench.{key}".encode(): value.encode() for key, value in self.metadata.items()}


def _with_durations(table: pa.Table) -> pa.Table:
    """Intervals as durations (a month is 30 days), which Polars and Parquet know."""
    for place, field in enumerate(table.schema):
        if field.type == pa.month_day_nano_interval():
            values = [value and _duration(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(values, pa.duration("us")))
    return table


def _duration(value: Any) -> timedelta:
    return timedelta(days=30 * value.months + value.days, microseconds=value.nanoseconds // 1000)
