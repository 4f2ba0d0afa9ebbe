"""The bulk form: features of many anchor rows as a row of queries, each over what the ones before it gave.

Lookups come first, then one stage per source and key, in the window form where that can say it and else in the request
form over joined rows; the last query computes the expressions. A derived source is the same for its own plan, over the
stored rows of its table. What becomes of a query that others read, a temporary table or a part of WITH, is the
caller's to say; so is which stages are computed otherwise, by kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from workbench.plan.expr import ANCHOR, AggregateRef, sources, walk
from workbench.plan.join_form import joined_rows, narrowing
from workbench.plan.lookup_form import bulk_lookup
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Source
from workbench.plan.render import plan_sql, quote
from workbench.plan.request_form import RequestForm
from workbench.plan.spread_form import spread_rows
from workbench.plan.stages import Stage, stages
from workbench.plan.window_form import can_lower, window_form


@dataclass(frozen=True)
class Step:
    """A plan of a run with the relations of its anchors: ``anchors[n]`` has the columns of the first n lookups."""

    plan: FeaturePlan
    anchors: tuple[str, ...]


@dataclass(frozen=True)
class Level:
    """How the anchors of one plan are evaluated.

    ``stored``: every one has a ``__seq``; ``few``: there are so few that each one's rows are best fetched by its keys;
    ``narrow``: only the rows of the anchors' keys are worth reading; ``carry``: columns that pass through every step.
    """

    stored: bool
    few: bool
    narrow: bool
    carry: tuple[str, ...] = ()

    @property
    def head(self) -> dict[str, str]:
        """The columns of the anchors that pass through, each with its name."""
        return {name: name for name in ("__anchor", "__seq", *self.carry)}


@dataclass(frozen=True)
class Computed:
    """Aggregates of a stage that are there already.

    ``relation`` is FROM text with their columns, a row for each anchor in the order of the anchors' table, and ``name``
    what is to be forgotten with it. ``rest`` are the aggregates of the stage that are not there.
    """

    relation: str
    name: str
    rest: tuple[Aggregate, ...] = ()


#: Given a stage of one table, returns FROM text of its rows with ``__seq``, and the types of their columns.
ReaderRows = Callable[[Stage], tuple[str, dict[str, str]]]

#: Computes what it can of a stage, given the name of the table of its anchors and where its rows come from.
Compute = Callable[[FeaturePlan, Stage, str, ReaderRows], Computed | None]


def _nothing(name: str) -> None:
    """What was kept stays."""


def _as_it_is(name: str) -> str:
    """The rows come in any order."""
    return name


def _silent(step: str) -> None:
    """No one asked what is being done."""


class BulkForm:
    """Generates the queries of plans.

    Parameters
    ----------
    stored
        Returns FROM text, with ``__seq``, of a table by name; the second argument is text that follows ``FROM … r``
        over the table's columns and leaves rows out.
    types
        Returns the column types of a table by name.
    keep
        Keeps the rows of a query and returns the name of the relation that has them.
    forget
        Told the name of a kept relation that nothing reads any more.
    step
        Told what comes next.
    compute
        Computes stages otherwise; :meth:`keep` then makes tables whose rows have an order.
    arrange
        Given the name of a kept relation of anchors, returns one that has them in the order of ``__anchor``.
    """

    def __init__(
        self,
        stored: Callable[[str, str], str],
        types: Callable[[str], Mapping[str, str]],
        keep: Callable[[str], str],
        forget: Callable[[str], None] = _nothing,
        step: Callable[[str], None] = _silent,
        compute: Compute | None = None,
        arrange: Callable[[str], str] = _as_it_is,
    ) -> None:
        #: The plans of the anchor rows that :meth:`features` was asked for, innermost first, with their anchors.
        self.steps: list[Step] = []
        #: Whether the last query of :meth:`features` gives its rows in the order of ``__anchor``, unasked.
        self.arranged = False
        self._compute = compute
        self._arrange = arrange
        self._stored = stored
        self._types = types
        self._keep_as = keep
        self._forget = forget
        self._step = step
        self._kept: list[str] = []
        self._derived: dict[tuple[FeaturePlan, str], str] = {}

    def features(
        self,
        plan: FeaturePlan,
        rows: str,
        level: Level,
        head: Mapping[str, str],
        main: bool = False,
        arranged: bool = False,
    ) -> str:
        """Return the query of a plan's features; it ends where an ORDER BY over the anchors ``a`` may follow.

        Parameters
        ----------
        plan
            The plan.
        rows
            A SELECT of the anchors of its base: ``__anchor``, ``__seq`` and their columns.
        level
            How they are evaluated.
        head
            Columns of the anchors to put before the features, each with its name.
        main
            Add the plan, and those that its anchor rows come from, to :attr:`steps`.
        arranged
            The rows are wanted in the order of ``__anchor``; :attr:`arranged` says whether they are.
        """
        current = self._keep(self._anchors(plan, rows, level, main))
        known = [current]
        for lookup in plan.lookups:
            self._step(f"joining {lookup.source.table}")
            current = self._keep(self._lookup(plan, lookup, current, level))
            known.append(current)
        if main:
            self.steps.append(Step(plan, tuple(known)))
        made = stages(plan)
        computes = self._compute is not None and bool(made)
        if computes and arranged:
            current = self._arrange(current)
        tables, beside = self._stages(plan, made, current, level)
        outputs = [f"a.{column} AS {name}" for column, name in head.items()]
        outputs += [f"{plan_sql(output.expr)} AS {quote(output.name)}" for output in plan.outputs]
        # What is computed beside the anchors has their order: no join has to find it.
        joins = "".join(f" POSITIONAL JOIN {relation} {name}" for name, relation in beside.items())
        joins += "".join(
            f" JOIN {table} {name} ON {name}.__anchor = a.__anchor" for name, table in tables.items()
        )
        self.arranged = computes and arranged and not tables
        late = plan.where if plan.where is not None and not filters_anchors(plan) else None
        where = f" WHERE {plan_sql(late)}" if late is not None else ""
        return f"SELECT {', '.join(outputs)} FROM {current} a{joins}{where}"

    def _stages(
        self, plan: FeaturePlan, made: tuple[Stage, ...], current: str, level: Level
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The relations of the stages by their names: those with ``__anchor``, and those in the anchors' order."""
        tables, beside = {}, {}
        for stage in made:
            self._step(_describe(stage))
            rest = stage
            computed = self._computed(plan, stage, current, level)
            if computed is not None:
                beside[f"{stage.name}_beside"] = computed.relation
                rest = msgspec.structs.replace(stage, aggregates=computed.rest)
            if rest.aggregates or computed is None:
                tables[stage.name] = self._keep(self._stage(plan, rest, current, level))
        return tables, beside

    def _computed(self, plan: FeaturePlan, stage: Stage, current: str, level: Level) -> Computed | None:
        if self._compute is None:
            return None

        def rows(reader: Stage) -> tuple[str, dict[str, str]]:
            return self.rows_of(reader, current, level.narrow), self.types_of(reader.source)

        computed = self._compute(plan, stage, current, rows)
        if computed is not None:
            self._kept.append(computed.name)
        return computed

    def _anchors(self, plan: FeaturePlan, rows: str, level: Level, main: bool) -> str:
        """The query of a plan's anchors: what ``plan.rows`` makes of ``rows``, without what WHERE leaves out."""
        if plan.rows is not None and self._shares(plan, level):
            # Every stored row is evaluated as a source anyway: the anchors are some of them. They are a table of their
            # own because DuckDB may push a join's filter into a scan of Arrow, and fails there.
            rows = self._keep(rows)
            derived = self._relation(Source(plan.table, None, rows=plan.rows), "")
            carried_on = ", ".join(f"a.{column}" for column in level.head)
            rows = f"SELECT {carried_on}, r.* EXCLUDE (__seq) FROM {rows} a JOIN {derived} r ON r.__seq = a.__seq"
        elif plan.rows is not None:
            rows = self.features(plan.rows, rows, level, level.head, main)
        if plan.where is not None and filters_anchors(plan):
            rows = f"SELECT a.* FROM ({rows}) a WHERE {plan_sql(plan.where)}"
        return rows

    def _shares(self, plan: FeaturePlan, level: Level) -> bool:
        whole = level.stored and not level.few and not level.narrow
        return whole and any(source.rows == plan.rows for source in plan.sources())

    def _lookup(self, plan: FeaturePlan, lookup: Lookup, anchors: str, level: Level) -> str:
        if level.few:
            return self._form(plan, anchors, level).lookup_sql(lookup, anchors)
        source = self.rows_of(lookup, anchors, level.narrow)
        return bulk_lookup(plan, lookup, source, self.types_of(lookup.source), anchors)

    def _stage(self, plan: FeaturePlan, stage: Stage, anchors: str, level: Level) -> str:
        if not level.few and can_lower(stage, level.stored):
            source = self.rows_of(stage, anchors, level.narrow)
            return window_form(stage, source, self.types_of(stage.source), anchors)
        return self._form(plan, anchors, level).stage_sql(stage, anchors)

    def _form(self, plan: FeaturePlan, current: str, level: Level) -> RequestForm:
        def rows(part: Stage | Lookup, anchors: str) -> str:
            types = self.types_of(part.source)
            if isinstance(part, Stage) and (part.ahead or not level.few):
                return spread_rows(part, self.rows_of(part, anchors, level.narrow), types, anchors)
            return joined_rows(plan, part, self.rows_of(part, anchors, narrow=True), types, anchors)

        return RequestForm(plan, rows, current)

    def rows_of(self, part: Stage | Lookup, anchors: str, narrow: bool) -> str:
        """Return FROM text of a part's source with ``__seq``; ``narrow``: only rows of the anchors' keys."""
        return self._relation(part.source, narrowing(part, anchors) if narrow else "")

    def types_of(self, source: Source) -> dict[str, str]:
        """Return the column types of a source."""
        return source.rows.features if source.rows is not None else dict(self._types(source.table))

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
        columns = "".join(f", r.{quote(name)}" for name in plan.request_columns)
        rows = f"SELECT r.__seq AS __anchor, r.__seq{columns} FROM {self._stored(plan.table, leaving_out)} r"
        level = Level(stored=True, few=False, narrow=bool(leaving_out))
        before = len(self._kept)
        made = self._keep(self.features(plan, rows, level, {"__seq": "__seq"}))
        read = {made, *self._derived.values()}
        for name in self._kept[before:]:
            if name not in read:
                self._forget(name)
        self._kept[before:] = [name for name in self._kept[before:] if name in read]
        return made

    def _keep(self, sql: str) -> str:
        self._kept.append(self._keep_as(sql))
        return self._kept[-1]


def filters_anchors(plan: FeaturePlan) -> bool:
    """Whether the view's WHERE reads nothing but the anchor row, so that it can be asked first."""
    if plan.where is None:
        return False
    computed = any(isinstance(node, AggregateRef) for node in walk(plan.where))
    return not computed and sources(plan.where) <= {ANCHOR}


def steps_of(plan: FeaturePlan) -> int:
    """Return how many steps the bulk form of a plan has."""
    below = sum(1 + steps_of(derived) for derived in plan.derived())
    return len(plan.lookups) + len(stages(plan)) + below


def _describe(stage: Stage) -> str:
    by = ", ".join(key.row for key in stage.keys) or "all rows"
    return f"windows over {stage.source.table} by {by}"
