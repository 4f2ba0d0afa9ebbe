"""What a cell shows of a feature view, gathered once: rows, profile, findings, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from workbench.errors import describe
from workbench.notebook import html, show
from workbench.notebook.profile import ColumnProfile, profile

if TYPE_CHECKING:
    from workbench.view import View

ROWS_PROFILED = 200
ROWS_SHOWN = 10


@dataclass(frozen=True)
class Summary:
    """A feature view at a glance.

    Attributes
    ----------
    view
        What is summed up.
    rows
        The preview rows that are shown; None when there are none to show.
    profiled
        How many rows stand behind ``profiles``.
    profiles
        One per output column.
    findings
        HTML lines, one per lint finding.
    problem
        Why the preview could not be computed, as text.
    """

    view: View
    rows: pa.Table | None = None
    profiled: int = 0
    profiles: tuple[ColumnProfile, ...] = ()
    findings: tuple[str, ...] = ()
    problem: str | None = None

    def to_html(self) -> str:
        """The summary as HTML that needs neither kernel nor scripts."""
        return html.page(
            _head(self.view),
            html.items(self.findings) if self.findings else "",
            html.message(self.problem) if self.problem else "",
            self._columns(),
            self._rows(),
        )

    def _columns(self) -> str:
        if not self.profiles:
            return html.schema(self.view.schema)
        return html.columns(self.profiles) + _soft(
            f"profile of {_count(self.profiled, 'row')}, spread over the history"
        )

    def _rows(self) -> str:
        if self.rows is None:
            return ""
        if not self.rows.num_rows:
            return _soft("no rows: the anchor table is empty, or the query filters all of them")
        shown = html.table(
            self.rows.column_names, zip(*(c.to_pylist() for c in self.rows.columns), strict=True)
        )
        return html.folded(f"preview: {_count(self.rows.num_rows, 'row')}", shown)


def summarise(view: View, rows: int = ROWS_SHOWN) -> Summary:
    """Preview, profile and lint ``view``; what goes wrong with the data becomes part of the summary.

    Parameters
    ----------
    view
        The view to sum up.
    rows
        How many preview rows are shown; 0 computes nothing.
    """
    findings: tuple[str, ...] = ()
    try:
        findings = tuple(show.finding(found) for found in view.lint())
        if rows < 1:
            return Summary(view, findings=findings)
        sample = view.preview(max(rows, ROWS_PROFILED)).to_pyarrow()
    except Exception as error:  # a view whose data cannot be read is still a view; the cell must show it
        return Summary(view, findings=findings, problem=describe(error))
    profiles = tuple(profile(sample, view.schema))
    return Summary(view, _spread(sample, rows), sample.num_rows, profiles, findings)


def _head(view: View) -> str:
    version = f"version {view.version}" if view.version else "draft"
    tags = [version] if view.dialect == "workbench" else [version, f"dialect {view.dialect}"]
    return html.head(
        view.name, tags, [_count(len(view.schema), "feature"), f"one row per row of {view.anchor}"]
    )


def _spread(rows: pa.Table, wanted: int) -> pa.Table:
    """Pick ``wanted`` rows evenly, both ends among them."""
    last = rows.num_rows - 1
    if rows.num_rows <= wanted:
        return rows
    return rows.take([round(place * last / max(1, wanted - 1)) for place in range(wanted)])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _soft(text: str) -> str:
    return f'<div class="wb-soft">{text}</div>'
