"""Why a feature has its value: the rows behind it, and why their neighbours are outside."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from workbench.catalog import functions
from workbench.errors import NotFound, RowError, did_you_mean
from workbench.offline.run import Anchors, OfflineRun
from workbench.offline.spine import spine_rows, with_stored_seqs
from workbench.plan.bulk_form import Step
from workbench.plan.expr import ANCHOR, ROW, AggregateRef, Column, Expr, columns, walk
from workbench.plan.failures import failure
from workbench.plan.join_form import joined_rows
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Source
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage, stages
from workbench.plan.words import aggregate_words, duration, lookup_words, words
from workbench.storage import Snapshot, Storage
from workbench.storage.session import hold

#: How many rows beyond the oldest counted one are shown.
NEIGHBOURS = 3
SHOWN = 20


@dataclass(frozen=True)
class Evidence:
    """The rows of one aggregate or last join of a feature.

    ``rows`` has ``position`` (0 is the request row), ``age``, ``outside`` (why a row is not counted; NULL where it is)
    and the columns that are read, newest first.
    """

    what: str
    rows: pa.Table

    @property
    def counted(self) -> pa.Table:
        """The rows that the value is made of."""
        return self.rows.filter(pa.compute.is_null(self.rows.column("outside")))


@dataclass(frozen=True)
class Why:
    """A feature's value for one anchor row, with the rows behind it."""

    feature: str
    value: Any
    row: dict[str, Any]
    evidence: tuple[Evidence, ...]

    def __repr__(self) -> str:
        lines = [f"{self.feature} = {self.value!r} for {self.row!r}"]
        for part in self.evidence:
            lines.append(f"{part.what}: {part.counted.num_rows:,} rows")
            for row in part.rows.slice(0, SHOWN).to_pylist():
                mark = f"  [{row.pop('outside')}]" if row.get("outside") else ""
                lines.append("  " + ", ".join(f"{k}={v}" for k, v in row.items() if k != "outside") + mark)
            if part.rows.num_rows > SHOWN:
                lines.append(f"  ... {part.rows.num_rows - SHOWN:,} more in .evidence")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.feature)}</b> = {html.escape(repr(self.value))}</p>"]
        for part in self.evidence:
            parts.append(f"<p>{html.escape(part.what)}: {part.counted.num_rows:,} rows</p>")
            frame = part.rows.slice(0, SHOWN).to_pandas()
            parts.append(str(frame.to_html(index=False, border=0, na_rep="")))
        return "".join(parts)


def why(storage: Storage, plan: FeaturePlan, row: dict[str, Any] | int, feature: str) -> Why:
    """Return the rows behind a feature of one anchor row.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The view's plan.
    row
        A new row, with its time, or the arrival number of a stored one.
    feature
        The feature's name.
    """
    if not isinstance(row, dict | int):
        raise RowError("why() explains one row: a dict of its columns, or the arrival number of a stored row")
    if feature not in plan.features:
        close = did_you_mean(feature, plan.features)
        raise NotFound(f"the view has no feature {feature!r}" + (f"; {close}" if close else ""))
    with storage.snapshot() as snapshot, storage.connect() as connection:
        try:
            functions.add_to(connection, storage, plan)
            return _Explanation(connection, snapshot, plan, row).of(feature)
        except duckdb.Error as error:
            raise failure(error, plan) from None


class _Explanation:
    """One anchor row in a session, ready to be explained."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        plan: FeaturePlan,
        row: dict[str, Any] | int,
    ) -> None:
        self.connection = connection
        self.snapshot = snapshot
        self.plan = plan
        self.anchors = self._anchor(row)

    def _anchor(self, row: dict[str, Any] | int) -> Anchors:
        table = self.plan.table
        if isinstance(row, dict):
            stored = self.snapshot.table(table)
            spine = spine_rows(self.plan, stored.columns, [row], "row")
            spine = with_stored_seqs(self.connection, self.snapshot, stored, spine)
            hold(self.connection, "__spine", spine)
            return Anchors("__spine", stored=False, few=True, order="__row")
        relation = self.snapshot.relation(self.connection, table)
        return Anchors(relation, stored=True, few=True, where=f"a.__seq = {int(row)}")

    def of(self, feature: str) -> Why:
        self.run = OfflineRun(self.connection, self.plan, self._source, self._types)
        names = list(self.plan.request_columns)
        query = self.run.run(replace(self.anchors, carry=tuple(names)))
        found = self.connection.execute(query).fetchone()
        if found is None:
            raise RowError("there is no such row, or the view's WHERE leaves it out")
        value = found[len(names) + list(self.plan.features).index(feature)]
        evidence = tuple(self._evidence(len(self.run.form.steps) - 1, feature))
        return Why(feature, value, dict(zip(names, found, strict=False)), evidence)

    def _evidence(self, number: int, output: str) -> Iterator[Evidence]:
        """What an output of one of the plans of the anchor row is made of, then what its computed columns are."""
        step = self.run.form.steps[number]
        plan = step.plan
        expr = next(o.expr for o in plan.outputs if o.name == output)
        aggregates = {node.name for node in walk(expr) if isinstance(node, AggregateRef)}
        lookups = {node.source for node in walk(expr) if isinstance(node, Column)}
        read: list[Expr | None] = [expr]
        for aggregate in plan.aggregates:
            if aggregate.name in aggregates:
                read += aggregate.inputs
                yield self._of_aggregate(step, aggregate)
        for lookup in plan.lookups:
            if lookup.name in lookups:
                read += [key.anchor for key in lookup.keys]
                yield self._of_lookup(step, lookup)
        if plan.rows is not None:
            for name in sorted(set().union(*(columns(value, ANCHOR) for value in read))):
                if plan.rows.passed(name) is None:
                    yield from self._evidence(number - 1, name)

    def _of_aggregate(self, step: Step, aggregate: Aggregate) -> Evidence:
        # Neighbours that are too old are shown, so the rows are read without the frames' lower bounds.
        plan = step.plan
        windows = tuple(
            msgspec.structs.replace(w, frame=msgspec.structs.replace(w.frame, start=None))
            for w in plan.windows
        )
        stage = next(
            s
            for s in stages(msgspec.structs.replace(plan, windows=windows))
            if any(a.name == aggregate.name for a in s.aggregates)
        )
        rows = self._execute(self._form(plan).evidence_sql(stage, aggregate, step.anchors[-1]))
        if stage.order_anchor is None:
            rows = rows.drop_columns("__age")
        timed = stage.order_anchor is None or stage.order_anchor.type in ("TIMESTAMP", "DATE")
        return Evidence(
            aggregate_words(plan, aggregate), _near(rows, _titles(plan, stage.source, stage.columns), timed)
        )

    def _of_lookup(self, step: Step, lookup: Lookup) -> Evidence:
        anchors = step.anchors[step.plan.lookups.index(lookup)]
        rows = self._execute(self._form(step.plan).candidates_sql(lookup, anchors))
        return Evidence(
            lookup_words(step.plan, lookup),
            _near(rows, _titles(step.plan, lookup.source, rows.column_names[2:])),
        )

    def _execute(self, sql: str) -> pa.Table:
        return self.connection.execute(sql).to_arrow_table()

    def _form(self, plan: FeaturePlan) -> RequestForm:
        def rows(part: Stage | Lookup, anchors: str) -> str:
            source = self.run.form.rows_of(part, anchors, narrow=True)
            return joined_rows(plan, part, source, self.run.form.types_of(part.source), anchors)

        return RequestForm(plan, rows, "nothing")

    def _source(self, table: str, narrowing: str) -> str:
        return self.snapshot.relation(self.connection, table, narrowing=narrowing)

    def _types(self, table: str) -> dict[str, str]:
        return self.snapshot.table(table).columns


def _titles(plan: FeaturePlan, source: Source, columns: Sequence[str]) -> dict[str, str]:
    """The columns of a source with the names under which they are shown: what is behind one without a name."""
    return {
        name: words(Column(ROW, name, ""), plan, source.rows) if name.startswith("__") else name
        for name in columns
    }


def _near(rows: pa.Table, titles: Mapping[str, str], timed: bool = True) -> pa.Table:
    """The counted rows and their nearest neighbours, with position and age as people read them."""
    outside = rows.column("__outside").to_pylist()
    counted = [index for index, reason in enumerate(outside) if reason is None]
    rows = rows.slice(0, (counted[-1] + 1 if counted else 0) + NEIGHBOURS)
    made = {"position": rows.column("__pos")}
    if "__age" in rows.column_names:
        ages = rows.column("__age").to_pylist()
        say = duration if timed else str
        made["age"] = pa.array([None if age is None else say(age) for age in ages], pa.string())
    made["outside"] = rows.column("__outside").cast(pa.string())
    return pa.table(made | {title: rows.column(name) for name, title in titles.items() if title not in made})
