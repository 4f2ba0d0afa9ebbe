"""What a comparison with foreign feature values found."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from workbench.offline.why import Why


@dataclass(frozen=True)
class Example:
    """One value that differs: the row's keys, its arrival number (None for a row that is not stored), both values.

    ``why`` are the rows behind our value, for the worst example of a feature.
    """

    keys: dict[str, Any]
    seq: int | None
    ours: Any
    theirs: Any
    why: Why | None = field(default=None, compare=False)


@dataclass(frozen=True)
class FeatureComparison:
    """One feature beside its foreign column.

    ``different`` counts values that are there on both sides and are not equal; ``missing_ours`` and ``missing_theirs``
    those that are NULL on one. Sizes of differences (absolute, and relative to the greater value) are of those numbers
    that differ; None where none does. ``note`` says how the types differ.
    """

    feature: str
    column: str
    type: str
    their_type: str
    compared: int
    equal: int
    different: int
    missing_ours: int
    missing_theirs: int
    max_abs: float | None = None
    median_abs: float | None = None
    max_rel: float | None = None
    median_rel: float | None = None
    note: str = ""
    examples: tuple[Example, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every value is equal."""
        return self.equal == self.compared

    @property
    def rate(self) -> float:
        """Which share of the values is not equal."""
        return 1 - self.equal / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class Comparison:
    """Foreign feature values beside ours.

    ``rows`` counts foreign rows that were compared. The others are ``unmatched`` (no stored row has their keys),
    ``ambiguous`` (several rows of one side have the same keys) or ``left_out`` (by the view's WHERE). ``ignored`` are
    the columns that are no features.
    """

    view: str
    on: tuple[str, ...]
    rows: int
    unmatched: int
    ambiguous: int
    left_out: int
    features: tuple[FeatureComparison, ...]
    ignored: tuple[str, ...]
    tolerance: float
    cut: int

    @property
    def ok(self) -> bool:
        """Whether rows were compared and every value is equal."""
        return self.rows > 0 and all(feature.ok for feature in self.features)

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(feature.compared for feature in self.features)

    @property
    def different(self) -> int:
        """How many values are not equal, those missing on one side included."""
        return sum(feature.compared - feature.equal for feature in self.features)

    def __getitem__(self, feature: str) -> FeatureComparison:
        """Return the comparison of one feature."""
        for found in self.features:
            if found.feature == feature:
                return found
        raise KeyError(feature)

    def summary(self) -> str:
        """Return the outcome in one sentence."""
        others = [
            f"{count:,} {words}"
            for count, words in (
                (self.unmatched, f"without a stored row of the same {', '.join(self.on)}"),
                (self.ambiguous, f"with {', '.join(self.on)} of several rows"),
                (self.left_out, "left out by the view's WHERE"),
            )
            if count
        ]
        rest = f"; not compared: {', '.join(others)}" if others else ""
        if not self.rows:
            return f"{self.view}: no row could be compared{rest}"
        verdict = "all equal" if not self.different else f"{self.different:,} different"
        return f"{self.view}: {self.compared:,} values of {self.rows:,} rows compared, {verdict}{rest}"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "view": self.view,
            "on": list(self.on),
            "rows": self.rows,
            "unmatched": self.unmatched,
            "ambiguous": self.ambiguous,
            "left_out": self.left_out,
            "compared": self.compared,
            "different": self.different,
            "tolerance": self.tolerance,
            "cut": self.cut,
            "ignored": list(self.ignored),
            "features": [_feature_dict(feature) for feature in self.features],
        }

    def __repr__(self) -> str:
        lines = [self.summary()]
        for feature in self.features:
            cells = dict(zip(_TITLES[1:], _cells(feature)[1:], strict=True))
            told = ", ".join(f"{title} {cell}" for title, cell in cells.items() if cell and title != "note")
            lines.append(f"  {feature.feature}: {told}" + (f" ({feature.note})" if feature.note else ""))
            lines += [f"    {_example(example)}" for example in feature.examples]
        why = next((example.why for f in self.features for example in f.examples if example.why), None)
        return "\n".join([*lines, repr(why)] if why else lines)

    def _repr_html_(self) -> str:
        head = f"<p><b>{'✓' if self.ok else '✗'}</b> {html.escape(self.summary())}</p>"
        titles = "".join(f"<th>{title}</th>" for title in _TITLES)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(feature)) + "</tr>"
            for feature in self.features
        )
        parts = [head, f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"]
        for feature in self.features:
            if feature.examples:
                items = "".join(f"<li>{html.escape(_example(example))}</li>" for example in feature.examples)
                parts.append(f"<p><b>{html.escape(feature.feature)}</b></p><ul>{items}</ul>")
            parts += [example.why._repr_html_() for example in feature.examples if example.why]
        return "".join(parts)


_TITLES = (
    *("feature", "compared", "equal", "different", "rate", "missing ours", "missing theirs"),
    *("max abs", "median abs", "max rel", "median rel", "note"),
)


def _cells(feature: FeatureComparison) -> list[str]:
    counts = [feature.compared, feature.equal, feature.different]
    sizes = [feature.max_abs, feature.median_abs, feature.max_rel, feature.median_rel]
    return [
        feature.feature,
        *(f"{count:,}" for count in counts),
        f"{feature.rate:.3%}",
        *(f"{count:,}" if count else "" for count in (feature.missing_ours, feature.missing_theirs)),
        *("" if size is None else f"{size:.4g}" for size in sizes),
        feature.note,
    ]


def _example(example: Example) -> str:
    place = "" if example.seq is None else f" (seq {example.seq})"
    keys = ", ".join(f"{name}={value}" for name, value in example.keys.items())
    return f"{keys}{place}: ours {example.ours!r}, theirs {example.theirs!r}"


def _feature_dict(feature: FeatureComparison) -> dict[str, Any]:
    plain = {
        name: getattr(feature, name) for name in FeatureComparison.__dataclass_fields__ if name != "examples"
    }
    examples = [
        {"keys": example.keys, "seq": example.seq, "ours": example.ours, "theirs": example.theirs}
        for example in feature.examples
    ]
    return {**plain, "rate": feature.rate, "examples": examples}
