"""`orchestration validate`: every problem of workflow files, without running any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.options import JsonOption
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from state.errors import FileProblem
    from state.jsonvalue import JsonObject
    from state.workflow import Workflow

    Checked = tuple[str, Workflow | None, Sequence[FileProblem]]


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Workflow files, or folders of them.", show_default=False
        ),
    ],
    *,
    json_output: JsonOption = False,
) -> None:
    """Check workflow files: keys, agents, expressions, cycles, and the files they include.

    Prints every problem of every file as FILE:LINE:COLUMN. Exits with 0 if there is none, and
    with 2 otherwise.
    """
    with reported(json_output=json_output):
        checked = [_check(file) for file in _files(files)]
        if json_output:
            print_json({"files": [_json(each) for each in checked]})
        else:
            _print(checked)
        bad = any(problems for _, _, problems in checked)
        raise typer.Exit(ExitCode.BAD_INPUT if bad else ExitCode.COMPLETED)


def _files(wanted: Sequence[str]) -> Iterator[str]:
    """Name the files; a folder stands for the workflow files right inside it."""
    from orchestration.documents.reading import SUFFIXES  # noqa: PLC0415  pydantic

    for name in wanted:
        if not Path(name).is_dir():
            yield name
            continue
        inside = [each for each in sorted(Path(name).iterdir()) if each.suffix.lower() in SUFFIXES]
        if not inside:
            raise typer.BadParameter(f"the folder {name} has no {', '.join(SUFFIXES)} file")
        yield from map(str, inside)


def _check(file: str) -> Checked:
    from orchestration.agent_registry import get_registry  # noqa: PLC0415
    from orchestration.workflows.checking import check_file  # noqa: PLC0415  pydantic
    from state.errors import WorkflowFileError  # noqa: PLC0415

    try:
        return file, check_file(file, agents=get_registry()), ()
    except WorkflowFileError as error:
        return file, None, error.problems


def _json(checked: Checked) -> JsonObject:
    file, workflow, problems = checked
    return {
        "file": file,
        "valid": workflow is not None,
        "name": None if workflow is None else workflow.name,
        "version": None if workflow is None else workflow.version,
        "problems": [{**problem._asdict()} for problem in problems],
    }


def _print(checked: Sequence[Checked]) -> None:
    out = console()
    total = 0
    for file, workflow, problems in checked:
        if workflow is not None:
            line = styled(f"{file}: ") + styled("good", "green")
            count = len(workflow.tasks)
            tasks = f"{count} task{'s' * (count != 1)}"
            out.print(line + styled(f" ({workflow.name} {workflow.version}, {tasks})", "dim"))
        for problem in problems:
            out.print(styled(str(problem)), soft_wrap=True)
        total += len(problems)
    good = sum(workflow is not None for _, workflow, _ in checked)
    verdict = f"{good} of {len(checked)} files can be run"
    if total:
        out.print(styled(f"{verdict}; {total} problem{'s' * (total != 1)}.", "bold red"))
    else:
        out.print(styled(f"{verdict}.", "bold green"))
