"""`orchestration threads prune|copy|delete|expire|vacuum`: what is kept, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import DatabaseOption, JsonOption, ThreadArgument
from orchestration.cli.reporting import reported
from orchestration.cli.running import wait_for
from orchestration.cli.spans import checked_span, span_of
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from checkpoints.database import Database
    from checkpoints.retention import Removed
    from state.jsonvalue import JsonObject

T = TypeVar("T")

KeepOption = Annotated[
    int, typer.Option("--keep", min=1, help="Checkpoints to keep, the latest ones.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `orchestration threads`."""
    app.command("prune", epilog=EPILOG)(prune)
    app.command("copy", epilog=EPILOG)(copy)
    app.command("delete", epilog=EPILOG)(delete)
    app.command("expire", epilog=EPILOG)(expire)
    app.command("vacuum", epilog=EPILOG)(vacuum)


def prune(
    thread_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Threads.", show_default=False)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every thread that nobody runs.")] = False,
    keep: KeepOption = 1,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Delete old checkpoints; threads can still be resumed and looked at."""
    if bool(thread_ids) == every:
        raise typer.BadParameter("give the ids of threads, or --all")
    with reported(json_output=json_output):
        removed = wait_for(_with(database, lambda opened: _prune(opened, thread_ids, keep)))
        _tell(_removed_json(removed), f"Removed {_said(removed)}.", json_output=json_output)


def copy(
    source: ThreadArgument,
    target: Annotated[str, typer.Argument(metavar="NEW", help="The copy's id.")],
    *,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Copy a finished thread, with its history, under another id."""
    with reported(json_output=json_output):
        copied = wait_for(_with(database, lambda opened: opened.retention.copy(source, target)))
        counts: JsonObject = {"checkpoints": copied.checkpoints, "writes": copied.writes}
        said = f"Copied {source} to {target}: {_counts(copied.checkpoints, copied.writes)}."
        _tell({"thread_id": target, **counts}, said, json_output=json_output)


def delete(
    thread_id: ThreadArgument,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it waits for a person, or has crashed.")
    ] = False,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Delete a thread and all that is kept of it; never one that somebody runs."""
    with reported(json_output=json_output):
        removed = wait_for(
            _with(database, lambda opened: opened.retention.delete(thread_id, force=force))
        )
        said = f"Deleted {thread_id}: {_counts(removed.checkpoints, removed.writes)}."
        _tell(_removed_json(removed), said, json_output=json_output)


def expire(  # noqa: PLR0913  one for each option
    thread_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A thread's id.", show_default=False)
    ] = None,
    *,
    after: Annotated[
        str | None,
        typer.Option(
            callback=checked_span,
            metavar="TIME",
            help="With ID: delete it so long after it has finished, e.g. 30d.",
            show_default=False,
        ),
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="With ID: keep it.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            callback=checked_span,
            metavar="TIME",
            help="Without ID: also delete threads that have no time of their own.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Delete finished threads whose time is over; with ID, set a thread's time.

    A thread that has not finished is never deleted.
    """
    if thread_id is None:
        if after or never:
            raise typer.BadParameter("--after and --never need the id of a thread")
    elif older_than or bool(after) == never:
        raise typer.BadParameter("with the id of a thread, give either --after TIME or --never")
    with reported(json_output=json_output):
        if thread_id is None:
            swept = wait_for(
                _with(
                    database, lambda opened: opened.retention.sweep(older_than=span_of(older_than))
                )
            )
            names = ", ".join(swept.thread_ids) or "none"
            said = f"Removed {_said(swept)}. Threads deleted: {names}."
            _tell(_removed_json(swept), said, json_output=json_output)
            return
        time = span_of(after)
        wait_for(_with(database, lambda opened: opened.retention.expire(thread_id, after=time)))
        said = "is kept" if time is None else f"is deleted {after} after it has finished"
        seconds = None if time is None else time.total_seconds()
        document: JsonObject = {"thread_id": thread_id, "expires_after_seconds": seconds}
        _tell(document, f"{thread_id} {said}.", json_output=json_output)


def vacuum(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Rewrite the whole file; writers wait for it.")
    ] = False,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Give the space of what was deleted back to the file system."""
    with reported(json_output=json_output):
        done = wait_for(_with(database, lambda opened: opened.retention.vacuum(full=full)))
        document: JsonObject = {
            "kind": done.kind,
            "bytes_before": done.bytes_before,
            "bytes_after": done.bytes_after,
        }
        sizes = f"{_size(done.bytes_before)} before, {_size(done.bytes_after)} after"
        said = "There is no file" if done.kind == "none" else f"Vacuumed ({done.kind}): {sizes}"
        _tell(document, f"{said}.", json_output=json_output)


async def _with(database: str | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database, work, and close it."""
    import asyncio  # noqa: PLC0415  `--help` needs none

    from checkpoints.database import open_database  # noqa: PLC0415  heavy

    opened = await asyncio.to_thread(open_database, database)
    try:
        return await work(opened)
    finally:
        await asyncio.to_thread(opened.close)


async def _prune(database: Database, thread_ids: list[str] | None, keep: int) -> Removed:
    """Prune the given threads, or every one that nobody runs."""
    for thread_id in thread_ids or ():
        await database.threads.get(thread_id)  # a mistyped id is no success
    return await database.retention.prune(thread_ids or None, keep=keep)


def _removed_json(removed: Removed) -> JsonObject:
    return {
        "threads": [*removed.thread_ids],
        "checkpoints": removed.checkpoints,
        "writes": removed.writes,
    }


def _said(removed: Removed) -> str:
    return _counts(removed.checkpoints, removed.writes)


def _counts(checkpoints: int, writes: int) -> str:
    return f"{_many(checkpoints, 'checkpoint')}, {_many(writes, 'write')}"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _tell(document: JsonObject, sentence: str, *, json_output: bool) -> None:
    if json_output:
        print_json(document)
    else:
        console().print(styled(sentence), soft_wrap=True)
