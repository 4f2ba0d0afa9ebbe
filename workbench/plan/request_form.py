"""The request form: features of anchor rows from the rows that each of them sees, numbered newest first.

No window operator, no sort of history: every aggregate is the plain aggregate with a FILTER on a row's position
(``__pos``: 0 is the request row of a history window, stored rows count from 1) and age (``__age``). One generator
serves a single request, a batch, a preview and those training sets that the window form cannot say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.plan.aggregates import aggregate_call
from workbench.plan.model import FeaturePlan, Lookup, Window
from workbench.plan.render import aggregate_name, lookup_name, plan_sql, quote
from workbench.plan.stages import Stage, stages

LATEST = 9223372036854775807

#: Given a stage or lookup and the name of the relation of anchors so far, returns FROM text of its visible rows:
#: ``__anchor`` (where grouped), ``__pos`` (0 = newest), ``__ord``, ``__seq`` and the source's columns.
RowsOf = Callable[[Stage | Lookup, str], str]


@dataclass(frozen=True)
class RequestForm:
    """Generates SQL for a plan.

    Parameters
    ----------
    plan
        The plan.
    rows
        Where the rows of stages and lookups come from.
    request
        FROM text of the anchor rows: ``__anchor``, ``__seq`` (NULL for a row that is not stored) and their columns.
    grouped
        False when there is exactly one anchor row: cheaper SQL of the same meaning.
    """

    plan: FeaturePlan
    rows: RowsOf
    request: str
    grouped: bool = True

    def sql(self, extra: tuple[str, ...] = ()) -> str:
        """Return the query: ``__keep`` (the view's WHERE), ``extra`` anchor columns, then the features, by anchor."""
        with_parts, anchors = self._lookups()
        made = stages(self.plan)
        for stage in made:
            with_parts += self._stage(stage, anchors)
        keep = "true" if self.plan.where is None else f"coalesce({plan_sql(self.plan.where)}, false)"
        outputs = [f"{keep} AS __keep", *(f"a.{quote(name)}" for name in extra)]
        outputs += [f"{plan_sql(o.expr)} AS {quote(o.name)}" for o in self.plan.outputs]
        joins = "".join(self._join(f"g_{stage.name}") for stage in made)
        order = " ORDER BY a.__anchor" if self.grouped else ""
        return f"WITH {', '.join(with_parts)} SELECT {', '.join(outputs)} FROM {anchors} a{joins}{order}"

    def keys_sql(self, part: Stage | Lookup) -> str:
        """Return the query of a part's key values, then of a stage its order value, by anchor."""
        before = None
        if isinstance(part, Lookup):
            before = self.plan.lookups.index(part)
        with_parts, anchors = self._lookups(before)
        values = [plan_sql(key.anchor) for key in part.keys]
        if isinstance(part, Stage):
            values.append(self._order_sql(part))
        return f"WITH {', '.join(with_parts)} SELECT {', '.join(values)} FROM {anchors} a ORDER BY a.__anchor"

    def lookup_sql(self, lookup: Lookup, anchors: str) -> str:
        """Return the query of the relation ``anchors`` with the columns of one more lookup."""
        return (
            f"WITH found AS ({self._lookup(lookup, anchors)}) {self._with_lookup(lookup, anchors, 'found')}"
        )

    def stage_sql(self, stage: Stage, anchors: str) -> str:
        """Return the query of one stage for the relation ``anchors``: ``__anchor`` and its aggregates."""
        return f"WITH {', '.join(self._stage(stage, anchors))} SELECT * FROM g_{stage.name}"

    # -- lookups

    def _lookups(self, before: int | None = None) -> tuple[list[str], str]:
        parts = [f"anchors0 AS (SELECT * FROM {self.request})"]
        anchors = "anchors0"
        for number, lookup in enumerate(self.plan.lookups[:before]):
            found = f"l_{lookup.name}"
            parts.append(f"{found} AS ({self._lookup(lookup, anchors)})")
            after = f"anchors{number + 1}"
            parts.append(f"{after} AS ({self._with_lookup(lookup, anchors, found)})")
            anchors = after
        return parts, anchors

    def _with_lookup(self, lookup: Lookup, anchors: str, found: str) -> str:
        columns = ", ".join(f"r.{lookup_name(lookup.name, name)}" for name, _ in lookup.columns)
        on = "r.__anchor = a.__anchor" if self.grouped else "true"
        return f"SELECT a.*, {columns} FROM {anchors} a LEFT JOIN {found} r ON {on}"

    def _lookup(self, lookup: Lookup, anchors: str) -> str:
        values = ", ".join(
            f"{plan_sql(value)} AS {lookup_name(lookup.name, name)}" for name, value in lookup.columns
        )
        where = [plan_sql(lookup.source.where)] if lookup.source.where is not None else []
        where += later_visibility(self.plan, lookup)
        select = (
            f"SELECT {'r.__anchor, ' if self.grouped else ''}{values} FROM {self.rows(lookup, anchors)} r"
        )
        if not where:
            return f"{select} WHERE r.__pos = 0"
        on = "a.__anchor = r.__anchor" if self.grouped else "true"
        select += f" JOIN {anchors} a ON {on} WHERE {' AND '.join(where)}"
        if self.grouped:
            return f"{select} QUALIFY row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) = 1"
        return f"{select} ORDER BY r.__pos LIMIT 1"

    # -- windows

    def _stage(self, stage: Stage, anchors: str) -> list[str]:
        rows, group = f"r_{stage.name}", f"g_{stage.name}"
        aggregates = []
        for aggregate in stage.aggregates:
            frame = self._frame(stage, stage.window(aggregate.window))
            call = aggregate_call(aggregate, frame, oldest_first="r.__pos DESC")
            aggregates.append(f"{call} AS {aggregate_name(aggregate.name)}")
        select = f"SELECT {'a.__anchor, ' if self.grouped else ''}{', '.join(aggregates)}"
        if self.grouped:
            tail = f"FROM {anchors} a LEFT JOIN {rows} r ON r.__anchor = a.__anchor GROUP BY a.__anchor"
        elif stage.needs_anchor:
            tail = f"FROM {anchors} a LEFT JOIN {rows} r ON true"
        else:
            tail = f"FROM {rows} r"
        return [f"{rows} AS ({self._numbered(stage, anchors)})", f"{group} AS ({select} {tail})"]

    def _numbered(self, stage: Stage, anchors: str) -> str:
        """The rows of a stage with position and age; the request row itself first where it is in the window."""
        on = "a.__anchor = r.__anchor" if self.grouped else "true"
        anchor_order = self._order_sql(stage)
        columns = [quote(name) for name in stage.columns]
        partition = "PARTITION BY r.__anchor " if self.grouped else ""
        where = ""
        position = "r.__pos + 1"
        if stage.source.where is not None:
            where = f" WHERE {plan_sql(stage.source.where)}"
            position = f"row_number() OVER ({partition}ORDER BY r.__pos)"
        head = "r.__anchor, " if self.grouped else ""
        stored = ", ".join(
            [f"{head}{position} AS __pos", f"{anchor_order} - r.__ord AS __age", *(f"r.{c}" for c in columns)]
        )
        sql = f"SELECT {stored} FROM {self.rows(stage, anchors)} r JOIN {anchors} a ON {on}{where}"
        if stage.history:
            head = "a.__anchor, " if self.grouped else ""
            own = ", ".join([f"{head}0 AS __pos", "0 AS __age", *(f"a.{c}" for c in columns)])
            sql = f"SELECT {own} FROM {anchors} a UNION ALL {sql}"
        firsts = [
            f"min(CASE WHEN r.__age >= {w.frame.end} THEN r.__pos END) OVER ({partition.strip()}) AS __first_{w.name}"
            for w in stage.windows
            if _needs_first(w)
        ]
        return f"SELECT r.*, {', '.join(firsts)} FROM ({sql}) r" if firsts else sql

    def _order_sql(self, stage: Stage) -> str:
        return order_sql(plan_sql(stage.order_anchor), stage.order_anchor.type)

    def _frame(self, stage: Stage, window: Window) -> list[str]:
        """Conditions on a row of the stage for being in a window's frame."""
        frame = window.frame
        measure = "r.__pos" if frame.unit == "rows" else "r.__age"
        conditions = []
        # The conditions are also what keeps out the all-NULL row of an anchor that sees nothing.
        first = 1 if window.exclude_current_row or not stage.history else 0
        conditions.append(f"r.__pos >= {first}")
        if frame.end > 0:
            conditions.append(f"{measure} >= {frame.end}")
        if frame.start is not None:
            conditions.append(f"{measure} <= {frame.start}")
        if window.maxsize is not None:
            if _needs_first(window):
                conditions.append(f"r.__pos < r.__first_{window.name} + {window.maxsize}")
            else:
                newest = max(first, frame.end if frame.unit == "rows" else 0)
                conditions.append(f"r.__pos < {newest + window.maxsize}")
        return conditions

    def _join(self, group: str) -> str:
        return f" JOIN {group} ON {group}.__anchor = a.__anchor" if self.grouped else f", {group}"


def _needs_first(window: Window) -> bool:
    """MAXSIZE counts from the newest row of the frame, whose position is known beforehand unless ages decide it."""
    return window.maxsize is not None and window.frame.unit == "range" and window.frame.end > 0


def order_sql(sql: str, kind: str) -> str:
    """Return an order value as BIGINT: microseconds of times and dates, integers as they are."""
    if kind == "TIMESTAMP":
        return f"epoch_us({sql})"
    if kind == "DATE":
        return f"epoch_us(CAST({sql} AS TIMESTAMP))"
    return f"CAST({sql} AS BIGINT)"


def later_visibility(plan: FeaturePlan, lookup: Lookup) -> list[str]:
    """Conditions on rows ``r`` for anchor ``a`` that a lookup's key and order do not say."""
    source = lookup.source
    conditions = []
    if plan.time is None:
        conditions.append(f"r.__seq < coalesce(a.__seq, {LATEST})")
    elif source.time is not None and lookup.order != source.time:
        row, anchor = f"r.{quote(source.time)}", f"a.{quote(plan.time)}"
        if source.own:
            conditions.append(
                f"({row} < {anchor} OR {row} = {anchor} AND r.__seq < coalesce(a.__seq, {LATEST}))"
            )
        else:
            conditions.append(f"{row} <= {anchor}")
    return conditions
