"""What the inbox looks like: its list, a request in full, its history, a sweep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from checkpoints.approvals import DECIDED, PENDING, WAITS
from orchestration.cli import approval_words as words
from orchestration.cli import wait_words
from orchestration.cli.approval_answers import is_approval
from orchestration.cli.options import command_line
from orchestration.cli.tables import facts, suggest, table
from orchestration.cli.terminal import console, printable, styled
from orchestration.cli.words import question, said, utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table

    from checkpoints.approvals import ApprovalRequest, AuditEntry
    from orchestration.approvals import Swept
    from state.jsonvalue import JsonObject, JsonValue

_DIFF_STYLES = {"-": "red", "+": "green"}


def inbox(requests: Sequence[ApprovalRequest]) -> Table:
    """Say what waits for a person."""
    now = time.time()
    short = words.short_ids([each.request_id for each in requests])
    rows = [
        (
            styled(short[each.request_id], "bold"),
            styled(_what(each)),
            styled(each.requester or ""),
            styled(_who_may(each)),
            styled(words.span(now - each.created_at)),
            styled(_time_left(each, now=now), "" if _in_time(each, now=now) else "bold red"),
            styled(each.thread_id),
        )
        for each in requests
    ]
    columns = ("Request", "What", "Asked by", "Who may", "Waits", "Time left", "Thread")
    return table(*columns, rows=rows, grows="What")


def show(
    out: Console, request: ApprovalRequest, history: Sequence[AuditEntry], *, database: str | None
) -> None:
    """Print all that a person needs to decide, and how to answer."""
    out.print(styled(_what(request) if request.kind in WAITS else words.asked_for(request), "bold"))
    out.print(facts(_facts(request, history)))
    for title, value in _values(request):
        _section(out, title)
        out.print(styled(words.pretty(value)), soft_wrap=True)
    _results_before(out, request)
    if (arguments := words.edited_arguments(request)) is not None:
        _section(out, "Arguments as edited")
        show_changes(out, request.arguments, arguments)
    _section(out, "History")
    out.print(trail(history))
    if request.status == PENDING:
        _section(out, "Go on with" if request.kind in WAITS else "Answer with")
        suggest(out, _answers(request, database=database))
    elif request.status == DECIDED:
        resume = command_line("threads", "resume", request.thread_id, database=database)
        _section(out, "The run has not taken it up yet")
        suggest(out, [(resume, "go on with it")])


def show_changes(out: Console, before: JsonValue, after: JsonValue) -> None:
    """Print a comparison of arguments before and after."""
    for line in words.changes(before, after) or ["  nothing is different"]:
        out.print(styled(f"  {line}", _DIFF_STYLES.get(line[0], "dim")), soft_wrap=True)


def trail(history: Sequence[AuditEntry]) -> Table:
    """Say what happened to a request, or to those of a thread, the oldest entry first."""
    rows = [
        (
            styled(utc(each.at)),
            styled(each.task_id),
            styled(each.event, words.EVENT_STYLES.get(each.event, "")),
            styled(_actor(each)),
            styled(each.decision),
            styled(words.entry_saying(each)),
        )
        for each in history
    ]
    return table("When", "Task", "What", "Who", "Decision", "Why", rows=rows, grows="Why")


def swept(out: Console, done: Swept) -> None:
    """Say what a sweep did; nothing if there was nothing to do."""
    for event, request in done.due:
        style = words.EVENT_STYLES.get(event, "")
        what = f"{request.task_id}, thread {request.thread_id}, request {request.request_id}"
        out.print(styled(f"{event}: ", style) + styled(what), soft_wrap=True)
    for thread_id in done.reconciled:
        out.print(styled(f"entered what thread {thread_id} was left asking"), soft_wrap=True)
    for result in done.resumed:
        status = str(result.status)
        out.print(styled(f"resumed thread {result.thread_id}: {status}", "green"), soft_wrap=True)
    for _, why in done.left:
        out.print(styled(f"left alone: {why}", "yellow"), soft_wrap=True)


def refused_later(message: str) -> None:
    """Say that a sweep failed, and that the next one tries again."""
    line = styled("Error: ", "bold red") + styled(f"{message} The next sweep tries again.")
    console(stderr=True).print(line, soft_wrap=True)


def _what(request: ApprovalRequest) -> str:
    if request.kind in WAITS:
        return wait_words.saying({"value": request.payload}, now=time.time())
    if is_approval(request):
        return words.asked_for(request)
    return question({"value": request.payload})


def _who_may(request: ApprovalRequest) -> str:
    if request.kind in WAITS:
        return wait_words.answered_by(request)
    return ", ".join(request.may_decide()) or "anybody"


def _time_left(request: ApprovalRequest, *, now: float) -> str:
    if request.deadline_at is None:
        return ""
    return words.span(request.deadline_at - now) if _in_time(request, now=now) else "over"


def _in_time(request: ApprovalRequest, *, now: float) -> bool:
    return request.deadline_at is None or request.deadline_at > now


def _facts(
    request: ApprovalRequest, history: Sequence[AuditEntry]
) -> Iterator[tuple[str, RenderableType]]:
    now = time.time()
    yield "Request", styled(request.request_id, "bold")
    yield "Status", styled(request.status, "" if request.status == PENDING else "bold")
    yield "Thread", styled(request.thread_id)
    yield "Task", styled(f"{request.task_id}, for {request.action}" if request.action else "")
    yield "Asked by", styled(request.requester or "nobody in particular")
    if request.tenant:
        yield "Tenant", styled(request.tenant)
    yield "Asked", styled(words.ago(request.created_at, now=now))
    if request.kind in WAITS:
        yield from _facts_of_wait(request, now=now)
        return
    if request.status != PENDING:
        yield "Decided", styled(words.outcome(request))
    yield "Who may", styled(words.who_may(request))
    if request.kind == "approval":
        yield "Quorum", styled(words.quorum(request, history))
        yield "Deadline", styled(words.deadline(request, now=now))
        for name, text in words.prompts(request, now=now):
            yield name, styled(text)
        if request.policy["when"]:
            yield "Asked if", styled(request.policy["when"])
        yield "Answers", styled(", ".join(request.policy["allowed"]))


def _facts_of_wait(request: ApprovalRequest, *, now: float) -> Iterator[tuple[str, RenderableType]]:
    if request.decision is not None:
        yield "Over", styled(wait_words.outcome(request))
    elif request.status != PENDING:
        yield "Over", styled("lapsed: the run ended, or went on, without it")
    yield "Waits for", styled(wait_words.waits_for(request.payload, now=now))


def _values(request: ApprovalRequest) -> Iterator[tuple[str, JsonValue]]:
    if request.kind == "approval":
        yield "Arguments", request.arguments
    elif request.kind == "question" and not isinstance(request.payload, str):
        yield "Question", request.payload


def _results_before(out: Console, request: ApprovalRequest) -> None:
    """Print what tasks before gave: what it said, then the rest of it."""
    for task_id, output in words.upstream(request).items():
        _section(out, f"Result of {task_id}")
        fields: JsonObject = dict(output) if isinstance(output, dict) else {"result": output}
        saying = said({"error": None, "reason": "", "output": fields})
        rest = {name: value for name, value in fields.items() if value != saying}
        if saying in fields.values():
            out.print(styled(saying), soft_wrap=True)
        out.print(facts((printable(name), styled(_flat(value))) for name, value in rest.items()))


def _flat(value: JsonValue) -> str:
    return value if isinstance(value, str) else words.pretty(value)


def _answers(request: ApprovalRequest, *, database: str | None) -> Iterator[tuple[str, str]]:
    """The commands that a request takes, and what each is for."""
    if request.kind in WAITS:
        yield from wait_words.commands(request.payload, request.thread_id, database=database)
        return
    given = ["--role", roles[0]] if (roles := request.may_decide()) else []

    def command(verb: str, *more: str) -> str:
        return command_line("approvals", verb, request.request_id, *more, *given, database=database)

    if not is_approval(request):
        yield command("respond", "--message", "the answer"), "text or JSON"
        return
    name = next(iter(request.arguments), "name")
    every = {
        "approve": (command("approve"), "go on"),
        "edit": (command("edit", "--set", f"{name}=value"), "go on with other arguments"),
        "reject": (command("reject", "--message", "why not"), "end it here"),
        "respond": (command("respond", "--message", "the result"), "do the task yourself"),
    }
    yield from (every[kind] for kind in request.policy["allowed"] if kind in every)


def _actor(entry: AuditEntry) -> str:
    who = words.decider(entry.actor) if entry.actor else ""
    return f"{who} ({', '.join(entry.roles)})" if entry.roles else who


def _section(out: Console, title: str) -> None:
    out.print()
    out.print(styled(title, "bold"))
