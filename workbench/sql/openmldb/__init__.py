"""OpenMLDB's dialect: its names, types and values, as its own test suite tells them."""

from __future__ import annotations

from workbench.sql.dialects import Dialect
from workbench.sql.openmldb.aggregates import OpenMLDBAggregates
from workbench.sql.openmldb.expressions import OpenMLDBExpressions
from workbench.sql.openmldb.parser import parse_openmldb
from workbench.sql.openmldb.prepare import prepare
from workbench.sql.openmldb.windows import OpenMLDBWindows

OPENMLDB = Dialect(
    "openmldb",
    parse=parse_openmldb,
    prepare=prepare,
    expressions=OpenMLDBExpressions,
    windows=OpenMLDBWindows,
    aggregates=OpenMLDBAggregates,
    timed_joins=False,
    null_keys=True,
    same_row_joins=True,
    repeated_names=True,
)
