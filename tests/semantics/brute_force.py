"""A slow, obvious evaluator of feature queries: the third opinion beside the offline and the online engine.

It is written from the documented semantics alone, in plain Python over lists of rows, and shares no code with the
package. For one anchor it walks every row of every table.

* Rows are ordered by (time, seq). A row x is visible to the anchor r when ``x.time <= r.time``; in the anchor's own
  table when ``(x.time, x.seq) < (r.time, r.seq)``. A request or spine row stands at ``(time, +infinity)``.
* A window is evaluated in this order: sources, visibility, numbering (newest first, request = 0, rows of another table
  from 1), frame, EXCLUDE CURRENT_ROW, MAXSIZE. Aggregates are fed oldest first.
* A LAST JOIN takes the greatest (order, seq) among the visible rows that match the whole ON.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .query import Aggregate, Call, Column, Expression, Frame, Join, Literal, Now, Output, Query, Window
from .scalars import AGGREGATES, LAZY, NULL_AWARE, STRICT, cast, typed

Row = dict[str, Any]
Environment = dict[str, Row | None]  # alias -> its row; None is a join without a match
AT_THE_END = math.inf  # the seq of a row that is not stored: after every stored row of its time


@dataclass(frozen=True)
class Stored:
    """A stored row: its values and its arrival number."""

    seq: int
    values: Row


@dataclass
class Table:
    """A named table; without ``time`` it is ordered by arrival alone."""

    columns: dict[str, str]
    time: str | None
    rows: list[Stored] = field(default_factory=list)

    def known(self, cut: float) -> list[Stored]:
        return [row for row in self.rows if row.seq <= cut]


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
class Numbered:
    """A row inside a window: position (0 = the request row), order value, and what its columns mean."""

    position: int
    order: Any
    environment: Environment


class Evaluator:
    """Answers one query over tables as they were known at ``cut`` (an arrival number)."""

    def __init__(self, tables: dict[str, Table], query: Query, cut: float = math.inf) -> None:
        self.tables = tables
        self.query = query
        self.cut = cut
        self.own = tables[query.table]

    def features(self, anchor: Anchor) -> dict[str, Any] | None:
        """Return the outputs by name, or None when the anchor is filtered by WHERE."""
        environment = self._joined(anchor, anchor.time)
        if not self._passes(environment, anchor.time):
            return None
        run = _Run(environment, anchor.time, lambda name: self._window(name, anchor, environment))
        return {output.name: run.value(output.expression, environment) for output in self.query.outputs}

    # ---- joins

    def _joined(self, anchor: Anchor, now: datetime | None) -> Environment:
        """The anchor with its LAST JOINs, every one of them as of the anchor's own position."""
        query = self.query
        environment: Environment = {query.alias: _extended(query.alias, anchor.values, query.derived, now)}
        for join in query.joins:
            environment[join.alias] = self._last_match(join, anchor, environment, now)
        return environment

    def _last_match(
        self, join: Join, anchor: Anchor, environment: Environment, now: datetime | None
    ) -> Row | None:
        run = _Run(environment, now)
        wanted = [run.value(left, environment) for _, left in join.keys]
        if any(value is None for value in wanted):
            return None
        table = self.tables[join.table]
        matches = []
        for row in table.known(self.cut):
            if not self._visible(join.table, row, anchor):
                continue
            values = _extended(join.alias, row.values, join.derived, now)
            inside = {**environment, join.alias: values}
            same_keys = [values[right.name] for right, _ in join.keys] == wanted
            if same_keys and all(run.holds(condition, inside) for condition in _on(join)):
                matches.append((row.seq, values))
        order = join.order.name if join.order else table.time
        newest = max(
            matches, key=lambda match: (_nulls_first(match[1][order] if order else 0), match[0]), default=None
        )
        return newest[1] if newest else None

    def _visible(self, table: str, row: Stored, anchor: Anchor) -> bool:
        time_column = self.tables[table].time
        if table == self.query.table:
            if time_column is None:
                return row.seq < anchor.seq
            return (row.values[time_column], row.seq) < (anchor.time, anchor.seq)
        if time_column is None:
            return True
        assert anchor.time is not None
        return bool(row.values[time_column] <= anchor.time)

    def _passes(self, environment: Environment, now: datetime | None) -> bool:
        run = _Run(environment, now)
        return all(run.holds(condition, environment) for condition in self.query.where)

    # ---- windows

    def _window(self, name: str, anchor: Anchor, environment: Environment) -> _Rows:
        window = self.query.window(name)
        rows = self._from_table if window.source else self._history
        numbered = rows(window, anchor, environment)
        now_order = self._order_of(window, anchor, environment)
        chosen = [row for row in numbered if _in_frame(window.frame, row, now_order)]
        if window.exclude_current_row:
            chosen = [row for row in chosen if row.position != 0]
        if window.maxsize is not None:
            chosen = chosen[: window.maxsize]
        return _Rows(list(reversed(chosen)), {row.position: row for row in numbered})

    def _history(self, window: Window, anchor: Anchor, environment: Environment) -> list[Numbered]:
        """The request row, then the visible rows of the anchor's table with the same keys (NULL is a key) that pass
        WHERE, newest first. Joined columns of a history row are those it had at its own position."""
        now, now_order = anchor.time, self._order_of(window, anchor, environment)
        keys = _keys(window, environment, now)
        rows = []
        for row in self.own.known(self.cut):
            order = row.values[window.order.name]
            if order is None or now_order is None or not (order, row.seq) < (now_order, anchor.seq):
                continue
            inside = self._joined(stored_anchor(self.own, row), now)
            if self._passes(inside, now) and _keys(window, inside, now) == keys:
                rows.append((order, row.seq, inside))
        rows.sort(key=lambda entry: entry[:2], reverse=True)
        numbered = [Numbered(i, order, inside) for i, (order, _, inside) in enumerate(rows, start=1)]
        return [Numbered(0, now_order, environment), *numbered]

    def _from_table(self, window: Window, anchor: Anchor, environment: Environment) -> list[Numbered]:
        """Visible rows of another table (or of the anchor's own, as another source) under the anchor's key."""
        source = window.source
        assert source
        now, now_order = anchor.time, self._order_of(window, anchor, environment)
        keys = _keys(window, environment, now)
        if any(key is None for key in keys) or now_order is None:
            return []
        own = source.table == self.query.table
        rows = []
        for row in self.tables[source.table].known(self.cut):
            values = _extended(source.alias, row.values, source.derived, now)
            order = values[window.order.name]
            inside = {**environment, source.alias: values}
            if order is None or [values[key.column] for key in window.partition] != keys:
                continue
            seen = (order, row.seq) < (now_order, anchor.seq) if own else order <= now_order
            if seen and (source.where is None or _Run(environment, now).holds(source.where, inside)):
                rows.append((order, row.seq, inside))
        rows.sort(key=lambda entry: entry[:2], reverse=True)
        return [Numbered(i, order, inside) for i, (order, _, inside) in enumerate(rows, start=1)]

    def _order_of(self, window: Window, anchor: Anchor, environment: Environment) -> Any:
        """The anchor's own order value: its time, or the integer or date column that is time for this window."""
        if window.source and window.order.name == self.tables[window.source.table].time:
            return anchor.time
        row = environment[self.query.alias]
        assert row is not None
        return row[window.order.name]


@dataclass(frozen=True)
class _Rows:
    """What a window holds for one anchor: the rows that aggregates are fed (oldest first), and all by position."""

    chosen: list[Numbered]
    by_position: dict[int, Numbered]


def _keys(window: Window, environment: Environment, now: datetime | None) -> list[Any]:
    run = _Run(environment, now)
    return [run.value(key.anchor, environment) for key in window.partition]


def _extended(alias: str, values: Row, derived: tuple[Output, ...], now: datetime | None) -> Row:
    """A row with the columns that a subquery computes from it."""
    if not derived:
        return values
    environment: Environment = {alias: values}
    run = _Run(environment, now)
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


def _on(join: Join) -> tuple[Expression, ...]:
    """All conditions on a match beside its keys."""
    return join.conditions if join.where is None else (*join.conditions, join.where)


def _nulls_first(value: Any) -> tuple[bool, Any]:
    return (value is not None, 0 if value is None else value)


# ---- values


class _Run:
    """Evaluates expressions for one anchor; NULL is None and logic is three-valued."""

    def __init__(
        self,
        environment: Environment,
        now: datetime | None,
        window: Callable[[str], _Rows] | None = None,
    ) -> None:
        self.environment = environment
        self.now = now
        self.window = window
        self._rows: dict[str, _Rows] = {}

    def holds(self, condition: Expression, environment: Environment) -> bool:
        return self.value(condition, environment) is True

    def value(self, node: Expression, environment: Environment) -> Any:
        match node:
            case Column(source, name):
                row = environment[source]
                return None if row is None else row[name]
            case Literal(value):
                return value
            case Now():
                return self.now
            case Call():
                return typed(self._call(node, environment), node.type)
            case Aggregate():
                return typed(self._aggregate(node), node.type)
        raise AssertionError(node)

    def _aggregate(self, node: Aggregate) -> Any:
        if node.window not in self._rows:
            assert self.window
            self._rows[node.window] = self.window(node.window)
        rows = self._rows[node.window]
        if node.name == "lag":
            return self._lag(node, rows)
        inputs = [
            tuple(self.value(arg, row.environment) for arg in node.args)
            for row in rows.chosen
            if node.where is None or self.holds(node.where, row.environment)
        ]
        if node.distinct:
            inputs = list(dict.fromkeys(inputs))
        return AGGREGATES[node.name](inputs)

    def _lag(self, node: Aggregate, rows: _Rows) -> Any:
        """The value at that position: frame, MAXSIZE and EXCLUDE CURRENT_ROW do not apply."""
        position = node.args[1].value if len(node.args) > 1 else 1  # type: ignore[union-attr]
        if position in rows.by_position:
            return self.value(node.args[0], rows.by_position[position].environment)
        return self.value(node.args[2], self.environment) if len(node.args) > 2 else None

    def _call(self, node: Call, environment: Environment) -> Any:
        lazy = LAZY.get(node.name)
        if lazy:
            return lazy([lambda arg=arg: self.value(arg, environment) for arg in node.args])
        values = [self.value(arg, environment) for arg in node.args]
        if node.name in NULL_AWARE:
            return NULL_AWARE[node.name](*values)
        if any(value is None for value in values):
            return None
        if node.name in ("cast", "try_cast"):
            return cast(values[0], node.type)
        return STRICT[node.name](*values)
