"""The tables that commands print."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from orchestration.cli.options import command_line
from orchestration.cli.terminal import styled
from orchestration.cli.wait_words import commands, is_wait, saying, term
from orchestration.cli.words import STYLES, duration, is_held, question, said, standing, utc
from state.conversation import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table

    from checkpoints.history import RecordedMessage
    from checkpoints.threads import ThreadRecord
    from orchestration.cli.words import Json
    from state.jsonvalue import JsonObject
    from state.plan_document import PlannedTask


MOST_INSIDE: Final = 20
"""Tasks shown inside another one."""


def table(*columns: str, rows: Iterable[Sequence[RenderableType]], grows: str = "") -> Table:
    """Return a table whose other columns keep their words whole; `grows` takes the rest."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  only when something is printed
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, ratio=1 if column == grows else None, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Return names and values, one pair a line."""
    from rich.table import Table  # noqa: PLC0415

    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, value)
    return made


def suggest(out: Console, commands: Iterable[tuple[str, str]]) -> None:
    """Print commands and what they are for, each on a line of its own, ready to be copied."""
    for command, purpose in commands:
        line = styled(f"  {command}", "cyan") + styled(f"  # {purpose}", "dim")
        out.print(line, soft_wrap=True)


def results(result: Json) -> Table:
    """Say what became of each task of a `WorkflowResult.as_json()`."""
    rows = [_result_row(path, task) for path, task in _with_inner(result["tasks"])]
    columns = ("Task", "Agent", "Status", "Time", "What it said")
    return table(*columns, rows=rows, grows="What it said")


def answer(out: Console, result: Json) -> None:
    """Print the answer to a request in plain words; nothing for other runs."""
    aggregate = result.get("aggregate")
    text = aggregate.get("text") if isinstance(aggregate, dict) else None
    if said := result.get("summary") or text:
        out.print(styled(f"\n{said}\n"), soft_wrap=True)


def verdict(result: Json) -> RenderableType:
    """Say how the workflow as a whole ended."""
    status = str(result["status"])
    tasks = result["tasks"]
    succeeded = sum(task["status"] == "succeeded" for task in tasks)
    word = "Paused" if status == "interrupted" else status.capitalize()
    undone = sum(task["status"] == "compensated" for task in tasks)
    more = f" {undone} of them undone." if undone else ""
    said_so = styled(f": {succeeded + undone} of {len(tasks)} tasks succeeded.{more}")
    if error := result.get("error"):
        said_so += styled(f" {error['message']}.", STYLES["partial"])
    if not_undone := result.get("uncompensated"):
        names = ", ".join(not_undone)
        said_so += styled(f" Could not be undone: {names}; what it did stands.", STYLES["failed"])
    return styled(word, STYLES[status]) + said_so


def ask(out: Console, result: Json, *, database: str | None) -> None:
    """Print what the workflow waits for, and how to answer."""
    now = time.time()
    for interrupt in result["interrupts"]:
        words = saying(interrupt, now=now) if is_wait(interrupt) else question(interrupt)
        out.print(styled(words, "bold"))
        suggest(out, how_to_answer(interrupt, result["thread_id"], database=database))


def how_to_answer(
    interrupt: Json, thread_id: str, *, database: str | None
) -> Iterator[tuple[str, str]]:
    """The commands that answer a question of `questions.with_requests`."""
    request_id = interrupt.get("request_id") or interrupt["id"]
    roles = ["--role", interrupt["may_decide"][0]] if interrupt.get("may_decide") else []

    def command(*words: str) -> str:
        return command_line("approvals", words[0], request_id, *words[1:], database=database)

    if interrupt.get("decided"):
        resume = command_line("threads", "resume", thread_id, database=database)
        yield resume, "it is decided; go on"
        return
    if is_wait(interrupt):
        yield from commands(interrupt["value"], thread_id, database=database)
        return
    yield command("show"), "what it is about"
    value = interrupt["value"]
    if isinstance(value, dict) and "action_requests" in value:
        yield command("approve", *roles), "go on"
        yield command("reject", *roles, "--message", "why not"), "end it here"
    else:
        yield command("respond", *roles, "--message", "the answer"), "text or JSON"


def threads(records: Iterable[ThreadRecord]) -> Table:
    """Say which threads there are."""
    now = time.time()
    rows = [
        (
            styled(record.thread_id, "bold"),
            _status(standing(record, now=now)),
            styled(str(record.plan.strategy)),
            styled(", ".join(record.plan.document["order"])),
            styled(utc(record.updated_at)),
        )
        for record in records
    ]
    return table("Thread", "Status", "Strategy", "Tasks", "Changed", rows=rows, grows="Tasks")


def messages(found: Iterable[RecordedMessage]) -> Table:
    """Say what was said on a thread."""
    rows = [
        (
            styled(str(each.sequence)),
            styled(utc(each.created_at)),
            styled(str(each.message.get("name") or each.message["role"]), "bold"),
            styled(_words(each.message)),
        )
        for each in found
    ]
    return table("#", "When", "Who", "Message", rows=rows, grows="Message")


def signals(found: Iterable[Json]) -> Table:
    """Say which signals a thread has got, and what became of them."""
    rows = [
        (
            styled(each["name"], "bold"),
            styled(each["state"], "" if each["state"] == "taken" else "bold yellow"),
            styled(each["sent_by"] or ""),
            styled(each["sent_at"]),
            styled(json.dumps(each["payload"], ensure_ascii=False)),
        )
        for each in found
    ]
    return table("Signal", "State", "Sent by", "When", "Payload", rows=rows, grows="Payload")


def upgrades(found: Iterable[Json]) -> Table:
    """Say how a thread's workflow was changed while it ran."""
    rows = [
        (
            styled(f"{each['name']} {each['old_version']} → {each['new_version']}", "bold"),
            styled(each["at"]),
            styled(each["by"] or "compatible"),
            styled("\n".join(each["differences"])),
        )
        for each in found
    ]
    return table("Workflow", "When", "By", "What changed", rows=rows, grows="What changed")


def thread_facts(record: ThreadRecord, *, database: str) -> Table:
    """Say what is known of a thread beside its tasks."""
    now = time.time()
    failure = record.plan.document["on_failure"]
    mode = f"quorum of {failure['needed']}" if failure["kind"] == "quorum" else failure["kind"]
    return facts(
        [
            ("Thread", styled(record.thread_id, "bold")),
            ("Status", _status(standing(record, now=now))),
            ("Workflow", styled(_workflow(record))),
            ("Strategy", styled(f"{record.plan.strategy}, on failure {mode}")),
            ("Begun", styled(utc(record.created_at))),
            ("Changed", styled(utc(record.updated_at))),
            ("Run by", styled(_holder(record, now=now))),
            ("Database", styled(database)),
        ]
    )


def _workflow(record: ThreadRecord) -> str:
    definition = record.plan.document.get("definition")
    return f"{definition['name']} {definition['version']}" if definition else "without a name"


def plan(record: ThreadRecord, result: Json) -> Table:
    """Say each task's plan and what became of it."""
    rows = []
    for path, task in _with_inner(result["tasks"]):
        name, agent, status, took, saying = _result_row(path, task)
        planned = record.plan.task_at(path)
        who, when = agent, ""
        if planned is not None:
            when = terms(planned)
            if not task["agent"]:
                who = styled(planned["agent"] or planned["capability"] or "")
        rows.append((name, who, styled(when), status, took, saying))
    columns = ("Task", "Agent", "Plan", "Status", "Time", "What it said")
    return table(*columns, rows=rows, grows="What it said")


def terms(task: PlannedTask) -> str:
    """Say when and how a task runs."""
    said_terms = []
    if task["needs"]:
        said_terms.append(f"after {', '.join(task['needs'])}")
    condition = task["condition"]
    if condition is not None:
        test = condition["expression"] if condition["kind"] == "cel" else condition["name"]
        said_terms.append(f"if {test}")
    if waits := term(task):
        said_terms.append(waits)
    if task["approval"]:
        said_terms.append("with approval")
    if task["timeout_seconds"]:
        said_terms.append(f"within {duration(task['timeout_seconds'])}")
    if task["retry"]:
        said_terms.append(f"at most {task['retry']['max_attempts']} attempts")
    said_terms += _how_often(task)
    if undo := task.get("compensate"):
        said_terms.append(f"can be undone by {undo['agent'] or undo['capability']}")
    return "\n".join(said_terms)


def _how_often(task: PlannedTask) -> Iterator[str]:
    """Say how often what is inside a task is done."""
    if "repeat" in task:
        until, most = task["repeat"]["until"], task["repeat"]["max_turns"]
        yield f"until {until.get('expression') or until.get('name')}, at most {most} turns"
    if "for_each" in task:
        items = task["for_each"]["items"]
        yield f"for each of {items if isinstance(items, str) else len(items)}"


def _with_inner(tasks: Sequence[Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Each task with its path, and those inside it; of many, the first."""
    for task in tasks:
        path = f"{inside}{task['task_id']}"
        yield path, task
        yield from _with_inner(task.get("tasks", ())[:MOST_INSIDE], f"{path}/")


def _result_row(path: str, task: Any) -> tuple[RenderableType, ...]:  # noqa: ANN401  as JSON
    agent = f"{task['agent']} (version {task['version']})" if task["version"] else task["agent"]
    agent = agent if task["version"] != "1" else task["agent"]
    if (endpoint := task.get("endpoint", "default")) != "default":
        calls = len(task.get("tries", ()))
        agent += f" at {endpoint}" + (f", {calls} calls" if calls > 1 else "")
    attempts = f" (attempt {task['attempts']})" if task["attempts"] > 1 else ""
    return (
        styled(path, "bold"),
        styled(agent),
        _status(task["status"]),
        styled(duration(task["duration_seconds"]) + attempts if task["attempts"] else ""),
        styled(said(task)),
    )


def _words(message: JsonObject) -> str:
    """A message's text; where it has none (a tool call, a picture), its JSON."""
    content = message.get("content")
    return content if isinstance(content, str) and content else text_of(message)


def _status(status: str) -> RenderableType:
    return styled(status.replace("_", " "), STYLES[status])


def _holder(record: ThreadRecord, *, now: float) -> str:
    if record.lease is None:
        return "nobody"
    if is_held(record, now=now):
        return f"{record.lease.holder} (its lease ends at {utc(record.lease.expires_at)})"
    return f"nobody ({record.lease.holder} stopped before {utc(record.lease.expires_at)})"
