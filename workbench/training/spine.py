"""The rows of a training set."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import ExitStack
from dataclasses import dataclass

import pyarrow as pa

from workbench.errors import RowError
from workbench.offline.spine import SEQ
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote
from workbench.storage import Storage
from workbench.storage.session import hold
from workbench.values.types import arrow_schema, duckdb_type

BATCH_ROWS = 100_000
#: The column that joins features to rows: a row's number, or the arrival number of a stored one.
KEY = "__key"


@dataclass(frozen=True)
class Spine:
    """The rows that get features: those given, or all stored rows of a table."""

    columns: dict[str, str]
    rows: pa.Table | None = None
    table: str | None = None

    @staticmethod
    def of_rows(rows: pa.Table) -> Spine:
        """Return the spine of given rows."""
        # a column of nothing but NULL has no type of its own
        types = {
            field.name: "INTEGER" if pa.types.is_null(field.type) else duckdb_type(field.type)
            for field in rows.schema
        }
        return Spine(types, rows=rows)

    @staticmethod
    def of_table(storage: Storage, name: str) -> Spine:
        """Return the spine of a table's stored rows."""
        table = storage.table(name)
        return Spine(dict(table.columns), table=table.name)

    def __str__(self) -> str:
        return f"table {self.table!r}" if self.table else "the spine"

    def batches(self, storage: Storage, cut: int, stack: ExitStack) -> Iterator[pa.Table]:
        """Yield the rows in batches, with the key by which features are found."""
        if self.rows is not None:
            rows = self.rows
            for start in range(0, rows.num_rows, BATCH_ROWS):
                part = rows.slice(start, BATCH_ROWS)
                numbers = pa.array(range(start, start + part.num_rows), pa.int64())
                yield part.append_column(KEY, numbers)
            return
        assert self.table is not None
        names = ", ".join(quote(name) for name in self.columns)
        connection = stack.enter_context(storage.connect(temp_directory=storage.path / "spill"))
        snapshot = stack.enter_context(storage.snapshot(cut))
        relation = snapshot.relation(connection, self.table)
        query = f"SELECT __seq AS {KEY}, {names} FROM {relation} ORDER BY __seq"
        schema = arrow_schema({KEY: "BIGINT", **self.columns})
        for batch in connection.execute(query).to_arrow_reader(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(schema)

    def rows_for(
        self, plan: FeaturePlan, storage: Storage, cut: int, tables: Set[str]
    ) -> tuple[pa.Table, pa.Array | None]:
        """Return the rows as anchors of a plan, and their keys where these are not their numbers.

        ``tables`` are the anchor tables of all plans.
        """
        if self.rows is not None:
            return self._placed(self.rows, plan, storage, cut, tables), None
        assert self.table is not None
        wanted = {name.casefold() for name in plan.request_columns}
        names = [name for name in self.columns if name.casefold() in wanted]
        with storage.snapshot(cut) as snapshot, storage.connect() as connection:
            relation = snapshot.relation(connection, self.table)
            picked = ", ".join(["__seq", *(quote(name) for name in names)])
            rows = connection.execute(f"SELECT {picked} FROM {relation} ORDER BY __seq").to_arrow_table()
        return rows.drop_columns(["__seq"]), rows.column("__seq").combine_chunks()

    def _placed(
        self, rows: pa.Table, plan: FeaturePlan, storage: Storage, cut: int, tables: Set[str]
    ) -> pa.Table:
        """Given rows for a plan. With several anchor tables, a row's ``seq`` counts only in the table that holds it."""
        names = [name for name in rows.column_names if name.casefold() == SEQ]
        if not names or len(tables) == 1 or rows.column(names[0]).null_count == rows.num_rows:
            return rows
        seqs = rows.select(names[:1]).rename_columns(["seq"])
        with storage.snapshot(cut) as snapshot, storage.connect() as connection:
            hold(connection, "__given", seqs)
            relation = snapshot.relation(connection, plan.table)
            row = connection.execute(
                f"SELECT count(*) FROM __given s SEMI JOIN {relation} t ON t.__seq = s.seq"
            ).fetchone()
        stored, asked = int(row[0]) if row else 0, rows.num_rows - seqs.column(0).null_count
        if 0 < stored < asked:
            raise RowError(
                f"{stored:,} of the spine's {asked:,} rows with seq are stored in {plan.table}, the others elsewhere",
                hint="give rows of one table, or leave seq out",
                field=SEQ,
            )
        return rows if stored else rows.drop_columns(names)
