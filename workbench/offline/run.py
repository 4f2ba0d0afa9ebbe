"""One bulk evaluation of a plan on DuckDB: anchors, lookups, one stage per partition key, projection.

DuckDB scans, joins, sorts and computes the scalars. A stage takes sorted columns in and gives feature columns out; it
runs in the window form where that can say it, else in the request form over joined rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb

from workbench.plan.expr import ANCHOR, sources
from workbench.plan.failures import failure
from workbench.plan.join_form import bulk_lookup, joined_rows
from workbench.plan.model import FeaturePlan, Lookup
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
class OfflineRun:
    """Evaluates a plan for many anchor rows.

    Parameters
    ----------
    connection
        A DuckDB session that can read the sources; the run makes temporary tables in it.
    plan
        The plan.
    source
        Returns FROM text, with ``__seq``, of a table by name; the second argument is text that follows ``FROM … r``
        over the table's columns and leaves rows out.
    types
        Returns the column types of a table by name.
    """

    connection: duckdb.DuckDBPyConnection
    plan: FeaturePlan
    source: Callable[[str, str], str]
    types: Callable[[str], Mapping[str, str]]

    def run(self, anchors: Anchors, progress: Progress | None = None) -> str:
        """Compute all features and return the SELECT that reads them, one row per anchor in arrival order.

        The columns ``carry`` of the anchors come first, then the features.

        Raises
        ------
        RowError
            When a value cannot be computed, such as an integer sum beyond BIGINT.
        """
        report = progress or _silent
        made = stages(self.plan)
        steps = 2 + len(self.plan.lookups) + len(made)
        report(f"reading {self.plan.table}", 0.0)
        try:
            current = self._anchors(anchors)
            for number, lookup in enumerate(self.plan.lookups):
                report(f"joining {lookup.source.table}", (1 + number) / steps)
                current = self._lookup(lookup, current, anchors.few, number)
            for number, stage in enumerate(made):
                report(_describe(stage), (1 + len(self.plan.lookups) + number) / steps)
                self._stage(stage, current, anchors)
        except duckdb.Error as error:
            raise failure(error, self.plan) from None
        report("computing expressions", (steps - 1) / steps)
        return self._projection(current, made, anchors)

    # -- steps

    def _anchors(self, anchors: Anchors) -> str:
        columns = ", ".join(
            f"a.{quote(name)}" for name in (*self.plan.request_columns, *_extra(anchors, self.plan))
        )
        conditions = [anchors.where] if anchors.where else []
        if self.plan.where is not None and not reads_lookups(self.plan):
            conditions.append(plan_sql(self.plan.where))
        where = f" WHERE {' AND '.join(f'({c})' for c in conditions)}" if conditions else ""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE __anchors AS "
            f"SELECT row_number() OVER (ORDER BY a.{anchors.order}) AS __anchor, a.__seq"
            f"{', ' if columns else ''}{columns} FROM {anchors.relation} a{where}"
        )
        return "__anchors"

    def _lookup(self, lookup: Lookup, current: str, few: bool, number: int) -> str:
        table = lookup.source.table
        source, types = self.source(table, ""), dict(self.types(table))
        sql = None if few else bulk_lookup(self.plan, lookup, source, types, current)
        if sql is None:
            sql = self._form(current, few).lookup_sql(lookup, current)
        made = f"__anchors_{number}"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {made} AS {sql}")
        return made

    def _stage(self, stage: Stage, current: str, anchors: Anchors) -> None:
        table = stage.source.table
        if not anchors.few and can_lower(stage, anchors.stored):
            sql = window_form(stage, self.source(table, ""), dict(self.types(table)), current)
        else:
            sql = self._form(current, anchors.few).stage_sql(stage, current)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE __{stage.name} AS {sql}")

    def _form(self, current: str, few: bool) -> RequestForm:
        def rows(part: Stage | Lookup, anchors: str) -> str:
            table = part.source.table
            if isinstance(part, Stage) and not few:
                return spread_rows(part, self.source(table, ""), dict(self.types(table)), anchors)
            source = partial(self.source, table)
            return joined_rows(self.plan, part, source, self.types(table), anchors)

        return RequestForm(self.plan, rows, current)

    def _projection(self, current: str, made: tuple[Stage, ...], anchors: Anchors) -> str:
        outputs = [f"a.{quote(name)} AS {quote(carried(name))}" for name in anchors.carry]
        outputs += [f"{plan_sql(o.expr)} AS {quote(o.name)}" for o in self.plan.outputs]
        joins = "".join(f" JOIN __{stage.name} ON __{stage.name}.__anchor = a.__anchor" for stage in made)
        where = ""
        if self.plan.where is not None and reads_lookups(self.plan):
            where = f" WHERE {plan_sql(self.plan.where)}"
        return f"SELECT {', '.join(outputs)} FROM {current} a{joins}{where} ORDER BY a.__anchor"


def carried(name: str) -> str:
    """Return the output name of a carried anchor column; the prefix keeps it apart from the features."""
    return name if name.startswith("__") else f"__{name}"


def reads_lookups(plan: FeaturePlan) -> bool:
    """Whether the view's WHERE reads joined columns."""
    return bool(sources(plan.where) - {ANCHOR})


def _extra(anchors: Anchors, plan: FeaturePlan) -> list[str]:
    return [name for name in anchors.carry if name != "__seq" and name not in plan.request_columns]


def _describe(stage: Stage) -> str:
    by = ", ".join(key.row for key in stage.keys) or "all rows"
    return f"windows over {stage.source.table} by {by}"


def _silent(step: str, done: float) -> None:
    """No one asked for progress."""
