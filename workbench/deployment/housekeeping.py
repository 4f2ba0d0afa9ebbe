"""The housekeeping process: ``python -m workbench.deployment.housekeeping PROJECT --parent PID``.

A server starts it, starts it again when it dies, and takes it along when it stops. It ends by itself when its parent is
gone, however that ended.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from workbench.deployment.workers import opened

WATCH_SECONDS = 0.5
STOP_SECONDS = 15.0
NICENESS = 5
#: A process that ends sooner than this is started again only so many seconds later.
PAUSE_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1

logger = logging.getLogger("workbench.housekeeping")


class HousekeepingProcess:
    """Runs the housekeeping of a project in a process of its own, for as long as the block lasts.

    Parameters
    ----------
    path
        The project's folder.
    """

    def __init__(self, path: Path) -> None:
        self._command = [
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            "-m",
            "workbench.deployment.housekeeping",
            str(path),
            "--parent",
            str(os.getpid()),
        ]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # The thread lives as long as this process: a child is told of the end of the thread that made it.
        self._thread = threading.Thread(target=self._watch, name="workbench-housekeeping", daemon=True)

    def __enter__(self) -> HousekeepingProcess:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        # What is served comes first.
        self._stopping.wait(WATCH_SECONDS)
        while not self._stopping.is_set():
            started = time.monotonic()
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
            while self._process.poll() is None and not self._stopping.wait(WATCH_SECONDS):
                pass
            if not self._stopping.is_set():
                logger.error(
                    "housekeeping ended with %s; another process is started", self._process.returncode
                )
                self._stopping.wait(max(0.0, PAUSE_SECONDS - (time.monotonic() - started)))
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def keep_house(path: Path, stop: threading.Event, *, once: bool = False) -> bool:
    """Keep house in this process until told to stop; see :meth:`workbench.storage.housekeeping.Housekeeper.run`."""
    from workbench.catalog.expiry import horizons
    from workbench.storage.housekeeping import Housekeeper

    with opened(path) as storage:
        return Housekeeper(storage, lambda: horizons(storage)).run(stop, once=once)


def main(arguments: list[str] | None = None) -> None:
    """Keep house until SIGTERM or the parent's end."""
    parser = argparse.ArgumentParser(prog="python -m workbench.deployment.housekeeping")
    parser.add_argument("project", type=Path)
    parser.add_argument("--parent", type=int, required=True, help="the process with which this one ends")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_watch_parent, args=(options.parent, stop), daemon=True).start()
    os.nice(NICENESS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    keep_house(options.project, stop)


def _watch_parent(parent: int, stop: threading.Event) -> None:
    """End this process when the parent has; what is under way may be cut off, as by a crash."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    while os.getppid() == parent and not stop.is_set():
        time.sleep(WATCH_SECONDS)
    stop.set()
    time.sleep(STOP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
