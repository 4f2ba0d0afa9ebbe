"""The project's Python functions: every version by name and hash, as plans call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import duckdb

from workbench.catalog import definitions, labels, views
from workbench.catalog.definitions import Definition
from workbench.errors import Conflict, NotFound
from workbench.functions import PythonFunction, names_in, names_in_sql, register
from workbench.plan.model import FeaturePlan

if TYPE_CHECKING:
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


def drop(storage: Storage, name: str) -> None:
    """Remove a function with all its versions.

    Raises
    ------
    NotFound
        There is no such function.
    Conflict
        A view or label uses a version of it.
    """
    get(storage, name)
    for plan, user in _plans(storage):
        if name.casefold() in (called.casefold() for called, _ in names_in(plan)):
            raise Conflict(f"{user} uses the function {name!r}", hint="drop it first")
    definitions.drop(storage, KIND, name)


def _plans(storage: Storage) -> Iterator[tuple[FeaturePlan, str]]:
    """The plans of every version and draft of views and labels, with whose they are."""
    for latest in views.list(storage):
        for record in (latest, *views.versions(storage, latest.view)):
            yield FeaturePlan.from_json(record.plan_json), f"view {latest.view!r}"
    for name in labels.names(storage):
        for plan in labels.plans(storage, name):
            yield plan, f"label {name!r}"


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
