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
    quick = [contender for contender in contenders if contender.name not in SLOW]
    slow = [contenders[0], *(contender for contender in contenders if contender.name in SLOW)]
    try:
        lines = side_by_side("engine", quick, CALLS, warm=WARM, unit="µs") + lines
        if len(slow) > 1:
            lines += side_by_side("engine, slow peers", slow, SLOW_CALLS, warm=20, unit="µs")
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
