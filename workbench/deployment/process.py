"""The detached server process of a project: finding, starting and stopping it.

The listening socket is bound here and handed down, so the address is known before the process runs and two starters
cannot race for a port. ``server.json`` is a hint where to look; what counts is that ``/healthz`` at that address names
this project.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import workbench
from workbench.deployment.cores import default_workers
from workbench.deployment.workers import is_running, live_workers, opened
from workbench.errors import Conflict, Unavailable, WorkbenchError

if TYPE_CHECKING:
    from workbench.storage import Storage

INFO, LOCK, LOG = "server.json", "server.lock", "server.log"
START_SECONDS = 120.0
STOP_SECONDS = 40.0
HUNG_SECONDS = 3.0
PROBE_SECONDS = 5.0
ROTATE_BYTES = 8 << 20
BACKLOG = 1024

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ServerInfo:
    """A server that runs: its process, where it listens, what it serves."""

    pid: int
    port: int
    host: str
    package_version: str
    project_id: str
    path: str
    started_at: float

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to from this machine."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port

    @property
    def url(self) -> str:
        """The server's URL from this machine, without a slash at the end."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ensure_server(
    path: str | os.PathLike[str], workers: int | None = None, host: str = "127.0.0.1", port: int = 0
) -> ServerInfo:
    """Return the project's server; start one when none runs, or when the one that runs is of another package version.

    Parameters
    ----------
    path
        The project's folder.
    workers
        Processes that serve; used when a server is started. By default as many as there are cores, see
        :func:`workbench.deployment.cores.default_workers`.
    host, port
        Address to listen on when a server is started; port 0 takes the port of the server before when it is free,
        else any.

    Raises
    ------
    Unavailable
        The server did not start; the message holds the end of its log.
    """
    from workbench.catalog import keys

    folder = Path(path).resolve()
    with opened(folder) as storage, _locked(folder):
        keys.owner_key(storage)
        found = find_server(folder) or find_server(folder)  # asked twice before it is taken for dead
        if found and found.package_version == workbench.__version__:
            return found
        return _started(folder, storage, bool(found), workers, host, port, detached=True)[0]


def run_server(
    path: str | os.PathLike[str],
    workers: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    told: Callable[[ServerInfo], None] = lambda _: None,
) -> int:
    """Run the project's server as a part of this process's life, as containers and service managers want it.

    Returns when the server ends: SIGTERM and SIGINT of this process end it. What it logs goes to standard error.

    Parameters
    ----------
    path, workers, host, port
        As of :func:`ensure_server`.
    told
        Called when the server is ready.

    Returns
    -------
    int
        0 when it was told to end, 1 when it failed.

    Raises
    ------
    Unavailable
        The server did not start.
    Conflict
        One runs already.
    """
    from workbench.catalog import keys

    folder = Path(path).resolve()
    with opened(folder) as storage, _locked(folder):
        keys.owner_key(storage)
        found = find_server(folder) or find_server(folder)
        if found:
            hint = "stop it first: workbench stop"
            raise Conflict(f"the server runs already (process {found.pid}) at {found.url}", hint=hint)
        info, process = _started(folder, storage, False, workers, host, port, detached=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())
    told(info)
    code = process.wait()
    return 0 if code in (0, -signal.SIGTERM, -signal.SIGINT) else 1


def _started(
    folder: Path,
    storage: Storage,
    running: bool,
    workers: int | None,
    host: str,
    port: int,
    *,
    detached: bool,
) -> tuple[ServerInfo, subprocess.Popen[bytes]]:
    """Start the server in the place of the one before, and wait until it is ready."""
    workers = workers or default_workers()
    before = _read(folder)
    if before:
        _terminate(folder, before, storage, STOP_SECONDS if running else HUNG_SECONDS)
    listener = _listen(host, port, before)
    info, process = _start(folder, listener, workers, storage.project_id, detached)
    _wait_until_ready(folder, info, process, lambda: len(live_workers(storage)) >= workers)
    return info, process


def find_server(path: str | os.PathLike[str]) -> ServerInfo | None:
    """Return the server that runs for the project, or None; asks it, so a stale ``server.json`` misleads nobody."""
    folder = Path(path).resolve()
    info = _read(folder)
    if info is None or not is_running(info.pid) or not _serves(info.pid, folder):
        return None
    status, document = _get(info, "/healthz", PROBE_SECONDS)
    if status != 200 or document.get("project_id") != info.project_id:
        return None
    return info


def stop_server(path: str | os.PathLike[str]) -> bool:
    """Stop the project's server: requests in flight are finished first. Returns whether one ran.

    ``server.json`` stays, so that the next server gets the same port and URLs that were given away keep their meaning.
    """
    folder = Path(path).resolve()
    with opened(folder) as storage, _locked(folder):
        info = _read(folder)
        if info is None:
            return False
        return _terminate(folder, info, storage, STOP_SECONDS)


def server_log(path: str | os.PathLike[str], lines: int = 50) -> str:
    """Return the end of the server's log; an empty string when there is none."""
    file = Path(path) / LOG
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 512 * lines))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _listen(host: str, port: int, before: ServerInfo | None) -> socket.socket:
    wanted = [port] if port or before is None else [before.port, 0]
    failure: OSError | None = None
    for candidate in wanted:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, candidate), family=family, backlog=BACKLOG)
        except OSError as error:
            failure = error
    reason = failure.strerror if failure else "no address"
    raise Unavailable(
        f"the server cannot listen on {host} port {port}: {reason}",
        hint="choose another port, or 0 for any that is free",
    )


def _start(
    folder: Path, listener: socket.socket, workers: int, project_id: str, detached: bool
) -> tuple[ServerInfo, subprocess.Popen[bytes]]:
    log = folder / LOG
    if log.exists() and log.stat().st_size > ROTATE_BYTES:
        log.replace(log.with_name(LOG + ".1"))
    command = [sys.executable, "-P", "-m", "workbench.serving", str(folder)]
    command += ["--fd", str(listener.fileno()), "--workers", str(workers)]
    command += ["--log", str(log)] if detached else []
    with listener, open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        host, port = listener.getsockname()[:2]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output if detached else None,
            stderr=output if detached else None,
            cwd=folder,
            env=_environment(),
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    _children[process.pid] = process
    info = ServerInfo(process.pid, port, host, workbench.__version__, project_id, str(folder), time.time())
    _write(folder, info)
    return info, process


def _environment() -> dict[str, str]:
    """Return the environment in which the server imports this very package, also from a checkout."""
    environment = dict(os.environ)
    root = Path(workbench.__file__).resolve().parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        )
    return environment


def _wait_until_ready(
    folder: Path, info: ServerInfo, process: subprocess.Popen[bytes], complete: Callable[[], bool]
) -> None:
    """The socket listens already: one request waits in its queue until the server has loaded what is deployed."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        status, document = _get(info, "/readyz", timeout=deadline - time.monotonic())
        if (status == 200 or (status == 503 and document.get("failures"))) and complete():
            return
        if process.poll() is not None:
            raise Unavailable(
                f"the server ended while it started (exit code {process.returncode}); the end of its log:\n"
                f"{server_log(folder, 15)}",
                hint=f"the whole log is {folder / LOG}",
            )
        time.sleep(0.02)
    raise Unavailable(
        f"the server is not ready after {START_SECONDS:g} s; the end of its log:\n{server_log(folder, 15)}",
        hint=f"the whole log is {folder / LOG}",
    )


def _get(info: ServerInfo, route: str, timeout: float) -> tuple[int, dict[str, object]]:
    """Return status and document of a route; status 0 when there is no answer."""
    connection = http.client.HTTPConnection(*info.address, timeout=max(0.1, timeout))
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        document = json.loads(response.read())
        return response.status, document if isinstance(document, dict) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()


def _terminate(folder: Path, info: ServerInfo, storage: Storage, grace: float) -> bool:
    """End the server's processes, the supervisor and its workers; a process of ours is known by its command line."""
    pids = {info.pid, *(worker.pid for worker in live_workers(storage))}
    ours = [pid for pid in pids if is_running(pid) and _serves(pid, folder)]
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, STOP_SECONDS)):
        for pid in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while any(is_running(pid) for pid in ours) and time.monotonic() < deadline:
            _reap(ours)
            time.sleep(0.01)
        _reap(ours)
        if not any(is_running(pid) for pid in ours):
            return bool(ours)
    raise WorkbenchError(
        f"the server process {info.pid} cannot be stopped", hint="stop it by hand, then try again"
    )


def _reap(pids: list[int]) -> None:
    for pid in pids:
        child = _children.get(pid)
        if child and child.poll() is not None:
            del _children[pid]


def _serves(pid: int, folder: Path) -> bool:
    """Whether a process is a server of this project, and not one that got the number of a dead one."""
    file = Path(f"/proc/{pid}/cmdline")
    if file.exists():
        text = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    else:
        shown = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        text = shown.stdout
    return "workbench.serving" in text and str(folder) in text


def _read(folder: Path) -> ServerInfo | None:
    """Return what ``server.json`` says; None when it is missing, damaged, or came along with a copied folder."""
    try:
        document = json.loads((folder / INFO).read_text())
        info = ServerInfo(**{item.name: document[item.name] for item in fields(ServerInfo)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return info if info.path == str(folder) else None


def _write(folder: Path, info: ServerInfo) -> None:
    draft = folder / f"{INFO}.{os.getpid()}"
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(asdict(info), stream)
    draft.replace(folder / INFO)
