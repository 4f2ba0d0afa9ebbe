"""OpenMLDB's instance functions: a whole row as one line of text that a trainer reads.

``csv(...)``, ``libsvm(...)`` and ``gcformat(...)`` stand around signatures; the lines are those that the writers of a
result give with ``format="openmldb"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.kinds import Kind, is_integer, parse_kind
from workbench.plan.render import text
from workbench.sql import catalogue
from workbench.sql.expansion import filled
from workbench.sql.signatures import is_signature, marked

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions

#: Fingerprints are signed, buckets are of the same bits without a sign.
_UNSIGNED = (1 << 64) - 1


@dataclass(frozen=True)
class _Part:
    """One argument: what it is to a model, and its value: a number, or the hash or bucket of a discrete one."""

    kind: Kind
    value: ops.Value

    @property
    def slots(self) -> int:
        """How many slots of a LIBSVM line it takes."""
        return 1 if self.kind.name == "continuous" else self.kind.buckets or 0


def instance(
    x: OpenMLDBExpressions, node: exp.Anonymous, translate: Callable[[exp.Expr], ops.Value]
) -> ops.Value:
    """Return the line that an instance function makes of its signatures.

    Parameters
    ----------
    x
        Fails at a node, and makes typed values.
    node
        The call, ``csv(binary_label(y), continuous(x))``.
    translate
        Returns the value of an expression.
    """
    name = node.name.casefold()
    if not node.expressions:
        x.fail(node, f"{name}() takes at least one signature", _example(name))
    parts = [_part(x, name, argument, translate) for argument in node.expressions]
    return FORMATS[name](x, node, parts)


def _part(
    x: OpenMLDBExpressions, name: str, node: exp.Expr, translate: Callable[[exp.Expr], ops.Value]
) -> _Part:
    node = node.unnest()
    if isinstance(node, exp.Anonymous) and node.name.casefold() == "gcformat_index":
        x.fail(node, "gcformat_index() is not available", "leave it out: slots count from 1")
    if not isinstance(node, exp.Anonymous) or not is_signature(node):
        x.fail(node, f"{name}() takes signatures", _example(name))
    found = marked(x, node, translate)
    kind, value = parse_kind(found.name), found.args[0]
    if kind.name != "discrete":
        return _Part(kind, value)
    hash64 = catalogue.find("hash64")
    assert hash64 is not None
    value = filled(x, node, hash64.text({"x": x.type_of(value)}), {"x": value})
    if kind.buckets is not None:
        count = kind.buckets
        value = x.sql(
            node, lambda h: f"CAST((CAST({h} AS HUGEINT) & {_UNSIGNED}) % {count} AS BIGINT)", value
        )
    return _Part(kind, value)


def _example(name: str) -> str:
    return f"write {name}(binary_label(y), continuous(x), discrete(city, 1000))"


# -- formats


def _csv(x: OpenMLDBExpressions, node: exp.Expr, parts: Sequence[_Part]) -> ops.Value:
    """``6,1.500000,2681491882390849628``: a field for each, NULL is an empty one."""
    fields = [_written(x, node, part) for part in parts]
    comma = ", ',', "
    return x.sql(node, lambda *f: f"concat({comma.join(f)})", *fields)


def _libsvm(x: OpenMLDBExpressions, node: exp.Expr, parts: Sequence[_Part]) -> ops.Value:
    """``6 1:1.500000 32:1``: NULL is left out, and takes its slots."""
    pairs = []
    slot = 1
    for part in parts:
        if part.kind.is_label:
            continue
        if part.kind.name == "continuous":
            pairs.append(_prefixed(x, node, f"{slot}:", _written(x, node, part)))
        else:
            first = slot if part.kind.buckets else 0
            pairs.append(x.sql(node, lambda h, first=first: f"({h} + {first}) || ':1'", part.value))
        slot += part.slots
    return x.sql(node, lambda *p: f"concat_ws(' ', {', '.join(p)})", *_label(x, node, parts), *pairs)


def _gcformat(x: OpenMLDBExpressions, node: exp.Expr, parts: Sequence[_Part]) -> ops.Value:
    """``6 | 1:0:1.500000 2:2681491882390849628``: NULL is left out, and takes its slot."""
    pairs = [
        _prefixed(
            x,
            node,
            f"{slot}:0:" if part.kind.name == "continuous" else f"{slot}:",
            _written(x, node, part),
        )
        for slot, part in enumerate((part for part in parts if not part.kind.is_label), 1)
    ]
    label = _label(x, node, parts)

    def build(*texts: str) -> str:
        features = ", ".join(texts[len(label) :])
        written = [*texts[: len(label)], "' | '", *([f"concat_ws(' ', {features})"] if features else [])]
        return f"concat({', '.join(written)})"

    return x.sql(node, build, *label, *pairs)


def _label(x: OpenMLDBExpressions, node: exp.Expr, parts: Sequence[_Part]) -> list[ops.Value]:
    """The label's text: of several, the last one counts."""
    labels = [part for part in parts if part.kind.is_label]
    return [_written(x, node, part) for part in labels[-1:]]


#: The instance functions by name.
FORMATS = {"csv": _csv, "libsvm": _libsvm, "gcformat": _gcformat}


# -- texts


def _prefixed(x: OpenMLDBExpressions, node: exp.Expr, prefix: str, value: ops.Value) -> ops.Value:
    return x.sql(node, lambda v: f"{text(prefix)} || {v}", value)


def _written(x: OpenMLDBExpressions, node: exp.Expr, part: _Part) -> ops.Value:
    """A number as text: floats with six digits, whole numbers as they are, conditions as 0 and 1."""
    kind = x.type_of(part.value)
    if kind == "BOOLEAN":
        return x.sql(node, lambda v: f"CAST(CAST({v} AS TINYINT) AS VARCHAR)", part.value)
    if is_integer(kind):
        return x.sql(node, lambda v: f"CAST({v} AS VARCHAR)", part.value)
    return x.sql(node, lambda v: f"format('{{:.6f}}', CAST({v} AS DOUBLE))", part.value)
