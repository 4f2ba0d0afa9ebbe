"""A Python function as it stands in a notebook or module, turned into text that another process can run.

The text is that of the ``def``; what it uses from outside must be something that the other process has too: a module or
a member of one that a new Python process can import, a builtin, or a constant, whose value is kept. Everything else is
refused with the reason, rather than pickled.
"""

from __future__ import annotations

import ast
import builtins
import dis
import importlib.util
import inspect
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any
from typing import Literal as OneOf

from workbench.errors import DefinitionError
from workbench.functions.model import Import, PythonFunction
from workbench.functions.types import annotated, checked
from workbench.values.names import check_name


def capture(
    function: Callable[..., Any],
    name: str | None = None,
    args: Sequence[str] | None = None,
    returns: str | None = None,
    aggregate: bool = False,
    null: OneOf["null", "call"] = "null",
) -> PythonFunction:
    """Return what is kept of a function.

    Parameters
    ----------
    function
        A ``def`` with positional parameters.
    name
        Its name in SQL; by default its own.
    args, returns
        DuckDB types of its parameters and its value, where annotations do not say them.
    aggregate
        It is called with a list for each argument, over a window.
    null
        What a NULL argument does: give NULL, or be passed as None.

    Raises
    ------
    DefinitionError
        Its text or types are not known, or it uses what another process has not.
    """
    if not isinstance(function, FunctionType):
        raise DefinitionError(f"{function!r} is not a function", hint="decorate a def")
    called = name or function.__name__
    if function.__name__ == "<lambda>":
        raise DefinitionError("a lambda has no text of its own", hint="write def name(x): return ...")
    check_name(called, "function")
    if null not in ("null", "call"):
        raise DefinitionError(f"null is 'null' or 'call', not {null!r}")
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise DefinitionError(f"{called}() is a generator or coroutine", hint="return one value")
    parameters = _parameters(function, called)
    found_args, found_returns = annotated(function, called, parameters, aggregate)
    types = checked(called, args if args is not None else found_args, returns or found_returns, parameters)
    source = _source(function, called)
    imports, constants = _globals(function, called)
    return PythonFunction(called, source, *types, imports, constants, aggregate, null)


def _parameters(function: FunctionType, called: str) -> list[str]:
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise DefinitionError(
                f"{called}() takes {parameter}: SQL calls with a fixed number of arguments, by position",
                hint="name each parameter",
            )
    if not signature.parameters:
        raise DefinitionError(
            f"{called}() has no parameter", hint="a feature is made of columns: def name(x): ..."
        )
    return list(signature.parameters)


def _source(function: FunctionType, called: str) -> str:
    """The text of the def, without decorators."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        raise DefinitionError(
            f"the text of {called}() is not known, so it cannot be kept for the server",
            hint="define it in a notebook cell or a file",
        ) from None
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef):
        raise DefinitionError(f"{called}() is not a plain def")
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]) + "\n"


# -- what a function uses from outside


def _globals(function: FunctionType, called: str) -> tuple[tuple[Import, ...], tuple[tuple[str, str], ...]]:
    imports: dict[str, Import] = {}
    constants: dict[str, str] = {}
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name in sorted(set(_used(function.__code__, called))):
        if name in cells:
            value = cells[name].cell_contents
        elif name in function.__globals__:
            value = function.__globals__[name]
        elif hasattr(builtins, name):
            continue
        else:
            raise DefinitionError(f"{called}() uses {name!r}, which is not defined", hint="define it first")
        if value is function:
            continue
        imported = _import(name, value)
        if imported is not None:
            imports[name] = imported
        elif _is_constant(value):
            constants[name] = repr(value)
        else:
            where = "the function around it" if name in cells else "the notebook"
            raise DefinitionError(
                f"{called}() uses {name!r}, a {type(value).__name__} of {where}, which the server does not have",
                hint="define it inside the function, or in a module that is installed where the server runs",
            )
    modules = {one.module for one in imports.values()} | set(_imported(function.__code__))
    _check_importable(called, sorted(modules))
    return tuple(imports.values()), tuple(constants.items())


def _used(code: CodeType, called: str) -> Iterator[str]:
    """Names of outside that a function's code reads, its inner functions included."""
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            raise DefinitionError(
                f"{called}() changes the global {step.argval!r}: its values would depend on the calls before",
                hint="compute the value from the arguments alone",
            )
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            # what an inner function closes over are names of this one, or names of outside that are listed here
            inner = [name for name in _used(constant, called) if name not in constant.co_freevars]
            yield from inner


def _imported(code: CodeType) -> Iterator[str]:
    """Modules that a function imports inside."""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant)


def _import(name: str, value: Any) -> Import | None:
    if isinstance(value, ModuleType):
        return None if value.__name__ == "__main__" else Import(name, value.__name__)
    module, attribute = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(attribute, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    return Import(name, module, attribute) if found is value else None


def _is_constant(value: Any) -> bool:
    """Whether a value is what its text says: numbers, texts, None, and lists, tuples, sets and dicts of them."""
    try:
        text = repr(value)
        return (
            type(value).__module__ == "builtins" and len(text) < 100_000 and ast.literal_eval(text) == value
        )
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _check_importable(called: str, modules: list[str]) -> None:
    """Modules must be there in a new process, which knows neither the notebook's folder nor changes of sys.path."""
    doubtful = []
    for module in modules:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or _is_installed(top):
            continue
        doubtful.append(module)
    for module in doubtful:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", f"import {module}"], capture_output=True, text=True, check=False
        )
        if tried.returncode:
            reason = (
                tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else "it cannot be imported"
            )
            raise DefinitionError(
                f"{called}() uses the module {module!r}, which a server cannot import ({reason})",
                hint="install it, or define what the function needs inside the function",
            )


def _is_installed(top: str) -> bool:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None or spec.origin is None:
        return False
    folders = {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib", "stdlib", "platstdlib")}
    return any(Path(spec.origin).is_relative_to(folder) for folder in folders)
