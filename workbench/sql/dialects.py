"""The dialects of feature queries, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from workbench.plan.tables import SourceTable
from workbench.sql.aggregates import Aggregates
from workbench.sql.dialect import parse
from workbench.sql.expressions import Expressions
from workbench.sql.windows import Windows

Prepare = Callable[[exp.Expr, Mapping[str, SourceTable], str], exp.Expr]


def _as_it_is(query: exp.Expr, tables: Mapping[str, SourceTable], text: str) -> exp.Expr:
    return query


@dataclass(frozen=True)
class Dialect:
    """What the text of a query means.

    Parameters
    ----------
    name
        Its name.
    parse
        Returns the tree of a text.
    prepare
        Brings the tree into the form that is translated, given the project's tables by folded name and the text.
    expressions, windows, aggregates
        Translate expressions, the bodies of windows and calls over them.
    timed_joins
        A LAST JOIN sees rows up to the anchor's time, and takes the newest by time; else all rows that are known, and
        the one that arrived last.
    null_keys
        NULL equals NULL in the keys of a LAST JOIN.
    same_row_joins
        A LAST JOIN with a subquery of the anchor's own table is a join of the anchor row with itself.
    repeated_names
        Output columns may have equal names; the later ones get a number.
    ahead
        Windows may look ahead: the query is a label's.
    """

    name: str
    parse: Callable[[str], exp.Expr] = parse
    prepare: Prepare = _as_it_is
    expressions: type[Expressions] = Expressions
    windows: type[Windows] = Windows
    aggregates: type[Aggregates] = Aggregates
    timed_joins: bool = True
    null_keys: bool = False
    same_row_joins: bool = False
    repeated_names: bool = False
    ahead: bool = False


WORKBENCH = Dialect("workbench")
DIALECTS = ("workbench", "openmldb")


def dialect_of(name: str) -> Dialect:
    """Return the dialect of a name of :data:`DIALECTS`."""
    if name == "openmldb":
        from workbench.sql.openmldb import OPENMLDB

        return OPENMLDB
    return WORKBENCH
