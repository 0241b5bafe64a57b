"""`orchestration threads migrate`: a run goes on under another version, as somebody says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, cast

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import DatabaseOption, JsonOption, ThreadArgument, who_decides
from orchestration.cli.progress import waiting
from orchestration.cli.reporting import reported
from orchestration.cli.running import draining, exit_with, show_result, wait_for
from orchestration.cli.terminal import console

if TYPE_CHECKING:
    from checkpoints.threads import ThreadRecord
    from checkpoints.upgrades import UpgradeRecord
    from state.jsonvalue import JsonObject
    from state.result import TaskResult

    Names = Callable[[Mapping[str, TaskResult]], Mapping[str, str | None]]


def migrate(  # noqa: PLR0913  one for each option
    thread_id: ThreadArgument,
    *,
    function: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="MODULE:FUNCTION",
            help="Gets what has begun, by task id; returns under which task id each goes on, or "
            "None for what is given up. Looked for in this folder too.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FILE_OR_NAME",
            help="What it goes on with: a file, NAME or NAME@VERSION. Default: the latest version "
            "of the thread's workflow.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="USER",
            help="Who says so; it is recorded. Default: your name in the operating system.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Let an unfinished run go on under any version of a workflow, as your function says.

    What has begun goes on under the names that it returns; everything else is done as the new
    version says. If the function does not fit, nothing is changed. Exits like `run`.
    """
    names, who = loaded(function), who_decides(by, option="--by")
    with reported(json_output=json_output):
        with waiting(console(stderr=json_output), f"migrating {thread_id}"):
            result = wait_for(_migrate(thread_id, database, names, target=target, by=who))
        show_result(result, database=database, json_output=json_output)
        exit_with(result)


def register(app: typer.Typer) -> None:
    """Add the command to `orchestration threads`."""
    app.command("migrate", epilog=EPILOG)(migrate)


def loaded(reference: str) -> Names:
    """Return the function that MODULE:FUNCTION names.

    Raises:
        typer.BadParameter: There is none.
    """
    module, sign, name = reference.partition(":")
    if not sign or not module or not name:
        raise typer.BadParameter(f"--with {reference!r} is not of the form MODULE:FUNCTION")
    sys.path.append(os.getcwd())  # noqa: PTH109  last, so that it hides nothing
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise typer.BadParameter(f"--with {reference!r}: {error}") from error
    finally:
        sys.path.pop()
    if not callable(found):
        raise typer.BadParameter(f"--with {reference!r} is no function")
    return cast("Names", found)


def workflow_json(record: ThreadRecord) -> JsonObject | None:
    """Which workflow a thread runs; None where it has no name."""
    definition = record.plan.document.get("definition")
    if definition is None:
        return None
    return {"name": definition["name"], "version": definition["version"]}


def upgrade_json(upgrade: UpgradeRecord) -> JsonObject:
    """A change of a thread's workflow as a JSON object."""
    from orchestration.cli.words import utc  # noqa: PLC0415

    return {
        "name": upgrade.name,
        "old_version": upgrade.old_version,
        "new_version": upgrade.new_version,
        "differences": [*upgrade.differences],
        "by": upgrade.by,
        "at": utc(upgrade.at),
    }


async def _migrate(
    thread_id: str, database: str | None, names: Names, *, target: str | None, by: str
) -> JsonObject:
    from orchestration.cli.questions import with_requests  # noqa: PLC0415
    from orchestration.cli.workflow_choice import chosen  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator, draining(coordinator):
        if target is None:
            record = await coordinator.thread(thread_id)
            definition = workflow_json(record)
            if definition is None:
                raise typer.BadParameter(
                    f"thread {thread_id!r} has no named workflow; say what it goes on with: --to"
                )
            target = str(definition["name"])
        workflow = chosen(target)
        result = await coordinator.migrate(thread_id, workflow, names, by=by)
        return await with_requests(coordinator, result.as_json())
