"""The two operations that feature queries add to Ibis's tree. Private: users see lowered expressions.

``Native`` is a DuckDB scalar function or operator typed by DuckDB's own binder (Ibis's typing of operators differs from
DuckDB's in places, and values must be DuckDB's). ``FeatureWindow`` is an aggregate over a feature window, or a column
of a LAST JOIN. Everything else of the tree (tables, fields, projections, filters) is Ibis's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis.expr.datashape as ds
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
from ibis.backends.sql.datatypes import DuckDBType
from ibis.common.annotations import attribute
from ibis.common.collections import FrozenOrderedDict
from ibis.common.typing import VarTuple

from workbench.plan.model import FeaturePlan, Frame
from workbench.plan.tables import SourceTable
from workbench.values.types import canonical


class Native(ops.Value):
    """``kind`` is a node kind of :mod:`workbench.plan.expr` (call, op, sql, literal); ``name`` its name or text.

    The kind ``signature`` marks an output: ``name`` is what its one argument is to a model.
    """

    kind: str
    name: str
    args: VarTuple[ops.Value]
    duckdb_type: str

    shape = ds.columnar

    @property
    def dtype(self) -> dt.DataType:
        """Ibis's name of the type."""
        return ibis_type(self.duckdb_type)


@dataclass(frozen=True)
class RowSource:
    """The rows of a window or lookup: a table under a name of its own, and the condition on its rows.

    ``rows`` is the relation whose fields mean "a row of the window" (an anchor's field means the anchor row). With
    ``plan`` the rows are not the table's but what that plan makes of them; see :class:`workbench.plan.model.Source`.
    """

    table: str
    time: str | None
    own: bool
    rows: ops.UnboundTable
    where: ops.Value | None = None
    delay: int = 0
    ttl: int | None = None
    plan: FeaturePlan | None = None


@dataclass(frozen=True)
class UnionSpec:
    """A table of WINDOW ... UNION: its rows, and what stands for the columns of the window's rows over them.

    A column of the window's rows is a field of them, or :class:`Staged`.
    """

    source: RowSource
    columns: tuple[tuple[ops.Value, ops.Value], ...]
    beside: bool = False


@dataclass(frozen=True)
class WindowSpec:
    """A window as the query says it; see :class:`workbench.plan.model.Window`."""

    source: RowSource
    history: bool
    keys: tuple[tuple[str, ops.Value], ...]
    order: str | None
    order_anchor: ops.Value | None
    frame: Frame
    maxsize: int | None = None
    exclude_current_row: bool = False
    exclude_current_time: bool = False
    instance_not_in_window: bool = False
    union: tuple[UnionSpec, ...] = ()


@dataclass(frozen=True)
class LookupSpec:
    """A LAST JOIN as the query says it; see :class:`workbench.plan.model.Lookup`. ``alias`` tells equal joins apart."""

    alias: str
    source: RowSource
    keys: tuple[tuple[str, ops.Value], ...]
    order: str | None
    timed: bool = True
    null_keys: bool = False


class FeatureWindow(ops.Value):
    """``function`` of ``args`` over ``spec``; for a :class:`LookupSpec`, the value of ``args[0]`` in the found row.

    ``order`` is an ORDER BY inside the aggregate, ``directions`` say of each value (descending, nulls first).
    ``written`` is the call that it is a part of, in the query's words.
    """

    function: str
    args: VarTuple[ops.Value]
    spec: Any
    anchor: ops.Relation
    duckdb_type: str
    distinct: bool = False
    where: ops.Value | None = None
    cast: bool = False
    order: VarTuple[ops.Value] = ()
    directions: VarTuple[Any] = ()
    written: str = ""

    shape = ds.columnar

    @property
    def dtype(self) -> dt.DataType:
        """Ibis's name of the type."""
        return ibis_type(self.duckdb_type)

    @attribute
    def relations(self) -> frozenset[ops.Relation]:
        """A feature window is a column of the anchor, whatever tables it reads."""
        return frozenset({self.anchor})


class Staged(ops.Value):
    """A value of an anchor row as a column that the plan below computes.

    ``rows`` says of which row: the anchor's relation for the anchor row, the history's for a row of a history window,
    as of its own position. ``value`` is over the anchor row in both cases.
    """

    value: Any
    rows: ops.Relation
    duckdb_type: str

    shape = ds.columnar

    @property
    def dtype(self) -> dt.DataType:
        """Ibis's name of the type."""
        return ibis_type(self.duckdb_type)

    @attribute
    def relations(self) -> frozenset[ops.Relation]:
        """The relation of the row that it is a value of."""
        return frozenset({self.rows})


def ibis_type(duckdb_type: str) -> dt.DataType:
    """Return Ibis's type for a DuckDB type's text."""
    return DuckDBType.from_string(duckdb_type)


def duckdb_type(dtype: dt.DataType) -> str:
    """Return DuckDB's text for an Ibis type."""
    return "INTERVAL" if dtype.is_interval() else canonical(str(DuckDBType.to_string(dtype)))


def relation(table: SourceTable, role: str) -> ops.UnboundTable:
    """Return a table as a relation; ``role`` ("anchor" or "row") keeps the two apart when both are one table."""
    schema = FrozenOrderedDict({name: ibis_type(kind) for name, kind in table.columns.items()})
    namespace = ops.Namespace(database=role) if role != "anchor" else ops.Namespace()
    return ops.UnboundTable(name=table.name, schema=schema, namespace=namespace)
