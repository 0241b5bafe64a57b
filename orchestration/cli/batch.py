"""`orchestration batch`: a workflow for each line of a file, and on from where that stopped."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.options import DatabaseOption, JsonOption, TenantOption, command_line
from orchestration.cli.reporting import reported
from orchestration.cli.running import IN_MEMORY, draining, used_database, wait_for
from orchestration.cli.terminal import console, print_json, styled
from state.errors import FileProblem, InvalidFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestration.batch_items import BatchProgress, BatchResult, ItemResult
    from state.jsonvalue import JsonObject
    from state.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What the command was told."""

    file: Path
    workflow: str
    batch_id: str
    max_concurrency: int
    user: str | None
    tenant: str | None
    database: str | None
    json_output: bool


def batch(  # noqa: PLR0913  one for each option
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl",
            help="A JSON object of parameters on each line.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
    *,
    workflow: Annotated[
        str,
        typer.Option(metavar="FILE_OR_NAME", help="What to run for each line.", show_default=False),
    ],
    max_concurrency: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="Lines at the same time.")
    ] = 8,
    batch_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Go on with the batch of this id, or begin it; by default a new one.",
            show_default=False,
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For whom they run, who then may not approve them.",
            show_default=False,
        ),
    ] = None,
    tenant: TenantOption = None,
    database: DatabaseOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run a workflow for each line of a file, several at a time.

    Told again with the same --batch-id, it finishes what is unfinished, and runs no line twice.
    """
    with reported(json_output=json_output):
        from orchestration.cli.workflow_choice import chosen  # noqa: PLC0415  pydantic
        from orchestration.run_options import new_id  # noqa: PLC0415

        definition, lines = chosen(workflow), _lines(file)
        told = _Batch(
            file=file,
            workflow=workflow,
            batch_id=new_id() if batch_id is None else batch_id,
            max_concurrency=max_concurrency,
            user=user,
            tenant=tenant,
            database=database,
            json_output=json_output,
        )
        try:
            result = wait_for(_run(told, definition, lines))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_how_to_go_on(told)) from None
        _show(told, result)
        raise typer.Exit(_exit_code(result))


def _lines(path: Path) -> dict[int, JsonObject]:
    """Read the parameters by line number; nothing is run unless every line has some.

    Raises:
        InvalidFileError: Lines are no JSON objects; with each.
    """
    found: dict[int, JsonObject] = {}
    problems: list[FileProblem] = []
    try:
        # a JSON text may hold other signs that end lines elsewhere, such as U+2028
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(
            str(path), [FileProblem(str(path), None, None, "", f"cannot be read: {error}")]
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except RecursionError:
            problems.append(FileProblem(str(path), number, 1, "", "is nested too deep"))
            continue
        except ValueError as error:
            problems.append(FileProblem(str(path), number, 1, "", f"is no JSON: {error}"))
            continue
        if isinstance(value, dict):
            found[number] = value
        else:
            message = "is no JSON object; give the parameters by name"
            problems.append(FileProblem(str(path), number, 1, "", message))
    if problems:
        raise InvalidFileError(str(path), problems)
    return found


async def _run(told: _Batch, workflow: Workflow, lines: dict[int, JsonObject]) -> BatchResult:
    from orchestration.batch_items import BatchItem  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    items = [
        BatchItem(workflow=workflow, parameters=each, key=str(number))
        for number, each in lines.items()
    ]
    coordinator = SimpleCoordinator(database_url=told.database)
    with _bar(told) as tell:
        async with coordinator, draining(coordinator):
            return await coordinator.execute_many(
                items,
                batch_id=told.batch_id,
                max_concurrency=told.max_concurrency,
                on_progress=tell,
                user=told.user,
                tenant=told.tenant,
            )


@contextmanager
def _bar(told: _Batch) -> Iterator[Callable[[BatchProgress], None] | None]:
    """Show on a terminal how far the batch is; elsewhere, nothing."""
    out = console(stderr=told.json_output)
    if not out.is_interactive:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=out,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        def tell(progress: BatchProgress) -> None:
            said = f"{progress.running} running"
            bar.update(task, description=said, completed=progress.done, total=progress.total)

        yield tell


def _show(told: _Batch, result: BatchResult) -> None:
    if told.json_output:
        print_json(result.as_json())
        return
    from orchestration.cli import tables  # noqa: PLC0415

    out = console()
    rows = [
        [styled(each.key), styled(each.status), styled(each.thread_id), styled(_why(each))]
        for each in (*result.failed, *result.interrupted)
    ]
    if rows:
        out.print(tables.table("Line", "Status", "Thread", "Why", rows=rows, grows="Why"))
    counts = ", ".join(f"{count} {status}" for status, count in sorted(result.counts.items()))
    out.print(styled(f"{len(result)} requests: {counts or 'none'}", "bold"))
    if rows and used_database(told.database) != IN_MEMORY:
        out.print(styled(f"Go on with it: {_command(told)}", "dim"), soft_wrap=True)


def _why(item: ItemResult) -> str:
    if item.result is None:
        return "" if item.error is None else str(item.error)
    if waiting := [each.task_id for each in item.result.interrupts]:
        return f"waits: {', '.join(waiting)}"
    errors = [each.error for each in item.result if each.error is not None]
    return str(errors[0]["message"]) if errors else ""


def _exit_code(result: BatchResult) -> ExitCode:
    """Say how the batch came out, as for one workflow."""
    if result.failed:
        return ExitCode.PARTIAL if len(result.failed) < len(result) else ExitCode.FAILED
    return ExitCode.PAUSED if result.interrupted else ExitCode.COMPLETED


def _command(told: _Batch) -> str:
    words = ["batch", str(told.file), "--workflow", told.workflow, "--batch-id", told.batch_id]
    for option, value in (("--user", told.user), ("--tenant", told.tenant)):
        words += [] if value is None else [option, value]
    return command_line(*words, database=told.database)


def _how_to_go_on(told: _Batch) -> str:
    if used_database(told.database) == IN_MEMORY:
        return "Stopped. The batch was kept in memory only, so it is gone."
    return f"Stopped. What finished is kept; go on with: {_command(told)}"
