"""Views that stand on other views."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.catalog import views
from workbench.errors import DefinitionError, NotFound
from workbench.plan.model import FeaturePlan, ViewRef
from workbench.storage import Storage


class Composition:
    """Finds the views that a definition names.

    Parameters
    ----------
    storage
        The project's storage.
    defining
        The view that is being defined, which none of them may stand on.
    """

    def __init__(self, storage: Storage, defining: str) -> None:
        self.storage = storage
        self.defining = defining.casefold()

    def names(self) -> list[str]:
        """The names of the views that a definition may name."""
        names = {record.view for record in views.list(self.storage)}
        return sorted(name for name in names if name.casefold() != self.defining)

    def find(self, name: str, version: str | None) -> tuple[ViewRef, FeaturePlan] | None:
        """Return a view's plan and which one it is, or None where no view has the name.

        Parameters
        ----------
        name
            The view's name.
        version
            A version's number, ``draft`` for its latest definition, or None for its newest version, and its latest
            definition where none was cut.

        Raises
        ------
        NotFound
            The view has no such version.
        DefinitionError
            The view stands on the one that is being defined.
        """
        if name.casefold() not in {record.view.casefold() for record in views.list(self.storage)}:
            return None
        if name.casefold() == self.defining:
            raise DefinitionError(
                f"the view {name} cannot stand on itself", hint="name the table that it is about"
            )
        record = self._record(name, version)
        plan = FeaturePlan.from_json(record.plan_json)
        if any(ref.view.casefold() == self.defining for ref in plan.views):
            path = " -> ".join([self.defining, record.view, *self._path(plan.views), self.defining])
            raise DefinitionError(
                f"views stand on each other in a circle: {path}", hint="name a table, or another view"
            )
        return ViewRef(record.view, record.version, record.plan_hash), plan

    def _record(self, name: str, version: str | None) -> views.ViewVersion:
        if version is None:
            cut = views.versions(self.storage, name)
            return cut[-1] if cut else views.get(self.storage, name)
        if version.casefold() == "draft":
            return views.get(self.storage, name)
        if not version.isdigit():
            raise NotFound(f"{name}@{version} is no version", hint=f"write {name}@3, or {name}@draft")
        return views.get(self.storage, name, int(version))

    def _path(self, refs: Iterable[ViewRef]) -> list[str]:
        """The views between one and the one that is being defined, as far as they are known by name."""
        for ref in refs:
            if ref.view.casefold() == self.defining:
                return []
            found = [v for v in views.list(self.storage) if v.view == ref.view]
            below = FeaturePlan.from_json(found[0].plan_json).views if found else ()
            if any(other.view.casefold() == self.defining for other in below):
                return [ref.view, *self._path(below)]
        return []
