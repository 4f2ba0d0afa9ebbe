"""The feature plan: what one view computes, in the form that both the offline and the online side run.

A plan is data: frozen structs that read and write JSON. It is made by :mod:`workbench.plan.analyze` from the Ibis tree
of a view and is all that a deployment stores besides the text of the query. Nothing here imports Ibis.
"""

from __future__ import annotations

import hashlib
from typing import Any
from typing import Literal as OneOf

import msgspec

from workbench.plan import expr as e
from workbench.plan.expr import Expr, Literal
from workbench.plan.kinds import Kind, parse_kind

#: What a plan without ``format`` has: defaults are left out of the JSON, so this one stays as it is.
FORMAT = 1


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A base table as a window or lookup reads it.

    ``own`` says that it is the anchor's own table, where rows are visible strictly before the anchor's (time, seq).
    ``where`` names columns of the row (``row``), and may name columns of the anchor as constants. A row becomes known
    ``delay`` microseconds after its time, and is visible for ``ttl`` microseconds; both hold where the source is
    ordered by its time, and stand in ``where`` otherwise.

    With ``rows`` the source is *derived*: not the stored table but the output of that plan for each of the table's
    rows, as an anchor of its own (time, seq); rows that the plan's WHERE leaves out are not there. All names that a
    window or lookup uses of the source (``time`` too) are then names of that plan's outputs. Keys, orders and times
    pass stored columns through, so that :meth:`stored` says which index finds the rows.
    """

    table: str
    time: str | None
    own: bool = False
    where: Expr | None = None
    delay: int = 0
    ttl: int | None = None
    rows: FeaturePlan | None = None

    def stored(self, name: str) -> str:
        """Return the table's column behind a key, order or time column of the source."""
        return name if self.rows is None else self.rows.stored(name)


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """``row`` (a column of the source) equals ``anchor`` (an expression over the anchor row and earlier lookups)."""

    row: str
    anchor: Expr


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """Positions (``rows``) or ages (``range``) before the anchor row, closed at both ends; ``start`` None is unbounded.

    Ages are microseconds for times and dates and plain numbers for integer order columns. With ``ahead`` (labels only)
    both are counted after the anchor row, ``start`` is the far end, and the rows are those that the anchor does not
    see: of a greater (order, seq) in its own table, of a greater order in others.
    """

    unit: OneOf["rows", "range"]
    start: int | None
    end: int
    ahead: bool = False


class Union(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another table whose rows are in a window; ``columns`` gives the column names of the window's own rows over its.

    Keys and order are columns of the source that pass stored ones through; columns that it lacks are NULL. Among rows
    of the same order those of the source before it are nearer; ``beside`` it, the later arrival is, as in one table.
    """

    source: Source
    columns: tuple[tuple[str, Expr], ...]
    beside: bool = False

    def stored(self, name: str) -> str:
        """Return the source's column behind a key or order column of the anchor."""
        value = dict(self.columns)[name]
        assert isinstance(value, e.Column)
        return value.name


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows that an aggregate sees.

    ``history``: the window is over the anchor's own table and the anchor row is position 0 of it; otherwise it is over
    another table alone and stored rows count from 1. ``order`` is the column that is time for this window;
    ``order_anchor`` is the anchor's value of it. Both are None in a window by arrival: its frame counts rows or is
    unbounded, every age is 0, and of the anchor's own table the rows of a smaller seq are in it. ``union`` adds rows
    of other tables to a history window; ``exclude_current_time`` drops the other rows of the anchor's time,
    ``instance_not_in_window`` the anchor's stored history (the anchor row itself stays in both).
    """

    name: str
    source: Source
    history: bool
    keys: tuple[Key, ...]
    order: str | None
    order_anchor: Expr | None
    frame: Frame
    maxsize: int | None = None
    exclude_current_row: bool = False
    exclude_current_time: bool = False
    instance_not_in_window: bool = False
    union: tuple[Union, ...] = ()


class Lookup(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most one row of a source: of the visible rows with equal keys, the one with the greatest (order, seq).

    ``order`` None means by arrival. ``columns`` maps the names by which the plan reads it to expressions over the row.
    Not ``timed``: all rows that are known are visible, whatever the anchor's time (of the anchor's own table, those
    that arrived before it). ``null_keys``: NULL equals NULL in its keys.
    """

    name: str
    source: Source
    keys: tuple[Key, ...]
    order: str | None
    columns: tuple[tuple[str, Expr], ...]
    timed: bool = True
    null_keys: bool = False


class SortKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value of an ORDER BY inside an aggregate; NULLs come last unless it says otherwise."""

    value: Expr
    descending: bool = False
    nulls_first: bool = False


class Aggregate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A DuckDB aggregate function over the rows of one window; ``type`` is the type it is cast to where ``cast``.

    ``order`` is the order in which an order-dependent function is fed; equal values of it, and rows without any, come
    oldest first. ``written`` is the call that it is a part of, as the query says it: no part of the plan's identity.
    """

    name: str
    window: str
    function: str
    args: tuple[Expr, ...]
    type: str
    distinct: bool = False
    where: Expr | None = None
    cast: bool = False
    order: tuple[SortKey, ...] = ()
    written: str = ""

    @property
    def inputs(self) -> tuple[Expr | None, ...]:
        """Every expression that is computed of a row: the arguments, the condition, the order."""
        return (*self.args, self.where, *(key.value for key in self.order))


class Feature(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output column; ``kind`` is what the query says it is to a model (see :mod:`workbench.plan.kinds`)."""

    name: str
    expr: Expr
    type: str
    kind: str | None = None


class ViewRef(msgspec.Struct, frozen=True):
    """A view that the query named, as it was then; ``version`` 0 is a draft."""

    view: str
    version: int
    plan_hash: str

    def __str__(self) -> str:
        return f"{self.view}@{self.version or 'draft'}"


class FeaturePlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one feature view computes.

    ``anchor_columns`` are the columns of the anchor's table that the view reads, with their types. ``where`` filters
    anchor rows, and through the sources of history windows the history as well.

    With ``rows`` the anchor row of this plan is the output row of that plan for the same request or stored row, at the
    same position: ``anchor_columns`` are then outputs of it, ``time`` is the one that passes the table's time through,
    and a row that its WHERE leaves out is left out here. ``table`` is the base table all the same.

    ``views`` and ``params`` say where the plan came from; what they stood for is in the plan itself, so they are no
    part of its identity.
    """

    table: str
    time: str | None
    anchor_columns: tuple[tuple[str, str], ...]
    where: Expr | None
    lookups: tuple[Lookup, ...]
    windows: tuple[Window, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Feature, ...]
    dialect: str = "workbench"
    format: int = FORMAT
    rows: FeaturePlan | None = None
    views: tuple[ViewRef, ...] = ()
    params: tuple[tuple[str, Literal], ...] = ()

    @property
    def base(self) -> FeaturePlan:
        """The plan whose anchor rows are the table's own: this one, or that of the innermost ``rows``."""
        return self if self.rows is None else self.rows.base

    @property
    def features(self) -> dict[str, str]:
        """Output names and their DuckDB types, in order."""
        return {feature.name: feature.type for feature in self.outputs}

    @property
    def kinds(self) -> dict[str, Kind]:
        """What outputs are to a model, where the query says it."""
        return {feature.name: parse_kind(feature.kind) for feature in self.outputs if feature.kind}

    @property
    def request_columns(self) -> dict[str, str]:
        """Columns of the table that a request carries, with their DuckDB types; the time column may be left out."""
        return dict(self.base.anchor_columns)

    @property
    def hash(self) -> str:
        """The identity of a version: equal plans have equal hashes, whatever the text's comments and layout."""
        identity = msgspec.json.encode(msgspec.structs.replace(self, views=(), params=()))
        if b'"written":' in identity:
            identity = msgspec.json.encode(_unwritten(msgspec.json.decode(identity)))
        return hashlib.sha256(identity).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def from_json(text: str | bytes) -> FeaturePlan:
        """Read what :meth:`to_json` wrote."""
        return msgspec.json.decode(text, type=FeaturePlan)

    def window(self, name: str) -> Window:
        """Return the window of that name."""
        return next(window for window in self.windows if window.name == name)

    def passed(self, name: str) -> str | None:
        """Return the table's column that an output passes through unchanged, or None when it is computed."""
        expr = next(output.expr for output in self.outputs if output.name == name)
        if not (isinstance(expr, e.Column) and expr.source == e.ANCHOR):
            return None
        return expr.name if self.rows is None else self.rows.passed(expr.name)

    def stored(self, name: str) -> str:
        """Return the table's column behind an output that passes one through."""
        column = self.passed(name)
        assert column is not None, f"{name} is computed"
        return column

    @property
    def drops(self) -> bool:
        """Whether rows may be left out: by its own WHERE or by that of a plan that its anchor rows come from."""
        return self.where is not None or (self.rows is not None and self.rows.drops)

    def sources(self) -> list[Source]:
        """Every source of the plan's own windows, unions and lookups, without those inside derived ones."""
        windows = [source for w in self.windows for source in (w.source, *(u.source for u in w.union))]
        return [*windows, *(lookup.source for lookup in self.lookups)]

    def derived(self) -> list[FeaturePlan]:
        """The plans right below this one: of its anchor rows, then of its sources."""
        below = [self.rows, *(source.rows for source in self.sources())]
        return list(dict.fromkeys(plan for plan in below if plan is not None))

    def nested(self) -> list[FeaturePlan]:
        """This plan and all below it, each once, those before that others stand on."""
        below = [plan for derived in self.derived() for plan in derived.nested()]
        return list(dict.fromkeys([*below, self]))

    def tables(self) -> list[str]:
        """Names of the tables that the view reads, the anchor's first."""
        names = [self.table, *(source.table for source in self.sources())]
        for plan in self.derived():
            names += plan.tables()
        return list(dict.fromkeys(names))

    def columns_of(self, part: Window | Lookup) -> set[str]:
        """Names of the source's columns that the plan reads of a window or lookup, its order and time included.

        Of a derived source they are names of its plan's outputs.
        """
        values: list[Expr | None] = [part.source.where]
        if isinstance(part, Lookup):
            values += [value for _, value in part.columns]
        else:
            for aggregate in self.aggregates:
                if aggregate.window == part.name:
                    values += aggregate.inputs
        read = {key.row for key in part.keys}.union(*(e.columns(value, e.ROW) for value in values))
        return read | {name for name in (part.order, part.source.time) if name}


def _unwritten(value: Any) -> Any:
    """A plan as plain data, without the words of the query."""
    if isinstance(value, dict):
        return {key: _unwritten(inner) for key, inner in value.items() if key != "written"}
    return [_unwritten(inner) for inner in value] if isinstance(value, list) else value
