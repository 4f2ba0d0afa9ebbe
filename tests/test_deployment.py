from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench
from tests.serving import cards
from tests.serving.web import Web, owner
from workbench.deployment import (
    Deployment,
    ensure_server,
    find_server,
    live_workers,
    server_log,
    stop_server,
    wait_for_generation,
)
from workbench.deployment.workers import is_running
from workbench.errors import NotFound, RowError, Unavailable

ROW = {"card_id": 7, "amount": 4.0, "ts": "2026-01-03T00:00:00"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Any]:
    made = cards.make(tmp_path / "cards")
    yield made
    stop_server(made.path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A project with ``card_risk`` and ``wire`` deployed, for tests that leave its server alone."""
    made = cards.make(tmp_path_factory.mktemp("shared") / "cards")
    made.define("card_risk", cards.RISK).deploy()
    made.define("wire", cards.WIRE).deploy()
    yield made
    stop_server(made.path)


@pytest.fixture
def risk(shared: Any) -> Deployment:
    return Deployment(shared.path, "card_risk")


def python(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_requests_go_through_the_endpoint_and_give_python_values(shared: Any) -> None:
    deployment = Deployment(shared.path, "wire")
    from datetime import UTC, date, datetime
    from decimal import Decimal

    row = {
        "card_id": 7,
        "amount": float("inf"),
        "price": Decimal("1.5"),
        "ts": datetime(2026, 1, 3, 1, 2, 3, 4, UTC),
        "note": None,
        "payload": b"\x00\xff",
        "ok": True,
        "day": date(2026, 2, 28),
        "huge": 10**30,
        "tags": ["a", None],
    }
    features = deployment.request(row)
    assert features == row | {"price": Decimal("1.500"), "ts": datetime(2026, 1, 3, 1, 2, 3, 4)}
    assert deployment.request([row, row]) == [features, features]
    assert deployment.request({**row, "ts": None} | {"ts": "2026-01-03"})["ts"] == datetime(2026, 1, 3)


def test_a_data_frame_is_several_rows(risk: Deployment) -> None:
    import pandas as pd

    frame = pd.DataFrame({"card_id": [7, 8], "amount": [1.0, None], "ts": pd.to_datetime(["2026-01-03"] * 2)})
    assert [one["cnt"] for one in risk.request(frame)] == [3, 2]


def test_append_stores_the_row_after_the_answer(shared: Any, risk: Deployment) -> None:
    row, before = ROW | {"card_id": 500}, shared.table("transactions").count()
    assert [risk.request(row, append=True)["cnt"] for _ in range(3)] == [1, 2, 3]
    assert shared.table("transactions").count() == before + 3


def test_as_of_sets_the_time(risk: Deployment) -> None:
    row = {"card_id": 7, "amount": 1.0}
    assert risk.request(row, as_of="2026-01-03T00:00:00Z")["cnt"] == 3
    assert risk.request(row)["cnt"] == 1


def test_a_wrong_row_is_a_row_error_with_its_field(risk: Deployment) -> None:
    with pytest.raises(RowError, match="amount") as error:
        risk.request({"card_id": 7})
    assert error.value.field == "amount"
    with pytest.raises(RowError, match="did you mean 'amount'") as error:
        risk.request([ROW, {"card_id": 7, "amuont": 1.0}])
    assert error.value.row == 1


def test_status_tells_version_process_and_traffic(shared: Any, risk: Deployment) -> None:
    before = risk.status()
    for _ in range(5):
        risk.request(ROW)
    status = risk.status()
    assert set(status) == {
        *("view", "version", "state", "pid", "url", "uptime", "requests", "p50_ms", "p99_ms", "errors")
    }
    assert (status["view"], status["version"], status["state"]) == ("card_risk", 1, "serving")
    assert status["requests"] == before["requests"] + 5
    assert status["errors"] == before["errors"]
    assert status["uptime"] > before["uptime"]
    assert 0 < status["p50_ms"] <= status["p99_ms"]
    assert status["pid"] == find_server(shared.path).pid
    assert status["url"] == risk.url
    assert "card_risk" in risk._repr_html_()
    assert "curl" in risk._repr_html_()


def test_the_last_stop_ends_the_server(project: Any) -> None:
    first = project.define("card_risk", cards.RISK).deploy()
    second = project.define("wire", cards.WIRE).deploy()
    pid = first.status()["pid"]
    first.stop()
    assert first.status()["state"] == "stopped"
    assert second.status()["state"] == "serving"
    second.stop()
    assert second.status()["state"] == "no server"
    assert not is_running(pid)
    with pytest.raises(Unavailable, match="no server runs"):
        second.request(ROW)


def test_a_view_that_is_not_deployed_has_no_handle(project: Any) -> None:
    with pytest.raises(NotFound, match="not deployed"):
        Deployment(project.path, "card_risk")


def test_a_new_deployment_after_a_stop_has_the_same_address(project: Any) -> None:
    view = project.define("card_risk", cards.RISK)
    deployment = view.deploy()
    url = deployment.url
    deployment.stop()
    assert find_server(project.path) is None
    assert view.deploy().url == url


def test_the_server_outlives_the_process_that_started_it(project: Any) -> None:
    project.define("card_risk", cards.RISK).deploy()
    stop_server(project.path)
    code = (
        "import sys; from workbench.deployment import ensure_server;"
        "print(ensure_server(sys.argv[1]).pid, flush=True); import os; os.killpg(os.getpgrp(), 9)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", code, str(project.path)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert starter.returncode == -signal.SIGKILL
    server = find_server(project.path)
    assert server is not None
    assert server.pid == int(starter.stdout)
    assert Deployment(project.path, "card_risk").request(ROW)["cnt"] == 3


def test_another_process_finds_the_same_server(shared: Any, risk: Deployment) -> None:
    code = (
        "import sys; from workbench.deployment import Deployment, ensure_server;"
        "d = Deployment(sys.argv[1], 'card_risk');"
        "print(ensure_server(sys.argv[1]).pid, d.url, d.request({'card_id': 7, 'amount': 1.0})['cnt'])"
    )
    assert python(code, shared.path) == f"{find_server(shared.path).pid} {risk.url} 1"


def test_many_starters_start_one_server(project: Any) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_server(project.path).pid)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len(set(found)) == 1
    assert len(live_workers(project.storage)) == 1


def test_a_server_of_another_version_is_replaced_on_its_port(project: Any) -> None:
    project.define("card_risk", cards.RISK).deploy()
    stop_server(project.path)
    code = (
        "import sys, workbench; workbench.__version__ = '0.0.1';"
        "import workbench.deployment.process as process;"
        "process._children.clear(); print(process.ensure_server(sys.argv[1]).pid)"
    )
    old_pid = int(python(code, project.path))
    old = find_server(project.path)
    assert (old.pid, old.package_version) == (old_pid, "0.0.1")
    new = ensure_server(project.path)
    assert new.package_version == workbench.__version__
    assert (new.port, new.pid != old_pid) == (old.port, True)
    assert not is_running(old_pid)
    assert Deployment(project.path, "card_risk").request(ROW)["cnt"] == 3


def test_a_stale_record_misleads_nobody(project: Any, tmp_path: Path) -> None:
    server = ensure_server(project.path)
    record = project.path / "server.json"
    text = record.read_text()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "server.json").write_text(text)
    assert find_server(copy) is None  # came along with a copied folder
    stop_server(project.path)
    record.write_text(json.dumps(json.loads(text) | {"pid": os.getpid()}))  # the number was given to another
    assert find_server(project.path) is None
    assert ensure_server(project.path).port == server.port
    stop_server(project.path)
    record.write_text("{ not json")
    assert find_server(project.path) is None
    assert ensure_server(project.path).pid > 0


def test_a_server_that_cannot_start_says_why(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_MAX_IN_FLIGHT", "many")
    with pytest.raises(Unavailable, match="WORKBENCH_MAX_IN_FLIGHT must be a positive integer") as error:
        ensure_server(project.path)
    assert "server.log" in str(error.value)
    assert find_server(project.path) is None
    assert "WORKBENCH_MAX_IN_FLIGHT" in server_log(project.path, 20)


def test_a_port_that_is_taken_is_a_message(project: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1 port {port}"):
            ensure_server(project.path, port=port)


def test_a_server_that_is_gone_is_a_message(project: Any) -> None:
    deployment = project.define("card_risk", cards.RISK).deploy()
    deployment.request(ROW)
    os.kill(find_server(project.path).pid, signal.SIGKILL)
    with pytest.raises(Unavailable, match="no server runs"):
        deployment.request(ROW)
    assert deployment.status()["state"] == "no server"
    assert "no server" in deployment._repr_html_()


def test_a_server_that_does_not_react_is_replaced(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.define("card_risk", cards.RISK).deploy()
    server = find_server(project.path)
    monkeypatch.setattr("workbench.deployment.process.PROBE_SECONDS", 0.5)
    monkeypatch.setattr("workbench.deployment.process.HUNG_SECONDS", 0.5)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        replaced = ensure_server(project.path)
    finally:
        if is_running(server.pid):
            os.kill(server.pid, signal.SIGKILL)
    assert replaced.pid != server.pid
    assert Deployment(project.path, "card_risk").request(ROW)["cnt"] == 3


def test_a_long_log_is_put_aside_at_the_start(project: Any) -> None:
    log = project.path / "server.log"
    log.write_bytes(b"x" * (9 << 20))
    ensure_server(project.path)
    assert log.stat().st_size < 1 << 20
    assert (project.path / "server.log.1").stat().st_size == 9 << 20


def test_the_url_leads_through_the_hub(
    shared: Any, risk: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = find_server(shared.path).port
    assert risk.url == f"http://127.0.0.1:{port}/v1/features/card_risk"
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert risk.url == f"/user/ann/proxy/{port}/v1/features/card_risk"
    assert risk.request(ROW)["cnt"] == 3  # Python talks to the server itself
    assert "Authorization: token $JUPYTERHUB_API_TOKEN" in risk.curl()
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://hub.example/user/ann/")
    assert risk.url == f"https://hub.example/user/ann/proxy/{port}/v1/features/card_risk"


def test_the_snippets_run_and_hold_no_key(shared: Any, risk: Deployment) -> None:
    environment = os.environ | {"WORKBENCH_API_KEY": owner(shared.path)}
    for snippet in (risk.curl(), risk.python()):
        assert risk.api_key not in snippet
        assert "WORKBENCH_API_KEY" in snippet
    code = [sys.executable, "-c", risk.python()]
    done = subprocess.run(code, env=environment, capture_output=True, text=True, check=True)
    assert "'cnt': 1" in done.stdout
    done = subprocess.run(
        ["sh", "-c", risk.curl()], env=environment, capture_output=True, text=True, check=True
    )
    assert '"cnt":1' in done.stdout


def test_waiting_without_a_server_returns_at_once(project: Any) -> None:
    wait_for_generation(project.path, 1_000_000)


def test_waiting_for_a_generation_that_nobody_reaches_is_a_message(shared: Any) -> None:
    with pytest.raises(Unavailable, match=r"does not serve generation 1000000 after 0.2 s"):
        wait_for_generation(shared.path, 1_000_000, timeout=0.2)


def test_server_and_key_survive_a_second_start(project: Any) -> None:
    server = ensure_server(project.path)
    key = owner(project.path)
    stop_server(project.path)
    again = ensure_server(project.path)
    assert owner(project.path) == key
    assert Web(again.url, key).get("/v1/views").status == 200
    assert again.port == server.port
    assert stop_server(project.path) is True
    assert stop_server(project.path) is False
