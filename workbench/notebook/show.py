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

CLASS_OF = {"error": "bad", "warning": "warn", "info": "soft"}
EXAMPLES_SHOWN = 10


def finding(found: Finding) -> str:
    """One lint finding as a line of HTML: severity, place, what and what to do."""
    place = f"line {found.position.line}: " if found.position else ""
    hint = f'<br><span class="wb-soft">{escape(found.hint)}</span>' if found.hint else ""
    mark = f'<span class="wb-{CLASS_OF.get(found.severity, "soft")}">{escape(found.severity)}</span>'
    return f'{mark} {escape(place)}{escape(found.message)} <code class="wb-soft">{escape(found.code)}</code>{hint}'


def findings(found: Iterable[Finding]) -> str:
    """All findings as a list; empty when there are none."""
    lines = [finding(one) for one in found]
    return html.items(lines) if lines else ""


def report(checked: Report) -> str:
    """What a check found: agreement in one line, or the values that differ."""
    if not checked.different:
        verdict = f'<b class="wb-good">✓ checked</b> {checked.compared:,} values compared, none differ'
        return html.page(f"<div>{verdict} {_bound(checked)}</div>")
    verdict = f'<b class="wb-bad">✗ {checked.different:,} of {checked.compared:,} values differ</b>'
    return html.page(f"<div>{verdict}</div>", _examples(checked))


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


def _bound(checked: Report) -> str:
    if not checked.bound:
        return ""
    return (
        f'<span class="wb-soft">at most {checked.bound:.2%} of the rows not sampled may differ (95%)</span>'
    )


def _examples(checked: Report) -> str:
    shown = [example.__dict__ for example in checked.examples[:EXAMPLES_SHOWN]]
    return html.table(list(shown[0]), [list(example.values()) for example in shown]) if shown else ""
