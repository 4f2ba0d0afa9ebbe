"""A JupyterLab of its own, and a notebook page in it that is driven reliably."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

SECONDS_TO_START = 120
# Runs one cell and resolves when it has ended. Keys are not pressed: while a session starts, JupyterLab shows an idle
# kernel and loses what it is told to run.
RUN_CELL = """async ([index]) => {
  const notebook = window.jupyterapp.shell.currentWidget;
  await notebook.sessionContext.ready;
  await notebook.sessionContext.session.kernel.info;
  notebook.content.activeCellIndex = index;
  notebook.content.deselectAll();
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab server: its address, its token and the folder it shows."""

    url: str
    token: str
    root: Path

    def write_notebook(self, name: str, sources: list[str]) -> None:
        """Write a notebook of code cells into the folder."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), self.root / name
        )

    def api(self, path: str, method: str = "GET") -> Any:
        """Call the server's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"null")

    def restart_kernel(self) -> None:
        """Restart the kernel of the one running session."""
        [session] = self.api("sessions")
        self.api(f"kernels/{session['kernel']['id']}/restart", "POST")

    def open_notebook(self, page: Any, name: str) -> None:
        """Open a notebook in a browser page and wait until it is there."""
        page.goto(f"{self.url}/lab/tree/{name}?token={self.token}&reset")
        page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0", timeout=120_000
        )

    def run_cell(self, page: Any, index: int) -> None:
        """Run the notebook's cell of that index and wait for its end."""
        page.evaluate(RUN_CELL, [index])


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab on a free port of the loopback interface, with settings of its own; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder / "root")
    lab.root.mkdir(parents=True)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", f"--IdentityProvider.token={lab.token}"),
        *(f"--ServerApp.root_dir={lab.root}", "--LabApp.expose_app_in_browser=True"),
    ]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(folder), stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(lab, process, folder / "lab.log")
            yield lab
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(folder: Path) -> dict[str, str]:
    settings = folder / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}')
    own = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": settings,
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "IPYTHONDIR": folder / "ipython",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    return kept | {name: str(path) for name, path in own.items()}


def _wait_until_it_answers(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            lab.api("status")
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
