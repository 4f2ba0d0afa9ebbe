"""What bulk evaluation returns: a lazy table that opens into the library of the user's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from workbench.errors import did_you_mean
from workbench.offline import export
from workbench.offline.export import Format, KindLike
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

    def to_csv(
        self,
        path: str | Path,
        *,
        header: bool = True,
        kinds: Mapping[str, KindLike] | None = None,
        discrete: Literal["hash", "value"] = "hash",
        format: Format = "exact",
    ) -> Path:
        """Write the rows to a CSV file, batch by batch.

        Floats are written so that they read back as the same floats; NULL is an empty field, and an empty text is
        ``""``; lists, structs and maps are JSON.

        Parameters
        ----------
        path
            The file.
        header
            Write the names of the columns first.
        kinds
            What columns are to a model, over what the query says: ``{"city": "discrete:1000"}``.
        discrete
            Columns that are said to be discrete are written as their hash (see :mod:`workbench.offline.hashing`), or
            as they are. Columns of which nothing is said are written as they are.
        format
            ``openmldb`` writes what OpenMLDB's ``csv(...)`` gives: no header, floats with six digits, every text
            hashed, no quotes.
        """
        target, known = Path(path), export.resolved(self.columns, self.kinds, kinds)
        if format == "openmldb":
            return self._lines(target, export.csv_lines(self.to_reader(), self.columns, known))
        hashed = known if discrete == "hash" else {}
        export.write_csv(target, self.to_reader(), self.columns, hashed, header)
        return target

    def to_libsvm(
        self,
        path: str | Path,
        *,
        label: str | None = None,
        kinds: Mapping[str, KindLike] | None = None,
        buckets: int = export.BUCKETS,
        format: Format = "exact",
    ) -> Path:
        """Write the rows to a LIBSVM file, batch by batch: ``label slot:value slot:value ...``.

        Slots are those of :meth:`libsvm_slots`. A continuous feature is its slot and number, a discrete one the slot of
        its bucket (the first slot plus the hash modulo the number of buckets) and 1; NULL is left out.

        Parameters
        ----------
        path
            The file.
        label
            The column to predict; by default the training set's label, or the one column that the query says is one.
        kinds
            What columns are to a model, over what the query says. Of the others numbers and booleans are continuous
            and texts are discrete.
        buckets
            How many buckets a discrete column has, where nothing says it.
        format
            ``openmldb`` writes what OpenMLDB's ``libsvm(...)`` gives: floats with six digits, and a discrete feature
            without buckets as its hash in place of a slot.

        Raises
        ------
        RowError
            A row has no label.
        WorkbenchError
            There is no label, or a column cannot be a feature.
        """
        known = export.resolved(self.columns, self.kinds, kinds)
        target = export.libsvm_label(self.columns, known, self.label, label)
        slots = export.libsvm_slots(self.columns, known, target, buckets, format)
        lines = export.libsvm_lines(self.to_reader(), self.columns, known, target, slots, format)
        return self._lines(Path(path), lines)

    def libsvm_slots(
        self,
        *,
        label: str | None = None,
        kinds: Mapping[str, KindLike] | None = None,
        buckets: int = export.BUCKETS,
    ) -> dict[str, range]:
        """Return which slots of a LIBSVM file each feature has, for the same arguments as :meth:`to_libsvm`."""
        known = export.resolved(self.columns, self.kinds, kinds)
        target = export.libsvm_label(self.columns, known, self.label, label)
        slots = export.libsvm_slots(self.columns, known, target, buckets, "exact")
        return {name: range(slot, slot + (kind.buckets or 1)) for name, (slot, kind) in slots.items()}

    def _lines(self, path: Path, lines: Iterable[pa.Array]) -> Path:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for part in lines:
                file.writelines(f"{line}\n" for line in part.to_pylist())
        return path

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
        close = did_you_mean(
            name, ("to_pandas", "to_polars", "to_pyarrow", "to_parquet", "to_csv", "to_libsvm", "columns")
        )
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
