"""Feature windows and last joins for Ibis expressions: what SQL's clauses are to a text.

What these functions return is ordinary Ibis, with operations of our own in it that :mod:`workbench.plan.ibis_query`
reads. Public as ``workbench.window``, ``workbench.over`` and ``workbench.last_join``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datashape as ds
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.annotations import attribute
from ibis.common.collections import FrozenOrderedDict
from ibis.common.deferred import Deferred, deferrable
from ibis.common.typing import VarTuple
from ibis.expr.builders import WindowBuilder
from ibis.expr.schema import Schema

from workbench.errors import DefinitionError, did_you_mean
from workbench.plan.ibis_bounds import frame_text


class FrameTerms(ops.Value):
    """What a feature window says beyond keys and order; it stands among the keys of Ibis's own window.

    ``frame`` is the frame as text of our dialect, ``words`` the attributes behind it.
    """

    frame: str
    words: str
    union: VarTuple[ops.Relation]

    dtype = dt.boolean
    shape = ds.scalar


class OtherWindow(ops.WindowFunction):
    """An aggregate over another table: a column of ``anchor``. ``rows`` are that table's columns equal to ``keys``."""

    anchor: ops.Relation
    table: ops.Relation
    rows: VarTuple[str]
    keys: VarTuple[ops.Value]
    order: str
    terms: FrameTerms

    @attribute
    def relations(self) -> frozenset[ops.Relation]:
        """A column of the anchor, whatever it reads."""
        return frozenset({self.anchor})


class LastJoined(ops.Relation):
    """Each row of ``left`` with the newest matching row of ``right``; ``order`` is the column it is newest by."""

    left: ops.Relation
    right: ops.Relation
    predicates: VarTuple[ops.Value]
    order: str
    values: FrozenOrderedDict[str, ops.Value]

    @attribute
    def schema(self) -> Schema:
        """The left columns and, nullable, the right ones."""
        return Schema({name: value.dtype.copy(nullable=True) for name, value in self.values.items()})


@dataclass(frozen=True, eq=False)
class OtherRows:
    """The rows of a window ``from_`` another table: the table and, by its key columns, what they equal."""

    table: ir.Table
    keys: Mapping[str, Any]
    order: str


class FeatureWindowBuilder(WindowBuilder):
    """What :func:`window` returns: a window for ``.over()``."""

    terms: FrameTerms
    other: Any = None

    def bind(self, table: Any) -> Any:
        """Bind keys and order to the table of the aggregate, as Ibis asks."""
        if self.other is not None:
            raise DefinitionError(
                "a window from_ another table is not a column of that table",
                hint="write wb.over(expression, window) among the columns of the anchor",
            )
        bound = super().bind(table)
        return bound.copy(groupings=(*bound.groupings, self.terms))


def window(
    *,
    partition_by: Any = (),
    order_by: Any = None,
    rows: Any = None,
    rows_range: Any = None,
    maxsize: int | None = None,
    exclude_current_row: bool = False,
    exclude_current_time: bool = False,
    instance_not_in_window: bool = False,
    from_: ir.Table | None = None,
    union: Sequence[ir.Table] = (),
) -> FeatureWindowBuilder:
    """Return a feature window, for ``.over()`` or :func:`over`.

    Parameters
    ----------
    partition_by
        The key: one column or several. With ``from_`` also a mapping of that table's columns to expressions of the
        anchor; otherwise the anchor's columns of the same names are meant.
    order_by
        The time, date or integer column that orders the rows; it is time for this window.
    rows
        How many positions back the window reaches: ``10``, or ``(10, 1)`` from 10 to 1 rows before the request row,
        which is position 0. None is unbounded.
    rows_range
        How far back in the order: ``"7d"``, ``("7d", "1h")``, ``ibis.interval(days=7)``, a timedelta, or a number
        where the order is an integer. ``"0s OPEN"`` leaves out the bound itself. None is unbounded.
    maxsize
        At most so many rows, the newest, the request row included.
    exclude_current_row, exclude_current_time
        Leave out the request row, or the other rows of its time.
    instance_not_in_window
        Leave out the anchor's stored history, so that only ``union`` (and the request row) is left.
    from_
        A window over this table alone, instead of the anchor's history.
    union
        Tables whose rows are mixed into the history; their columns match by name.

    Raises
    ------
    DefinitionError
        A bound is none, or the combination has no meaning.

    Examples
    --------
    >>> import ibis
    >>> import workbench as wb
    >>> tx = ibis.table({"card": "int64", "amount": "float64", "ts": "timestamp"}, name="tx")
    >>> week = wb.window(partition_by="card", order_by="ts", rows_range="7d")
    >>> tx.select("card", spent_7d=tx.amount.sum().over(week)).columns
    ('card', 'spent_7d')
    """
    if order_by is None:
        raise DefinitionError(
            "a window needs order_by", hint='the column that is time for it, such as order_by="ts"'
        )
    if rows is not None and rows_range is not None:
        raise DefinitionError(
            "a window is bounded by rows or by rows_range, not by both", hint="use maxsize= with it"
        )
    words = [
        word
        for word, said in (
            ("EXCLUDE CURRENT_ROW", exclude_current_row),
            ("EXCLUDE CURRENT_TIME", exclude_current_time),
            ("INSTANCE_NOT_IN_WINDOW", instance_not_in_window),
            (f"MAXSIZE {maxsize}", maxsize is not None),
        )
        if said
    ]
    terms = FrameTerms(frame_text(rows, rows_range), " ".join(words), tuple(table.op() for table in union))
    if from_ is None:
        if isinstance(partition_by, Mapping):
            raise DefinitionError(
                "a mapping of keys belongs to a window from_ another table",
                hint='write partition_by=["card"]',
            )
        return FeatureWindowBuilder(terms=terms).group_by(_listed(partition_by)).order_by(order_by)
    if union:
        raise DefinitionError("a window is from_ one table or a union with the history, not both")
    if not isinstance(order_by, str):
        raise DefinitionError("order_by of a window from_ another table is the name of its column")
    keys = partition_by if isinstance(partition_by, Mapping) else {key: key for key in _names(partition_by)}
    return FeatureWindowBuilder(terms=terms, other=OtherRows(from_, dict(keys), order_by))


def over(expression: Any, window: Any) -> Any:
    """Return an aggregate over a window: ``expression.over(window)``, and for a window ``from_`` another table more.

    Such an aggregate is of that table's columns, and a column of the anchor: use it where the anchor's columns stand.

    Parameters
    ----------
    expression
        An aggregate, or an expression of aggregates.
    window
        A :func:`window`, or one of Ibis's own.

    Raises
    ------
    DefinitionError
        The expression holds no aggregate, or a column stands outside of one.

    Examples
    --------
    >>> import ibis
    >>> import workbench as wb
    >>> tx = ibis.table({"card": "int64", "amount": "float64", "ts": "timestamp"}, name="tx")
    >>> logins = ibis.table({"card": "int64", "device": "string", "at": "timestamp"}, name="logins")
    >>> day = wb.window(from_=logins, partition_by="card", order_by="at", rows_range="1d")
    >>> tx.select("card", logins_1d=wb.over(logins.count(), day)).columns
    ('card', 'logins_1d')
    """
    if isinstance(expression, Deferred) or getattr(window, "other", None) is None:
        return expression.over(window)

    @deferrable(repr="over(...)")
    def bind(anchor: Any) -> Any:
        return _over_other(expression.op(), window, anchor).to_expr()

    return bind(ibis._)


def _over_other(value: ops.Value, window: FeatureWindowBuilder, anchor: ir.Table) -> ops.Value:
    table = window.other.table.op()
    keys = {}
    for row, key in window.other.keys.items():
        if row not in table.schema:
            raise DefinitionError(_no_column(row, table), hint=f"its columns are {', '.join(table.schema)}")
        if isinstance(key, str) and key not in anchor.columns:
            raise DefinitionError(
                f"the anchor has no column {key!r} to match {row!r}",
                hint=f"write partition_by={{{row!r}: <expression of the anchor>}}",
            )
        (bound,) = anchor.bind(key)
        keys[row] = bound.op()

    def aggregate(node: ops.Value) -> OtherWindow:
        return OtherWindow(
            node,
            anchor=anchor.op(),
            table=table,
            rows=tuple(keys),
            keys=tuple(keys.values()),
            order=window.other.order,
            terms=window.terms,
        )

    found = value.find((ops.Reduction, ops.Analytic), filter=ops.Value)
    if not found:
        raise DefinitionError(
            "there is no aggregate to compute over the window", hint="such as logins.count()"
        )
    replaced = value.replace({node: aggregate(node) for node in found})
    if table in replaced.relations:
        raise DefinitionError(
            "a column of the window's table stands outside of any aggregate", hint="aggregate it"
        )
    return replaced


def last_join(
    left: ir.Table,
    right: ir.Table,
    on: Any,
    *predicates: Any,
    order_by: str | None = None,
    rname: str = "{name}_right",
) -> ir.Table:
    """Return each row of ``left`` with the newest matching row of ``right``, as of the left row's time.

    Parameters
    ----------
    left, right
        The tables; a table with itself is joined with ``right=table.view()``.
    on, predicates
        What matches: names of columns that both have, or conditions, as in Ibis's joins. At least one must be an
        equality of a column of ``right`` with an expression of ``left``.
    order_by
        The column of ``right`` that says which row is the newest; by default its time.
    rname
        The name of a right column whose name the left has too; a key of the same name stands once.

    Raises
    ------
    DefinitionError
        A name is unknown, or the tables cannot be told apart.

    Examples
    --------
    >>> import ibis
    >>> import workbench as wb
    >>> tx = ibis.table({"card": "int64", "amount": "float64", "ts": "timestamp"}, name="tx")
    >>> cards = ibis.table({"card": "int64", "ceiling": "float64"}, name="cards")
    >>> joined = wb.last_join(tx, cards, "card")
    >>> joined.select("card", room=joined.ceiling - joined.amount).columns
    ('card', 'room')
    """
    one, other = left.op(), right.op()
    if one == other or other in one.find(ops.Relation):
        raise DefinitionError("the two sides of the join are the same table", hint="join right=table.view()")
    if order_by is not None and order_by not in right.columns:
        raise DefinitionError(_no_column(order_by, other), hint=f"its columns are {', '.join(right.columns)}")
    conditions, shared = [], []
    for part in (*_listed(on), *predicates):
        if isinstance(part, str):
            for table in (one, other):
                if part not in table.schema:
                    raise DefinitionError(_no_column(part, table), hint="name a column that both tables have")
            conditions.append(ops.Equals(ops.Field(one, part), ops.Field(other, part)))
            shared.append(part)
        else:
            conditions.append(_predicate(part, left, right))
    values: dict[str, ops.Value] = {name: ops.Field(one, name) for name in one.schema}
    for name in other.schema:
        if name in shared:
            continue
        visible = name if name not in values else rname.format(name=name)
        if visible in values:
            raise DefinitionError(f"two columns would be named {visible!r}", hint="give another rname=")
        values[visible] = ops.Field(other, name)
    return LastJoined(one, other, tuple(conditions), order_by or "", FrozenOrderedDict(values)).to_expr()


def _predicate(part: Any, left: ir.Table, right: ir.Table) -> ops.Value:
    if callable(part) and not isinstance(part, ir.Value | Deferred):
        part = part(left, right)
    if isinstance(part, tuple) and len(part) == 2:
        (one,), (other,) = left.bind(part[0]), right.bind(part[1])
        part = one == other
    if not isinstance(part, ir.BooleanValue):
        raise DefinitionError(
            "a predicate of a last join is a column's name, a pair, or a condition on columns of both tables",
            hint="such as (tx.card == cards.id)",
        )
    return part.op()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _names(keys: Any) -> list[str]:
    listed = _listed(keys)
    for key in listed:
        if not isinstance(key, str):
            raise DefinitionError(
                "keys of a window from_ another table are names of its columns",
                hint='or a mapping: partition_by={"id": tx.device_id}',
            )
    return listed


def _no_column(name: str, table: ops.Relation) -> str:
    close = did_you_mean(name, list(table.schema))
    called = getattr(table, "name", "the table")
    return f"no column {name!r} in {called}" + (f"; {close}" if close else "")
