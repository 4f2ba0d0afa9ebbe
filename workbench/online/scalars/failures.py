"""How generated functions say that they cannot answer."""

from __future__ import annotations


class NotHere(ArithmeticError):
    """A value that a generated function does not compute: DuckDB says what it is, or what is wrong with it."""


#: Everything that a generated function may raise; the request is then for the reference driver.
FAILURES = (ArithmeticError, ValueError)
