"""Features of one new row, answered now."""

from workbench.online.compiled.drivers import Driver, driver_of, warm_kernels
from workbench.online.engine import Answer, Engine
from workbench.online.indexes import index_needs, index_of
from workbench.online.lifecycle import ensure_indexes, rollback, tidy_indexes

__all__ = [
    "Answer",
    "Driver",
    "Engine",
    "driver_of",
    "ensure_indexes",
    "index_needs",
    "index_of",
    "rollback",
    "tidy_indexes",
    "warm_kernels",
]
