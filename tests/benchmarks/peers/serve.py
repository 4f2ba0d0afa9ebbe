"""A peer over HTTP as a team would write it: pydantic in, orjson out, one uvicorn worker.

python -m tests.benchmarks.peers.serve FD FOLDER [PEER]    without PEER it answers a constant
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from tests.benchmarks.peers import Peer, attach


class Asked(BaseModel):
    """A request of the scenario."""

    card_id: int
    ts: int
    amount: float
    merchant_id: int
    mcc: int


CONSTANT = {f"f{number:02d}": number * 1.5 for number in range(20)}


def application(peer: Peer | None) -> FastAPI:
    """Return the application; without a peer it answers a constant."""
    app = FastAPI()

    def reply(features: dict[str, Any]) -> Response:
        return Response(orjson.dumps(features), media_type="application/json")

    @app.post("/")
    async def answer(asked: Asked) -> Response:
        if peer is None:
            return reply(CONSTANT)
        row = asked.model_dump()
        if peer.mode == "inline":
            return reply(peer.features(row))
        if peer.mode == "async":
            return reply(await peer.afeatures(row))
        return reply(await run_in_threadpool(peer.features, row))

    return app


def main() -> None:
    """Serve on the listening socket that was handed over."""
    number, folder, *name = sys.argv[1:]
    app = application(attach(name[0], Path(folder)) if name else None)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(number))])


if __name__ == "__main__":
    main()
