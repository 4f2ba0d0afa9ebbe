"""Python functions in a DuckDB session.

DuckDB hands over Arrow arrays of some thousand rows, and the function is called once a row inside; for single requests,
and where types are not of a fixed width, it calls once a row itself. An exception stops the query with a message that
:mod:`workbench.plan.failures` reads.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import reprlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import duckdb
import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.functions.model import PROBE, PythonFunction
from workbench.plan.failures import PYTHON_MARK
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, arrow_type

_FIXED = frozenset(INTEGER_RANGES) - WIDE_INTEGERS | {"BOOLEAN", "FLOAT", "DOUBLE", "DATE", "TIMESTAMP"}

#: What Arrow raises for a value that a type cannot hold.
_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)


def register(connection: duckdb.DuckDBPyConnection, function: PythonFunction, by_row: bool = False) -> None:
    """Make a function callable in a session by its full name, and its probe.

    Parameters
    ----------
    connection
        The session.
    function
        The function.
    by_row
        Whether the session computes single rows rather than many: each way is several times faster at its own.

    Raises
    ------
    WorkbenchError
        Its text does not run here, such as where a module is missing.
    """
    call = load(function)
    if not by_row and _is_fixed(function.returns) and all(_is_plain(kind) for kind in function.args):
        _create(connection, function, lambda *columns: _values(function, call, columns), "arrow")
    else:
        _create(connection, function, lambda *args: _value(function, call, args), "native")
    _create(connection, function, lambda *args: _reason(function, call, args), "native", PROBE, "VARCHAR")


def _create(
    connection: Any,
    function: PythonFunction,
    body: Callable[..., Any],
    by: Literal["arrow", "native"],
    prefix: str = "",
    returns: str | None = None,
) -> None:
    kinds = [f"{kind}[]" if function.aggregate else kind for kind in function.args]
    connection.create_function(
        prefix + function.full_name,
        _with_arity(body, len(kinds)),
        [duckdb.sqltype(kind) for kind in kinds],
        duckdb.sqltype(returns or function.returns),
        type=by,
        null_handling="special",
    )


def _is_fixed(kind: str) -> bool:
    """Whether values have a fixed width.

    DuckDB 1.5 frees the memory of texts and lists that an Arrow function returns while CASE and COALESCE still use it.
    """
    return kind in _FIXED


def _is_plain(kind: str) -> bool:
    """Whether values of a type are the same Python objects from Arrow as from DuckDB itself."""
    return kind.rstrip("[]") in _FIXED | {"VARCHAR", "BLOB"}


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
    return space[node.name]


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
    except _UNFIT:
        for args, value in zip(_rows(columns), found, strict=True):
            if not _fits(value, kind):
                raise _misfit(function, args, value) from None
        raise


def _value(function: PythonFunction, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    if _is_null(function, args):
        return None
    value = _call(function, call, args)
    if function.returns == "VARCHAR" and isinstance(value, str):
        return value
    try:
        converted = pa.array([value], arrow_type(function.returns))
    except _UNFIT:
        raise _misfit(function, args, value) from None
    return converted[0].as_py() if _is_fixed(function.returns) else value


def _call(function: PythonFunction, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return call(*args)
    except Exception as error:
        raise _failure(function, args, f"{type(error).__name__}: {error}") from None


def _failure(function: PythonFunction, args: tuple[Any, ...], reason: str) -> ValueError:
    shown = ", ".join(reprlib.repr(arg) for arg in args)
    return ValueError(f"{PYTHON_MARK}{function.name}({shown})\x1e{' '.join(reason.split())}{PYTHON_MARK}")


def _misfit(function: PythonFunction, args: tuple[Any, ...], value: Any) -> ValueError:
    return _failure(function, args, f"it returned {reprlib.repr(value)}, which is no {function.returns}")


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except _UNFIT:
        return False
    return True


def _reason(function: PythonFunction, call: Callable[..., Any], args: tuple[Any, ...]) -> str | None:
    """Why a call fails, None where it does not."""
    try:
        value = None if _is_null(function, args) else _call(function, call, args)
    except ValueError as error:
        return str(error)
    return None if _fits(value, arrow_type(function.returns)) else str(_misfit(function, args, value))


def _with_arity(body: Callable[..., pa.Array], count: int) -> Callable[..., pa.Array]:
    """DuckDB counts the parameters of what it is given."""
    names = ", ".join(f"a{number}" for number in range(count))
    return eval(f"lambda {names}: body({names})", {"body": body})
