"""One bulk evaluation of a plan on DuckDB: anchors, lookups, one stage per partition key, projection.

DuckDB scans, joins, sorts and computes the scalars. A stage takes sorted columns in and gives feature columns out; it
runs in the window form where that can say it, else in the request form over joined rows. A derived source is the same
evaluation of its own plan over the stored rows of its table, kept as a temporary table that is read like a stored one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from workbench.plan.expr import ANCHOR, AggregateRef, sources, walk
from workbench.plan.failures import failure
from workbench.plan.join_form import bulk_lookup, joined_rows, narrowing
from workbench.plan.model import FeaturePlan, Lookup, Source
from workbench.plan.render import plan_sql, quote
from workbench.plan.request_form import RequestForm
from workbench.plan.spread_form import spread_rows
from workbench.plan.stages import Stage, stages
from workbench.plan.window_form import can_lower, window_form

#: Called with what is being done and how much of the whole is done, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Anchors:
    """The anchor rows of a run: FROM text with ``__seq`` and the anchor's columns.

    ``stored`` says that every row has a ``__seq``, ``few`` that there are so few that each one's rows are best fetched
    by its keys. ``where`` is SQL over the rows; it restricts which anchors are answered, never what they see. The
    columns ``carry`` come before the features; rows come in the order of ``order``.
    """

    relation: str
    stored: bool
    few: bool = False
    where: str | None = None
    carry: tuple[str, ...] = ()
    order: str = "__seq"


@dataclass(frozen=True)
class Step:
    """A plan of a run with the relations of its anchors: ``anchors[n]`` has the columns of the first n lookups."""

    plan: FeaturePlan
    anchors: tuple[str, ...]


@dataclass(frozen=True)
class _Level:
    """How the anchors of one plan are evaluated.

    ``stored`` and ``few`` as of :class:`Anchors`; ``narrow``: only the rows of the anchors' keys are worth reading;
    ``carry``: columns that pass through every step.
    """

    stored: bool
    few: bool
    narrow: bool
    carry: tuple[str, ...] = ()

    @property
    def head(self) -> dict[str, str]:
        """The columns of the anchors that pass through, each with its name."""
        return {name: name for name in ("__anchor", "__seq", *self.carry)}


class OfflineRun:
    """Evaluates a plan for many anchor rows.

    Parameters
    ----------
    connection
        A DuckDB session that can read the sources; the run makes temporary tables in it.
    plan
        The plan.
    stored
        Returns FROM text, with ``__seq``, of a table by name; the second argument is text that follows ``FROM … r``
        over the table's columns and leaves rows out.
    types
        Returns the column types of a table by name.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        plan: FeaturePlan,
        stored: Callable[[str, str], str],
        types: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.connection = connection
        self.plan = plan
        #: After :meth:`run`, the plans of the anchor rows, innermost first, with their anchors.
        self.steps: list[Step] = []
        self._stored = stored
        self._types = types
        self._derived: dict[tuple[FeaturePlan, str], str] = {}
        self._made: list[str] = []
        self._numbers = itertools.count()
        self._report: Progress = _silent
        self._begun = 0

    def run(self, anchors: Anchors, progress: Progress | None = None) -> str:
        """Compute all features and return the SELECT that reads them, one row per anchor in arrival order.

        The columns ``carry`` of the anchors come first, then the features.

        Raises
        ------
        RowError
            When a value cannot be computed, such as an integer sum beyond BIGINT.
        """
        self._report = progress or _silent
        self._step(f"reading {self.plan.table}")
        carry = {f"__carry_{number}": name for number, name in enumerate(anchors.carry)}
        columns = [f"a.{anchors.order} AS __anchor", "a.__seq"]
        columns += [f"a.{quote(name)} AS {column}" for column, name in carry.items()]
        columns += [f"a.{quote(name)}" for name in self.plan.request_columns]
        where = f" WHERE {anchors.where}" if anchors.where else ""
        rows = f"SELECT {', '.join(columns)} FROM {anchors.relation} a{where}"
        level = _Level(anchors.stored, anchors.few, narrow=anchors.few, carry=tuple(carry))
        head = {column: quote(carried(name)) for column, name in carry.items()}
        try:
            query = self._features(self.plan, rows, level, head, main=True)
        except duckdb.Error as error:
            raise failure(error, self.plan) from None
        self._step("computing expressions")
        return f"{query} ORDER BY a.__anchor"

    def rows_of(self, part: Stage | Lookup, anchors: str, narrow: bool) -> str:
        """Return FROM text of a part's source with ``__seq``; ``narrow``: only rows of the anchors' keys."""
        return self._relation(part.source, narrowing(part, anchors) if narrow else "")

    def types_of(self, source: Source) -> dict[str, str]:
        """Return the column types of a source."""
        return source.rows.features if source.rows is not None else dict(self._types(source.table))

    # -- steps of one plan

    def _features(
        self, plan: FeaturePlan, rows: str, level: _Level, head: Mapping[str, str], main: bool = False
    ) -> str:
        """The query of a plan's features, behind the columns ``head``, for the anchors ``a`` that ``rows`` selects."""
        current = self._table(self._anchors(plan, rows, level, main))
        known = [current]
        for lookup in plan.lookups:
            self._step(f"joining {lookup.source.table}")
            current = self._table(self._lookup(plan, lookup, current, level))
            known.append(current)
        if main:
            self.steps.append(Step(plan, tuple(known)))
        tables = {}
        for stage in stages(plan):
            self._step(_describe(stage))
            tables[stage.name] = self._table(self._stage(plan, stage, current, level))
        outputs = [f"a.{column} AS {name}" for column, name in head.items()]
        outputs += [f"{plan_sql(output.expr)} AS {quote(output.name)}" for output in plan.outputs]
        joins = "".join(
            f" JOIN {table} {name} ON {name}.__anchor = a.__anchor" for name, table in tables.items()
        )
        late = plan.where if plan.where is not None and not filters_anchors(plan) else None
        where = f" WHERE {plan_sql(late)}" if late is not None else ""
        return f"SELECT {', '.join(outputs)} FROM {current} a{joins}{where}"

    def _anchors(self, plan: FeaturePlan, rows: str, level: _Level, main: bool) -> str:
        """The query of a plan's anchors: what ``plan.rows`` makes of ``rows``, without what WHERE leaves out."""
        if plan.rows is not None and self._shares(plan, level):
            # Every stored row is evaluated as a source anyway: the anchors are some of them. They are a table of their
            # own because DuckDB may push a join's filter into a scan of Arrow, and fails there.
            rows = self._table(rows)
            derived = self._relation(Source(plan.table, None, rows=plan.rows), "")
            carried_on = ", ".join(f"a.{column}" for column in level.head)
            rows = f"SELECT {carried_on}, r.* EXCLUDE (__seq) FROM {rows} a JOIN {derived} r ON r.__seq = a.__seq"
        elif plan.rows is not None:
            rows = self._features(plan.rows, rows, level, level.head, main)
        if plan.where is not None and filters_anchors(plan):
            rows = f"SELECT a.* FROM ({rows}) a WHERE {plan_sql(plan.where)}"
        return rows

    def _shares(self, plan: FeaturePlan, level: _Level) -> bool:
        whole = level.stored and not level.few and not level.narrow
        return whole and any(source.rows == plan.rows for source in plan.sources())

    def _lookup(self, plan: FeaturePlan, lookup: Lookup, anchors: str, level: _Level) -> str:
        if not level.few:
            source = self.rows_of(lookup, anchors, level.narrow)
            sql = bulk_lookup(plan, lookup, source, self.types_of(lookup.source), anchors)
            if sql is not None:
                return sql
        return self._form(plan, anchors, level).lookup_sql(lookup, anchors)

    def _stage(self, plan: FeaturePlan, stage: Stage, anchors: str, level: _Level) -> str:
        if not level.few and can_lower(stage, level.stored):
            source = self.rows_of(stage, anchors, level.narrow)
            return window_form(stage, source, self.types_of(stage.source), anchors)
        return self._form(plan, anchors, level).stage_sql(stage, anchors)

    def _form(self, plan: FeaturePlan, current: str, level: _Level) -> RequestForm:
        def rows(part: Stage | Lookup, anchors: str) -> str:
            types = self.types_of(part.source)
            if isinstance(part, Stage) and (part.ahead or not level.few):
                return spread_rows(part, self.rows_of(part, anchors, level.narrow), types, anchors)
            return joined_rows(plan, part, self.rows_of(part, anchors, narrow=True), types, anchors)

        return RequestForm(plan, rows, current)

    # -- sources

    def _relation(self, source: Source, leaving_out: str) -> str:
        """FROM text of a source with ``__seq``; ``leaving_out`` follows ``FROM … r`` over the stored rows."""
        if source.rows is None:
            return self._stored(source.table, leaving_out)
        key = (source.rows, leaving_out)
        if key not in self._derived:
            self._derived[key] = self._derive(source.rows, leaving_out)
        return self._derived[key]

    def _derive(self, plan: FeaturePlan, leaving_out: str) -> str:
        """Keep what a plan gives for the stored rows of its table, each as of its own position."""
        self._step(f"computing rows of {plan.table}")
        before = len(self._made)
        columns = "".join(f", r.{quote(name)}" for name in plan.request_columns)
        rows = f"SELECT r.__seq AS __anchor, r.__seq{columns} FROM {self._stored(plan.table, leaving_out)} r"
        level = _Level(stored=True, few=False, narrow=bool(leaving_out))
        made = self._table(self._features(plan, rows, level, {"__seq": "__seq"}))
        for table in self._made[before:]:
            if table != made and table not in self._derived.values():
                self.connection.execute(f"DROP TABLE {table}")
                self._made.remove(table)
        return made

    def _table(self, sql: str) -> str:
        """Keep the rows of a query as a temporary table with a name of its own."""
        name = f"__t{next(self._numbers)}"
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        self._made.append(name)
        return name

    def _step(self, what: str) -> None:
        self._report(what, min(self._begun / (_steps(self.plan) + 2), 0.99))
        self._begun += 1


def carried(name: str) -> str:
    """Return the output name of a carried anchor column; the prefix keeps it apart from the features."""
    return name if name.startswith("__") else f"__{name}"


def filters_anchors(plan: FeaturePlan) -> bool:
    """Whether the view's WHERE reads nothing but the anchor row, so that it can be asked first."""
    if plan.where is None:
        return False
    computed = any(isinstance(node, AggregateRef) for node in walk(plan.where))
    return not computed and sources(plan.where) <= {ANCHOR}


def _steps(plan: FeaturePlan) -> int:
    below = sum(1 + _steps(derived) for derived in plan.derived())
    return len(plan.lookups) + len(stages(plan)) + below


def _describe(stage: Stage) -> str:
    by = ", ".join(key.row for key in stage.keys) or "all rows"
    return f"windows over {stage.source.table} by {by}"


def _silent(step: str, done: float) -> None:
    """No one asked for progress."""
