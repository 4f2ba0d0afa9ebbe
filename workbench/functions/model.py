"""What is kept of a Python function: its text, what it needs, and how SQL calls it."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from typing import Literal as OneOf

import msgspec

from workbench.plan.model import FeaturePlan

HASH_LENGTH = 12
#: Before a full name: the function that says why a call fails (NULL where it does not), to find the row.
PROBE = "__fails_"


class Import(msgspec.Struct, frozen=True):
    """A global name of a function: a module, or an attribute (``a.b``) of one."""

    name: str
    module: str
    attribute: str | None = None


class PythonFunction(msgspec.Struct, frozen=True):
    """A function of the user's own.

    ``source`` is the text of its ``def``, without decorators. ``imports`` and ``constants`` (name and Python literal)
    are the globals it uses. ``args`` and ``returns`` are DuckDB types. An ``aggregate`` is called with one list for
    each argument: the values of the window's rows, oldest first. ``null``: a NULL argument gives NULL without a call
    (of an aggregate, rows with a NULL are left out), or is passed as None.
    """

    name: str
    source: str
    args: tuple[str, ...]
    returns: str
    imports: tuple[Import, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    aggregate: bool = False
    null: OneOf["null", "call"] = "null"

    @property
    def hash(self) -> str:
        """The identity of a version: comments and layout make none."""
        meaning = msgspec.structs.replace(self, source=ast.unparse(ast.parse(self.source)))
        return hashlib.sha256(msgspec.json.encode(meaning)).hexdigest()[:HASH_LENGTH]

    @property
    def full_name(self) -> str:
        """The name by which plans call this version."""
        return f"{self.name}@{self.hash}"

    @property
    def signature(self) -> str:
        """How SQL calls it, for people."""
        over = " OVER w" if self.aggregate else ""
        return f"{self.name}({', '.join(self.args)}){over} -> {self.returns}"

    def to_json(self) -> str:
        """Return the function as JSON text."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def from_json(text: str) -> PythonFunction:
        """Read what :meth:`to_json` wrote."""
        return msgspec.json.decode(text, type=PythonFunction)


def names_in(plan: FeaturePlan) -> list[tuple[str, str]]:
    """Return name and hash of every Python function that a plan, or one below it, calls."""
    found: dict[tuple[str, str], None] = {}
    for node in _nodes(msgspec.to_builtins(plan)):
        if node.get("node") == "call" and is_full_name(node["name"]):
            name, _, version = node["name"].removeprefix(PROBE).rpartition("@")
            found[name, version] = None
    return list(found)


def names_in_sql(text: str) -> list[tuple[str, str]]:
    """Return name and hash of every Python function that generated SQL calls.

    >>> names_in_sql('("clip01@0123456789ab"(a."x") > 1)')
    [('clip01', '0123456789ab')]
    """
    return re.findall(rf'"(\w+)@([0-9a-f]{{{HASH_LENGTH}}})"\(', text)


def is_full_name(name: str) -> bool:
    """Whether a function's name in a plan is that of a Python function.

    >>> is_full_name("clip01@0123456789ab"), is_full_name("abs")
    (True, False)
    """
    return "@" in name and name.rpartition("@")[0].isidentifier()


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _nodes(item)
