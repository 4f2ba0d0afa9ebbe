"""Which handler writes which operator or function. Handlers register themselves by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.plan.expr import Call, Expr, Op, Sql

if TYPE_CHECKING:
    from workbench.online.scalars.value import Value
    from workbench.online.scalars.writer import Writer

#: Writes an expression; the second argument is the operator or call itself.
Handler = Callable[["Writer", Any], "Value"]

_OPERATORS: dict[str, Handler] = {}
_FUNCTIONS: dict[str, Handler] = {}
#: How many of the first arguments are computed whatever the row; all of them where nothing is said.
_ALWAYS = {"case": 1, "coalesce": 1, "ifnull": 1}


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Register the handler of operators."""

    def register(handler: Handler) -> Handler:
        _OPERATORS.update(dict.fromkeys(names, handler))
        return handler

    return register


def function(*names: str) -> Callable[[Handler], Handler]:
    """Register the handler of functions."""

    def register(handler: Handler) -> Handler:
        _FUNCTIONS.update(dict.fromkeys(names, handler))
        return handler

    return register


def simple(*names: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Register the handler of functions that takes the values of the arguments."""

    def register(handler: Callable[..., Value]) -> Callable[..., Value]:
        def whole(w: Writer, call: Call) -> Value:
            return handler(w, *(w.value(arg) for arg in call.args))

        _FUNCTIONS.update(dict.fromkeys(names, whole))
        return handler

    return register


def find(expr: Expr) -> Handler | None:
    """Return the handler of an operator or call, None where there is none."""
    if isinstance(expr, Op):
        return _OPERATORS.get(expr.op)
    return _FUNCTIONS.get(expr.name.casefold()) if isinstance(expr, Call) else None


def names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the operators and of the functions that have handlers."""
    return frozenset(_OPERATORS), frozenset(_FUNCTIONS)


def always(expr: Expr) -> int:
    """Return how many of the arguments of an expression are computed whatever the row."""
    if not isinstance(expr, Op | Call | Sql):
        return 0
    name = expr.op if isinstance(expr, Op) else expr.name if isinstance(expr, Call) else ""
    return _ALWAYS.get(name, len(expr.args))


def shown(expr: Expr) -> str:
    """Return an operator or function as messages name it.

    >>> shown(Call("sha256", (), "VARCHAR")), shown(Op("//", (), "BIGINT"))
    ('sha256()', '//')
    """
    return (
        f"{expr.name}()" if isinstance(expr, Call) else expr.op if isinstance(expr, Op) else "an expression"
    )
