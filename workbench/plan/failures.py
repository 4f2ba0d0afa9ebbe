"""What DuckDB's errors mean to the user of a view."""

from __future__ import annotations

import re

import duckdb

from workbench.errors import FunctionError, RowError, WorkbenchError
from workbench.plan.expr import ANCHOR, ROW, AggregateRef, Column, Expr, walk
from workbench.plan.model import FeaturePlan

#: Stands around the message of a Python function: the call and the reason, with U+001E between them.
PYTHON_MARK = "\x1f"
_VALUE_ERRORS = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)


def failure(error: duckdb.Error, plan: FeaturePlan) -> WorkbenchError:
    """Return the error to show: a RowError where a row's value cannot be computed."""
    # An internal error of DuckDB carries a stack trace, which is nothing for users.
    of_function = function_failure(str(error))
    if of_function is not None:
        return of_function
    message = " ".join(str(error).split("Stack Trace")[0].split())
    if isinstance(error, _VALUE_ERRORS):
        if "INT128" in message or "HUGEINT" in message:
            return _sum_overflow(plan)
        return RowError(f"a value cannot be computed: {message}", hint="use TRY_CAST, or NULLIF for divisors")
    if isinstance(error, duckdb.OutOfMemoryException):
        return WorkbenchError(
            f"not enough memory or disk space: {message}", hint="select fewer rows, or free disk space"
        )
    return WorkbenchError(f"the features cannot be computed: {message}")


def function_failure(message: str) -> FunctionError | None:
    """Return the error of a Python function that a message of DuckDB or Arrow carries, or None."""
    if PYTHON_MARK not in message:
        return None
    call, _, reason = message.split(PYTHON_MARK)[1].partition("\x1e")
    return FunctionError(f"{call} failed: {reason}", call.partition("(")[0])


def sentence(error: duckdb.Error) -> str:
    """Return DuckDB's message without its error class, candidate list and the query it was asked."""
    message = re.sub(r"^(\w+ )*Error: ", "", str(error).strip())
    message = re.split(
        r"\n\s*(Candidate functions|Candidate macros|LINE \d+|Did you mean|Stack Trace)", message
    )[0]
    return " ".join(message.split())


def _sums(plan: FeaturePlan, expr: Expr | None, rows: FeaturePlan | None = None) -> bool:
    """Whether an integer sum is behind a value of a plan; ``rows`` is the plan that computes the rows that it reads."""
    for node in walk(expr) if expr is not None else ():
        if isinstance(node, AggregateRef):
            aggregate = next(a for a in plan.aggregates if a.name == node.name)
            seen = plan.window(aggregate.window).source.rows
            if aggregate.cast or any(_sums(plan, value, seen) for value in aggregate.inputs):
                return True
        elif isinstance(node, Column) and node.source in (ANCHOR, ROW):
            below = plan.rows if node.source == ANCHOR else rows
            if below and _sums(below, next(o.expr for o in below.outputs if o.name == node.name)):
                return True
        elif isinstance(node, Column):
            lookup = next(k for k in plan.lookups if k.name == node.source)
            if _sums(plan, dict(lookup.columns)[node.name], lookup.source.rows):
                return True
    return False


def _sum_overflow(plan: FeaturePlan) -> RowError:
    names = [output.name for output in plan.outputs if _sums(plan, output.expr)]
    return RowError(
        f"an integer sum does not fit BIGINT ({' or '.join(names)})",
        hint="sum CAST(x AS DOUBLE) or CAST(x AS DECIMAL(38, 0)) instead",
        field=names[0] if len(names) == 1 else None,
    )
