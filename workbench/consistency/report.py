"""What a check found."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One value that differs: the feature, the anchor row (by arrival number and columns), and both values."""

    feature: str
    seq: int
    row: dict[str, Any]
    offline: Any
    request: Any


@dataclass(frozen=True)
class Report:
    """The outcome of a check.

    ``compared`` and ``different`` count values (and for a row that the view's WHERE leaves out, that it does so; of a
    table with ids, also the place that a request with a stored id is answered at);
    ``rows`` counts anchor rows, of ``total_rows`` stored. ``complete`` says that
    every stored row was compared. ``cut`` is the last arrival that both sides knew. ``drivers`` says how many of the
    rows each request driver answered (``compiled``, ``reference``). Of ``exact_rows`` the same kernels computed both
    sides: their floats were compared to the bit, those of the others within 1e-9 relative.
    """

    view: str
    rows: int
    total_rows: int
    complete: bool
    compared: int
    different: int
    by_feature: dict[str, int]
    examples: tuple[Difference, ...]
    cut: int
    drivers: Mapping[str, int] = field(default_factory=dict)
    exact_rows: int = 0

    @property
    def ok(self) -> bool:
        """Whether no value differed."""
        return self.different == 0

    @property
    def bound(self) -> float | None:
        """With 95 % confidence, at most this share of the rows that were not sampled differs (rule of three: 3/n).

        None where every row was compared, or where a difference was found. Rows with ties, NULL keys, first rows and
        window edges are always in the sample, so the rest is sampled evenly.
        """
        if self.complete or self.different or not self.rows:
            return None
        return min(1.0, 3.0 / self.rows)

    def summary(self) -> str:
        """Return the outcome in one sentence."""
        if not self.rows:
            return f"{self.view}: nothing to compare: the anchor table has no rows"
        verdict = "all equal" if self.ok else f"{self.different:,} different"
        text = f"{self.view}: {self.compared:,} values of {self.rows:,} rows compared, {verdict}"
        if self.complete:
            return f"{text}; every stored row was checked"
        if self.bound is not None:
            rest = self.total_rows - self.rows
            return f"{text}; of the {rest:,} rows not sampled at most {self.bound:.3%} differ (95 %)"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "view": self.view,
            "rows": self.rows,
            "total_rows": self.total_rows,
            "complete": self.complete,
            "compared": self.compared,
            "different": self.different,
            "bound": self.bound,
            "by_feature": self.by_feature,
            "examples": [vars(example) for example in self.examples],
            "cut": self.cut,
            "drivers": dict(self.drivers),
            "exact_rows": self.exact_rows,
        }

    def __repr__(self) -> str:
        lines = [self.summary()]
        lines += [
            f"  {d.feature}: offline {d.offline!r}, request {d.request!r} for row seq {d.seq} {d.row!r}"
            for d in self.examples[:5]
        ]
        asked = [f"the {name} driver for {count:,} rows" for name, count in self.drivers.items() if count]
        if asked:
            lines.append(f"  requests were answered by {' and by '.join(asked)}")
        if self.exact_rows:
            lines.append(
                f"  the same kernels computed both sides of {self.exact_rows:,} rows: floats equal to the bit"
            )
        if self.examples:
            first = self.examples[0]
            lines.append(f"  the rows behind a value: view.why({first.seq}, {first.feature!r})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = f"<p><b>{'✓' if self.ok else '✗'}</b> {html.escape(self.summary())}</p>"
        if not self.examples:
            return head
        cells = "".join(
            f"<tr><td>{html.escape(d.feature)}</td><td>{d.seq}</td><td>{html.escape(repr(d.row))}</td>"
            f"<td>{html.escape(repr(d.offline))}</td><td>{html.escape(repr(d.request))}</td></tr>"
            for d in self.examples
        )
        titles = "".join(f"<th>{title}</th>" for title in ("feature", "seq", "row", "offline", "request"))
        return f"{head}<table><thead><tr>{titles}</tr></thead><tbody>{cells}</tbody></table>"
