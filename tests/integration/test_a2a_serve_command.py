"""`orchestration serve a2a`, as a process of its own that is killed and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import AgentCardResolutionError
from a2a.types import GetTaskRequest, Message, Part, Role, SendMessageRequest, Task, TaskState

from orchestration.testing.loopback_server import free_port

PATIENCE = 60.0


@asynccontextmanager
async def served(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "ORCHESTRATION_TEAM_DATABASE": str(folder / "team.db"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    words = ["serve", "a2a", "--agent", "hr", "--port", str(port)]
    database = f"sqlite:///{folder / 'runs.db'}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestration.cli", *words, "--database", database),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(url: str, request: SendMessageRequest) -> Task:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        while True:
            try:
                card = await A2ACardResolver(http, url).get_agent_card()
                break
            except AgentCardResolutionError:
                await asyncio.sleep(0.05)
        client = ClientFactory(ClientConfig(streaming=False, httpx_client=http)).create(card)
        (answer,) = [each async for each in client.send_message(request)]
        assert await client.get_task(GetTaskRequest(id=answer.task.id)) == answer.task
        return answer.task


async def test_a_killed_server_still_knows_its_tasks(tmp_path: Path) -> None:
    port = free_port()
    message = Message(
        message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text="Who is Ada Kowalski?")]
    )
    request = SendMessageRequest(message=message)
    tasks = []
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            async with served(tmp_path, port) as process:
                tasks.append(await ask(f"http://127.0.0.1:{port}", request))
                process.send_signal(signal.SIGKILL)
                await process.wait()
    assert tasks[0].status.state in {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_REJECTED,
    }
    assert tasks[0] == tasks[1]
