"""How the things of the workbench look in a notebook: findings, reports, deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.errors import WorkbenchError, describe
from workbench.notebook import html

if TYPE_CHECKING:
    from workbench.consistency import Report
    from workbench.deployment import Deployment
    from workbench.plan.lint import Finding

Item = TypeVar("Item")

CLASS_OF = {"warning": "warn", "info": "soft"}


def finding(found: Finding) -> str:
    """One lint finding as a line of HTML: how grave it is, what was found, and what to do."""
    mark = f'<span class="wb-{CLASS_OF[found.severity]}">{found.severity}</span>'
    hint = f'<br><span class="wb-soft">{escape(found.hint)}</span>'
    return f'{mark} {escape(found.message)} <code class="wb-soft">{escape(found.code)}</code>{hint}'


def report(checked: Report) -> str:
    """What a check found: agreement in one line, or the values that differ."""
    verdict = "good" if checked.ok else "bad"
    return html.page(f'<div class="wb-scroll wb-verdict-{verdict}">{checked._repr_html_()}</div>')


def deployment(live: Deployment) -> str:
    """Where an endpoint is and how to call it; the key stays a variable."""
    name = f"<b>{escape(live.view)}</b> version {live.version}"
    try:
        url, snippet = live.url, live.curl()
    except WorkbenchError as error:
        return html.page(
            f'<div><b class="wb-warn">○ not served</b> {name}</div>', html.message(describe(error))
        )
    docs = url.removesuffix(f"v1/features/{live.view}") + "docs"
    return html.page(
        f'<div><b class="wb-good">● live</b> {name} at <code>{escape(url)}</code> '
        f'<a href="{escape(docs)}" target="_blank" rel="noopener">docs</a></div>',
        html.code(snippet),
    )


class Listing(list[Item]):
    """A list that a notebook shows as a table.

    Parameters
    ----------
    items
        The items.
    columns
        The table's columns.
    row
        Gives an item's values in them.
    """

    def __init__(
        self, items: Iterable[Item], columns: Sequence[str], row: Callable[[Item], Sequence[Any]]
    ) -> None:
        super().__init__(items)
        self._columns, self._row = columns, row

    def _repr_html_(self) -> str:
        if not self:
            return html.page('<div class="wb-soft">none</div>')
        return html.page(html.table(self._columns, map(self._row, self)))
