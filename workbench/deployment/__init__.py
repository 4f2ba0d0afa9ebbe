"""The handle on an endpoint: finds or starts the project's detached server, and talks HTTP to it."""

from __future__ import annotations

from workbench.deployment.cores import default_workers
from workbench.deployment.handle import Deployment
from workbench.deployment.process import (
    ServerInfo,
    ensure_server,
    find_server,
    run_server,
    server_log,
    stop_server,
)
from workbench.deployment.workers import Worker, live_workers, wait_for_generation

__all__ = [
    "Deployment",
    "ServerInfo",
    "Worker",
    "default_workers",
    "ensure_server",
    "find_server",
    "live_workers",
    "run_server",
    "server_log",
    "stop_server",
    "wait_for_generation",
]
