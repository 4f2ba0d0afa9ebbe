"""Runs a drawn query through the package's public interface and holds every value against the brute force."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from workbench.values import types as column_types

from .brute_force import Anchor, Evaluator, Table, stored_anchor
from .data import Data
from .evaluation import Row
from .query import Query, parameters
from .text import render, views

MISSING = object()


@dataclass(frozen=True)
class Disagreement:
    """One value that is not what the documented semantics say."""

    path: str  # "offline", "spine", "preview", "request", "check"
    row: Row
    output: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.output} of row {self.row}: expected {self.expected!r}, got {self.got!r}"


def load(project: Any, data: Data, flush_after: int | None = None) -> None:
    """Store the rows in their order of arrival, batch by batch; the first batch of a table comes at its creation.

    After ``flush_after`` batches the log is moved to files, so that both are read.
    """
    created: set[str] = set()
    for number, batch in enumerate(data.batches):
        if number == flush_after:
            project.storage.flush()
        table = data.tables[batch.table]
        rows = [row.values for row in batch.rows]
        if batch.table in created:
            project.table(batch.table).append(rows)
        else:
            project.create_table(batch.table, arrow(table, rows), **options(table))
            created.add(batch.table)


def options(table: Table) -> dict[str, Any]:
    """What ``create_table`` is told about a table."""
    return {
        "time": table.time,
        "delay": _duration(table.delay) if table.delay else None,
        "known": table.known,
        "ttl": _duration(table.ttl) if table.ttl else None,
        "id": table.id,
    }


def _duration(length: timedelta) -> str:
    return f"{length // timedelta(seconds=1)}s"


def arrow(table: Table, rows: list[Row], **extra: pa.DataType) -> pa.Table:
    columns = {name: column_types.arrow_type(type_) for name, type_ in table.columns.items()}
    return pa.Table.from_pylist(rows, schema=pa.schema(columns | extra))


def defined(project: Any, query: Query, name: str) -> Any:
    """The view of a query, after those that stand in it."""
    for view, text in views(query).items():
        project.define(view, text)
    return project.define(name, render(query), params=parameters(query) or None)


class Comparison:
    """One query on one set of stored tables; every method returns what it found to differ."""

    def __init__(self, project: Any, data: Data, query: Query, name: str, view: Any = None) -> None:
        self.data, self.query, self.sql = data, query, render(query)
        self.view = view or defined(project, query, name)
        self.values = 0  # how many have been compared
        self.compiled = self.left = 0  # values of the compiled driver, and rows that it left to the other one
        self.refusals: tuple[str, ...] | None = (
            None  # why kernels do not serve the view; None where nobody asked
        )
        self.why = ""
        self.own = data.tables[data.anchor]
        self.evaluator = Evaluator(data.tables, query)
        arrived = [row.seq for batch in data.batches for row in batch.rows]
        self.seqs = {seq: number for number, seq in enumerate(arrived, start=1)}  # as the project counts

    def offline(self) -> list[Disagreement]:
        expected = {}
        for row in self.own.rows:
            features = self.evaluator.features(stored_anchor(self.own, row))
            if features is not None:
                expected[row.values["id"]] = features
        return self._rows("offline", expected, self.view.offline().to_pyarrow().to_pylist(), self._stored())

    def spine(self) -> list[Disagreement]:
        expected = {}
        for row in self.data.spine:
            features = self.evaluator.features(Anchor(row, row["ts"]))
            if features is not None:
                expected[row["id"]] = features
        got = self.view.offline(spine=arrow(self.own, self.data.spine)).to_pyarrow().to_pylist()
        return self._rows("spine", expected, got, {row["id"]: row for row in self.data.spine})

    def spine_of_stored_rows(self) -> list[Disagreement]:
        """A spine row that carries ``seq`` is the stored row, beside others that are new."""
        stored = self.own.rows[::2]
        expected = {row.values["id"]: self.evaluator.features(stored_anchor(self.own, row)) for row in stored}
        new = self.data.spine[:2]
        expected |= {row["id"]: self.evaluator.features(Anchor(row, row["ts"])) for row in new}
        rows = [{**row.values, "seq": self.seqs[row.seq]} for row in stored]
        spine = arrow(self.own, rows + new, seq=pa.int64())
        got = self.view.offline(spine=spine).to_pyarrow().to_pylist()
        expected = {id_: features for id_, features in expected.items() if features is not None}
        return self._rows("spine with seq", expected, got, {row["id"]: row for row in rows + new})

    def restricted(self) -> list[Disagreement]:
        """``where=`` chooses among the answers and changes none."""
        expected = {}
        for row in self.own.rows:
            features = self.evaluator.features(stored_anchor(self.own, row)) if row.values["id"] % 2 else None
            if features is not None:
                expected[row.values["id"]] = features
        got = self.view.offline(where="id % 2 = 1").to_pyarrow().to_pylist()
        return self._rows("offline(where=)", expected, got, self._stored())

    def plain_sql(self) -> list[Disagreement]:
        """The view as plain SQL on a DuckDB of one's own gives what offline gives."""
        with duckdb.connect() as connection:
            for name, table in self.data.tables.items():
                rows = arrow(table, [row.values for row in table.rows])
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
            got = connection.execute(self.view.to_sql()).to_arrow_table().to_pylist()
            assert rows is not None
        expected = {row["id"]: row for row in self.view.offline().to_pyarrow().to_pylist()}
        return self._rows("to_sql", expected, got, self._stored())

    def preview(self, count: int) -> list[Disagreement]:
        """A preview shows some anchors; those it shows are exact."""
        got = as_rows(self.view.preview(count))
        by_id = {row.values["id"]: row for row in self.own.rows}
        expected = {}
        for shown in got:
            expected[shown["id"]] = self.evaluator.features(stored_anchor(self.own, by_id[shown["id"]]))
        return self._rows("preview", expected, got, self._stored())

    def request(self, rows: Iterable[Row]) -> list[Disagreement]:
        found = []
        for row in rows:
            anchor = self._own_position(row) or Anchor(row, row["ts"])
            expected = self.evaluator.features(anchor)
            if row["id"] % 2 or self.own.id:
                got = self.view.request(row)
            else:
                timeless = {name: value for name, value in row.items() if name != "ts"}
                got = self.view.request(timeless, as_of=row["ts"])
            found += self._features("request", row, expected, got)
        return found

    def _own_position(self, row: Row) -> Anchor | None:
        """Where a row with a known id is stored."""
        if not self.own.id:
            return None
        found = [stored for stored in self.own.rows if stored.values[self.own.id] == row[self.own.id]]
        return stored_anchor(self.own, found[0]) if found else None

    def check(self) -> list[Disagreement]:
        """Every stored anchor is asked at its own position; the engines must agree with each other."""
        report = self.view.check(rows="all")
        if report.different:
            return [Disagreement("check", {}, str(report.examples), 0, report.different)]
        passing = [
            r for r in self.own.rows if self.evaluator.features(stored_anchor(self.own, r)) is not None
        ]
        if passing and not report.compared:
            return [Disagreement("check", {}, "compared", "some", report.compared)]
        return []

    def drivers(self) -> list[Disagreement]:
        """Stored rows at their own positions and new ones: the compiled driver gives what the reference driver does."""
        engine = self.view._engine()
        self.refusals = engine.driver.reasons
        if engine.driver.name != "compiled":
            return []
        rows = [row.values for row in self.own.rows] + self.data.spine
        seqs = [self.seqs[row.seq] for row in self.own.rows] + [None] * len(self.data.spine)
        table, cut = (
            arrow(self.own, rows).select(list(self.view.plan.request_columns)),
            engine.storage.last_seq(),
        )
        drivers = engine._compiled
        left = drivers.left
        compiled, official = drivers.answer(table, seqs, cut), engine._by_reference(table, seqs, cut)
        self.left, self.why = drivers.left - left, drivers.why
        found = []
        for row, ours, theirs in zip(rows, compiled, official, strict=True):
            if ours is None:
                continue
            if isinstance(theirs, Exception) or ours[0] is not theirs[0]:
                found.append(Disagreement("compiled", row, "the row", theirs, ours))
                continue
            if ours[0]:
                self.compiled += len(ours) - 1
                pairs = zip(self.view.plan.features, theirs[1:], ours[1:], strict=True)
                found += [Disagreement("compiled", row, name, e, g) for name, e, g in pairs if not same(e, g)]
        return found

    def _stored(self) -> dict[Any, Row]:
        return {row.values["id"]: row.values for row in self.own.rows}

    def _rows(
        self, path: str, expected: dict[Any, Row], got: list[Row], rows: dict[Any, Row]
    ) -> list[Disagreement]:
        found = []
        if len(got) != len({row["id"] for row in got}):
            found.append(Disagreement(path, {}, "rows", "each anchor once", [row["id"] for row in got]))
        answered = {row["id"]: row for row in got}
        for id_ in expected.keys() | answered.keys():
            found += self._features(path, rows.get(id_, {"id": id_}), expected.get(id_), answered.get(id_))
        return found

    def _features(self, path: str, row: Row, expected: Row | None, got: Row | None) -> list[Disagreement]:
        if expected is None or got is None:
            return [] if expected is got else [Disagreement(path, row, "the row", expected, got)]
        if list(expected) != list(got):
            return [Disagreement(path, row, "columns", list(expected), list(got))]
        self.values += len(expected)
        pairs = ((name, expected[name], got[name]) for name in expected)
        return [Disagreement(path, row, name, e, g) for name, e, g in pairs if not same(e, g)]


def as_rows(frame: Any) -> list[Row]:
    """Rows of whatever a preview is: a lazy result or a table."""
    table = frame.to_pyarrow() if hasattr(frame, "to_pyarrow") else frame
    return list(table.to_pylist())


def same(expected: Any, got: Any) -> bool:
    """Same type and value; floats within 1e-9 relative, NaN equals NaN."""
    if isinstance(expected, float):
        if not isinstance(got, float):
            return False
        return (math.isnan(expected) and math.isnan(got)) or math.isclose(
            expected, got, rel_tol=1e-9, abs_tol=1e-12
        )
    if isinstance(expected, dict):  # a STRUCT, or a MAP on both sides
        return isinstance(got, dict) and same(list(expected.items()), list(got.items()))
    if isinstance(got, dict):  # a MAP
        got = list(got.items())
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(same(e, g) for e, g in zip(expected, got, strict=True))
        )
    if isinstance(expected, tuple):
        return isinstance(got, tuple) and all(same(e, g) for e, g in zip(expected, got, strict=True))
    if isinstance(expected, datetime) and isinstance(got, datetime) and got.tzinfo is not None:
        return False  # stored and answered times are naive UTC
    return type(expected) is type(got) and expected == got
