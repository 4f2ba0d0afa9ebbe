"""The project's labels: every version by name, with its text and its plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from workbench.catalog import definitions
from workbench.catalog.definitions import Definition
from workbench.errors import Conflict
from workbench.plan.model import FeaturePlan

if TYPE_CHECKING:
    from workbench.storage import Storage

_KIND = "label"


class LabelBody(msgspec.Struct, frozen=True):
    """What the catalog keeps of a label."""

    sql: str
    dialect: str
    plan: FeaturePlan

    @staticmethod
    def of(definition: Definition) -> LabelBody:
        """Return what a definition keeps."""
        return msgspec.json.decode(definition.body, type=LabelBody)


def save(storage: Storage, name: str, sql: str, dialect: str, plan: FeaturePlan) -> Definition:
    """Make this the latest definition of a label; returns the version with the same plan where there is one."""
    body = msgspec.json.encode(LabelBody(sql, dialect, plan)).decode()
    return definitions.save(storage, _KIND, name, plan.hash, body)


def find(storage: Storage, name: str) -> Definition | None:
    """Return the latest definition of a label, or None."""
    return definitions.find(storage, _KIND, name)


def get(storage: Storage, name: str, version: int | None = None) -> Definition:
    """Return a version of a label, by default the latest definition; NotFound when there is none."""
    return definitions.get(storage, _KIND, name, version)


def names(storage: Storage) -> list[str]:
    """Return the names of the labels, sorted."""
    return definitions.names(storage, _KIND)


def drop(storage: Storage, name: str) -> None:
    """Remove a label with all its versions; NotFound when there is none."""
    definitions.drop(storage, _KIND, name)


def plans(storage: Storage, name: str) -> Sequence[FeaturePlan]:
    """Return the plans of a label: of its latest definition, and of every version."""
    found = [get(storage, name), *definitions.versions(storage, _KIND, name)]
    return [LabelBody.of(definition).plan for definition in found]


def check_unused(storage: Storage, table: str) -> None:
    """Check that no label's latest definition uses a table.

    Raises
    ------
    Conflict
        One does.
    """
    for name in names(storage):
        if table.casefold() in map(str.casefold, LabelBody.of(get(storage, name)).plan.tables()):
            raise Conflict(f"label {name!r} uses table {table!r}", hint=f"project.drop_label({name!r}) first")
