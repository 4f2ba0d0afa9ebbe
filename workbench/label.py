"""A label: what happens after an anchor row, as a query whose windows look ahead. Offline only."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa

from workbench.catalog import definitions
from workbench.catalog.definitions import Definition
from workbench.catalog.labels import LabelBody
from workbench.errors import WorkbenchError
from workbench.offline import Progress, Result
from workbench.offline.labels import OfflineLabels, as_of_time
from workbench.plan.explain import explain

if TYPE_CHECKING:
    from workbench.project import Project

#: How many labelled rows a notebook shows.
SHOWN = 10


class Label:
    """A version of a label, or its draft.

    Made by :meth:`Project.define_label` and :meth:`Project.label`; used by :meth:`Project.training_set`.

    Examples
    --------
    >>> sql = "SELECT lead(amount) OVER w AS following FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"
    >>> label = project.define_label("following", sql)      # doctest: +SKIP
    >>> label.offline().to_pandas()                         # doctest: +SKIP
    """

    def __init__(self, project: Project, definition: Definition) -> None:
        self.project = project
        self._definition = definition
        self._body = LabelBody.of(definition)
        self.plan = self._body.plan

    @property
    def name(self) -> str:
        """The label's name."""
        return self._definition.name

    @property
    def version(self) -> int | None:
        """The version's number; None for a draft."""
        return self._definition.version or None

    @property
    def sql(self) -> str:
        """The text that defines the label."""
        return self._body.sql

    @property
    def dialect(self) -> str:
        """The dialect of :attr:`sql`."""
        return self._body.dialect

    @property
    def anchor(self) -> str:
        """The table whose rows are labelled."""
        return self.plan.table

    @property
    def schema(self) -> dict[str, str]:
        """Column names with their DuckDB types, in order."""
        return self.plan.features

    def explain(self) -> str:
        """Return what the label reads and computes, in words."""
        return explain(self.plan)

    def save(self) -> Label:
        """Cut a version of the draft and return it; equal plans give the same version."""
        return Label(self.project, definitions.cut(self.project.storage, self._definition))

    def offline(
        self,
        spine: Any = None,
        where: str | None = None,
        *,
        cut: int | None = None,
        as_of: datetime | str | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Return the labels of rows whose horizon has passed; ``metadata["dropped"]`` counts the others.

        Parameters
        ----------
        spine
            The rows to label; by default every stored row of the anchor's table.
        where
            A condition on the stored rows that restricts which of them are labelled.
        cut
            Rows that arrived later are not known; by default all are.
        as_of
            The latest time that counts as known, instead of the newest time of the tables that are looked at.
        progress
            Called with each step and the share that is done.
        """
        storage = self.project.storage
        known, until = cut if cut is not None else storage.last_seq(), as_of_time(as_of)
        if spine is not None and where is not None:
            raise WorkbenchError("where= restricts stored rows; filter the spine itself instead")
        condition = self.project.condition(where, self.plan.table) if where is not None else None
        metadata = {
            "plan_hash": self.plan.hash,
            "cut": str(known),
            "table": self.plan.table,
            "label": self.name,
        }

        def produce() -> pa.RecordBatchReader:
            labels = OfflineLabels(storage, self.plan, known, until, progress)
            found = labels.spine(spine) if spine is not None else labels.stored(condition)
            metadata["dropped"] = str(found.dropped)
            return found.rows.select(list(self.schema)).to_reader()

        return Result(self.schema, produce, metadata, self.plan.kinds)

    # -- what a label cannot be

    def deploy(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a label is never served."""
        self._refuse("deployed")

    def request(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a label is never served."""
        self._refuse("requested")

    def check(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there are no requests to compare a label with."""
        self._refuse("checked")

    def _refuse(self, done: str) -> NoReturn:
        raise refusal(self.name, done)

    def _repr_html_(self) -> str:
        found = self.offline()
        rows = found.to_pyarrow()
        shown = rows.slice(max(0, rows.num_rows - SHOWN)).to_pandas()
        dropped = int(found.metadata["dropped"])
        return (
            f"<p><b>{html.escape(repr(self))}</b></p>"
            f"<p>{rows.num_rows:,} rows are labelled; of {dropped:,} the horizon has not passed. The newest:</p>"
            f"{shown.to_html(index=False, border=0, na_rep='NULL')}"
        )

    def __repr__(self) -> str:
        state = "draft" if self.version is None else f"version {self.version}"
        return f"<Label {self.name} ({state}): {', '.join(self.schema)} of {self.anchor}>"


def refusal(name: str, done: str) -> WorkbenchError:
    """Return the error of a label in a place where only a view can be."""
    return WorkbenchError(
        f"{name!r} is a label and cannot be {done}: it looks at rows of the future, which a request cannot have seen",
        hint=f"use it in project.training_set(spine, views, label={name!r})",
    )
