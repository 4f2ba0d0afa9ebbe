"""The DuckDB types of a Python function: said in full, or by its annotations."""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Sequence
from typing import Any

from workbench.errors import DefinitionError, WorkbenchError
from workbench.values.types import arrow_type, canonical

_SCALARS: dict[Any, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "VARCHAR",
    bytes: "BLOB",
    dt.datetime: "TIMESTAMP",
    dt.date: "DATE",
    dt.timedelta: "INTERVAL",
}


def annotated(
    function: types.FunctionType, called: str, parameters: Sequence[str], aggregate: bool
) -> tuple[list[str | None], str | None]:
    """Return the types that annotations say, None where they say none.

    A parameter of an aggregate is annotated as a list: ``values: list[float]`` takes DOUBLE.
    """
    try:
        hints = typing.get_type_hints(function)
    except Exception:
        hints = {}
    args = []
    for name in parameters:
        kind = _type(hints.get(name))
        if aggregate and kind is not None:
            if not kind.endswith("[]"):
                raise DefinitionError(
                    f"{called}() is an aggregate: its parameter {name!r} is a list of the window's values",
                    hint=f"annotate it {name}: list[float]",
                )
            kind = kind.removesuffix("[]")
        args.append(kind)
    return args, _type(hints.get("return"))


def _type(hint: Any) -> str | None:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        kinds = {_type(arg) for arg in args if arg is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    if origin in (list, Sequence) and len(args) == 1:
        inner = _type(args[0])
        return None if inner is None else f"{inner}[]"
    return None


def checked(
    called: str, args: Sequence[str | None], returns: str | None, parameters: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    """Return the types of a function as DuckDB writes them.

    Raises
    ------
    DefinitionError
        One is not known, or there are not as many as parameters.
    """
    if isinstance(args, str) or len(args) != len(parameters):
        raise DefinitionError(
            f"{called}() has {len(parameters)} parameters and args has {len(args)} types",
            hint="args is a list with one DuckDB type for each parameter",
        )
    missing = [name for name, kind in zip(parameters, args, strict=True) if kind is None]
    if missing or returns is None:
        what = f"the parameter {missing[0]!r}" if missing else "its value"
        raise DefinitionError(
            f"the type of {what} of {called}() is not known",
            hint='annotate it, or write @project.function(args=["DOUBLE"], returns="DOUBLE")',
        )
    return tuple(_canonical(called, kind) for kind in args if kind is not None), _canonical(called, returns)


def _canonical(called: str, kind: str) -> str:
    try:
        name = canonical(kind)
        arrow_type(name)
    except WorkbenchError as error:
        raise DefinitionError(f"{called}(): {error.message}", hint=error.hint) from None
    return name
