"""What kernels build beside columns: trees of partial aggregates, links to newer equals, hash indexes of keys."""

from __future__ import annotations

from pathlib import Path

from workbench.kernels import warm
from workbench.storage.model import NEWER, TREE, Needs, StoredTable
from workbench.values.lanes import lane_of

#: The folder of a project that holds its compiled kernels.
KERNELS = "kernels"


def available(root: Path) -> bool:
    """Whether this process can build them for a project; loads compiled kernels when there are some, compiles none."""
    return warm.load(root / KERNELS)


def wanted(root: Path, table: StoredTable, needs: Needs) -> list[str]:
    """Return the files of this kind that a segment has: none in a process without kernels, and none of other types."""
    trees = [TREE + name for name in needs.trees if lane_of(needs.type_of(name, table)) in ("i", "f")]
    newer = [NEWER + name for name in needs.newer if lane_of(needs.type_of(name, table)) != "o"]
    found = trees + newer
    return found if found and available(root) else []
