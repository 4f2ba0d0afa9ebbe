"""What an entry of the catalogue says: a function's parameters, what it stands for in DuckDB, and an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A template may depend on the DuckDB types of the values by name.
Template = str | Callable[[Mapping[str, str]], str]

#: What a parameter may be, in the words of messages.
KINDS = {
    "any": "a value",
    "number": "a number",
    "text": "text",
    "condition": "a condition (BOOLEAN)",
    "time": "a time or date",
    "list": "a list",
    "whole": "a constant whole number >= 0",
    "count": "a constant whole number >= 1",
    "integer": "a constant whole number",
    "interval": "a constant INTERVAL > 0",
    "constant": "a constant number",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter: its name, its kind (of :data:`KINDS`) and what stands for it when it is left out."""

    name: str
    kind: str = "any"
    default: str | None = None


@dataclass(frozen=True)
class Part:
    """An aggregate that an entry is made of.

    Its arguments and its condition are DuckDB text over a row of the window: ``{x}`` is the parameter x, ``{time}`` the
    row's time in microseconds. No arguments mean ``count(*)``.
    """

    function: str
    args: tuple[str, ...] = ()
    where: str = ""
    distinct: bool = False


@dataclass(frozen=True)
class Function:
    """One function of the language.

    Parameters
    ----------
    name
        Its one name.
    parameters
        ``"x: number, n: whole = 1"``; a parameter named ``condition`` is a condition.
    summary
        One sentence.
    example, gives
        An expression over the example table, and its value for the newest row.
    parts
        The aggregates that it needs, by name; none for a scalar function.
    result
        DuckDB text over ``{parameters}``, ``{parts}``, ``{now}`` (the anchor's time in microseconds) and
        ``{anchor_x}`` (parameter x of the anchor row).
    empty
        What an aggregate gives when no row is in the window or counts.
    native
        The DuckDB function that the name stands for, instead of parts and result.
    aggregate
        Whether a native function is an aggregate.
    aliases
        Other names, such as OpenMLDB's.
    source
        Where the formula comes from.
    """

    name: str
    parameters: str
    summary: str
    example: str
    gives: Any
    parts: Mapping[str, Part] = field(default_factory=dict)
    result: Template = ""
    empty: str = "NULL"
    native: str = ""
    aggregate: bool = False
    aliases: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_aggregate(self) -> bool:
        """Whether it needs a window."""
        return self.aggregate or bool(self.parts)

    @property
    def signature(self) -> str:
        """How it is called, such as ``decayed_sum(x, half_life)``."""
        words = [p.name if p.default is None else f"[{p.name}]" for p in self.takes]
        return f"{self.name}({', '.join(words)})"

    @property
    def takes(self) -> tuple[Parameter, ...]:
        """The parameters."""
        return tuple(_parameter(text) for text in self.parameters.split(",") if text.strip())

    def text(self, types: Mapping[str, str]) -> str:
        """Return the result's DuckDB text for values of these types."""
        return self.result if isinstance(self.result, str) else self.result(types)


def _parameter(text: str) -> Parameter:
    left, _, default = text.partition("=")
    name, _, kind = left.partition(":")
    name = name.strip()
    found = kind.strip() or ("condition" if name == "condition" else "any")
    assert found in KINDS, text
    return Parameter(name, found, default.strip() or None)
