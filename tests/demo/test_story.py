"""The demo as a user runs it: one command on real data."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from workbench.demo import story
from workbench.demo.steps import Steps
from workbench.errors import WorkbenchError


@pytest.mark.slow
def test_demo_prints_one_json_object(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("workbench"), "demo", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"] == 336_776 and told["features"] >= 20
    assert told["compared"] >= 200_000 and told["different"] == 0
    assert 0.62 < told["auc_baseline"] < 0.66 and 0.73 < told["auc"] < 0.80
    assert told["url"].startswith("http://127.0.0.1:") and told["url"].endswith("/v1/features/late_risk")
    assert 0 < told["request_ms_p50"] < 1000 and told["seconds"] > 0
    assert {"tail_delay", "tail_delay_3", "tail_flights_1d"} <= set(told["changed"])
    assert told["risk_after"] > told["risk_before"]
    for number in range(1, story.STEPS + 1):
        assert f"{number:>2}/{story.STEPS}  " in done.stderr
    assert list(tmp_path.iterdir()) == []  # the project was temporary, its server is stopped


def test_missing_packages_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WorkbenchError, match=r"feature-workbench\[demo\]"):
        story.run()


def test_a_step_tells_what_it_found_and_how_long_it_took() -> None:
    out = io.StringIO()
    steps = Steps(2, out)
    with steps("look") as step:
        step.tell("found it")
    assert out.getvalue().startswith(" 1/2  look ")
    assert out.getvalue().endswith("0.0 s  found it\n")


def test_a_step_that_fails_ends_its_line() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="no"), Steps(2, out)("look"):
        raise ValueError("no")
    assert out.getvalue().endswith(" failed\n")


def test_a_model_learns_from_the_past_and_is_measured_on_what_came_later() -> None:
    from workbench.demo.model import train

    days = pd.date_range("2013-01-01", "2013-12-31", freq="2h")
    signal = pd.Series(range(len(days))) % 7
    rows = pd.DataFrame(
        {
            "scheduled": days,
            "carrier": "AA",
            "origin": ["EWR", "JFK"] * (len(days) // 2) + ["EWR"] * (len(days) % 2),
        }
    ).assign(signal=signal, late=signal > 4)
    told = train(rows, ["carrier", "origin", "signal"])
    blind = train(rows, ["carrier", "origin"])
    assert told.auc > 0.99 > 0.6 > blind.auc
    assert told.risk({"carrier": "AA", "origin": "EWR", "signal": 6}) > 0.9
    assert told.risk({"carrier": "new here", "origin": "EWR", "signal": 0}) < 0.1
