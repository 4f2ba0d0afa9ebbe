"""The scenario's 20 features in process: our engine next to hand-written stores, call by call in turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import PEERS, Missing, start
from tests.benchmarks.runner import Contender, Measurement, side_by_side
from tests.benchmarks.scenario import Scenario
from tests.benchmarks.scenario.project import loaded, request_row
from tests.benchmarks.scenario.truth import Truth, wrong

CALLS = 3000
WARM = 300
#: Measured apart from those in process: waiting for another process cools the caches of whoever comes next.
BEHIND_SOCKETS = {"Redis + Python", "PostgreSQL"}
#: Slow peers are asked less often: this many calls suffice for a median.
SLOW = {"DuckDB per request"}
SLOW_CALLS = 300


def run(folder: Path, scale: float) -> list[Measurement]:
    """Measure the engine and every peer that is there, and compare all answers with the truth."""
    scenario = Scenario.at(folder, scale)
    truth = Truth(scenario).requests
    project, view, _ = loaded(scenario, folder / "engine")
    rows = [request_row(request) for request in scenario.requests]
    view.request(rows[0])
    note = _verdict([view.request(row) for row in rows], truth)
    lines = []
    contenders = [Contender("workbench", _in_turns(view.request, rows), note=note)]
    peers = []
    for name in PEERS:
        try:
            peer = start(name, scenario, scenario.folder)
        except Missing as missing:
            lines.append(Measurement("engine", name, "µs", float("nan"), runs=0, note=f"left out: {missing}"))
            continue
        peers.append(peer)
        asked = scenario.requests[: SLOW_CALLS if name in SLOW else CALLS]
        note = _verdict([peer.features(row) for row in asked], truth[: len(asked)])
        contenders.append(Contender(name, _in_turns(peer.features, asked), note=note))
    ours, *others = contenders
    groups: dict[str, list[Contender]] = {
        "engine": [],
        "engine, behind a socket": [],
        "engine, slow peers": [],
    }
    for other in others:
        behind, slow = other.name in BEHIND_SOCKETS, other.name in SLOW
        groups["engine, slow peers" if slow else "engine, behind a socket" if behind else "engine"].append(
            other
        )
    try:
        for name, group in groups.items():
            calls, warm = (SLOW_CALLS, 20) if "slow" in name else (CALLS, WARM)
            again = Contender(ours.name, ours.call, note=ours.note)
            lines += side_by_side(name, [again, *group], calls, warm=warm, unit="µs") if group else []
    finally:
        for peer in peers:
            peer.close()
        project.close()
    return lines


def _in_turns(ask: Callable[[Any], Any], rows: list[Any]) -> Callable[[], Any]:
    asked = itertools.cycle(rows)
    return lambda: ask(next(asked))


def _verdict(answers: list[Any], truth: list[Any]) -> str:
    different = wrong(answers, truth)
    if different:
        return f"WRONG in {different}"
    return f"{len(answers):,} answers equal the truth"
