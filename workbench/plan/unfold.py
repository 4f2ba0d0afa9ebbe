"""The relations of a view's Ibis tree: projections and filters inlined, down to the anchor's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import ibis.expr.operations as ops

from workbench.errors import DefinitionError
from workbench.plan.tables import SourceTable

K = TypeVar("K")


@dataclass(frozen=True)
class Unfolded:
    """A view as values over its anchor: output columns by name, and the conditions on anchor rows."""

    anchor: SourceTable
    outputs: dict[str, ops.Value]
    filters: list[ops.Value]


def unfold(root: ops.Relation, tables: Mapping[str, SourceTable]) -> Unfolded:
    """Return a tree of projections and filters as values over the table below it.

    Parameters
    ----------
    root
        The tree.
    tables
        The project's tables by folded name.

    Raises
    ------
    DefinitionError
        When something else stands in the tree, or the table is not one of the project's.
    """
    node = root
    values: dict[str, ops.Value] | None = None
    filters: list[ops.Value] = []
    while not isinstance(node, ops.PhysicalTable):
        if isinstance(node, ops.Project):
            below = dict(node.values)
            values = below if values is None else _inlined(values, node, below)
            filters = list(_inlined(dict(enumerate(filters)), node, below).values())
            node = node.parent
        elif isinstance(node, ops.Filter | ops.DropColumns):
            parent_fields = {name: ops.Field(node.parent, name) for name in node.schema}
            values = _inlined(values, node, parent_fields) if values is not None else parent_fields
            filters = [
                *(node.predicates if isinstance(node, ops.Filter) else ()),
                *_inlined(dict(enumerate(filters)), node, parent_fields).values(),
            ]
            node = node.parent
        else:
            raise DefinitionError(
                f"{type(node).__name__} has no online form",
                hint="a feature view projects and filters one table, with windows and last joins",
            )
    if isinstance(node, ops.InMemoryTable):
        raise DefinitionError(
            "a DataFrame cannot be the anchor of a view in this version",
            hint="project.create_table(name, frame, time=...), then ibis.table(schema, name=name)",
        )
    name = str(node.name)
    table = tables.get(name.casefold())
    if table is None:
        raise DefinitionError(f"no table {name!r} in this project")
    return Unfolded(
        table, values if values is not None else {n: ops.Field(node, n) for n in node.schema}, filters
    )


def _inlined(
    values: Mapping[K, ops.Value], relation: ops.Relation, below: Mapping[str, ops.Value]
) -> dict[K, ops.Value]:
    """Values over ``relation`` as values over what lies below it."""
    fields = {ops.Field(relation, name): value for name, value in below.items()}
    fields[relation] = relation.parent
    return {key: value.replace(fields) for key, value in values.items()}
