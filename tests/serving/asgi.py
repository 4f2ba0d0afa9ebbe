"""Calls an ASGI application without a socket, to set what a real connection fixes: the client's address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.serving.web import Answer

Caller = Callable[..., Coroutine[Any, Any, Answer]]


async def call(
    app: Any,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    client: str = "127.0.0.1",
) -> Answer:
    """Send one request."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": (client, 12345),
        "server": ("127.0.0.1", 80),
    }
    messages: list[dict[str, Any]] = []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(scope, receive, send)
    if not messages:
        return Answer(0, {}, b"")
    found = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return Answer(messages[0]["status"], found, b"".join(one.get("body", b"") for one in messages[1:]))


def running(app: Any, work: Callable[[Caller], Coroutine[Any, Any, None]]) -> None:
    """Start the application, run ``work(call)``, and stop it."""

    async def run() -> None:
        started, finish = asyncio.Event(), asyncio.Event()
        steps = iter(["lifespan.startup"])

        async def receive() -> dict[str, Any]:
            step = next(steps, None)
            if step is None:
                await finish.wait()
                step = "lifespan.shutdown"
            return {"type": step}

        async def send(message: dict[str, Any]) -> None:
            assert "failed" not in message["type"], message
            started.set()

        life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
        await started.wait()

        async def caller(*args: Any, **kwargs: Any) -> Answer:
            return await call(app, *args, **kwargs)

        try:
            await work(caller)
        finally:
            finish.set()
            await life

    asyncio.run(run())
