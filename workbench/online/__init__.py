"""Features of one new row, answered now."""

from workbench.online.engine import Answer, Engine
from workbench.online.indexes import index_needs, index_of

__all__ = ["Answer", "Engine", "index_needs", "index_of"]
