"""The workbench in a notebook: magics, the panel under a cell, and how things are displayed."""

from __future__ import annotations

from typing import Any

# By name, so that loading the extension does not import the type.
_PANEL = "workbench.view.View"


def load(ipython: Any) -> None:
    """Register the magics, and the panel as the way a view is displayed."""
    from workbench.notebook.magics import WorkbenchMagics

    magics = WorkbenchMagics(ipython)
    ipython.register_magics(magics)
    ipython.display_formatter.ipython_display_formatter.for_type_by_name(*_PANEL.rsplit(".", 1), magics.show)


def unload(ipython: Any) -> None:
    """Take back what :func:`load` registered."""
    for kind, name in (("cell", "feature"), ("cell", "label"), ("line", "workbench")):
        ipython.magics_manager.magics[kind].pop(name, None)
    formatter = ipython.display_formatter.ipython_display_formatter
    if _PANEL in formatter:
        formatter.pop(_PANEL)
