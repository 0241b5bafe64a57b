"""`orchestration threads signal`: tell a thread of something that it waits for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from orchestration.cli.exit_codes import EPILOG, ExitCode
from orchestration.cli.options import (
    DatabaseOption,
    JsonOption,
    ThreadArgument,
    command_line,
    who_decides,
)
from orchestration.cli.progress import waiting
from orchestration.cli.reporting import RunStoppedError, reported
from orchestration.cli.running import draining, exit_with, show_result, wait_for
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from orchestration.engines.signalling import Signalled
    from state.jsonvalue import JsonObject, JsonValue


class _Sending(NamedTuple):
    thread_id: str
    name: str
    payload: JsonValue
    by: str
    signal_id: str | None
    database: str | None


def signal(  # noqa: PLR0913  one for each option
    thread_id: ThreadArgument,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The signal's name.", show_default=False)
    ],
    *,
    payload: Annotated[
        str, typer.Option(metavar="JSON", help="What it carries, for the tasks after.")
    ] = "null",
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who sends it. Default: your name in the operating system.",
            show_default=False,
        ),
    ] = None,
    signal_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="Sent again with the same id, it is still one signal.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Send a signal that a thread waits for, or will, and let its run go on.

    One that comes early is kept until the run waits for it. Exits like `run`; with 0 where the
    signal is recorded and the run goes on elsewhere or later.
    """
    who = who_decides(by, option="--by")
    said = _Sending(thread_id, name, _json(payload), who, signal_id, database)
    with reported(json_output=json_output):
        try:
            with waiting(console(stderr=json_output), f"signalling {thread_id}"):
                sent, result = wait_for(_send(said))
        except KeyboardInterrupt:
            again = command_line("threads", "show", thread_id, database=database)
            message = f"Stopped. Whether the signal was recorded: {again}"
            raise RunStoppedError(thread_id, message) from None
        _show(sent, result, database=database, json_output=json_output)
        if result is None:
            raise typer.Exit(ExitCode.COMPLETED)
        exit_with(result)


def register(app: typer.Typer) -> None:
    """Add the command to `orchestration threads`."""
    app.command("signal", epilog=EPILOG)(signal)


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"--payload is no JSON ({error}); text needs quotes of its own: --payload '\"text\"'"
        ) from None
    return value


async def _send(said: _Sending) -> tuple[Signalled, JsonObject | None]:
    from orchestration.cli.questions import with_requests  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with (
        SimpleCoordinator(database_url=said.database) as coordinator,
        draining(coordinator),
    ):
        sent = await coordinator.signal(
            said.thread_id, said.name, said.payload, by=said.by, signal_id=said.signal_id
        )
        if sent.result is None:
            return sent, None
        return sent, await with_requests(coordinator, sent.result.as_json())


def _show(
    sent: Signalled, result: JsonObject | None, *, database: str | None, json_output: bool
) -> None:
    if json_output:
        from orchestration.cli.wait_words import signal_document  # noqa: PLC0415

        document = signal_document(sent.signal, sent.state)
        print_json({"signal": document, "result": result, "waits_for": sent.waits_for})
        return
    console().print(styled(_recorded(sent), "bold"), soft_wrap=True)
    if result is not None:
        show_result(result, database=database, json_output=False)


def _recorded(sent: Signalled) -> str:
    name = sent.signal.name
    if sent.state == "kept":
        line = f"Recorded: nothing waits for {name!r} yet, so it is kept until something does."
    else:
        line = f"Recorded: the run goes on with the signal {name!r}."
    return f"{line}\nThe run does not go on here: {sent.waits_for}" if sent.waits_for else line
