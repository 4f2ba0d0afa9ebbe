"""Foreign feature values beside ours: of another system, or of another version of the same idea."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from workbench.consistency.comparison import Comparison, Example, FeatureComparison
from workbench.errors import NotFound, RowError, WorkbenchError, did_you_mean
from workbench.offline import OfflineFeatures, Progress
from workbench.offline.why import why
from workbench.plan.kinds import is_integer, is_number
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote
from workbench.storage import Storage
from workbench.values.infer import infer

#: How many features get the rows behind their worst example.
EXPLAINED = 3
SEQ = "seq"
#: Numbers closer than this are equal whatever the tolerance, as long as there is one: 0.0 is not far from 1e-17.
NEAR = 1e-12
_COUNTED = (
    *("compared", "equal", "different", "missing_ours", "missing_theirs"),
    *("max_abs", "median_abs", "max_rel", "median_rel"),
)


@dataclass(frozen=True)
class Compare:
    """Compares one plan with a foreign frame.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan.
    view
        The view's name, for the report.
    on
        Columns of the anchor's table (or ``seq``) that tell which stored row a foreign row is about; None computes the
        features of the foreign rows themselves, which must have the columns of a request.
    columns
        Foreign column of a feature, where the names differ.
    tolerance
        Relative difference up to which numbers are equal.
    examples
        How many of the worst differences of a feature are kept.
    cut
        Rows that arrived later are not known.
    progress
        Called with each step.
    """

    storage: Storage
    plan: FeaturePlan
    view: str
    on: Sequence[str] | None
    columns: Mapping[str, str]
    tolerance: float
    examples: int
    cut: int
    progress: Progress | None = None

    def run(self, frame: Any) -> Comparison:
        """Compare with a DataFrame, an Arrow table, dicts, or the path of a Parquet, CSV or JSON file."""
        types, reader = infer(os.fspath(frame) if isinstance(frame, os.PathLike) else frame)
        keys = self._keys(types)
        pairs, ignored = self._pairs(types, keys)
        with self.storage.connect(temp_directory=self.storage.path / "spill") as connection:
            connection.register("__given", reader)
            connection.execute(
                "CREATE TEMP TABLE theirs AS SELECT row_number() OVER () - 1 AS __row, * FROM __given"
            )
            connection.unregister("__given")
            rows, unmatched, ambiguous, left_out = (
                self._matched(connection, keys) if self.on is not None else self._as_spine(connection)
            )
            found = [self._feature(connection, name, column, types[column], keys) for name, column in pairs]
        return Comparison(
            self.view,
            tuple(keys),
            rows,
            unmatched,
            ambiguous,
            left_out,
            tuple(self._explained(found)),
            tuple(ignored),
            self.tolerance,
            self.cut,
        )

    # -- names

    def _keys(self, types: Mapping[str, str]) -> dict[str, str]:
        """The columns of the anchor's table that rows are found by, each with its foreign column."""
        if self.on is None:
            shown = [name for name in self.plan.request_columns if _find(name, types) is not None]
            return {name: str(_find(name, types)) for name in shown}
        if not self.on:
            raise WorkbenchError(
                "on= names no column", hint="name those that tell which row is meant: on=['id', 'ts']"
            )
        table = [*self.storage.table(self.plan.table).columns, SEQ]
        keys = {}
        for name in self.on:
            stored, given = _find(name, table), _find(name, types)
            if stored is None or given is None:
                where, known = ("the frame", list(types)) if stored else (f"table {self.plan.table}", table)
                close = did_you_mean(name, known)
                raise NotFound(
                    f"{where} has no column {name!r} to compare on" + (f"; {close}" if close else "")
                )
            keys[stored] = given
        return keys

    def _pairs(
        self, types: Mapping[str, str], keys: Mapping[str, str]
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """Features with their foreign columns, and the foreign columns that are none."""
        for name in self.columns:
            if name not in self.plan.features:
                close = did_you_mean(name, self.plan.features)
                raise NotFound(
                    f"view {self.view!r} has no feature {name!r}" + (f"; {close}" if close else "")
                )
        pairs = []
        for name in self.plan.features:
            wanted = self.columns.get(name)
            column = _find(wanted or name, types)
            if column is None and wanted is None:
                # as Feast writes full names, and as training sets with prefixes are written here
                column = _find(f"{self.view}__{name}", types) or _find(f"{self.view}_{name}", types)
            if column is None and wanted is not None:
                close = did_you_mean(wanted, types)
                raise NotFound(f"the frame has no column {wanted!r}" + (f"; {close}" if close else ""))
            if column is not None and column not in keys.values():
                pairs.append((name, column))
        taken = {*(column for _, column in pairs), *keys.values()}
        if not pairs:
            raise WorkbenchError(
                f"the frame has no feature of view {self.view!r}: it has {', '.join(types)}",
                hint="say which column is which: columns={'cnt_7d': 'their_name'}",
            )
        return pairs, [name for name in types if name not in taken]

    # -- rows

    def _matched(
        self, connection: duckdb.DuckDBPyConnection, keys: Mapping[str, str]
    ) -> tuple[int, int, int, int]:
        """Make ``ours`` (features with the number of the foreign row); return the counts of the report."""
        stored = {**self.storage.table(self.plan.table).columns, SEQ: "BIGINT"}
        with self.storage.snapshot(self.cut) as snapshot:
            relation = snapshot.relation(connection, self.plan.table)
            own = ", ".join(f"{_stored(name, stored)} AS k{i}" for i, name in enumerate(keys))
            given = ", ".join(
                f"TRY_CAST({quote(column)} AS {stored[name]}) AS k{i}"
                for i, (name, column) in enumerate(keys.items())
            )
            every = ", ".join(f"k{i}" for i in range(len(keys)))
            same = " AND ".join(f"o.k{i} IS NOT DISTINCT FROM t.k{i}" for i in range(len(keys)))
            counted = f"count(*) OVER (PARTITION BY {every}) AS n"
            connection.execute(
                f"CREATE TEMP TABLE pairs AS SELECT t.__row, o.__seq, coalesce(t.n = 1 AND o.n = 1, false) AS one "
                f"FROM (SELECT *, {counted} FROM (SELECT __row, {given} FROM theirs)) t "
                f"LEFT JOIN (SELECT *, {counted} FROM (SELECT a.__seq, {own} FROM {relation} a)) o ON {same}"
            )
        seqs = [
            seq
            for (seq,) in connection.execute("SELECT __seq FROM pairs WHERE one ORDER BY __seq").fetchall()
        ]
        offline = OfflineFeatures(self.storage, self.plan, self.progress)
        everything = len(seqs) * 2 > self.storage.row_count(self.plan.table, self.cut)
        result = offline.stored(carry=("__seq",), cut=self.cut) if everything else offline.at(seqs, self.cut)
        self._hold(connection, "features", result.to_reader())
        connection.execute(
            "CREATE TEMP TABLE ours AS SELECT p.__row, f.* FROM features f JOIN pairs p ON p.one AND p.__seq = f.__seq"
        )
        rows = _count(connection, "ours")
        unmatched = _count(connection, "pairs WHERE __seq IS NULL")
        ambiguous = _count(
            connection, "(SELECT DISTINCT __row FROM pairs WHERE __seq IS NOT NULL AND NOT one)"
        )
        return rows, unmatched, ambiguous, len(seqs) - rows

    def _as_spine(self, connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int, int]:
        """Make ``ours`` from the foreign rows as anchors of their own."""
        spine = connection.execute("SELECT * EXCLUDE (__row) FROM theirs ORDER BY __row").to_arrow_table()
        offline = OfflineFeatures(self.storage, self.plan, self.progress)
        result = offline.spine(spine, carry_row=True, cut=self.cut)
        self._hold(connection, "features", result.to_reader())
        connection.execute("CREATE TEMP TABLE ours AS SELECT *, NULL::BIGINT AS __seq FROM features")
        rows = _count(connection, "ours")
        return rows, 0, 0, spine.num_rows - rows

    def _hold(self, connection: duckdb.DuckDBPyConnection, name: str, reader: pa.RecordBatchReader) -> None:
        connection.register("__reader", reader)
        connection.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM __reader")
        connection.unregister("__reader")

    # -- values

    def _feature(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        column: str,
        their_type: str,
        keys: Mapping[str, str],
    ) -> FeatureComparison:
        type_ = self.plan.features[name]
        ours, theirs = f"o.{quote(name)}", f"t.{quote(column)}"
        equal, size, scale = self._measures(type_, their_type, ours, theirs)
        shown = ", ".join(f"t.{quote(given)} AS k{i}" for i, given in enumerate(keys.values()))
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE compared AS SELECT o.__seq, o.__row, {shown}, {ours} AS ours, "
            f"{theirs} AS theirs, coalesce({equal}, {ours} IS NULL AND {theirs} IS NULL) AS equal, "
            f"{size} AS size, {scale} AS scale "
            "FROM ours o JOIN theirs t ON t.__row = o.__row"
        )
        counts = connection.execute(
            "SELECT count(*), count(*) FILTER (equal), count(*) FILTER (NOT equal AND ours IS NOT NULL AND theirs IS "
            "NOT NULL), count(*) FILTER (NOT equal AND ours IS NULL), count(*) FILTER (NOT equal AND theirs IS NULL), "
            "max(size) FILTER (NOT equal), median(size) FILTER (NOT equal), max(size / scale) FILTER (NOT equal), "
            "median(size / scale) FILTER (NOT equal) FROM compared"
        ).fetchone()
        assert counts is not None
        worst = connection.execute(
            "SELECT * EXCLUDE (equal, size, scale) FROM compared WHERE NOT equal "
            f"ORDER BY size DESC NULLS LAST, __row LIMIT {int(self.examples)}"
        ).fetchall()
        count = len(keys)
        examples = tuple(
            Example(dict(zip(keys, row[2 : 2 + count], strict=True)), row[0], row[2 + count], row[3 + count])
            for row in worst
        )
        note = "" if type_ == their_type else f"{type_} here, {their_type} there"
        sizes = dict(zip(_COUNTED, counts, strict=True))
        return FeatureComparison(name, column, type_, their_type, **sizes, note=note, examples=examples)

    def _measures(self, type_: str, their_type: str, ours: str, theirs: str) -> tuple[str, str, str]:
        """SQL of whether two values are equal, how far apart they are, and how great they are."""
        if is_integer(type_) and is_integer(their_type):
            equal = f"{ours} = {theirs}"
        elif not is_number(type_):
            return (
                f"{ours} IS NOT DISTINCT FROM TRY_CAST({theirs} AS {type_})",
                "NULL::DOUBLE",
                "NULL::DOUBLE",
            )
        else:
            equal = ""
        x, y = f"CAST({ours} AS DOUBLE)", f"TRY_CAST({theirs} AS DOUBLE)"
        size, scale = f"abs({x} - {y})", f"greatest(abs({x}), abs({y}))"
        if not equal:
            near = f" OR {size} <= greatest({self.tolerance!r} * {scale}, {NEAR})" if self.tolerance else ""
            equal = f"{x} = {y}{near}"
        elif self.tolerance:
            equal = f"{equal} OR {size} <= {self.tolerance!r} * {scale}"
        return f"({equal})", size, scale

    def _explained(self, features: list[FeatureComparison]) -> list[FeatureComparison]:
        """The features, the first that differ with the rows behind their worst example."""
        left = EXPLAINED
        made = []
        for feature in features:
            if feature.examples and left:
                left -= 1
                first, *rest = feature.examples
                feature = replace(feature, examples=(self._with_why(feature.feature, first), *rest))
            made.append(feature)
        return made

    def _with_why(self, feature: str, example: Example) -> Example:
        row = example.seq if example.seq is not None else example.keys
        try:
            return replace(example, why=why(self.storage, self.plan, row, feature))
        except RowError:
            return example


def _find(name: str, known: Sequence[str] | Mapping[str, str]) -> str | None:
    folded = name.casefold()
    return next((column for column in known if column.casefold() == folded), None)


def _stored(name: str, columns: Mapping[str, str]) -> str:
    """The key of a stored row; ``seq`` is its arrival number where no column has that name."""
    return "a.__seq" if name == SEQ and list(columns)[-1] == SEQ else f"a.{quote(name)}"


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()
    return int(found[0]) if found else 0
