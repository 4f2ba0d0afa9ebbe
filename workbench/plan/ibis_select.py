"""One SELECT that is made of an Ibis expression."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis.expr.operations as ops

from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Column, Expr
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import expression, name


@dataclass
class Select:
    """One SELECT in the making: its columns over the names in its FROM, and what stands beside them.

    ``origin`` is the table in FROM, where there is one; ``fields`` are the columns by the relations that Ibis knows.
    """

    alias: str
    source: str
    origin: SourceTable | None
    columns: dict[str, Expr]
    fields: dict[ops.Relation, dict[str, Expr]] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)
    where: list[Expr] = field(default_factory=list)
    windows: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    groups: list[Expr] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether its rows are those of its table, column by column."""
        same = all(v == Column(self.alias, n, v.type) for n, v in self.columns.items())
        return same and self.origin is not None and not (self.joins or self.where or self.groups)

    @property
    def windowed(self) -> bool:
        """Whether any column is made of a window."""
        return any(made_of_windows(value) for value in self.columns.values())

    def text(self) -> str:
        """The SELECT as text."""
        items = ", ".join(f"{self.write(value)} AS {name(output)}" for output, value in self.columns.items())
        parts = [f"SELECT {items}", f"FROM {self.source}", *self.joins]
        if self.where:
            parts.append(f"WHERE {' AND '.join(self.condition(value) for value in self.where)}")
        if self.groups:
            parts.append(f"GROUP BY {', '.join(self.write(value) for value in self.groups)}")
        used = {
            node.name
            for value in self.columns.values()
            for node in e.walk(value)
            if isinstance(node, AggregateRef)
        }
        windows = [f"{alias} AS ({body})" for body, alias in self.windows.items() if self._named(alias, used)]
        if windows:
            parts.append(f"WINDOW {', '.join(windows)}")
        return "\n".join(parts)

    def _named(self, window: str, used: set[str]) -> bool:
        return any(self.calls[call].endswith(f" OVER {window}") for call in used)

    def write(self, value: Expr) -> str:
        """A value as text, every column by its full name."""
        return expression(value, self._leaf)

    def condition(self, value: Expr) -> str:
        """A value as one of several conditions."""
        return expression(e.Op("and", (e.Literal("", "BOOLEAN"), value), "BOOLEAN"), self._leaf).removeprefix(
            " AND "
        )

    def _leaf(self, node: Column | AggregateRef, qualified: bool) -> str:
        if isinstance(node, AggregateRef):
            return self.calls[node.name]
        return f"{name(node.source)}.{name(node.name)}" if node.source else name(node.name)

    def over(self, call: str, body: str) -> AggregateRef:
        """The value of a call over a window, each named once."""
        window = self.windows.setdefault(body, f"w{len(self.windows)}")
        text = f"{call} OVER {window}"
        for known, written in self.calls.items():
            if written == text:
                return AggregateRef(known, "")
        self.calls[f"a{len(self.calls)}"] = text
        return AggregateRef(f"a{len(self.calls) - 1}", "")


def made_of_windows(value: Expr) -> bool:
    """Whether a value is made of the value of a window."""
    return any(isinstance(node, AggregateRef) for node in e.walk(value))
