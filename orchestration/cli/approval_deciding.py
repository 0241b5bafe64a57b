"""Answering a request on the command line, and showing what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import typer

from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.options import command_line, who_decides
from orchestration.cli.progress import waiting
from orchestration.cli.reporting import RunStoppedError, reported
from orchestration.cli.running import draining, exit_with, show_result, wait_for
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest
    from orchestration.approvals import Decided
    from state.decision import Decision
    from state.jsonvalue import JsonObject


class Deciding(NamedTuple):
    """What the options of every answer say."""

    request_id: str
    """Or its beginning."""
    by: str | None
    roles: list[str] | None
    comment: str
    json_output: bool
    database: str | None


def decide_and_exit(said: Deciding, make: Callable[[ApprovalRequest], Decision]) -> None:
    """Answer a request, and end the command as its run ends.

    Args:
        said: By whom, and where.
        make: Returns the decision about the request that was found.

    Raises:
        typer.Exit: Always: with the run's code, or 0 where it does not go on here.
        typer.BadParameter: The answer does not fit the request.
    """
    said = said._replace(by=who_decides(said.by))
    with reported(json_output=said.json_output):
        found: list[ApprovalRequest] = []
        try:
            decided, result = wait_for(_decide(said, make, found))
        except KeyboardInterrupt:
            if not found:
                raise
            raise RunStoppedError(found[0].thread_id, _how_to_see(found[0], said)) from None
        show_decided(decided, result, database=said.database, json_output=said.json_output)
        if result is None:
            raise typer.Exit(ExitCode.COMPLETED)
        exit_with(result)


def show_decided(
    decided: Decided, result: JsonObject | None, *, database: str | None, json_output: bool
) -> None:
    """Print what became of an answer: as JSON, or in words and with the run's result."""
    if json_output:
        from orchestration.cli.approval_documents import request_document  # noqa: PLC0415

        print_json(
            {
                "request": request_document(decided.request),
                "result": result,
                "waits_for": decided.waits_for,
            }
        )
        return
    console().print(styled(_recorded(decided), "bold"), soft_wrap=True)
    if result is not None:
        show_result(result, database=database, json_output=False)


async def _decide(
    said: Deciding,
    make: Callable[[ApprovalRequest], Decision],
    found: list[ApprovalRequest],
) -> tuple[Decided, JsonObject | None]:
    """Answer; `found` is filled as soon as it is known which request is meant."""
    from orchestration.cli.approval_answers import answer  # noqa: PLC0415
    from orchestration.cli.questions import with_requests  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with (
        SimpleCoordinator(database_url=said.database) as coordinator,
        draining(coordinator),
    ):
        inbox = coordinator.approvals
        request = await inbox.find(said.request_id)
        found.append(request)
        decision = make(request)
        _preview(request, decision, said)
        with waiting(console(stderr=said.json_output), f"resuming {request.thread_id}"):
            decided = await inbox.decide(
                request.request_id,
                answer(request, decision),
                by=said.by,
                roles=said.roles or (),
                comment=said.comment,
            )
        if decided.result is None:
            return decided, None
        return decided, await with_requests(coordinator, decided.result.as_json())


def _preview(request: ApprovalRequest, decision: Decision, said: Deciding) -> None:
    """Show what an edit makes different, before it is recorded."""
    if "edited_action" not in decision or said.json_output:
        return
    from orchestration.cli.approval_views import show_changes  # noqa: PLC0415

    out = console()
    out.print(styled(f"Arguments of {request.task_id}, as edited:", "bold"))
    show_changes(out, request.arguments, decision["edited_action"]["args"])


def _recorded(decided: Decided) -> str:
    from orchestration.cli.approval_words import outcome, progress_of_quorum  # noqa: PLC0415

    request = decided.request
    if request.decision is None:
        return f"Recorded for {request.task_id}; {progress_of_quorum(request)}."
    line = f"Recorded for {request.task_id}: {outcome(request)}"
    if decided.result is None:
        line += f"\nThe run does not go on here: {decided.waits_for}"
    return line


def _how_to_see(request: ApprovalRequest, said: Deciding) -> str:
    show = command_line("approvals", "show", request.request_id, database=said.database)
    resume = command_line("threads", "resume", request.thread_id, database=said.database)
    return (
        f"Stopped. What finished is kept; go on with: {resume}\nWhether the answer counts: {show}"
    )
