"""What users read when something is wrong.

Every error that a user can cause is a :class:`WorkbenchError`: one sentence that says what was wrong, where it was
(a position in the query, or a field and a row), and what to do instead. Shells (notebook, CLI, HTTP) show the message
and never a stack trace.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Position:
    """A place in a query: 1-based line and column, and how many characters the caret underlines."""

    line: int
    column: int
    length: int = 1


class WorkbenchError(Exception):
    """Base of all errors that are meant for users.

    Parameters
    ----------
    message
        What was wrong, in one sentence.
    hint
        What to do instead.
    position, source
        Where in ``source`` (the text of a query) it was; shown with the line and a caret.
    field, row
        The column and the 0-based row of bad data.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        position: Position | None = None,
        source: str | None = None,
        field: str | None = None,
        row: int | None = None,
    ) -> None:
        self.message = message
        self.hint = hint
        self.position = position
        self.source = source
        self.field = field
        self.row = row
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self._located(), *self._excerpt()]
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def _located(self) -> str:
        if self.position:
            return f"line {self.position.line}, column {self.position.column}: {self.message}"
        return self.message

    def pointed(self) -> str | None:
        """Return the part of the query that the position underlines, or None where there is no position."""
        lines = self.source.splitlines() if self.source else []
        if self.position is None or not 1 <= self.position.line <= len(lines):
            return None
        start = self.position.column - 1
        return lines[self.position.line - 1][start : start + self.position.length]

    def _excerpt(self) -> list[str]:
        if not (self.position and self.source):
            return []
        lines = self.source.splitlines()
        if not 1 <= self.position.line <= len(lines):
            return []
        gutter = f"{self.position.line:>5} | "
        indent = " " * (len(gutter) + self.position.column - 1)
        return [gutter + lines[self.position.line - 1], indent + "^" * max(1, self.position.length)]

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback."""
        return str(self).splitlines()


def _rebuild(cls: type[WorkbenchError], args: tuple[object, ...], state: dict[str, object]) -> WorkbenchError:
    error = cls.__new__(cls)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


class DefinitionError(WorkbenchError):
    """A feature query that cannot be accepted; carries the position in its text."""


class RowError(WorkbenchError):
    """A row of data that cannot be accepted, or a request that cannot be answered; carries field and row."""


class FunctionError(RowError):
    """A Python function of the user's own failed for a row; ``function`` is its name."""

    def __init__(self, message: str, function: str, **where: Any) -> None:
        super().__init__(message, **where)
        self.function = function


class NotFound(WorkbenchError):
    """A table, view, version, deployment or key that does not exist."""


class Conflict(WorkbenchError):
    """Something of that name exists already and differs, or is in use."""


class Forbidden(WorkbenchError):
    """The key is missing, wrong, or lacks the scope."""


class Unavailable(WorkbenchError):
    """A limit is reached or a part is not running; trying again later may work."""


class Throttled(Unavailable):
    """One caller asks for more than its share; others are served meanwhile."""


class StorageError(WorkbenchError):
    """The project's files cannot be read or written as they must be."""


def describe(error: BaseException) -> str:
    """Return what a shell shows of any error, without a stack trace.

    Ours is shown as it is; of any other the type and the first line.

    >>> describe(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    if isinstance(error, WorkbenchError):
        return str(error)
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return ``"did you mean 'x'?"`` for the closest known name, or None when nothing is close.

    >>> did_you_mean("amont", ["amount", "card_id"])
    "did you mean 'amount'?"
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[close[0]]!r}?" if close else None
