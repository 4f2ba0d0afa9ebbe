"""The names of tables, views and labels: a project has each only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.catalog import labels, views
from workbench.errors import Conflict

if TYPE_CHECKING:
    from workbench.storage import Storage

Named = Literal["table", "view", "label"]


def check_free(storage: Storage, name: str, what: Named) -> None:
    """Check that no other kind of thing has a name, in any case; ``what`` is what is to have it.

    Raises
    ------
    Conflict
        It is taken.
    """
    taken = {
        "table": [table.name for table in storage.tables()],
        "view": [record.view for record in views.list(storage)],
        "label": labels.names(storage),
    }
    for kind, names in taken.items():
        if kind != what and name.casefold() in map(str.casefold, names):
            raise Conflict(
                f"{name!r} is the name of a {kind}",
                hint="tables, views and labels share their names; choose another",
            )
