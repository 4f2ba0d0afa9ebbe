"""A slow, obvious evaluator of feature queries: the third opinion beside the offline and the online engine.

It is written from the documented semantics alone, in plain Python over lists of rows, and shares no code with the
package. For one anchor it walks every row of every table.

* Rows are ordered by (time, seq). A row x is visible to the anchor r when ``x.time <= r.time``; in the anchor's own
  table, directly or through other queries, when ``(x.time, x.seq) < (r.time, r.seq)``. A request or spine row stands at
  ``(time, +infinity)``. A table with a delay, a column that says when a row is known, or a ttl narrows that.
* A window is evaluated in this order: sources, visibility, INSTANCE_NOT_IN_WINDOW and EXCLUDE CURRENT_TIME, numbering
  (newest first, request = 0, rows of another table from 1; at equal times the anchor's table before others as listed),
  frame, EXCLUDE CURRENT_ROW, MAXSIZE. Aggregates are fed oldest first.
* A LAST JOIN takes the greatest (order, seq) among the visible rows that match the whole ON.
* A query in the place of a table gives, for every stored row of its own table, its outputs for that row as of that
  row's place; rows that its WHERE drops are not there. Inside it now() is that row's time. What its rows read of the
  table of a row that reads them is strictly older than they are: no row sees itself through another table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from .evaluation import Environment, Numbered, Row, Run, WindowRows
from .query import Frame, Join, Output, Query, Source, Window

AT_THE_END = math.inf  # the seq of a row that is not stored: after every stored row of its time


@dataclass(frozen=True)
class Stored:
    """A stored row: its values and its arrival number."""

    seq: int
    values: Row


@dataclass
class Table:
    """A named table; without ``time`` it is ordered by arrival alone.

    A row counts from ``delay`` after its time, or from the time in its column ``known``, and no longer than ``ttl``
    after its time. ``id`` names the column by which a request finds its own stored row.
    """

    columns: dict[str, str]
    time: str | None
    rows: list[Stored] = field(default_factory=list)
    delay: timedelta = timedelta(0)
    known: str | None = None
    ttl: timedelta | None = None
    id: str | None = None

    def at(self, cut: float) -> list[Stored]:
        """The rows that had arrived."""
        return [row for row in self.rows if row.seq <= cut]

    def counts(self, row: Row, now: datetime | None) -> bool:
        """Whether a row is known and not too old, whatever its place in the order."""
        if self.time is None or now is None:
            return True
        if self.delay and row[self.time] + self.delay > now:
            return False
        if self.ttl is not None and row[self.time] <= now - self.ttl:
            return False
        return self.known is None or (row[self.known] is not None and row[self.known] <= now)


@dataclass(frozen=True)
class Anchor:
    """The row that features are asked for, and its place in the data order."""

    values: Row
    time: datetime | None
    seq: float = AT_THE_END


def stored_anchor(table: Table, row: Stored) -> Anchor:
    """The position of a stored row of the anchor table."""
    return Anchor(row.values, row.values[table.time] if table.time else None, row.seq)


@dataclass(frozen=True)
class Seen:
    """A row of a source: the stored row behind it, and its columns."""

    stored: Row
    time: datetime | None
    seq: float
    values: Row
    table: str
    rank: int = 0  # of the same row in several parts of a UNION ALL, the first is the newest


class Evaluator:
    """Answers one query over tables as they were known at ``cut`` (an arrival number)."""

    def __init__(
        self,
        tables: dict[str, Table],
        query: Query,
        cut: float = math.inf,
        readers: frozenset[str] = frozenset(),
    ) -> None:
        self.tables = tables
        self.readers = readers  # the tables whose rows read this query's, directly or through others
        self.query = query
        self.cut = cut
        self.own = tables[query.table]
        self._derived: dict[int, list[Seen]] = {}
        self._environments: dict[float, Environment | None] = {}

    @cached_property
    def inner(self) -> Evaluator | None:
        """The query in FROM."""
        return Evaluator(self.tables, self.query.inner, self.cut, self.readers) if self.query.inner else None

    def features(self, anchor: Anchor) -> dict[str, Any] | None:
        """Return the outputs by name, or None when the anchor is filtered by a WHERE."""
        environment = self._environment(anchor)
        if environment is None or not self._passes(environment, anchor.time, anchor.time):
            return None
        run = Run(environment, anchor.time, lambda name: self._window(name, anchor, environment))
        return {output.name: run.value(output.expression, environment) for output in self.query.outputs}

    def _environment(self, anchor: Anchor) -> Environment | None:
        """The anchor with its LAST JOINs, every one of them as of the anchor's own position."""
        query = self.query
        row: Row | None = self.inner.features(anchor) if self.inner else anchor.values
        if row is None:
            return None
        environment = Environment({query.alias: _extended(query.alias, row, query.derived, anchor.time)})
        for join in query.joins:
            environment.later(join.alias, lambda join=join: self._match(join, anchor, environment))
        return environment

    def _stored_environment(self, row: Stored) -> Environment | None:
        if row.seq not in self._environments:
            self._environments[row.seq] = self._environment(stored_anchor(self.own, row))
        return self._environments[row.seq]

    def _passes(self, environment: Environment, own: datetime | None, now: datetime | None) -> bool:
        """Whether WHERE holds for a row of the time ``own``, asked by an anchor of the time ``now``."""
        run = Run(environment, now if self.query.where_in == "query" else own)
        return all(run.holds(condition, environment) for condition in self.query.where)

    # ---- sources

    def _rows(self, table: str, inner: Query | None, more: tuple[Query, ...] = ()) -> list[Seen]:
        """All rows of a source, visible or not."""
        if inner is None:
            stored = self.tables[table]
            return [
                Seen(row.values, row.values[stored.time] if stored.time else None, row.seq, row.values, table)
                for row in stored.at(self.cut)
            ]
        if id(inner) not in self._derived:
            rows = []
            for rank, part in enumerate((inner, *more)):
                readers = self.readers | {self.query.table}
                evaluator, base = Evaluator(self.tables, part, self.cut, readers), self.tables[part.table]
                for row in base.at(self.cut):
                    anchor = stored_anchor(base, row)
                    values = evaluator.features(anchor)
                    if values is not None:
                        rows.append(Seen(row.values, anchor.time, row.seq, values, part.table, -rank))
            self._derived[id(inner)] = rows
        return self._derived[id(inner)]

    def _visible(self, row: Seen, anchor: Anchor) -> bool:
        if not self.tables[row.table].counts(row.stored, anchor.time):
            return False
        if row.table == self.query.table:
            if row.time is None or anchor.time is None:
                return row.seq < anchor.seq
            return (row.time, row.seq) < (anchor.time, anchor.seq)
        if row.time is None or anchor.time is None:
            return True
        return row.time < anchor.time if row.table in self.readers else row.time <= anchor.time

    # ---- joins

    def _match(self, join: Join, anchor: Anchor, environment: Environment) -> Row | None:
        now = anchor.time
        run = Run(environment, now, lambda name: self._window(name, anchor, environment))
        wanted = [run.value(left, environment) for _, left in join.keys]
        if any(value is None for value in wanted):
            return None
        matches = []
        for row in self._rows(join.table, join.inner):
            if not self._visible(row, anchor):
                continue
            inside = environment.with_row(
                join.alias, _extended(join.alias, row.values, join.derived, row.time)
            )
            values = inside[join.alias]
            same_keys = [values[right.name] for right, _ in join.keys] == wanted
            inner = join.where is None or Run(inside, row.time).holds(join.where, inside)
            if same_keys and inner and all(run.holds(condition, inside) for condition in join.conditions):
                order = values[join.order.name] if join.order else row.time
                matches.append((_nulls_first(order), row.seq, inside))
        matches.sort(key=lambda match: match[:2])
        if not matches:
            return None
        newest = matches[-1][2][join.alias]
        return self._grouped(join, [match[2] for match in matches], newest, now) if join.group else newest

    def _grouped(self, join: Join, rows: list[Environment], newest: Row, now: datetime | None) -> Row | None:
        """The aggregates of a grouped subquery over the matching rows, oldest first, as of the row that asks."""
        chosen = [Numbered(0, None, inside) for inside in rows]
        run = Run(rows[-1], now, lambda _: WindowRows(chosen, {}))
        keys = {right.name: newest[right.name] for right, _ in join.keys}
        if join.having is not None and not run.holds(join.having, rows[-1]):
            return None
        return keys | {column.name: run.value(column.expression, rows[-1]) for column in join.group}

    # ---- windows

    def _window(self, name: str, anchor: Anchor, environment: Environment) -> WindowRows:
        window = self.query.window(name)
        now_order = self._order_of(window, anchor, environment)
        request = [] if window.source else [Numbered(0, now_order, environment)]
        rows = self._candidates(window, anchor, environment, now_order)
        if window.exclude_current_time:
            rows = [row for row in rows if row.order != now_order]
        numbered = request + [replace(row, position=n) for n, row in enumerate(rows, start=1)]
        chosen = [row for row in numbered if _in_frame(window.frame, row, now_order)]
        if window.exclude_current_row:
            chosen = [row for row in chosen if row.position != 0]
        if window.maxsize is not None:
            chosen = chosen[: window.maxsize]
        return WindowRows(list(reversed(chosen)), {row.position: row for row in numbered})

    def _candidates(
        self, window: Window, anchor: Anchor, environment: Environment, now_order: Any
    ) -> list[Numbered]:
        """The visible rows of all sources of a window, newest first, not yet numbered."""
        if now_order is None:
            return []
        run = Run(environment, anchor.time)
        keys = [run.value(key.anchor, environment) for key in window.partition]
        if window.source:
            found = self._from_source(window, window.source, anchor, environment, keys, now_order)
        else:
            found = [] if window.instance_not_in_window else self._history(window, anchor, keys, now_order)
            for rank, source in enumerate(window.union, start=1):
                found += self._united(window, source, -rank, anchor, keys, now_order)
        found.sort(key=lambda entry: entry[:3], reverse=True)
        return [Numbered(0, order, inside) for order, _, _, inside in found]

    def _history(self, window: Window, anchor: Anchor, keys: list[Any], now_order: Any) -> list[Entry]:
        """The visible rows of the anchor's table with the same keys (NULL is a key) that pass WHERE. Joined columns of
        a history row are those it had at its own position."""
        rows: list[Entry] = []
        for row in self.own.at(self.cut):
            inside = self._stored_environment(row)
            if inside is None:
                continue
            order = inside[self.query.alias][window.order.name]
            if order is None or not (order, row.seq) < (now_order, anchor.seq):
                continue
            mine = [Run(inside, anchor.time).value(key.anchor, inside) for key in window.partition]
            counts = self.own.counts(row.values, anchor.time)
            if (
                counts
                and mine == keys
                and self._passes(inside, stored_anchor(self.own, row).time, anchor.time)
            ):
                rows.append((order, 0, row.seq, inside))
        return rows

    def _united(
        self, window: Window, source: Source, rank: int, anchor: Anchor, keys: list[Any], now_order: Any
    ) -> list[Entry]:
        """Rows of a UNION table: columns match the anchor's by name, and are NULL where it has none."""
        names = [column.name for column in window_keys(window)]
        rows: list[Entry] = []
        for row in self._rows(source.table, source.inner):
            order = row.values[window.order.name]
            if order is None or [row.values[name] for name in names] != keys:
                continue
            if self._in_order(row, order, anchor, now_order):
                inside = Environment({self.query.alias: _Lacking(row.values)})
                rows.append((order, rank, row.seq, inside))
        return rows

    def _from_source(
        self,
        window: Window,
        source: Source,
        anchor: Anchor,
        environment: Environment,
        keys: list[Any],
        now_order: Any,
    ) -> list[Entry]:
        """Visible rows of another table (or of the anchor's own, as another source) under the anchor's key."""
        if any(key is None for key in keys):
            return []
        now = anchor.time
        rows: list[Entry] = []
        for row in self._rows(source.table, source.inner, source.more):
            values = _extended(source.alias, row.values, source.derived, row.time)
            order = values[window.order.name]
            if order is None or [values[key.column] for key in window.partition] != keys:
                continue
            inside = environment.with_row(source.alias, values)
            inside_query = source.name and not source.inner  # its WHERE is written in a query of its own
            run = Run(inside, row.time if inside_query else now)
            passes = source.where is None or run.holds(source.where, inside)
            if passes and self._in_order(row, order, anchor, now_order):
                rows.append((order, 0, (row.seq, row.rank), inside))
        return rows

    def _in_order(self, row: Seen, order: Any, anchor: Anchor, now_order: Any) -> bool:
        """Whether a row is visible in the order of a window, whose column is time for it."""
        if not self.tables[row.table].counts(row.stored, anchor.time):
            return False
        if row.table == self.query.table:
            return bool((order, row.seq) < (now_order, anchor.seq))
        return bool(order < now_order if row.table in self.readers else order <= now_order)

    def _order_of(self, window: Window, anchor: Anchor, environment: Environment) -> Any:
        """The anchor's own order value: its time, or the integer or date column that is time for this window."""
        if window.source and window.order.name == self.tables[window.source.table].time:
            return anchor.time
        row = environment[self.query.alias]
        assert row is not None
        return row[window.order.name]


Entry = tuple[Any, int, Any, Environment]  # order, rank of the source (the anchor's is 0), seq, columns


class _Lacking(dict[str, Any]):
    """A row in which columns that it lacks are NULL."""

    def __missing__(self, name: str) -> None:
        return None


def window_keys(window: Window) -> list[Any]:
    """The anchor's columns that a history window is partitioned by."""
    return [key.anchor for key in window.partition]


def _extended(alias: str, values: Row, derived: tuple[Output, ...], now: datetime | None) -> Row:
    """A row with the columns that a subquery computes from it."""
    if not derived:
        return values
    environment = Environment({alias: values})
    run = Run(environment, now)
    return values | {column.name: run.value(column.expression, environment) for column in derived}


def _in_frame(frame: Frame | None, row: Numbered, now: Any) -> bool:
    if frame is None:  # UNBOUNDED PRECEDING AND CURRENT ROW
        return True
    distance = row.position if frame.unit == "ROWS" else _distance(now, row.order)
    start, end = frame.start, frame.end
    if start.kind == "offset" and not (distance < start.offset if start.open else distance <= start.offset):
        return False
    nearest = 0 if end.kind == "current" else end.offset
    return distance > nearest if end.open else distance >= nearest


def _distance(now: Any, order: Any) -> int:
    """How long ago, in microseconds, or in the units of an integer order column."""
    if now is None:  # only the request row itself is left
        return 0
    if isinstance(now, int):
        return int(now - order)
    return (now - order) // timedelta(microseconds=1)


def _nulls_first(value: Any) -> tuple[bool, Any]:
    return (value is not None, 0 if value is None else value)
