"""OpenMLDB's dialect: its names, types and values, as its own test suite tells them."""

from __future__ import annotations

from workbench.sql.dialects import Dialect

OPENMLDB = Dialect("openmldb", timed_joins=False, null_keys=True, repeated_names=True)
