"""`orchestration agents check` and `schema`: the file that says which agents there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.options import JsonOption
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.agents.spec import AgentSpec
    from state.errors import FileProblem
    from state.jsonvalue import JsonObject


def register(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("check")(check)
    app.command("schema")(schema)


def check(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="An agents file; by default the one that ORCHESTRATION_AGENTS_FILE names.",
            show_default=False,
        ),
    ] = None,
    *,
    json_output: JsonOption = False,
) -> None:
    """Check an agents file: keys, kinds, addresses, credentials; no agent is called.

    Prints every problem as FILE:LINE:COLUMN. Exits with 0 if there is none, and with 2
    otherwise.
    """
    with reported(json_output=json_output):
        from orchestration.agents.configuration.environment import agents_file  # noqa: PLC0415
        from orchestration.agents.configuration.reading import load_agents  # noqa: PLC0415  pydantic
        from orchestration.agents.configuration.variables import FILE_VARIABLE  # noqa: PLC0415
        from state.errors import AgentFileError  # noqa: PLC0415

        file = file or agents_file(os.environ)
        if file is None:
            raise typer.BadParameter(f"give a file, or set {FILE_VARIABLE}")
        specs: list[AgentSpec] = []
        problems: Sequence[FileProblem] = ()
        try:
            specs = load_agents(file)
        except AgentFileError as error:
            problems = error.problems
        if json_output:
            print_json(_json(file, specs, problems))
        else:
            _print(file, specs, problems)
        raise typer.Exit(ExitCode.BAD_INPUT if problems else ExitCode.COMPLETED)


def schema() -> None:
    """Print the JSON Schema of agents files, for editors."""
    from orchestration.agents.configuration.published_schema import agents_schema  # noqa: PLC0415

    print_json(agents_schema())


def _json(file: str, specs: Sequence[AgentSpec], problems: Sequence[FileProblem]) -> JsonObject:
    return {
        "file": file,
        "valid": not problems,
        "agents": [
            {
                "agent_id": spec.agent_id,
                "version": spec.version,
                "endpoints": [place.endpoint_id for place in spec.places],
            }
            for spec in specs
        ],
        "problems": [{**problem._asdict()} for problem in problems],
    }


def _print(file: str, specs: Sequence[AgentSpec], problems: Sequence[FileProblem]) -> None:
    out = console()
    if problems:
        for problem in problems:
            out.print(styled(str(problem)), soft_wrap=True)
        out.print(styled(_counted(len(problems), "problem") + ".", "bold red"))
        return
    agents = _counted(len({spec.agent_id for spec in specs}), "agent")
    versions = _counted(len(specs), "version")
    endpoints = _counted(sum(len(spec.places) for spec in specs), "endpoint")
    line = styled(f"{file}: ") + styled("good", "green")
    out.print(line + styled(f" ({agents}, {versions}, {endpoints})", "dim"), soft_wrap=True)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
