"""OpenMLDB's scalar functions whose meaning is another in DuckDB, or that DuckDB lacks: one module for each topic."""

from workbench.sql.openmldb.functions import dates, general, lists, numbers, texts
from workbench.sql.openmldb.functions.lists import OF_PARTS
from workbench.sql.openmldb.functions.registry import FUNCTIONS, OpenMLDBFunction

__all__ = ["FUNCTIONS", "OF_PARTS", "OpenMLDBFunction", "dates", "general", "lists", "numbers", "texts"]
