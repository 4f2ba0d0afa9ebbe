"""What expressions are worth for one anchor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .aggregates import AGGREGATES
from .catalogue import CATALOGUE, OF_ANCHOR, Fed
from .query import Aggregate, Call, Column, Expression, Literal, Now
from .scalars import LAZY, NULL_AWARE, STRICT, cast, typed

Row = dict[str, Any]


class Environment(dict[str, Any]):
    """Rows by alias; None is a join without a match. A join is looked up when it is first read."""

    def __init__(self, rows: Mapping[str, Row | None]) -> None:
        super().__init__(rows)
        self._joins: dict[str, Callable[[], Row | None]] = {}

    def later(self, alias: str, row: Callable[[], Row | None]) -> None:
        self._joins[alias] = row

    def with_row(self, alias: str, row: Row) -> Environment:
        """The same, with another row beside."""
        inside = Environment(self | {alias: row})
        inside._joins = {name: lambda name=name: self[name] for name in self._joins if name != alias}
        return inside

    def __missing__(self, alias: str) -> Row | None:
        self[alias] = self._joins[alias]()
        return self[alias]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Numbered:
    """A row inside a window: position (0 = the request row), order value, and what its columns mean."""

    position: int
    order: Any
    environment: Environment


@dataclass(frozen=True)
class WindowRows:
    """What a window holds for one anchor: the rows that aggregates are fed (oldest first), and all by position."""

    chosen: list[Numbered]
    by_position: dict[int, Numbered]


class Run:
    """Evaluates expressions for one anchor; NULL is None and logic is three-valued."""

    def __init__(
        self,
        environment: Environment,
        now: datetime | None,
        window: Callable[[str], WindowRows] | None = None,
    ) -> None:
        self.environment = environment
        self.now = now
        self.window = window
        self._rows: dict[str, WindowRows] = {}

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
        fed = [
            (tuple(self.value(arg, row.environment) for arg in node.args), row)
            for row in rows.chosen
            if node.where is None or self.holds(node.where, row.environment)
        ]
        if node.ignore_nulls:
            fed = [entry for entry in fed if entry[0][0] is not None]
        for value, descending in reversed(node.order):  # of equal ones, the one fed first stays first
            fed = self._sorted(fed, value, descending)
        inputs = [values for values, _ in fed]
        if node.name in CATALOGUE:
            return self._own(node, fed)
        if node.distinct:
            inputs = list(dict.fromkeys(inputs))
        return AGGREGATES[node.name](inputs)

    def _own(self, node: Aggregate, fed: list[Any]) -> Any:
        """An aggregate of the language's own."""
        of_anchor = node.name in OF_ANCHOR
        anchor = tuple(
            self.value(arg, self.environment) if of_anchor or isinstance(arg, Literal) else None
            for arg in node.args
        )
        return CATALOGUE[node.name](Fed([v for v, _ in fed], [row.order for _, row in fed], self.now, anchor))

    def _sorted(self, fed: list[Any], value: Expression, descending: bool) -> list[Any]:
        """By a value, NULL last whatever the direction."""
        keyed = [(self.value(value, row.environment), values, row) for values, row in fed]
        known = [entry for entry in keyed if entry[0] is not None]
        known.sort(key=lambda entry: entry[0], reverse=descending)
        return [(values, row) for _, values, row in [*known, *(e for e in keyed if e[0] is None)]]

    def _lag(self, node: Aggregate, rows: WindowRows) -> Any:
        """The value at that position: frame, MAXSIZE and EXCLUDE CURRENT_ROW do not apply."""
        position = node.args[1].value if len(node.args) > 1 else 1  # type: ignore[union-attr]
        if node.ignore_nulls:
            before = [row for place, row in sorted(rows.by_position.items()) if place]
            values = [self.value(node.args[0], row.environment) for row in before]
            known = [value for value in values if value is not None]
            default = self.value(node.args[2], self.environment) if len(node.args) > 2 else None
            return known[position - 1] if len(known) >= position else default
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
