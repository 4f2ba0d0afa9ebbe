"""What DuckDB's errors mean to the user of a view."""

from __future__ import annotations

import re

import duckdb

from workbench.errors import RowError, WorkbenchError
from workbench.plan.expr import AggregateRef, walk
from workbench.plan.model import FeaturePlan

_VALUE_ERRORS = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)


def failure(error: duckdb.Error, plan: FeaturePlan) -> WorkbenchError:
    """Return the error to show: a RowError where a row's value cannot be computed."""
    # An internal error of DuckDB carries a stack trace, which is nothing for users.
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


def sentence(error: duckdb.Error) -> str:
    """Return DuckDB's message without its error class, candidate list and the query it was asked."""
    message = re.sub(r"^(\w+ )*Error: ", "", str(error).strip())
    message = re.split(
        r"\n\s*(Candidate functions|Candidate macros|LINE \d+|Did you mean|Stack Trace)", message
    )[0]
    return " ".join(message.split())


def _sum_overflow(plan: FeaturePlan) -> RowError:
    sums = {aggregate.name for aggregate in plan.aggregates if aggregate.cast}
    names = [
        output.name
        for output in plan.outputs
        if any(isinstance(node, AggregateRef) and node.name in sums for node in walk(output.expr))
    ]
    return RowError(
        f"an integer sum does not fit BIGINT ({' or '.join(names)})",
        hint="sum CAST(x AS DOUBLE) or CAST(x AS DECIMAL(38, 0)) instead",
        field=names[0] if len(names) == 1 else None,
    )
