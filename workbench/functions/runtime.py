"""Python functions in a DuckDB session.

DuckDB hands over Arrow arrays of some thousand rows; inside, the function is called once a row. An exception stops the
query with a message that :mod:`workbench.plan.failures` reads.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import reprlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.functions.model import PythonFunction
from workbench.plan.failures import PYTHON_MARK
from workbench.values.types import arrow_type

#: A function of this name says whether a call fails, to find the row.
PROBE = "__fails_"


def register(connection: duckdb.DuckDBPyConnection, function: PythonFunction) -> None:
    """Make a function callable in a session by its full name, and its probe.

    Raises
    ------
    WorkbenchError
        Its text does not run here, such as where a module is missing.
    """
    call = load(function)
    kinds = [f"{kind}[]" if function.aggregate else kind for kind in function.args]

    def values(*columns: pa.Array) -> pa.Array:
        return _values(function, call, columns)

    def fails(*columns: pa.Array) -> pa.Array:
        return _fails(function, call, columns)

    for name, body, returns in (
        (function.full_name, values, function.returns),
        (PROBE + function.full_name, fails, "BOOLEAN"),
    ):
        connection.create_function(
            name,
            _with_arity(body, len(kinds)),
            [duckdb.sqltype(kind) for kind in kinds],
            duckdb.sqltype(returns),
            type="arrow",
            null_handling="special",
        )


@lru_cache(maxsize=256)
def load(function: PythonFunction) -> Callable[..., Any]:
    """Return the function itself, made from its text.

    Raises
    ------
    WorkbenchError
        A module that it uses is not there, or its text fails.
    """
    file = f"<{function.full_name}>"
    space: dict[str, Any] = {"__name__": f"workbench.function.{function.name}"}
    try:
        for one in function.imports:
            value: Any = importlib.import_module(one.module)
            for part in one.attribute.split(".") if one.attribute else ():
                value = getattr(value, part)
            space[one.name] = value
        for name, text in function.constants:
            space[name] = ast.literal_eval(text)
        linecache.cache[file] = (len(function.source), None, function.source.splitlines(True), file)
        tree = ast.parse(function.source, file)
        node = tree.body[0]
        assert isinstance(node, ast.FunctionDef)
        _strip(node)
        exec(compile(tree, file, "exec"), space)
    except Exception as error:
        raise WorkbenchError(
            f"the Python function {function.name}() cannot be loaded: {type(error).__name__}: {error}",
            hint="install what it uses where this process runs, or define it anew",
        ) from error
    return space[node.name]  # type: ignore[no-any-return]


def _strip(node: ast.FunctionDef) -> None:
    """Types are known already and every argument is given; what annotations and defaults name need not be there."""
    node.returns = None
    node.args.defaults = []
    for argument in (*node.args.posonlyargs, *node.args.args):
        argument.annotation = None


def _rows(columns: tuple[pa.Array, ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _is_null(function: PythonFunction, args: tuple[Any, ...]) -> bool:
    return function.null == "null" and any(arg is None for arg in args)


def _values(function: PythonFunction, call: Callable[..., Any], columns: tuple[pa.Array, ...]) -> pa.Array:
    found = [None if _is_null(function, args) else _call(function, call, args) for args in _rows(columns)]
    kind = arrow_type(function.returns)
    try:
        return pa.array(found, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        for args, value in zip(_rows(columns), found, strict=True):
            if not _fits(value, kind):
                raise _failure(
                    function, args, f"it returned {reprlib.repr(value)}, which is no {function.returns}"
                ) from None
        raise


def _call(function: PythonFunction, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return call(*args)
    except Exception as error:
        raise _failure(function, args, f"{type(error).__name__}: {error}") from None


def _failure(function: PythonFunction, args: tuple[Any, ...], reason: str) -> ValueError:
    shown = ", ".join(reprlib.repr(arg) for arg in args)
    return ValueError(f"{PYTHON_MARK}{function.name}({shown})\x1e{' '.join(reason.split())}{PYTHON_MARK}")


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _fails(function: PythonFunction, call: Callable[..., Any], columns: tuple[pa.Array, ...]) -> pa.Array:
    kind = arrow_type(function.returns)

    def fails(args: tuple[Any, ...]) -> bool:
        try:
            return not _is_null(function, args) and not _fits(call(*args), kind)
        except Exception:
            return True

    return pa.array([fails(args) for args in _rows(columns)], pa.bool_())


def _with_arity(body: Callable[..., pa.Array], count: int) -> Callable[..., pa.Array]:
    """DuckDB counts the parameters of what it is given."""
    names = ", ".join(f"a{number}" for number in range(count))
    return eval(f"lambda {names}: body({names})", {"body": body})  # type: ignore[no-any-return]
