"""Which names a query can use at a place: tables, subqueries and LAST JOINs, and the columns of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.model import FeaturePlan
from workbench.plan.ops import FeatureWindow, Native, Staged
from workbench.plan.tables import SourceTable


@dataclass(frozen=True)
class Relation:
    """A table under an alias, directly or through subqueries that are folded into it.

    ``columns`` maps the visible names to values over ``rows``; ``where`` is the filter of the subqueries on the way.
    With ``plan`` the rows are what that plan makes of the table's, and ``table`` describes those: the base table's
    name, the plan's outputs as columns, and which of them are its times. ``hidden`` are names that the rows have and
    that cannot be read here, each with what to say and what to write instead. ``select`` is the SELECT that made it.
    """

    alias: str
    table: SourceTable
    rows: ops.UnboundTable
    columns: dict[str, ops.Value]
    where: ops.Value | None = None
    plan: FeaturePlan | None = None
    hidden: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)
    select: exp.Expr | None = field(default=None, compare=False)

    def find(self, name: str) -> ops.Value | None:
        """Return the value of a column by its name, in any case, or None."""
        folded = name.casefold()
        for column, value in self.columns.items():
            if column.casefold() == folded:
                return value
        return None

    def refused(self, name: str) -> tuple[str, str] | None:
        """Return why a column of that name, in any case, cannot be read here, and what to write, or None."""
        return next((why for n, why in self.hidden.items() if n.casefold() == name.casefold()), None)

    def stored(self, value: ops.Value) -> str | None:
        """Return the name of a value that is a stored column of the table, or None where it is computed."""
        if not (isinstance(value, ops.Field) and value.rel == self.rows):
            return None
        name = str(value.name)
        return name if self.plan is None or self.plan.passed(name) is not None else None

    def at(self, rows: ops.UnboundTable) -> Relation:
        """Return the relation over other rows of its table: of a history, or of a window or join."""
        columns = {name: at_row(value, self.rows, rows) for name, value in self.columns.items()}
        where = at_row(self.where, self.rows, rows) if self.where is not None else None
        return replace(self, rows=rows, columns=columns, where=where)


def at_row(value: ops.Value, anchor: ops.Relation, rows: ops.Relation) -> ops.Value:
    """Return a value of an anchor row as the value of another row of its table.

    Aggregates and joined columns of that row are as of its own position: the plan below computes them.
    """
    if isinstance(value, ops.Field):
        return ops.Field(rows, value.name) if value.rel == anchor else value
    if isinstance(value, FeatureWindow):
        return Staged(value, rows, value.duckdb_type)
    if isinstance(value, Native):
        args = tuple(at_row(arg, anchor, rows) for arg in value.args)
        return Native(value.kind, value.name, args, value.duckdb_type)
    assert isinstance(value, Staged)
    return Staged(value.value, rows, value.duckdb_type)


def is_windowed(value: ops.Value) -> bool:
    """Whether a value reads aggregates or joined columns."""
    return bool(value.find((FeatureWindow, Staged)))


@dataclass
class Scope:
    """The relations that unqualified names may mean, those that must be qualified, and aliases of the SELECT.

    ``joined`` are relations that a name means where no other has it; ``window`` is the window whose rows these are.
    ``aggregates``: aggregates may be read here, as those of the anchor row.
    """

    relations: list[Relation]
    constants: list[Relation] = field(default_factory=list)
    aliases: dict[str, ops.Value] = field(default_factory=dict)
    joined: list[Relation] = field(default_factory=list)
    window: exp.Expr | None = None
    aggregates: bool = False

    def relation(self, alias: str) -> Relation | None:
        """Return the relation of that alias, in any case, or None."""
        for relation in (*self.relations, *self.joined, *self.constants):
            if relation.alias.casefold() == alias.casefold():
                return relation
        return None

    def candidates(self, name: str) -> Iterator[tuple[Relation, ops.Value]]:
        """Yield every unqualified meaning of a column name."""
        for relations in (self.relations, self.joined):
            found = [
                (relation, value) for relation in relations if (value := relation.find(name)) is not None
            ]
            yield from found
            if found:
                return

    def column_names(self) -> list[str]:
        """Every unqualified column name, for suggestions."""
        return [name for relation in (*self.relations, *self.joined) for name in relation.columns]
