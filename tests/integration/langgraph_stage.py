"""A `langgraph dev` server with graphs that a stage in this process directs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestration.agents.connector import Connector
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.remote_graph import connect
from orchestration.testing.agent_stage import (
    Act,
    Babbles,
    Breaks,
    Distrusts,
    Echoes,
    Fails,
    Limits,
    Received,
    Refuses,
    Says,
    Stage,
)
from orchestration.testing.loopback_server import LoopbackServer, free_port
from tests.integration.test_langgraph_dev import ROOT, wait_until_up

FILES = ROOT / "tests" / "fixtures" / "langgraph_server"


class LangGraphServer:
    """The server, and the door through which its graphs ask what to do."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.stage: LangGraphStage | None = None
        self._folder = folder / "server"  # a copy, since the server writes where it runs
        self._log = folder / "server.log"
        self._door = LoopbackServer(
            Starlette(
                routes=[
                    Route("/enter", self._enter, methods=["POST"]),
                    Route("/gate", self._gate, methods=["POST"]),
                    Route("/left", self._left, methods=["POST"]),
                    Route("/door", self._let_in, methods=["POST"]),
                ]
            )
        )

    @contextmanager
    def running(self) -> Iterator[LangGraphServer]:
        self._door.start()
        copytree(FILES, self._folder)
        environment = os.environ | {
            "STAGE_URL": self._door.url,
            "PYTHONPATH": str(ROOT),
            "LANGSMITH_TRACING": "false",
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        }
        port = self.url.rpartition(":")[2]
        command = [str(Path(sys.executable).with_name("langgraph")), "dev", "--port", port]
        command += ["--config", "langgraph.json", "--no-browser", "--no-reload"]
        command += ["--n-jobs-per-worker", "40"]
        with self._log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=output, stderr=output
            )
        try:
            wait_until_up(self.url, process, self._log)
            yield self
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=20)
            self._door.stop()

    @property
    def now(self) -> LangGraphStage:
        assert self.stage is not None
        return self.stage

    async def _enter(self, request: Request) -> Response:
        received = Received(**await request.json())
        return JSONResponse(directions(self.now.enter(received), received.text))

    async def _gate(self, _request: Request) -> Response:
        await self.now.gate.wait()
        return JSONResponse({})

    async def _left(self, _request: Request) -> Response:
        self.now.leave_early()
        return JSONResponse({})

    async def _let_in(self, request: Request) -> Response:
        self.now.note_request(await request.json())
        match self.now.act:
            case Distrusts():
                return JSONResponse({"status": 401, "headers": {}})
            case Limits(retry_after):
                headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
                return JSONResponse({"status": 429, "headers": headers})
        return JSONResponse({"status": 200, "headers": {}})


def directions(act: Act, text: str) -> dict[str, object]:
    """What the graph in the other process is told to do."""
    pieces: tuple[str, ...] = ("babble",) if isinstance(act, Babbles) else (text,)
    if isinstance(act, Says | Breaks):
        pieces = act.pieces
    return {
        "pieces": pieces,
        "usage": act.usage if isinstance(act, Says) else None,
        "held_after": act.held_after
        if isinstance(act, Says)
        else (0 if isinstance(act, Echoes) and act.held else None),
        "refuses": act.message if isinstance(act, Refuses) else None,
        "fails": act.message if isinstance(act, Fails) else None,
        "breaks": isinstance(act, Breaks),
    }


class LangGraphStage(Stage):
    """One test's use of the server."""

    def __init__(self, server: LangGraphServer, graph: str = "staged") -> None:
        super().__init__()
        self.server = server
        self.graph = graph
        self.requests: list[tuple[str, str]] = []
        """Methods and paths that came to the server."""
        server.stage = self

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(kind="langgraph", address=self.server.url, settings={"graph": self.graph})

    def connector(self) -> Connector:
        return connect(self.endpoint)

    def connector_to_nobody(self) -> Connector:
        address = f"http://127.0.0.1:{free_port()}"
        return connect(Endpoint(kind="langgraph", address=address, settings={"graph": "staged"}))

    def note_request(self, said: dict[str, str]) -> None:
        with self._changed:
            self.requests.append((said.get("method", ""), said.get("path", "")))
            self._changed.notify_all()

    async def requested(self, method: str, path: str) -> None:
        """Wait until a request came whose path ends so."""
        await self._until(
            lambda: any(each[0] == method and each[1].endswith(path) for each in self.requests),
            f"{method} …{path} comes",
        )
