"""The queries of a project: what they may name, and the plans that they mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.catalog import functions, tables
from workbench.catalog.composition import Composition
from workbench.errors import DefinitionError
from workbench.plan.horizon import looks_ahead
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql
from workbench.plan.tables import SourceTable
from workbench.storage import Storage, StoredTable

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from workbench.sql.functions import Functions


class Queries:
    """Translates queries over a project's tables, views and functions, as they are at that moment.

    One at a time: they share a DuckDB session, which tells the types of functions.

    Parameters
    ----------
    storage
        The project's storage.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._functions: Functions | None = None
        self._functions_pid = 0
        self._lock = threading.RLock()

    def plan(
        self,
        query: str | ir.Table,
        dialect: str = "workbench",
        params: Mapping[str, Any] | None = None,
        name: str = "",
        *,
        ahead: bool = False,
        tables: Mapping[str, SourceTable] | None = None,
    ) -> FeaturePlan:
        """Return the plan of a feature query.

        Parameters
        ----------
        query
            Text in the dialect, or an Ibis expression.
        dialect
            The dialect of a text.
        params
            The values of the text's parameters.
        name
            What the query defines: no view that it names may stand on it.
        ahead
            Whether windows may look ahead.
        tables
            Tables beside the project's; they win where the names are equal.

        Raises
        ------
        DefinitionError
            With the position, when the query cannot be accepted.
        """
        from workbench.sql.define import define

        with self._lock:
            return define(
                query,
                {**self.tables(), **(tables or {})},
                self.functions(),
                dialect,
                ahead=ahead,
                params=params,
                views=Composition(self.storage, name),
            )

    def label_plan(
        self, query: str, dialect: str, params: Mapping[str, Any] | None, name: str
    ) -> FeaturePlan:
        """Return the plan of a label's query, whose outer windows may look ahead.

        Raises
        ------
        DefinitionError
            With the position, when the query cannot be accepted.
        """
        if not isinstance(query, str):
            raise DefinitionError(
                f"a label is defined by the text of a SELECT, not by {type(query).__name__}"
            )
        plan = self.plan(query, dialect, params, name, ahead=True)
        if any(looks_ahead(below) for below in plan.derived()):
            raise DefinitionError(
                "a window in a subquery looks ahead: its horizon is not that of the labelled rows",
                hint="look ahead in the outer SELECT",
            )
        return plan

    def text_of(self, query: ir.Table, plan: FeaturePlan) -> str:
        """Return the text of an Ibis expression: of its plan, which reads well, or as it was translated."""
        from workbench.plan.ibis_query import query_of
        from workbench.plan.text import text_of

        try:
            return text_of(plan, self.tables())
        except DefinitionError:
            return query_of(query, self.tables())

    def condition(self, text: str, table: str) -> str:
        """Return a condition on rows of a table as SQL over ``a``, checked as a feature query is."""
        from workbench.sql.define import condition

        with self._lock:
            return plan_sql(condition(text, self.tables()[table], self.functions()))

    def functions(self) -> Functions:
        """Return DuckDB's functions, and the project's."""
        from workbench.sql.functions import Functions
        from workbench.storage.session import connect

        with self._lock:
            if self._functions is None or self._functions_pid != os.getpid():
                # A DuckDB session does not survive a fork.
                self._functions, self._functions_pid = Functions(connect(threads=1)), os.getpid()
            self._functions.use(functions.current(self.storage), functions.every(self.storage))
            return self._functions

    def tables(self) -> dict[str, SourceTable]:
        """Return the project's tables as queries see them, by name."""
        return {table.name: _source_table(table) for table in self.storage.tables()}


def _source_table(table: StoredTable) -> SourceTable:
    options = tables.availability(table)
    delay, ttl = (
        tables.microseconds(value) if value else None for value in (options["delay"], options["ttl"])
    )
    return SourceTable(table.name, table.columns, table.time, delay or 0, options["known"], ttl)
