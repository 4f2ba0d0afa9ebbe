"""A feature view: one named query, previewed, checked, turned into training data and deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from workbench.catalog import deployments, lineage, views
from workbench.catalog.lineage import FeatureLineage
from workbench.catalog.views import ViewVersion
from workbench.consistency import Check, Compare, Comparison, Report
from workbench.deployment import Deployment, ensure_server, wait_for_generation
from workbench.errors import DefinitionError, RowError, WorkbenchError
from workbench.functions import names_in
from workbench.kernels.farmhash import FINGERPRINT
from workbench.offline import OfflineFeatures, Progress, Result
from workbench.offline.cost import rows_touched
from workbench.offline.data_lint import lint_data, lint_spine
from workbench.offline.why import Why, why
from workbench.online import Answer, Engine, driver_of, ensure_indexes, tidy_indexes
from workbench.plan.explain import explain
from workbench.plan.lint import Finding, lint
from workbench.plan.model import FeaturePlan

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from workbench.project import Project
    from workbench.storage import IndexSpec


class View:
    """A version of a feature view, or its draft.

    Made by :meth:`Project.define` and :meth:`Project.view`.

    Examples
    --------
    >>> view = project.define("card_risk", "SELECT count(*) OVER w AS cnt_7d ...")   # doctest: +SKIP
    >>> view.preview(5).to_pandas()                                                  # doctest: +SKIP
    >>> view.check().different                                                       # doctest: +SKIP
    0
    """

    def __init__(self, project: Project, record: ViewVersion) -> None:
        self.project = project
        self._record = record
        self.plan = FeaturePlan.from_json(record.plan_json)
        self._quick: Callable[[dict[str, Any]], Answer | None] | None = None

    # -- what it is

    @property
    def name(self) -> str:
        """The view's name."""
        return self._record.view

    @property
    def version(self) -> int | None:
        """The version's number; None for a draft."""
        return None if self._record.state == "draft" else self._record.version

    @property
    def sql(self) -> str:
        """The text that defines the view; of one that was defined in Ibis, its text as a feature query."""
        return self._record.sql

    @property
    def dialect(self) -> str:
        """The dialect of :attr:`sql`."""
        return self._record.dialect

    @property
    def anchor(self) -> str:
        """The table whose rows become feature rows."""
        return self.plan.table

    @property
    def upstream(self) -> tuple[str, ...]:
        """The views that it stands on, directly or through others, such as ``risk@3`` or ``risk@draft``."""
        return tuple(map(str, self.plan.views))

    @property
    def schema(self) -> dict[str, str]:
        """Feature names with their DuckDB types, in order."""
        return self.plan.features

    @property
    def request_schema(self) -> dict[str, str]:
        """Columns that a request carries, with their DuckDB types; the time may be left out."""
        return self.plan.request_columns

    def explain(self) -> str:
        """Return what the view reads and computes, in words, and how many stored rows requests touch."""
        touched = rows_touched(self.project.storage, self.plan)
        reasons = driver_of(self.project.storage, self.plan).reasons
        return f"{explain(self.plan, touched, reasons)}\nas a feature query: view.to_sql('workbench')"

    def lineage(self) -> Sequence[FeatureLineage]:
        """Return, for each feature, the stored columns that it is made of."""
        return lineage.features(self._record.plan_json)

    def lint(self, spine: Any = None) -> list[Finding]:
        """Return what is allowed but worth a second look, in the plan, the stored rows and a spine."""
        findings = lint(self.plan) + lint_data(self.project.storage, self.plan)
        if self.dialect == "openmldb" and self.sql:
            from workbench.sql.openmldb.lint import lint_text

            findings += lint_text(self.sql)
        if spine is not None:
            findings += lint_spine(self.project.storage, self.plan, spine)
        return findings

    def to_sql(self, dialect: str = "duckdb") -> str:
        """Return the view as SQL.

        Parameters
        ----------
        dialect
            ``duckdb``: plain DuckDB SQL that computes the features of all stored anchor rows from tables of the same
            names; the order of rows in a table stands for that of arrival (DuckDB's ``rowid``). ``workbench``: a
            feature query, which defines the view again, whatever it was written in.

        Raises
        ------
        DefinitionError
            The dialect cannot say what the view computes.

        Examples
        --------
        >>> print(view.to_sql("workbench"))         # doctest: +SKIP
        SELECT
          count(*) OVER w0 AS payments_1d
        FROM payments
        WINDOW
          w0 AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
        """
        from workbench.plan.plain_sql import plain_sql
        from workbench.plan.text import text_of

        called = [name for name, _ in names_in(self.plan)]
        if called and dialect == "duckdb":
            raise DefinitionError(
                f"the view calls the Python function {called[0]}(), which plain DuckDB SQL cannot",
                hint="use view.offline(), or view.to_sql('workbench')",
            )
        if dialect == "duckdb" and FINGERPRINT in self.plan.to_json():
            raise DefinitionError(
                "the view takes a FarmHash fingerprint (hash_bucket, farm_fingerprint), which plain DuckDB cannot",
                hint="use view.offline(), or view.to_sql('workbench')",
            )
        if dialect == "workbench":
            return text_of(self.plan, self.project.source_tables())
        if dialect != "duckdb":
            raise DefinitionError(
                f"there is no dialect {dialect!r} to write a view in", hint="dialects: duckdb, workbench"
            )
        tables = {name: self.project.storage.table(name).columns for name in self.plan.tables()}
        return plain_sql(self.plan, tables)

    def to_ibis(self, keys: bool | Sequence[str] = False) -> ir.Table:
        """Return the features of all stored anchor rows as an Ibis expression, to go on with.

        It is plain Ibis on a DuckDB session of the project: ``.filter``, ``.join``, ``.execute()`` and the rest of
        Ibis work on it, together with tables of the project (:meth:`Table.to_ibis`). It holds the rows that are known
        now; ask again after an append. Expressions that were made of the same rows can be joined.

        Parameters
        ----------
        keys
            Columns of the anchor's table to put before the features, to join by. True means its time and the columns
            that the view is keyed by.

        Raises
        ------
        NotFound
            The anchor's table has no such column.
        DefinitionError
            A feature has the name of a key, or plain SQL cannot say the view.

        Examples
        --------
        >>> risky = view.to_ibis(keys=True).filter(ibis._.payments_1d > 3)      # doctest: +SKIP
        >>> risky.group_by("card").agg(days=ibis._.count()).execute()           # doctest: +SKIP
        """
        from workbench.offline.ibis_session import view_expression

        return view_expression(self.project.storage, self.name, self.plan, keys)

    # -- offline

    def preview(self, rows: int = 20) -> Result:
        """Return the features of a spread sample of stored rows that includes the newest.

        Parameters
        ----------
        rows
            How many rows to show, at least 1.
        """
        _check_rows(rows)
        return OfflineFeatures(self.project.storage, self.plan).preview(rows)

    def offline(
        self, spine: Any = None, where: str | None = None, progress: Progress | None = None
    ) -> Result:
        """Return features in bulk, each row as of its own time: the training set.

        Parameters
        ----------
        spine
            The rows to answer (dicts, a DataFrame, Arrow, a Result); by default every stored anchor row. Spine rows
            never see each other; one that carries ``seq`` is the stored row of that arrival number, and so is one with
            the id and the time of a stored row.
        where
            A condition on the anchor rows that restricts the answered rows, never what they see.
        progress
            Called with each step and the share that is done.
        """
        offline = OfflineFeatures(self.project.storage, self.plan, progress)
        if spine is not None:
            if where is not None:
                raise DefinitionError("where= restricts stored rows; filter the spine itself instead")
            return offline.spine(spine)
        condition = self.project.condition(where, self.plan.table) if where is not None else None
        return offline.stored(condition)

    # -- online

    def request(self, row: dict[str, Any], as_of: datetime | str | None = None) -> dict[str, Any] | None:
        """Return the features of one new row, as the endpoint does; None where the view's WHERE leaves the row out.

        Parameters
        ----------
        row
            Columns of the anchor table. Without a time it is answered as of now.
        as_of
            The time to answer at instead (naive means UTC).

        Raises
        ------
        RowError
            The row has a missing or wrong column, or a feature cannot be computed for it.
        """
        if not isinstance(row, dict):
            raise RowError("a request is one row, as a dict of column names and values")
        answer = self._quick(row) if as_of is None and self._quick is not None else None
        if answer is None:
            engine = self._engine()
            self._quick = engine.quick
            answer = engine.request([row], [_time(as_of)])[0]
        if answer.error is not None:
            raise answer.error
        return answer.features

    def check(self, rows: int | Literal["all"] = 10_000, progress: Progress | None = None) -> Report:
        """Compare requests with the offline features of stored rows, value by value.

        Parameters
        ----------
        rows
            How many anchor rows to replay, at least 1, or "all". The sample always holds ties, first rows of a key,
            NULL keys and window edges where the data has them.
        progress
            Called with each step and the share that is done.
        """
        if rows != "all":
            _check_rows(rows)
        return Check(self.project.storage, self.plan, self._engine(), self.name).run(rows, progress)

    def why(self, row: dict[str, Any] | int, feature: str) -> Why:
        """Return the rows behind a feature's value, with age and position, and why their neighbours are outside.

        Parameters
        ----------
        row
            An anchor row with its time, or the arrival number (``seq``) of a stored one, as in a check's examples.
        feature
            The feature's name.
        """
        return why(self.project.storage, self.plan, row, feature)

    def compare(
        self,
        frame: Any,
        on: str | Sequence[str] | None = None,
        *,
        tolerance: float = 1e-9,
        columns: Mapping[str, str] | None = None,
        examples: int = 5,
        cut: int | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Set foreign feature values (of Feast, OpenMLDB, a notebook) beside ours, value by value.

        Parameters
        ----------
        frame
            A DataFrame, an Arrow table, dicts, or the path of a Parquet, CSV or JSON file. Columns with the name of a
            feature (or ``<view>__<feature>``) are compared.
        on
            Columns that tell which stored row of the anchor's table a foreign row is about, or ``"seq"``, its arrival
            number. Rows whose keys several rows have are counted apart. Without ``on`` the features of the foreign
            rows themselves are computed, which then must have all columns of a request.
        tolerance
            Relative difference up to which numbers are equal; 0 means exactly equal.
        columns
            Foreign column of a feature, where the names differ: ``{"cnt_7d": "count_last_week"}``.
        examples
            How many of the worst differences of each feature to keep.
        cut
            Rows that arrived later are not known; by default all are.
        progress
            Called with each step and the share that is done.

        Raises
        ------
        NotFound
            A column of ``on`` or ``columns`` is not there.
        WorkbenchError
            The frame cannot be read, or has no feature of the view.
        """
        keys = [on] if isinstance(on, str) else on
        storage = self.project.storage
        if not 0 <= tolerance < 1:
            raise WorkbenchError(f"tolerance is a relative difference from 0 to 1, not {tolerance!r}")
        known = cut if cut is not None else storage.last_seq()
        compare = Compare(
            storage, self.plan, self.name, keys, columns or {}, float(tolerance), examples, known, progress
        )
        return compare.run(frame)

    def save(self) -> View:
        """Cut a version of the draft and return it; equal plans give the same version."""
        return View(self.project, self._cut())

    def deploy(self, progress: Progress | None = None) -> Deployment:
        """Publish the view as an endpoint and return the handle on it; returns when every server process serves it.

        Parameters
        ----------
        progress
            Called with each step and the share that is done.
        """
        report = progress or _silent
        storage = self.project.storage
        report("cutting a version", 0.0)
        self.project.warmup(lambda step: report(step, 0.05))
        record = self._cut()
        self._ensure_indexes(live=True, progress=progress)
        report("starting the server", 0.7)
        served = {deployed.view: deployed.version for deployed in deployments.current(storage)}
        deployments.deploy(storage, record.view, record.version)
        try:
            # Once more, now that it counts as needed: another process may have tidied up meanwhile.
            self._ensure_indexes(live=True)
            ensure_server(self.project.path)
            report("waiting for the server", 0.9)
            wait_for_generation(self.project.path, deployments.generation(storage), view=record.view)
        except WorkbenchError:
            self._undeploy(record, served.get(record.view))
            raise
        tidy_indexes(storage)
        report("done", 1.0)
        return Deployment(self.project.path, record.view, record.version)

    # -- helpers

    def _cut(self) -> ViewVersion:
        """The version of exactly this plan, whatever became of the draft since."""
        return self._record if self.version is not None else views.cut(self.project.storage, self._record)

    def _undeploy(self, record: ViewVersion, served: int | None) -> None:
        """Take back a deployment that no server could take up, so that a restart serves what was served before."""
        if served is None:
            deployments.stop(self.project.storage, record.view)
        elif served != record.version:
            deployments.rollback(self.project.storage, record.view)

    def _engine(self) -> Engine:
        self._ensure_indexes(live=False)
        return self.project.engine(self.plan)

    def _ensure_indexes(self, live: bool, progress: Progress | None = None) -> None:
        def report(spec: IndexSpec, done: float) -> None:
            if progress:
                progress(f"indexing {spec}", 0.1 + 0.5 * done)

        ensure_indexes(self.project.storage, self.plan, live=live, progress=report)

    def __repr__(self) -> str:
        state = "draft" if self.version is None else f"version {self.version}"
        return f"<View {self.name} ({state}): {len(self.schema)} features of {self.anchor}>"


def _check_rows(rows: int) -> None:
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise WorkbenchError(f"rows is a whole number, at least 1, not {rows!r}")


def _time(as_of: datetime | str | None) -> datetime | None:
    if as_of is None or isinstance(as_of, datetime):
        return as_of
    try:
        return datetime.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise RowError(f"as_of is not a time: {as_of!r}", hint="write 2026-01-31T12:00:00Z") from None


def _silent(step: str, done: float) -> None:
    """No one asked for progress."""
