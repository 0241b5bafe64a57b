"""`langgraph dev` serves our graphs on loopback; the SDK runs them and reads their drawing."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXPECTED_NODES = {
    "purchase": {"plan", "ticketing", "finance", "sales"},
    "notifications": {"plan", "ticketing", "finance", "sales", "aggregate"},
    "router": {"plan", "router", "ticketing", "finance", "sales"},
    "approval": {
        "plan",
        "ticketing",
        "finance.condition",
        "finance.approval",
        "finance",
        "confirmation",
        "compensate",
    },
    "supervisor": {"understand", "supervisor", "work", "answer"},
}
MESSAGES = {"supervisor": "What's left in the travel budget?"}
"""For graphs that do nothing without one."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise AssertionError(f"langgraph dev ended:\n{log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"{url}/ok", timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"langgraph dev did not come up:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("studio")
    team, log, port = folder / "team.db", folder / "server.log", free_port()
    environment = os.environ | {
        "ORCHESTRATION_TEAM_DATABASE": str(team),
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    command = [str(Path(sys.executable).with_name("langgraph")), "dev", "--port", str(port)]
    command += ["--config", str(ROOT / "langgraph.json"), "--no-browser", "--no-reload"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_up(url, process, log)
        yield url, team
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)


SDK = """
import asyncio, json, sys
from langgraph_sdk import get_client

async def main(url, name, message):
    client = get_client(url=url)
    thread = await client.threads.create()
    given = {"messages": [{"role": "user", "content": message}]} if message else {}
    state = await client.runs.wait(thread["thread_id"], name, input=given)
    paused = "__interrupt__" in state
    if paused:
        answer = {"resume": {"decisions": [{"type": "approve"}]}}
        state = await client.runs.wait(thread["thread_id"], name, command=answer)
    drawing = await client.assistants.get_graph(name)
    print(json.dumps({"state": state, "drawing": drawing, "paused": paused}))

asyncio.run(main(*sys.argv[1:]))
"""


def run_served(url: str, name: str, message: str = "") -> dict:
    """Run a graph through the SDK, in a process of its own: its imports warn."""
    import json  # noqa: PLC0415

    done = subprocess.run(
        [sys.executable, "-c", SDK, url, name, message],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", sorted(EXPECTED_NODES))
def test_each_served_graph_runs_and_can_be_drawn(server: tuple[str, Path], name: str) -> None:
    answer = run_served(server[0], name, MESSAGES.get(name, ""))
    nodes = {node["id"] for node in answer["drawing"]["nodes"]} - {"__start__", "__end__"}
    assert nodes == EXPECTED_NODES[name]
    statuses = {id_: each["status"] for id_, each in answer["state"]["outcomes"].items()}
    assert answer["paused"] == (name == "approval")
    if name == "router":
        assert statuses == {"ticketing": "succeeded", "sales": "skipped", "finance": "skipped"}
    else:
        assert set(statuses.values()) == {"succeeded"}, answer["state"]["outcomes"]


def test_what_is_typed_into_studio_reaches_the_agent(server: tuple[str, Path]) -> None:
    url, team = server
    answer = run_served(url, "purchase", "Book 7 tickets for tonight")
    order = answer["state"]["outcomes"]["ticketing"]["output"]["order_id"]
    connection = sqlite3.connect(team)
    try:
        row = connection.execute("SELECT quantity FROM orders WHERE order_id = ?", (order,))
        found = row.fetchone()
    finally:
        connection.close()
    assert found == (7,)


def test_the_router_sends_a_typed_message_to_its_agent(server: tuple[str, Path]) -> None:
    answer = run_served(server[0], "router", "What is left in the travel budget?")
    assert answer["state"]["route"] == {"chosen": "finance"}


def test_the_supervisor_pauses_for_the_approval_that_a_request_wants(
    server: tuple[str, Path],
) -> None:
    answer = run_served(server[0], "supervisor", "Book tickets, update CRM, get approval")
    assert answer["paused"]
    said = answer["state"]["messages"][-1]
    assert said["role"] == "assistant"
    assert "[expense_approval, finance]" in said["content"]
