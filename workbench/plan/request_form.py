"""The request form: features of anchor rows from the rows that each of them sees, numbered newest first.

No window operator, no sort of history: every aggregate is the plain aggregate under a condition on a row's position
(``__pos``: 0 is the request row of a history window, stored rows count from 1) and age (``__age``). One generator
serves a single request, a batch, a preview and those training sets that the window form cannot say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.plan import expr as e
from workbench.plan.aggregates import aggregate_call
from workbench.plan.model import Aggregate, FeaturePlan, Lookup, Window
from workbench.plan.render import aggregate_name, lookup_name, plan_sql, quote
from workbench.plan.stages import Stage, lookup_columns, stages

LATEST = 9223372036854775807

#: Given a stage or lookup and the name of the relation of anchors so far, returns FROM text of the rows that each
#: anchor sees: ``__anchor``, ``__pos`` (from 1, newest first), ``__seq``, the source's columns, and for a stage
#: ``__age``, the distance of the row's order value from the anchor's.
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
    request_included
        True when the rows of a history stage hold the request row already, at ``__pos`` 0 and ``__age`` 0.
    few
        True when an anchor never sees more than some hundred rows.
    """

    plan: FeaturePlan
    rows: RowsOf
    request: str
    grouped: bool = True
    request_included: bool = False
    few: bool = False

    def sql(self, *head: str) -> str:
        """Return the query: columns ``head`` of the anchors, ``__keep`` (the view's WHERE), the features, by anchor."""
        with_parts, anchors = self._lookups()
        made = stages(self.plan)
        for stage in made:
            with_parts += self._stage(stage, anchors)
        keep = "true" if self.plan.where is None else f"coalesce({plan_sql(self.plan.where)}, false)"
        outputs = [*(f"a.{name}" for name in head), f"{keep} AS __keep"]
        values = [plan_sql(output.expr) for output in self.plan.outputs]
        if self.plan.where is not None:
            # A row that is left out has no values that could fail.
            values = [f"CASE WHEN {keep} THEN {value} END" for value in values]
        outputs += [f"{value} AS {quote(o.name)}" for value, o in zip(values, self.plan.outputs, strict=True)]
        joins = "".join(self._join(f"g_{stage.name}") for stage in made)
        order = " ORDER BY a.__anchor" if self.grouped else ""
        return f"{_with(with_parts)}SELECT {', '.join(outputs)} FROM {anchors} a{joins}{order}"

    def keys_sql(self, part: Stage | Lookup) -> str:
        """Return the query of a part's key values, then of a stage its order value, by anchor."""
        before = None
        if isinstance(part, Lookup):
            before = self.plan.lookups.index(part)
        with_parts, anchors = self._lookups(before)
        values = [plan_sql(key.anchor) for key in part.keys]
        if isinstance(part, Stage):
            values.append(part.order_sql)
        return f"{_with(with_parts)}SELECT {', '.join(values)} FROM {anchors} a ORDER BY a.__anchor"

    def lookup_sql(self, lookup: Lookup, anchors: str) -> str:
        """Return the query of the relation ``anchors`` with the columns of one more lookup."""
        return (
            f"WITH found AS ({self._lookup(lookup, anchors)}) {self._with_lookup(lookup, anchors, 'found')}"
        )

    def stage_sql(self, stage: Stage, anchors: str) -> str:
        """Return the query of one stage for the relation ``anchors``: ``__anchor`` and its aggregates."""
        return f"WITH {', '.join(self._stage(stage, anchors))} SELECT * FROM g_{stage.name}"

    def evidence_sql(self, stage: Stage, aggregate: Aggregate, anchors: str) -> str:
        """Return the query of the rows that a stage gives an aggregate to choose from, for one row ``anchors``.

        ``__pos``, ``__age``, ``__outside`` (why a row is not counted, NULL where it is) and the columns, newest first.
        """
        window = self.plan.window(aggregate.window)
        rows = self._numbered(stage, anchors) or f"SELECT * FROM {self.rows(stage, anchors)} r"
        reasons = [(f"NOT ({condition})", why) for condition, why in self._frame_reasons(stage, window)]
        if aggregate.where is not None:
            reasons.append((f"NOT coalesce({plan_sql(aggregate.where)}, false)", "left out by FILTER"))
        cases = "".join(f" WHEN {condition} THEN '{why}'" for condition, why in reasons)
        columns = "".join(f", r.{quote(name)}" for name in stage.columns)
        return (
            f"SELECT r.__pos, r.__age, CASE{cases} END AS __outside{columns} "
            f"FROM ({rows}) r JOIN {anchors} a ON a.__anchor = r.__anchor ORDER BY r.__pos"
        )

    def candidates_sql(self, lookup: Lookup, anchors: str) -> str:
        """Return the query of the rows that a lookup chooses from: ``__pos``, ``__outside`` and the columns."""
        where = [plan_sql(lookup.source.where)] if lookup.source.where is not None else []
        where += later_visibility(self.plan, lookup)
        condition = " AND ".join(f"coalesce({part}, false)" for part in where) or "true"
        columns = "".join(f", r.{quote(name)}" for name in lookup_columns(self.plan, lookup))
        newest = f"row_number() OVER (ORDER BY {condition} DESC, r.__pos) > 1"
        return (
            f"SELECT r.__pos, CASE WHEN NOT ({condition}) THEN 'does not satisfy the join' "
            f"WHEN {newest} THEN 'an older row' END AS __outside{columns} "
            f"FROM {self.rows(lookup, anchors)} r JOIN {anchors} a ON a.__anchor = r.__anchor ORDER BY r.__pos"
        )

    # -- lookups

    def _lookups(self, before: int | None = None) -> tuple[list[str], str]:
        parts = []
        anchors = self.request
        for number, lookup in enumerate(self.plan.lookups[:before]):
            found, after = f"l_{lookup.name}", f"__with_{number}"
            parts.append(f"{found} AS ({self._lookup(lookup, anchors)})")
            parts.append(f"{after} AS ({self._with_lookup(lookup, anchors, found)})")
            anchors = after
        return parts, anchors

    def _with_lookup(self, lookup: Lookup, anchors: str, found: str) -> str:
        columns = ", ".join(f"r.{lookup_name(lookup.name, name)}" for name, _ in lookup.columns)
        join = f"LEFT JOIN {found} r ON r.__anchor = a.__anchor" if self.grouped else f", {found} r"
        return f"SELECT a.*, {columns} FROM {anchors} a {join}"

    def _lookup(self, lookup: Lookup, anchors: str) -> str:
        """The found row of each anchor; with a single anchor always one row, of NULLs where none is found."""
        where = [plan_sql(lookup.source.where)] if lookup.source.where is not None else []
        where += later_visibility(self.plan, lookup)
        rows = f"{self.rows(lookup, anchors)} r"
        if where:
            rows += f" JOIN {anchors} a ON a.__anchor = r.__anchor" if self.grouped else f", {anchors} a"
        condition = " AND ".join(where) or "r.__pos = 1"
        names = {name: lookup_name(lookup.name, name) for name, _ in lookup.columns}
        if not self.grouped:
            newest = " ORDER BY r.__pos" if where else ""
            firsts = ", ".join(
                f"first({plan_sql(value)}{newest}) FILTER (WHERE {condition}) AS {names[name]}"
                for name, value in lookup.columns
            )
            return f"SELECT {firsts} FROM {rows}"
        values = ", ".join(f"{plan_sql(value)} AS {names[name]}" for name, value in lookup.columns)
        # Not row_number() = 1: DuckDB 1.5 rewrites that, and fails where a range condition stands below.
        newest = "r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor)"
        return f"SELECT r.__anchor, {values} FROM {rows} WHERE {condition}{f' QUALIFY {newest}' if where else ''}"

    # -- windows

    def _stage(self, stage: Stage, anchors: str) -> list[str]:
        rows, group = f"r_{stage.name}", f"g_{stage.name}"
        numbered = self._numbered(stage, anchors)
        parts = [f"{rows} AS ({numbered})"] if numbered else []
        source = rows if numbered else self.rows(stage, anchors)
        aggregates = []
        for aggregate in stage.aggregates:
            frame = self._frame(stage, stage.window(aggregate.window))
            oldest_first = "r.__pos" if stage.ahead else "r.__pos DESC"
            call = aggregate_call(aggregate, frame, oldest_first, self.few)
            aggregates.append(f"{call} AS {aggregate_name(aggregate.name)}")
        select = f"SELECT {'a.__anchor, ' if self.grouped else ''}{', '.join(aggregates)}"
        if self.grouped:
            tail = f"FROM {anchors} a LEFT JOIN {source} r ON r.__anchor = a.__anchor GROUP BY a.__anchor"
        elif stage.needs_anchor:
            tail = f"FROM {anchors} a LEFT JOIN {source} r ON true"
        else:
            tail = f"FROM {source} r"
        return [*parts, f"{group} AS ({select} {tail})"]

    def _numbered(self, stage: Stage, anchors: str) -> str | None:
        """The rows of a stage where they need more than what is given: the request row, a condition, other numbers."""
        columns = [quote(name) for name in stage.columns]
        head = ["__anchor"] if self.grouped else []
        picked = ", ".join(f"r.{name}" for name in [*head, "__pos", "__age", *columns])
        merged = stage.members is not None
        source = self._merged(stage, anchors) if merged else self.rows(stage, anchors)
        changed = merged
        if stage.history and (merged or not self.request_included):
            own = [
                *(f"a.{name}" for name in head),
                "0 AS __pos",
                "0 AS __age",
                *(f"a.{name}" for name in columns),
            ]
            request = f"SELECT {', '.join(own)} FROM {anchors} a"
            source = f"(SELECT {picked} FROM {source} r UNION ALL {request})" if source else f"({request})"
            changed = True
        partition = "PARTITION BY r.__anchor" if self.grouped else ""
        if stage.source.where is not None and not merged:
            # The request row is in its own history whatever the condition says of stored rows.
            own_row = "r.__pos = 0 OR " if stage.history else ""
            first = 0 if stage.history else 1
            number = f"row_number() OVER ({partition} ORDER BY r.__pos) - {1 - first} AS __pos"
            rest = ", ".join(f"r.{name}" for name in [*head, "__age", *columns])
            join = ""
            if e.sources(stage.source.where) - {e.ROW}:
                join = f" JOIN {anchors} a ON {'a.__anchor = r.__anchor' if self.grouped else 'true'}"
            source = f"(SELECT {number}, {rest} FROM {source} r{join} WHERE {own_row}{plan_sql(stage.source.where)})"
            changed = True
        firsts = [
            f"min(CASE WHEN r.__age >= {w.frame.end} THEN r.__pos END) OVER ({partition}) AS __first_{w.name}"
            for w in stage.windows
            if _needs_first(w)
        ]
        if firsts:
            return f"SELECT r.*, {', '.join(firsts)} FROM {source} r"
        return f"SELECT * FROM {source} r" if changed else None

    def _merged(self, stage: Stage, anchors: str) -> str | None:
        """The rows of several tables, numbered together: nearest first, at equal times in the order of the tables."""
        assert stage.members is not None
        types = stage.row_types(self.plan)
        branches = []
        for place, member in enumerate(stage.members):
            values = dict(member.columns)
            columns = [
                f"CAST({plan_sql(values[name]) if name in values else 'NULL'} AS {types[name]}) AS {quote(name)}"
                for name in stage.columns
            ]
            head = ["r.__anchor"] if self.grouped else []
            picked = ", ".join(
                [*head, "r.__age", "r.__seq", f"{member.rank} AS __rank", f"{place} AS __member", *columns]
            )
            where, join = member.stage.source.where, ""
            if e.sources(where) - {e.ROW}:
                join = f" JOIN {anchors} a ON {'a.__anchor = r.__anchor' if self.grouped else 'true'}"
            condition = f" WHERE {plan_sql(where)}" if where is not None else ""
            branches.append(f"SELECT {picked} FROM {self.rows(member.stage, anchors)} r{join}{condition}")
        if not branches:
            return None
        partition = "PARTITION BY r.__anchor " if self.grouped else ""
        number = (
            f"row_number() OVER ({partition}ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos"
        )
        return f"(SELECT r.* EXCLUDE (__seq, __rank, __member), {number} FROM ({' UNION ALL '.join(branches)}) r)"

    def _frame(self, stage: Stage, window: Window) -> list[str]:
        """Conditions on a row of the stage for being in a window's frame."""
        return [condition for condition, _ in self._frame_reasons(stage, window)]

    def _frame_reasons(self, stage: Stage, window: Window) -> list[tuple[str, str]]:
        """The conditions of a frame, each with what a row that fails it is."""
        frame = window.frame
        measure = "r.__pos" if frame.unit == "rows" else "r.__age"
        # The first condition is also what keeps out the all-NULL row of an anchor that sees nothing.
        first = 1 if window.exclude_current_row or not stage.history else 0
        reasons = [(f"r.__pos >= {first}", "the request row itself")]
        if frame.end > 0:
            reasons.append((f"{measure} >= {frame.end}", "newer than the frame"))
        if frame.start is not None:
            reasons.append((f"{measure} <= {frame.start}", "older than the frame"))
        if window.maxsize is not None:
            newest = str(max(first, frame.end if frame.unit == "rows" else 0))
            if _needs_first(window):
                newest = f"r.__first_{window.name}"
            reasons.append((f"r.__pos < {newest} + {window.maxsize}", "beyond MAXSIZE"))
        return reasons

    def _join(self, group: str) -> str:
        return f" JOIN {group} ON {group}.__anchor = a.__anchor" if self.grouped else f", {group}"


def _with(parts: list[str]) -> str:
    return f"WITH {', '.join(parts)} " if parts else ""


def _needs_first(window: Window) -> bool:
    """MAXSIZE counts from the newest row of the frame, whose position is known beforehand unless ages decide it."""
    return window.maxsize is not None and window.frame.unit == "range" and window.frame.end > 0


def later_visibility(plan: FeaturePlan, lookup: Lookup) -> list[str]:
    """Conditions on rows ``r`` for anchor ``a`` that a lookup's key and order do not say."""
    source = lookup.source
    conditions = []
    if not lookup.timed:
        return [f"r.__seq < coalesce(a.__seq, {LATEST})"] if source.own else []
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
