"""Functions of texts."""

from __future__ import annotations

from workbench.online.scalars.handlers import operator, simple
from workbench.online.scalars.value import Unsupported, Value
from workbench.online.scalars.writer import Writer
from workbench.plan.expr import Op


@operator("||")
def _joined(w: Writer, op: Op) -> Value:
    left, right = (w.value(arg) for arg in op.args)
    if left.type != "VARCHAR" or right.type != "VARCHAR":
        raise Unsupported(f"{left.type} || {right.type} is not compiled")
    return w.strict([left, right], "({} + {})".format, "VARCHAR")


@simple("length", "len", "strlen")
def _length(w: Writer, value: Value) -> Value:
    if value.type != "VARCHAR":
        raise Unsupported(f"length() of {value.type} is not compiled")
    return w.strict([value], "len({})".format, "BIGINT", low=0, high=2**40)
