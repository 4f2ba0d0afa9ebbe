"""Scalars: the expressions of a plan as generated Python functions that give exactly DuckDB's values.

A function is made once for a plan and takes some microseconds where DuckDB takes about a millisecond. What cannot be
computed exactly is :class:`Unsupported` when the function is made; a value that DuckDB would refuse, or that is out of
the ordinary, raises one of :data:`FAILURES` when it is called, and the reference driver answers instead.

>>> from workbench.plan.expr import Column, Literal, Op
>>> half = compile_row([Op("/", (Column("row", "a", "BIGINT"), Literal("2", "INTEGER")), "DOUBLE")], {"a": "BIGINT"})
>>> half([3]), half([None])
((1.5,), (None,))
"""

from workbench.online.scalars.compile import ScalarFunction, compile_keys, compile_outputs, compile_row
from workbench.online.scalars.failures import FAILURES, NotHere
from workbench.online.scalars.value import Unsupported

__all__ = [
    "FAILURES",
    "NotHere",
    "ScalarFunction",
    "Unsupported",
    "compile_keys",
    "compile_outputs",
    "compile_row",
]
