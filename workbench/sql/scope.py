"""Which names a query can use at a place: tables, subqueries and LAST JOINs, and the columns of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import ibis.expr.operations as ops

from workbench.plan.tables import SourceTable


@dataclass(frozen=True)
class Relation:
    """A base table (directly or through subqueries that only project and filter) under an alias.

    ``columns`` maps the visible names to values over ``rows``; ``where`` is the filter of the subqueries on the way.
    """

    alias: str
    table: SourceTable
    rows: ops.UnboundTable
    columns: dict[str, ops.Value]
    where: ops.Value | None = None

    def find(self, name: str) -> ops.Value | None:
        """Return the value of a column by its name, in any case, or None."""
        folded = name.casefold()
        for column, value in self.columns.items():
            if column.casefold() == folded:
                return value
        return None


@dataclass
class Scope:
    """The relations that unqualified names may mean, those that must be qualified, and aliases of the SELECT.

    ``joined`` are relations of the query that cannot be named here; they are known for a better message.
    """

    relations: list[Relation]
    constants: list[Relation] = field(default_factory=list)
    aliases: dict[str, ops.Value] = field(default_factory=dict)
    joined: list[Relation] = field(default_factory=list)

    def relation(self, alias: str) -> Relation | None:
        """Return the relation of that alias, in any case, or None."""
        for relation in (*self.relations, *self.constants):
            if relation.alias.casefold() == alias.casefold():
                return relation
        return None

    def candidates(self, name: str) -> Iterator[tuple[Relation, ops.Value]]:
        """Yield every unqualified meaning of a column name."""
        for relation in self.relations:
            value = relation.find(name)
            if value is not None:
                yield relation, value

    def column_names(self) -> list[str]:
        """Every unqualified column name, for suggestions."""
        return [name for relation in self.relations for name in relation.columns]
