"""Feature queries as plain data: what the generator draws, the brute-force evaluator runs and ``text.render`` writes.

Nothing here comes from the package under test. Column references carry the alias they belong to, so that evaluation
never has to resolve names; ``qualified`` only says how the text is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# ---- expressions


@dataclass(frozen=True)
class Column:
    """A column of the row behind ``source`` (anchor alias, join alias, or the table of a ``FROM`` window)."""

    source: str
    name: str
    type: str
    qualified: bool = True


@dataclass(frozen=True)
class Literal:
    """A constant; with ``parameter`` it is bound by that name and written ``:name``."""

    value: Any
    type: str
    parameter: str = ""


@dataclass(frozen=True)
class Now:
    """``now()``: the anchor's time."""

    type: str = "TIMESTAMP"


@dataclass(frozen=True)
class Call:
    """An operator, a special form (``case``, ``cast``, ``and`` …) or a scalar function."""

    name: str
    args: tuple[Expression, ...]
    type: str


@dataclass(frozen=True)
class Aggregate:
    """``name(args [ORDER BY order]) [FILTER (WHERE where)] OVER window``; no arguments means ``count(*)``.

    Inside the arguments of another aggregate it is a constant of the anchor and is written without its window. In the
    outputs of a grouped join ``window`` is empty.
    """

    name: str
    args: tuple[Expression, ...]
    type: str
    window: str
    where: Expression | None = None
    distinct: bool = False
    order: tuple[tuple[Expression, bool], ...] = ()  # (value, descending)
    ignore_nulls: bool = False


Expression = Column | Literal | Now | Call | Aggregate

# ---- clauses


@dataclass(frozen=True)
class Output:
    """``expression AS name``, in the SELECT list or in that of a subquery."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Bound:
    """An end of a frame. ``offset`` is a number of rows, of microseconds, or of the integer order column's units."""

    kind: str  # "unbounded", "current" or "offset"
    offset: int = 0
    open: bool = False
    text: str = ""

    def __str__(self) -> str:
        if self.kind == "unbounded":
            return "UNBOUNDED PRECEDING"
        if self.kind == "current":
            return "CURRENT ROW"
        return f"{self.text} OPEN PRECEDING" if self.open else f"{self.text} PRECEDING"


@dataclass(frozen=True)
class Frame:
    unit: str  # "ROWS", "RANGE" or "ROWS_RANGE"
    start: Bound
    end: Bound

    def __str__(self) -> str:
        return f"{self.unit} BETWEEN {self.start} AND {self.end}"


@dataclass(frozen=True)
class PartitionKey:
    """``PARTITION BY column``, or ``source.column = anchor`` in a window over another table."""

    column: str
    anchor: Expression
    explicit: bool = False


@dataclass(frozen=True)
class Source:
    """``FROM table [WHERE condition]`` inside a window, or one of its ``UNION`` tables.

    ``name`` is the CTE that stands for it in the text, or its alias. With ``inner`` the rows are what that query gives
    for the rows of its table; ``more`` adds those of others (``UNION ALL``).
    """

    table: str
    where: Expression | None = None
    name: str = ""
    derived: tuple[Output, ...] = ()
    inner: Query | None = None
    more: tuple[Query, ...] = ()

    @property
    def alias(self) -> str:
        return self.name or self.table


@dataclass(frozen=True)
class Window:
    name: str
    partition: tuple[PartitionKey, ...]
    order: Column
    frame: Frame | None = None
    maxsize: int | None = None
    exclude_current_row: bool = False
    source: Source | None = None
    inline: bool = False
    union: tuple[Source, ...] = ()
    exclude_current_time: bool = False
    instance_not_in_window: bool = False


@dataclass(frozen=True)
class Join:
    """``LAST JOIN table AS alias [ORDER BY order] ON keys [AND conditions]``.

    ``where`` is a filter on the right side, written as a subquery or, when ``cte`` names one, before the query. With
    ``inner`` the right side is another query; with ``group`` it is grouped by the key columns.
    """

    alias: str
    table: str
    keys: tuple[tuple[Column, Expression], ...]  # (column of the right side, value of the anchor's side)
    conditions: tuple[Expression, ...] = ()
    order: Column | None = None
    where: Expression | None = None
    cte: str = ""
    derived: tuple[Output, ...] = ()
    inner: Query | None = None
    group: tuple[Output, ...] = ()
    having: Expression | None = None


@dataclass(frozen=True)
class Query:
    """One SELECT. With ``inner`` its FROM is another query over the same ``table``.

    Inside another query it is written as a subquery, or under its ``name`` as a CTE or as a view (``written``).
    """

    table: str
    alias: str
    outputs: tuple[Output, ...]
    joins: tuple[Join, ...] = ()
    where: tuple[Expression, ...] = ()
    windows: tuple[Window, ...] = ()
    where_in: str = "query"  # where its WHERE is written: "query", "subquery" or "cte"
    derived: tuple[Output, ...] = ()  # columns that this subquery or CTE adds
    inner: Query | None = None
    name: str = ""
    written: str = "subquery"  # "subquery", "cte" or "view"

    def window(self, name: str) -> Window:
        return next(window for window in self.windows if window.name == name)


# ---- parts


def direct(query: Query) -> list[Query]:
    """The queries that stand in this one in the place of a table."""
    sources = [source for w in query.windows for source in (w.source, *w.union) if source]
    parts = [query.inner, *(join.inner for join in query.joins), *(source.inner for source in sources)]
    return [part for part in (*parts, *(more for source in sources for more in source.more)) if part]


def parameters(query: Query) -> dict[str, Any]:
    """The bound values of a query by name."""
    return {
        node.parameter: node.value for node in nodes(query) if isinstance(node, Literal) and node.parameter
    }


def nodes(query: Query) -> Iterator[Expression]:
    """All expressions of a query and of those inside it, with their parts."""
    stack: list[Expression] = [output.expression for output in (*query.outputs, *query.derived)]
    stack += query.where
    for join in query.joins:
        stack += [*join.conditions, *(side for key in join.keys for side in key), *maybe(join.order)]
        stack += [
            *maybe(join.where),
            *maybe(join.having),
            *(output.expression for output in (*join.derived, *join.group)),
        ]
    for window in query.windows:
        stack += [key.anchor for key in window.partition]
        for source in (window.source, *window.union):
            if source:
                stack += [*maybe(source.where), *(output.expression for output in source.derived)]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Call | Aggregate):
            stack += node.args
        if isinstance(node, Aggregate):
            stack += [*maybe(node.where), *(value for value, _ in node.order)]
    for part in direct(query):
        yield from nodes(part)


def maybe(condition: Expression | None) -> tuple[Expression, ...]:
    return () if condition is None else (condition,)
