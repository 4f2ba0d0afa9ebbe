"""Running the server: one process, or a supervisor with several workers that share the listening socket."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import cast

from workbench.deployment.housekeeping import HousekeepingProcess
from workbench.serving import log
from workbench.serving.counters import end_worker
from workbench.serving.settings import SHARED_FOLDER

GRACE_SECONDS = 30
KEEP_ALIVE_SECONDS = 75
UPKEEP_SECONDS = 2.0
BACKLOG = 1024

logger = logging.getLogger("workbench.serving")


def run(path: Path, listener: socket.socket, workers: int, log_file: Path | None) -> None:
    """Serve the project on the socket with that many workers until SIGTERM."""
    log.configure()
    listener.listen(BACKLOG)
    with HousekeepingProcess(path):
        _serve(path, listener, workers, log_file)


def _serve(path: Path, listener: socket.socket, workers: int, log_file: Path | None) -> None:
    if workers == 1:
        run_worker(path, listener, log_file)
    else:
        command = [
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            "-m",
            "workbench.serving",
            str(path),
        ]
        command += ["--fd", str(listener.fileno())] + (["--log", str(log_file)] if log_file else [])
        Supervisor(command, listener.fileno(), workers).run()


def run_worker(path: Path, listener: socket.socket, log_file: Path | None = None) -> None:
    """Serve on a listening socket until SIGTERM; requests in flight are finished first."""
    sys.meta_path.insert(0, _WithoutPandas())
    import uvicorn

    from workbench.serving.app import create_app
    from workbench.serving.protocol import Protocol

    supervisor = os.getppid() if SHARED_FOLDER in os.environ else None

    async def upkeep() -> None:
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            if log_file:
                log.keep_bounded(log_file)
            if supervisor and os.getppid() != supervisor:
                logger.error("the supervisor is gone; this worker stops")
                os.kill(os.getpid(), signal.SIGTERM)

    app = create_app(path, background=[upkeep])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(Protocol, app.fast)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )
    uvicorn.Server(config).run(sockets=[listener])


class _WithoutPandas(MetaPathFinder):
    """pyarrow imports pandas on its own as soon as it sees a list; a worker has no use for its second and 50 MB."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")


class Supervisor:
    """Starts workers on one socket, replaces those that die, and takes them down when it is told to stop.

    Parameters
    ----------
    command
        Starts one worker.
    fd
        The listening socket, inherited by every worker.
    workers
        How many.
    """

    def __init__(self, command: list[str], fd: int, workers: int) -> None:
        self._command = command
        self._fd = fd
        self._wanted = workers
        self._workers: list[subprocess.Popen[bytes]] = []
        self._stopping = threading.Event()
        self._folder = tempfile.mkdtemp(prefix="workbench-metrics-")

    def run(self) -> None:
        """Return when told to stop by SIGTERM or SIGINT and all workers are done."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        try:
            while not self._stopping.is_set():
                self._workers = [worker for worker in self._workers if not self._is_done(worker)]
                while len(self._workers) < self._wanted:
                    self._workers.append(self._start())
                self._stopping.wait(0.5)
        finally:
            self._finish()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {SHARED_FOLDER: self._folder}
        return subprocess.Popen(self._command, pass_fds=[self._fd], env=environment, stdin=subprocess.DEVNULL)

    def _is_done(self, worker: subprocess.Popen[bytes]) -> bool:
        if worker.poll() is None:
            return False
        logger.error("worker %s ended with %s; another one is started", worker.pid, worker.returncode)
        end_worker(Path(self._folder), worker.pid)
        return True

    def _finish(self) -> None:
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + GRACE_SECONDS + 5
        for worker in self._workers:
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
