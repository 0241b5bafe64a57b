"""A server of bytes: it answers whatever a test says, and speaks no more HTTP than it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple


class Raw(NamedTuple):
    """One answer."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    more: str = ""
    """Further headers."""


@asynccontextmanager
async def answering(answer: Callable[[str], Raw]) -> AsyncIterator[str]:
    """Answer each path as `answer` says; yields the URL."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        said = answer(head.split()[1])
        writer.write(
            f"HTTP/1.1 {said.status} Said\r\ncontent-type: {said.kind}\r\n{said.more}"
            f"content-length: {len(said.body)}\r\nconnection: close\r\n\r\n".encode()
        )
        writer.write(said.body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
