"""Calls of catalogue functions: their arguments checked, and the DuckDB expression that they stand for."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import WorkbenchError
from workbench.plan.ops import FeatureWindow, Native
from workbench.sql.binding import Binding
from workbench.sql.catalogue import Function, Parameter
from workbench.sql.catalogue.entry import KINDS

_LAMBDA = re.compile(r"\blambda (\w+(?:, \w+)*):")
_QUOTED = re.compile(r"('[^']*')")
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
_UNSIGNED = {f"U{kind}" for kind in _INTEGERS}
_NUMBERS = {*_INTEGERS, *_UNSIGNED, "FLOAT", "DOUBLE"}
_TYPED: dict[str, Callable[[str], bool]] = {
    "number": lambda kind: kind in _NUMBERS or kind.startswith("DECIMAL"),
    "constant": lambda kind: kind in _NUMBERS or kind.startswith("DECIMAL"),
    "text": lambda kind: kind == "VARCHAR",
    "condition": lambda kind: kind == "BOOLEAN",
    "time": lambda kind: kind in ("TIMESTAMP", "DATE"),
    "list": lambda kind: kind.endswith("]"),
    "interval": lambda kind: kind == "INTERVAL",
}
_LEAST = {"whole": 0, "count": 1, "integer": None}


def bound(
    binding: Binding, node: exp.Expr, function: Function, nodes: Sequence[exp.Expr], args: Sequence[ops.Value]
) -> dict[str, ops.Value]:
    """Return a call's arguments by the names of the parameters.

    Raises
    ------
    DefinitionError
        Where there are too few or too many, or one is not what its parameter takes.
    """
    takes = function.takes
    least = sum(parameter.default is None for parameter in takes)
    if not least <= len(args) <= len(takes):
        given = f"{len(args)} argument{'' if len(args) == 1 else 's'}"
        binding.fail(node, f"{function.name}() does not take {given}", f"write {function.signature}")
    values = {}
    for place, parameter in enumerate(takes):
        if place < len(args):
            _check(binding, nodes[place], function, parameter, args[place])
            values[parameter.name] = args[place]
        else:
            values[parameter.name] = binding.constant(node, parameter.default or "NULL")
    return values


def filled(
    binding: Binding,
    node: exp.Expr,
    template: str,
    values: Mapping[str, ops.Value],
    otherwise: Callable[[str], ops.Value] | None = None,
) -> ops.Value:
    """Return a template of DuckDB text with the values whose names it holds.

    Parameters
    ----------
    binding
        Types the result; fails at ``node``.
    template
        Text with ``{name}`` for each value.
    values
        The values by name.
    otherwise
        Makes the values that are not there by name.
    """
    args: list[ops.Value] = []
    places: dict[str, int] = {}
    text = ""
    for literal, name, _, _ in string.Formatter().parse(_reserved(template)):
        text += literal.replace("{", "{{").replace("}", "}}")
        if name is None:
            continue
        if name not in places:
            if name not in values and otherwise is not None:
                args.append(otherwise(name))
            else:
                args.append(values[name])
            places[name] = len(args) - 1
        text += f"{{{places[name]}}}"
    if text == "{0}":
        return args[0]
    return binding.bind(node, "sql", text, args)


def _reserved(template: str) -> str:
    """The text with the variables of its lambdas under names that no column has."""
    found = {name for names in _LAMBDA.findall(template) for name in names.split(", ")}
    if not found:
        return template
    variable = re.compile(rf"(?<![\w.{{])({'|'.join(sorted(found))})(?![\w(}}]|\s*:=)")
    parts = _QUOTED.split(template)
    parts[::2] = [variable.sub(r"__\1", part) for part in parts[::2]]
    return "".join(parts)


def _check(
    binding: Binding, node: exp.Expr, function: Function, parameter: Parameter, value: ops.Value
) -> None:
    kind = binding.type_of(value)
    wrong = parameter.kind in _TYPED and not _TYPED[parameter.kind](kind)
    null = isinstance(value, Native) and value.kind == "literal" and value.name == "NULL"
    if wrong and null and parameter.kind not in ("interval",):
        wrong = False
    if parameter.kind in _LEAST:
        wrong = not _is_whole(value, _LEAST[parameter.kind])
    elif parameter.kind in ("interval", "constant") and not wrong:
        wrong = not _is_constant(value)
        if parameter.kind == "interval" and not wrong:
            wrong = not _is_positive(binding, node, value)
    if wrong:
        constant = parameter.kind in _LEAST or parameter.kind in ("interval", "constant")
        found = "" if constant else f", this is {kind}"
        binding.fail(
            node,
            f"{parameter.name} of {function.name}() is {KINDS[parameter.kind]}{found}",
            f"write {function.signature}",
        )


def _is_whole(value: ops.Value, least: int | None) -> bool:
    if not (isinstance(value, Native) and value.kind == "literal"):
        return False
    try:
        number = int(value.name)
    except ValueError:
        return False
    return least is None or number >= least


def _is_constant(value: ops.Value) -> bool:
    if isinstance(value, FeatureWindow | ops.Field) or not isinstance(value, Native):
        return False
    return all(_is_constant(arg) for arg in value.args)


def _is_positive(binding: Binding, node: exp.Expr, value: ops.Value) -> bool:
    if not (isinstance(value, Native) and value.kind == "literal"):
        return False
    try:
        months, micros = binding.functions.interval(value.name)
    except WorkbenchError:
        return False
    if months:
        binding.fail(node, "months and years have no fixed length", "write days: INTERVAL 30 DAY")
    return micros > 0
