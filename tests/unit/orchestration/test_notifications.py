"""Notifications, delivered by Apprise to a real server on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from checkpoints.approvals import ApprovalRequest, Due
from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ApprovalPolicy,
    ConfigurationError,
    SimpleCoordinator,
    WorkflowStatus,
)
from orchestration.approvals import open_inbox
from orchestration.notifications import (
    NOTIFY_VARIABLE,
    Announcer,
    AppriseNotifier,
    message,
    notifier_from_environment,
)
from state.approval import DEFAULT_POLICY

NOON = 1_800_000_000.0
POLICY = ApprovalPolicy(
    roles=["manager"],
    reminder=timedelta(minutes=10),
    escalation=timedelta(minutes=20),
    escalate_to=["cfo"],
    deadline=timedelta(minutes=30),
)
REQUEST = ApprovalRequest(
    request_id="q",
    thread_id="t",
    run_id="r",
    task_id="expense",
    interrupt_id="q",
    kind="approval",
    action="finance",
    tenant=None,
    requester="Rita",
    policy=DEFAULT_POLICY,
    payload={"action_requests": [{"args": {"salary": 90_000}}]},
    seen_hash="",
    status="pending",
    created_at=NOON,
    deadline_at=None,
    remind_at=None,
    escalate_at=None,
    escalated=False,
    decision=None,
    decided_by=None,
    decided_at=None,
)


class Wall:
    """A clock on the wall, set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Webhook:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, str]] = queue.Queue()
        self.status = 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        received, webhook = self.received, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                received.put(json.loads(self.rfile.read(length)))
                webhook.may_answer.wait(30)
                self.send_response(webhook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}"

    def titles(self) -> Counter[str]:
        """What came since it was asked last."""
        came = [self.received.get_nowait() for _ in range(self.received.qsize())]
        return Counter(each["title"] for each in came)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    serving = threading.Thread(target=hook.server.serve_forever, args=(0.01,))
    serving.start()
    yield hook
    hook.may_answer.set()
    hook.server.shutdown()
    hook.server.server_close()
    serving.join()


@pytest.fixture
def dead_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def finance() -> AgentRegistry:
    async def log(given: dict[str, object]) -> dict[str, object]:
        return given

    registry = AgentRegistry()
    registry.register(AgentSpec("finance", handler=log))
    return registry


TASKS = (AgentTask("finance", {"amount": 900}, task_id="expense", requires_approval=POLICY),)


async def test_each_event_is_delivered_once_though_two_sweep_at_once(
    webhook: Webhook, finance: AgentRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTIFY_VARIABLE, webhook.url)
    wall, url = Wall(), f"sqlite:///{tmp_path / 'runs.db'}"
    one, two = (SimpleCoordinator(registry=finance, database_url=url, clock=wall) for _ in "12")

    async def sweep_twice() -> Counter[str]:
        await asyncio.gather(one.approvals.sweep(), two.approvals.sweep())
        return webhook.titles()

    async with one, two:
        await one.execute_sequential(TASKS, thread_id="t")
        assert webhook.titles() == {"Approval wanted: expense": 1}
        assert await sweep_twice() == {}
        await two.resume("t")  # it asks the same again
        assert webhook.titles() == {}
        wall.now = NOON + 600
        assert await sweep_twice() == {"Still waiting for approval: expense": 1}
        wall.now = NOON + 1200
        assert await sweep_twice() == {"Approval escalated to you: expense": 1}
        wall.now = NOON + 1800
        assert await sweep_twice() == {"Approval deadline passed: expense": 1}
        assert (await one.resume("t")).status == WorkflowStatus.REJECTED
    assert webhook.titles() == {}


async def test_a_question_is_announced_while_others_still_work(
    webhook: Webhook, finance: AgentRegistry
) -> None:
    released = asyncio.Event()

    async def work(_given: dict[str, object]) -> dict[str, object]:
        async with asyncio.timeout(30):
            await released.wait()
        return {}

    finance.register(AgentSpec("sales", handler=work))
    notifier = AppriseNotifier([webhook.url])
    async with SimpleCoordinator(
        registry=finance, database_url="memory://", notifier=notifier
    ) as coordinator:
        run = asyncio.create_task(coordinator.execute_parallel([*TASKS, AgentTask("sales")]))
        first = await asyncio.to_thread(webhook.received.get, timeout=30)
        assert first["title"] == "Approval wanted: expense"
        assert not run.done()
        released.set()
        assert (await run).status == WorkflowStatus.INTERRUPTED
    assert webhook.titles() == {}


async def test_a_text_holds_who_and_where_and_no_inputs(webhook: Webhook) -> None:
    await AppriseNotifier([webhook.url]).notify("requested", REQUEST)
    sent = webhook.received.get_nowait()
    assert sent["title"] == "Approval wanted: expense"
    assert "orchestration approvals show q" in sent["message"]
    assert "Rita" in sent["message"]
    assert "90" not in sent["message"]


def test_a_question_without_a_task_is_announced_too() -> None:
    request = REQUEST._replace(kind="question", task_id="", action="", requester=None)
    title, body = message("requested", request)
    assert title == "Approval wanted: a question"
    assert body.startswith("A question, thread t.\nLook at it")


@pytest.mark.parametrize("trouble", ["dead", "refusing"])
async def test_trouble_with_a_service_is_logged_and_stops_nobody(
    trouble: str,
    webhook: Webhook,
    dead_url: str,
    finance: AgentRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook.status = 500
    notifier = AppriseNotifier([dead_url if trouble == "dead" else webhook.url])
    with caplog.at_level(logging.WARNING, logger="orchestration"):
        async with SimpleCoordinator(
            registry=finance, database_url="memory://", notifier=notifier
        ) as coordinator:
            paused = await coordinator.execute_sequential(TASKS, thread_id="t")
            assert paused.status == WorkflowStatus.INTERRUPTED
            done = await coordinator.resume("t", {"expense": "approve"}, roles=["manager"])
            assert done.status == WorkflowStatus.COMPLETED
    request_id = paused.interrupts[0].interrupt_id
    assert caplog.messages.count(f"could not notify everybody of request {request_id}") == 1


async def test_a_silent_service_holds_nobody_up(webhook: Webhook) -> None:
    webhook.may_answer.clear()
    announcer = Announcer(AppriseNotifier([webhook.url]))
    announcer([Due("requested", REQUEST)])
    await announcer.settle(seconds=0.01)
    webhook.may_answer.set()
    await announcer.settle()
    assert webhook.titles() == {"Approval wanted: expense": 1}


async def test_a_notifier_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def notify(self, event: str, request: ApprovalRequest) -> None:
            raise RuntimeError(f"cannot tell of {event} {request.task_id}")

    announcer = Announcer(Broken())
    announcer([Due("requested", REQUEST), Due("reminded", REQUEST)])
    await announcer.settle()
    assert caplog.messages == ["a notifier failed"] * 2
    assert "cannot tell of requested expense" in caplog.text


async def test_without_a_notifier_nothing_is_told() -> None:
    announcer = Announcer(None)
    announcer([Due("requested", REQUEST)])
    await announcer.settle()


# -- what cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", " ", ","])
def test_nobody_is_notified_where_no_url_is_set(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTIFY_VARIABLE, value)
    assert notifier_from_environment() is None


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("url", ["nonsense", "carrier-pigeon://secret@loft", "json://", "mailto:x"])
async def test_a_url_that_cannot_be_is_refused_before_anything_runs(
    url: str, finance: AgentRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTIFY_VARIABLE, f"json://127.0.0.1:1 {url}")
    database_url = f"sqlite:///{tmp_path / 'runs.db'}"
    with pytest.raises(ConfigurationError, match=NOTIFY_VARIABLE) as refused:
        await SimpleCoordinator(registry=finance, database_url=database_url).execute_sequential(
            TASKS
        )
    assert "secret" not in str(refused.value)
    with pytest.raises(ConfigurationError):
        async with open_inbox(database_url, registry=finance) as inbox:
            await inbox.list_pending()
    assert not files_in(tmp_path)


WITHOUT_APPRISE = """
import sys
sys.modules["apprise"] = None
from orchestration.notifications import notifier_from_environment
from state.errors import ConfigurationError
try:
    notifier_from_environment()
except ConfigurationError as error:
    print(error)
"""


def test_a_missing_apprise_is_said_with_how_to_get_it(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTIFY_VARIABLE, webhook.url)
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_APPRISE], capture_output=True, text=True, check=True
    )
    assert "Apprise is not installed" in said.stdout
    assert 'pip install "agent-orchestration-layer[notify]"' in said.stdout
