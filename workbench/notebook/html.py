"""HTML that stands alone: readable without a kernel, without scripts, in light and dark themes.

Colours come from JupyterLab's theme variables and fall back to what the page around has. Whatever comes from the user
or the data is escaped. Where a viewer removes ``<style>`` and ``<svg>`` (GitHub does), plain tables remain.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Any

from workbench.notebook.profile import ColumnProfile

LONGEST_TEXT = 60
LONGEST_TOP_VALUE = 24
LONGEST_TOOLTIP = 500
NUMBER = ' class="wb-number"'

# .wb.wb outweighs JupyterLab's own rules for tables and code in outputs
STYLE = """<style>
.wb { color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); font-size: 13px; line-height: 1.45;
  white-space: normal;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  --wb-line: var(--jp-border-color2, rgba(128, 128, 128, .35)); --wb-soft: var(--jp-ui-font-color2, #808080);
  --wb-accent: var(--jp-brand-color1, #2196f3); --wb-code: var(--jp-code-font-family, ui-monospace, monospace);
  --wb-good: var(--jp-success-color1, #2e9e5b); --wb-bad: var(--jp-error-color1, #d9534f);
  --wb-warn: var(--jp-warn-color1, #c77700); }
.wb.wb .wb-head { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; margin: 2px 0 6px; }
.wb.wb .wb-head b { font-size: 15px; }
.wb.wb .wb-tag { border: 1px solid var(--wb-line); border-radius: 9px; padding: 0 8px; font-size: 12px; }
.wb.wb .wb-soft { color: var(--wb-soft); }
.wb.wb .wb-scroll { overflow-x: auto; max-width: 100%; }
.wb.wb table { border-collapse: collapse; margin: 2px 0 8px; font-size: 12px; width: auto; }
.wb.wb table th, .wb.wb table td { border: 0; border-bottom: 1px solid var(--wb-line); padding: 3px 10px 3px 0;
  text-align: left; vertical-align: middle; white-space: nowrap; max-width: 420px; overflow: hidden;
  text-overflow: ellipsis; background: none; color: inherit; }
.wb.wb table th { color: var(--wb-soft); font-weight: 600; }
.wb.wb table .wb-number { text-align: right; font-variant-numeric: tabular-nums; }
.wb.wb pre, .wb.wb code { font-family: var(--wb-code); font-size: 12px; background: none; color: inherit; }
.wb.wb pre { margin: 4px 0; padding: 6px 10px; border-left: 3px solid var(--wb-line); overflow-x: auto;
  white-space: pre; }
.wb.wb pre.wb-bad { border-color: var(--wb-bad); }
.wb.wb a { color: var(--jp-content-link-color, #1976d2); text-decoration: underline; }
.wb.wb svg { display: block; }
.wb.wb svg rect { fill: var(--wb-accent); }
.wb.wb .wb-good { color: var(--wb-good); } .wb.wb b.wb-bad, .wb.wb span.wb-bad { color: var(--wb-bad); }
.wb.wb .wb-verdict-good > p > b { color: var(--wb-good); } .wb.wb .wb-verdict-bad > p > b { color: var(--wb-bad); }
.wb.wb .wb-verdict-good > p, .wb.wb .wb-verdict-bad > p { margin: 4px 0; }
.wb.wb .wb-warn { color: var(--wb-warn); }
.wb.wb ul.wb-list { margin: 2px 0 8px; padding-left: 18px; }
.wb.wb details > summary { cursor: pointer; color: var(--wb-soft); margin: 2px 0; }
</style>"""


def page(*parts: str) -> str:
    """Wrap parts of HTML in the element that carries our style."""
    return f'{STYLE}<div class="wb">{"".join(parts)}</div>'


def head(title: str, tags: Iterable[str] = (), notes: Iterable[str] = ()) -> str:
    """A heading line: a name, small tags beside it, and soft remarks."""
    shown = [f"<b>{escape(title)}</b>"]
    shown += [f'<span class="wb-tag">{escape(tag)}</span>' for tag in tags]
    shown += [f'<span class="wb-soft">{escape(note)}</span>' for note in notes]
    return f'<div class="wb-head">{" ".join(shown)}</div>'


def value(item: Any, longest: int = LONGEST_TEXT) -> str:
    """One value as a person reads it; the full value is in the tooltip when it was shortened."""
    if item is None:
        return '<span class="wb-soft">null</span>'
    text = _text(item)
    if len(text) > longest:
        return f'<span title="{escape(text[:LONGEST_TOOLTIP])}">{escape(text[: longest - 1])}…</span>'
    return escape(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of values under their column names."""
    shown = [[_cell(item) for item in row] for row in rows]
    names = "".join(
        f"<th{NUMBER if any(row[place].startswith(f'<td{NUMBER}') for row in shown) else ''}>{escape(name)}</th>"
        for place, name in enumerate(columns)
    )
    return _table(names, "".join(f"<tr>{''.join(row)}</tr>" for row in shown))


def columns(profiles: Sequence[ColumnProfile]) -> str:
    """Schema and profile in one table: a line per column."""
    texts = "".join(f"<th>{title}</th>" for title in ("column", "type"))
    numbers = "".join(f"<th{NUMBER}>{title}</th>" for title in ("nulls", "distinct", "min", "median", "max"))
    return _table(f"{texts}{numbers}<th>values</th>", "".join(map(_column, profiles)))


def schema(types: dict[str, str]) -> str:
    """Columns and types alone, for when there are no rows to profile."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(kind)}</code></td></tr>"
        for name, kind in types.items()
    )
    return _table("<th>column</th><th>type</th>", rows)


def histogram(bars: Sequence[int], *, width: int = 120, height: int = 22) -> str:
    """Counts as an inline SVG bar chart. Bars that count something are at least one pixel high."""
    if not bars:
        return ""
    highest, step = max(bars), width / len(bars)
    gap = 1 if step > 3 else 0
    rects = []
    for place, count in enumerate(bars):
        tall = max(1.0, height * count / highest) if count else 0.0
        rects.append(
            f'<rect x="{place * step:.1f}" y="{height - tall:.1f}" width="{step - gap:.1f}" height="{tall:.1f}"/>'
        )
    # no text in it: a viewer that removes the tags would leave the text behind
    return f'<svg role="img" aria-label="histogram" width="{width}" height="{height}">{"".join(rects)}</svg>'


def progress(step: str, share: float) -> str:
    """How far a step is, as a bar and in words."""
    bar = f'<progress max="1" value="{share:.3f}"></progress>'
    return f'<div>{bar} {escape(step)} <span class="wb-soft">{share:.0%}</span></div>'


def message(text: str, kind: str = "bad") -> str:
    """Text of several lines with a caret in it, as it is."""
    return f'<pre class="wb-{kind}">{escape(text)}</pre>'


def code(text: str) -> str:
    """Something to copy."""
    return f"<pre>{escape(text)}</pre>"


def items(lines: Iterable[str]) -> str:
    """A list; the lines are HTML already."""
    return f'<ul class="wb-list">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def folded(summary: str, content: str, *, opened: bool = True) -> str:
    """Content under a line that folds it away."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{content}</details>"


def _table(names: str, body: str) -> str:
    opening = '<div class="wb-scroll"><table>'
    return f"{opening}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(item: Any) -> str:
    is_number = isinstance(item, int | float | Decimal) and not isinstance(item, bool)
    return f"<td{NUMBER if is_number else ''}>{value(item)}</td>"


def _column(column: ColumnProfile) -> str:
    edges = [column.quantiles[i] for i in (0, 2, 4)] if column.quantiles else ["", "", ""]
    cells = [
        f"<td>{escape(column.name)}</td>",
        f"<td><code>{escape(column.type)}</code></td>",
        f"<td{NUMBER}>{_nulls(column)}</td>",
        f"<td{NUMBER}>{'' if column.distinct is None else f'{column.distinct:,}'}</td>",
        *(f"<td{NUMBER}>{value(edge)}</td>" for edge in edges),
        f"<td>{_distribution(column)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _nulls(column: ColumnProfile) -> str:
    if not column.nulls:
        return '<span class="wb-soft">0</span>'
    return f'<span title="{column.nulls:,} of {column.rows:,} rows">{column.null_share:.1%}</span>'


def _distribution(column: ColumnProfile) -> str:
    if column.bars:
        quartiles = " / ".join(_text(item) for item in column.quantiles)
        beside = (
            f' <span class="wb-warn">{column.not_finite:,} not finite</span>' if column.not_finite else ""
        )
        return f'<span title="min / quartiles / max: {escape(quartiles)}">{histogram(column.bars)}</span>{beside}'
    if column.not_finite:
        return f'<span class="wb-warn">{column.not_finite:,} not finite</span>'
    return ", ".join(
        f'{value(top.value, LONGEST_TOP_VALUE)} <span class="wb-soft">×{top.count:,}</span>'
        for top in column.top
    )


def _text(item: Any) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, float):
        return "NaN" if math.isnan(item) else f"{item:.6g}"
    if isinstance(item, dt.datetime):
        return item.isoformat(
            " ", "milliseconds" if item.microsecond else "seconds" if item.second else "minutes"
        )
    if isinstance(item, bytes):
        return f"0x{item[:LONGEST_TEXT].hex()}"
    return str(item)
