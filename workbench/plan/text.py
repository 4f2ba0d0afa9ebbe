"""A plan as a query of the workbench's dialect: what :meth:`workbench.project.Project.define` reads again."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

import msgspec

from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Column, Expr
from workbench.plan.model import Feature, FeaturePlan, Window
from workbench.plan.tables import SourceTable
from workbench.plan.text_expr import expression, name
from workbench.plan.text_names import only_elsewhere, printed_outputs
from workbench.plan.text_windows import Windows

_KEPT = "kept"


def text_of(plan: FeaturePlan, tables: Mapping[str, SourceTable]) -> str:
    """Return a plan as text, from which ``define`` makes the plan again.

    Names that do not count (of windows, aliases and subqueries) are given anew.

    Parameters
    ----------
    plan
        The plan, of whatever text, dialect or Ibis expression.
    tables
        The project's tables by name.

    Raises
    ------
    DefinitionError
        The plan holds something that only another dialect can say.
    """
    return _Query(plan, {table.name: table for table in tables.values()}).text() + "\n"


class _Query(Windows):
    """One SELECT: a plan, or the plan under it."""

    def below(self, plan: FeaturePlan) -> str:
        return "(\n" + indent(_Query(plan, self.tables).text(), "  ") + "\n)"

    def text(self) -> str:
        """Return the SELECT, one clause a line."""
        plan, late = self.plan, self._late()
        if late is not None:
            return self._filtered_outside(late)
        names = printed_outputs(plan)
        items = [self._item(o, str(names[o.name])) for o in plan.outputs if names[o.name] is not None]
        lines = ["SELECT", indent(",\n".join(items), "  "), f"FROM {self._from()}"]
        lines += [self.join(lookup) for lookup in plan.lookups]
        if plan.where is not None and not self._said_below(plan.where):
            lines.append(f"WHERE {self._where(plan.where)}")
        if plan.windows:
            windows = [f"{name(window.name)} AS ({self.window(window)})" for window in plan.windows]
            lines += ["WINDOW", indent(",\n".join(windows), "  ")]
        return "\n".join(lines)

    def _item(self, output: Feature, called: str) -> str:
        text = self.in_select(output.expr)
        if output.kind is not None:
            kind, _, buckets = output.kind.partition(":")
            return f"{kind}({text}{f', {buckets}' if buckets else ''}) AS {name(called)}"
        if isinstance(output.expr, Column) and self.column(output.expr) == called:
            return text
        return f"{text} AS {name(called)}"

    def _from(self) -> str:
        if self.rows is None:
            return name(self.plan.table)
        return f"{self.below(self.rows)} AS {name(self.anchor)}"

    # -- WHERE

    def _where(self, where: Expr) -> str:
        """WHERE, which is that of the history windows too: only there now() and the time are told apart."""
        for window in self._histories():
            history = self.where_of(window.source, window.order)
            assert history is not None
            return expression(history, self.row_leaf(window.source, self.anchor, bool(self.plan.lookups)))
        return self.in_select(where)

    def _histories(self) -> list[Window]:
        return [window for window in self.plan.windows if window.history]

    def _late(self) -> Expr | None:
        """What WHERE says of the anchors alone, after the windows: it stands in a query around this one."""
        where = self.plan.where
        parts = e.conjuncts(where)
        found = {self._of_history(window) for window in self._histories()}
        if len(found) > 1:
            raise only_elsewhere("windows over histories that are filtered otherwise")
        if not found:
            windowed = any(isinstance(node, AggregateRef) for part in parts for node in e.walk(part))
            return where if windowed else None
        (history,) = found
        if where == history or (history is None and where is not None and self._said_below(where)):
            return None
        before = e.conjuncts(history)
        if parts[: len(before)] != before:
            raise only_elsewhere("the history of a window is filtered, and the anchor is not")
        return e.conjunction(*parts[len(before) :])

    def _of_history(self, window: Window) -> Expr | None:
        where = self.where_of(window.source, window.order)
        return e.transform(where, _of_the_anchor) if where is not None else None

    def _filtered_outside(self, late: Expr) -> str:
        plan = self.plan
        before = e.conjuncts(plan.where)[: len(e.conjuncts(plan.where)) - len(e.conjuncts(late))]
        outputs = (*plan.outputs, Feature(_KEPT, late, "BOOLEAN"))
        inner = msgspec.structs.replace(plan, where=e.conjunction(*before), outputs=outputs)
        names = [name(called) for called in printed_outputs(plan).values() if called is not None]
        columns = indent(",\n".join(names), "  ")
        return f"SELECT\n{columns}\nFROM {self.below(inner)} AS {name(self.anchor)}\nWHERE {_KEPT}"

    def _said_below(self, where: Expr) -> bool:
        """Whether the rows of the anchor, and of its history, are already those that WHERE lets pass."""
        rows = self.rows
        if rows is None or rows.where is None:
            return False
        exprs = {output.name: output.expr for output in rows.outputs}
        passed = {node.name: exprs.get(node.name) for node in e.walk(where) if isinstance(node, Column)}
        if any(value is None for value in passed.values()) or e.sources(where) - {e.ANCHOR}:
            return False
        below = e.transform(where, lambda node: passed.get(node.name) if isinstance(node, Column) else None)
        return below == rows.where


def _of_the_anchor(node: Expr) -> Expr | None:
    """A column of a row of the history as that of the anchor."""
    if isinstance(node, Column) and node.source == e.ROW:
        return Column(e.ANCHOR, node.name, node.type)
    return None
