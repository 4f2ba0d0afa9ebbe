"""``python -m workbench.serving PROJECT --fd N --workers K``: how a deploy starts the server."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from workbench.serving.server import run


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.serving", description="Serve one project over HTTP."
    )
    parser.add_argument("project", type=Path, help="the project's folder")
    parser.add_argument(
        "--fd", type=int, required=True, help="an inherited TCP socket that is bound to its address"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that serve it (default 1)")
    parser.add_argument(
        "--log", type=Path, help="the file that standard error goes to, to keep its size bounded"
    )
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error("--workers must be at least 1")
    run(options.project.resolve(), socket.socket(fileno=options.fd), options.workers, options.log)


if __name__ == "__main__":
    main()
