"""The differences that are known, and the page's account of them."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.cases import Case
from tests.conformance.replay import MODES

FILE = Path(__file__).with_name("known.toml")
PAGE = Path(__file__).resolve().parents[2] / "workbench/docs/openmldb.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"


@dataclass(frozen=True)
class Difference:
    """Cases that fail for one reason."""

    title: str
    reason: str
    modes: tuple[str, ...]
    ids: tuple[str, ...]


def differences() -> list[Difference]:
    """Return the known differences."""
    with FILE.open("rb") as file:
        found = tomllib.load(file)["difference"]
    return [Difference(d["title"], d["reason"], tuple(d["modes"]), tuple(d["ids"])) for d in found]


def known(mode: str) -> set[str]:
    """Return the ids of the cases that are known to fail in a mode."""
    return {id for difference in differences() if mode in difference.modes for id in difference.ids}


def account(cases: Sequence[Case]) -> str:
    """Return what the page says of the cases: how many pass, by feature, and each that does not with its reason."""
    failing = {mode: known(mode) for mode in MODES}
    total = Counter(tag for case in cases for tag in ("all", *case.features))
    failed = {
        mode: Counter(tag for c in cases if c.id in failing[mode] for tag in ("all", *c.features))
        for mode in MODES
    }
    lines = ["| feature | cases | request | offline |", "|---|---|---|---|"]
    for tag, count in sorted(total.items(), key=lambda pair: (pair[0] != "all", -pair[1], pair[0])):
        rates = [f"{count - failed[mode][tag]} ({(count - failed[mode][tag]) / count:.1%})" for mode in MODES]
        lines.append(f"| {tag.replace('_', ' ')} | {count} | {rates[0]} | {rates[1]} |")
    sources = {case.id: case.source for case in cases}
    lines += ["", "What remains:", ""]
    for difference in differences():
        where = "" if len(difference.modes) == len(MODES) else f", {difference.modes[0]} only"
        cases_of = ", ".join(f"`{id}` ({sources.get(id, '?')})" for id in difference.ids)
        count = f"{len(difference.ids)} case{'' if len(difference.ids) == 1 else 's'}"
        lines += [f"- **{difference.title}** ({count}{where}). {difference.reason}", f"  {cases_of}"]
    return "\n".join(lines)


def written(page: str, cases: Sequence[Case]) -> str:
    """Return the page with the account of the cases between its marks."""
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n{account(cases)}\n{END}{after}"
