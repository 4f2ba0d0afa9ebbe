"""The columns that kernels read: stored ones, and expressions over one row as columns of an index of their own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from workbench.plan import expr as e
from workbench.plan.expr import Column, Expr, Literal, Op
from workbench.plan.render import plan_sql
from workbench.values.lanes import lane_of as lane

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")

TRUE = Literal("true", "BOOLEAN")
NULL = Literal("NULL", "INTEGER")


def is_integer(kind: str) -> bool:
    """Whether a type's values are integers of at most 64 bits with a sign."""
    return kind in _INTEGERS


def decimal_digits(kind: str) -> tuple[int, int] | None:
    """Return the digits of a DECIMAL and how many of them stand behind the point."""
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]), int(found[2])) if found else None


def derived_name(sql: str) -> str:
    """Return the name of the column that holds an expression over one row.

    >>> derived_name('abs(r."amount")')
    'x_06af3cf352f33516'
    """
    return f"x_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class KernelColumn:
    """One column of a program.

    Parameters
    ----------
    type
        The DuckDB type of its values.
    members
        What it is of a stored row (``row``), for each table that is read; None where it is always NULL.
    request
        What it is of the anchor row itself (``anchor``), which is a row of a history; None in other stages.
    """

    type: str
    members: tuple[Expr | None, ...]
    request: Expr | None = None

    @property
    def lane(self) -> str:
        """The lane of its values."""
        return lane(self.type)

    def name(self, member: int = 0) -> str | None:
        """Return the name of the column in the index of a member, None where it is always NULL."""
        value = self.members[member]
        return None if value is None else column_name(value)


def column_name(value: Expr) -> str:
    """Return the name of the index's column that holds an expression over one row."""
    return value.name if isinstance(value, Column) else derived_name(plan_sql(value))


def is_row_only(value: Expr | None) -> bool:
    """Whether an expression reads nothing but columns of the row."""
    return e.sources(value) <= {e.ROW}


def where_true(condition: Expr | None, value: Expr) -> Expr:
    """Return the value where the condition holds, else NULL."""
    if condition is None:
        return value
    return Op("case", (condition, value, NULL), value.type)


def of_anchor(value: Expr) -> Expr:
    """Return an expression over a row of the anchor's history as one over the anchor row."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Column) and node.source == e.ROW:
            return Column(e.ANCHOR, node.name, node.type)
        return None

    return e.transform(value, change)


def of_member(value: Expr, columns: dict[str, Expr] | None, types: dict[str, str]) -> Expr | None:
    """Return an expression over a merged stage's row as one over the row of a member, None where it is always NULL.

    ``columns`` are the stage's columns over the member's, None where they are the same; ``types`` are the stage's.
    """
    if columns is None:
        return value

    def change(node: Expr) -> Expr | None:
        if not (isinstance(node, Column) and node.source == e.ROW):
            return None
        kind = types.get(node.name) or node.type
        found = columns.get(node.name, NULL)
        if isinstance(found, Column) and not found.type:
            return Column(e.ROW, found.name, kind)
        return found if found.type == kind and found != NULL else Op("cast", (found,), kind)

    if isinstance(value, Column) and value.name not in columns:
        return None
    return e.transform(value, change)


def comparable(row: Expr, anchor: Expr) -> tuple[Expr, Expr] | None:
    """Return both sides of a comparison as values that lanes compare as DuckDB does, or None where none do."""
    left, right = row.type, anchor.type
    if lane(left) != "o" and (left == right or (is_integer(left) and is_integer(right))):
        return row, anchor
    if {left, right} == {"DATE", "TIMESTAMP"}:
        return _as(row, "TIMESTAMP"), _as(anchor, "TIMESTAMP")
    numbers = [kind for kind in (left, right) if kind != "DOUBLE"]
    floating = len(numbers) == 1 and (
        is_integer(numbers[0]) or numbers[0] == "FLOAT" or decimal_digits(numbers[0]) is not None
    )
    return (_as(row, "DOUBLE"), _as(anchor, "DOUBLE")) if floating else None


def _as(value: Expr, kind: str) -> Expr:
    return value if value.type == kind else Op("cast", (value,), kind)
