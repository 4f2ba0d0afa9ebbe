"""The project's Python functions: every version by name and hash, as plans call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from workbench.catalog import definitions
from workbench.catalog.definitions import Definition
from workbench.errors import NotFound
from workbench.functions import PythonFunction, names_in, names_in_sql, register

if TYPE_CHECKING:
    from workbench.plan.model import FeaturePlan
    from workbench.storage import Storage

KIND = "function"


def save(storage: Storage, function: PythonFunction) -> Definition:
    """Make this the latest version of a function; an equal one is the same version."""
    saved = definitions.save(storage, KIND, function.name, function.hash, function.to_json())
    return definitions.cut(storage, saved)


def current(storage: Storage) -> Sequence[PythonFunction]:
    """Return the latest version of every function, by name."""
    return [get(storage, name) for name in definitions.names(storage, KIND)]


def every(storage: Storage) -> Sequence[PythonFunction]:
    """Return every version of every function."""
    found = [
        one for name in definitions.names(storage, KIND) for one in definitions.versions(storage, KIND, name)
    ]
    return [PythonFunction.from_json(one.body) for one in found]


def get(storage: Storage, name: str, version: int | None = None) -> PythonFunction:
    """Return a version of a function, by default the latest; NotFound when there is none."""
    return PythonFunction.from_json(definitions.get(storage, KIND, name, version).body)


def used(storage: Storage, plan: FeaturePlan, condition: str = "") -> Sequence[PythonFunction]:
    """Return the functions that a plan, or a condition in SQL, calls, in the versions that they were made with.

    Raises
    ------
    NotFound
        One was dropped.
    """
    found = []
    for name, version in dict.fromkeys([*names_in(plan), *names_in_sql(condition)]):
        definition = definitions.find_hash(storage, KIND, name, version)
        if definition is None:
            raise NotFound(
                f"the Python function {name!r} of this plan (version {version}) is not in the project",
                hint="define it again as it was, or define the view anew",
            )
        found.append(PythonFunction.from_json(definition.body))
    return found


def add_to(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    plan: FeaturePlan,
    condition: str = "",
    by_row: bool = False,
) -> None:
    """Make the functions that a plan, or a condition in SQL, calls callable in a session."""
    for function in used(storage, plan, condition):
        register(connection, function, by_row)
