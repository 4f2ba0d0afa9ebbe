"""Features of one new row, answered now."""

from workbench.online.engine import Answer, Engine
from workbench.online.indexes import index_needs, index_of
from workbench.online.lifecycle import ensure_indexes, rollback, tidy_indexes

__all__ = [
    "Answer",
    "Engine",
    "ensure_indexes",
    "index_needs",
    "index_of",
    "rollback",
    "tidy_indexes",
]
