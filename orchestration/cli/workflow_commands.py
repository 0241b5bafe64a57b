"""`orchestration workflows`: the definitions that can be run by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import JsonOption, command_line
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from orchestration.workflows.registry import WorkflowRegistry
    from state.errors import OrchestrationError
    from state.jsonvalue import JsonObject
    from state.workflow import Workflow

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name, or NAME@VERSION.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A definition that can be used."""

    workflow: Workflow
    origin: str
    versions: list[str]


@app.callback()
def workflows() -> None:
    """See the workflows that can be run by name."""


@app.command("list")
def list_workflows(*, json_output: JsonOption = False) -> None:
    """List every version of every workflow: from folders, packages, and what is broken."""
    with reported(json_output=json_output):
        from orchestration.workflows.registry import get_workflows  # noqa: PLC0415  pydantic

        registry = get_workflows()
        problems = registry.problems()
        listed = [*_listed(registry)]
        if json_output:
            print_json(
                {
                    "workflows": [_json(each) for each in listed],
                    "problems": [{"code": each.code, "message": str(each)} for each in problems],
                }
            )
        else:
            _print(listed, problems)


@app.command("show")
def show(name: NameArgument, *, json_output: JsonOption = False) -> None:
    """Show a workflow: its tasks, its parameters, and how to run it."""
    with reported(json_output=json_output):
        from orchestration.workflows.registry import get_workflows  # noqa: PLC0415  pydantic

        registry = get_workflows()
        wanted, _, version = name.partition("@")
        workflow = registry.get(wanted, version or None)
        found = next(each for each in _listed(registry) if same_version(each.workflow, workflow))
        if json_output:
            print_json(_json(found, whole=True))
        else:
            _print_one(found)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of workflow files, for editors."""
    from orchestration.workflows.published_schema import workflow_schema  # noqa: PLC0415

    print_json(workflow_schema())


def same_version(one: Workflow, other: Workflow) -> bool:
    """Whether two definitions are of the same name and version."""
    return (one.name, one.version) == (other.name, other.version)


def _listed(registry: WorkflowRegistry) -> Iterator[_Listed]:
    """Every definition that can be used, by name, the latest of each first."""
    from state.errors import OrchestrationError  # noqa: PLC0415

    origins = {(each.name, each.version): each.origin for each in registry.all()}
    for name in registry.names():
        versions = registry.versions(name)
        for version in reversed(versions):
            try:
                workflow = registry.get(name, version)
            except OrchestrationError:  # among the problems that are listed
                continue
            yield _Listed(workflow, origins[name, version], versions)


def _print(listed: list[_Listed], problems: list[OrchestrationError]) -> None:
    from orchestration.cli import tables  # noqa: PLC0415

    out = console()
    if listed:
        columns = ("Workflow", "Version", "Strategy", "Tasks", "From", "What it does")
        out.print(tables.table(*columns, rows=map(_row, listed), grows="What it does"))
    else:
        out.print(
            "No workflow can be run by name. Put YAML files into workflows/, or name folders in "
            "ORCHESTRATION_WORKFLOWS.",
            soft_wrap=True,
        )
    if problems:
        out.print(styled("These cannot be used:", "bold red"))
        for problem in problems:
            out.print(styled(f"  {problem}"), soft_wrap=True)


def _row(listed: _Listed) -> list[RenderableType]:
    workflow = listed.workflow
    return [
        styled(workflow.name, "bold"),
        styled(workflow.version),
        styled(str(workflow.strategy)),
        styled(str(len(workflow.tasks))),
        styled(listed.origin),
        styled(_summary(workflow.description)),
    ]


def _print_one(listed: _Listed) -> None:
    from orchestration.cli import tables  # noqa: PLC0415
    from orchestration.workflows.task_names import default_ids, kind_of  # noqa: PLC0415

    out, workflow = console(), listed.workflow
    rows = [
        ("Name", workflow.name),
        ("Version", f"{workflow.version} (of {', '.join(listed.versions)})"),
        ("Strategy", str(workflow.strategy)),
        ("From", listed.origin),
        ("What it does", workflow.description.strip()),
    ]
    out.print(tables.facts((name, styled(value)) for name, value in rows if value))
    tasks = zip(default_ids(workflow.tasks), workflow.tasks, strict=True)
    out.print(
        tables.table(
            "Task",
            "Does",
            "After",
            rows=[
                (styled(id_, "bold"), styled(kind_of(task)), styled(", ".join(task.depends_on)))
                for id_, task in tasks
            ],
        )
    )
    _print_parameters(workflow)
    target = f"{workflow.name}@{workflow.version}"
    tables.suggest(
        out,
        [
            (command_line("run", target), "run it"),
            (command_line("graph", "draw", target), "draw its graph"),
        ],
    )


def _print_parameters(workflow: Workflow) -> None:
    from orchestration.cli import tables  # noqa: PLC0415
    from orchestration.cli.terminal import compact  # noqa: PLC0415
    from orchestration.workflows.parameters import known_parameters  # noqa: PLC0415

    required = (workflow.parameters or {}).get("required", [])
    rows = [
        (
            styled(name, "bold"),
            styled("yes" if name in required else "no"),
            styled(compact(each)),
        )
        for name, each in known_parameters(workflow).items()
    ]
    if rows:
        console().print(tables.table("Parameter", "Required", "JSON Schema", rows=rows))


def _summary(text: str) -> str:
    return text.strip().partition("\n")[0]


def _json(listed: _Listed, *, whole: bool = False) -> JsonObject:
    from orchestration.workflows.task_names import default_ids, kind_of  # noqa: PLC0415
    from state.jsonvalue import json_like  # noqa: PLC0415

    workflow = listed.workflow
    document: JsonObject = {
        "name": workflow.name,
        "version": workflow.version,
        "strategy": str(workflow.strategy),
        "description": workflow.description,
        "from": listed.origin,
        "parameters": json_like(workflow.parameters),
    }
    ids = default_ids(workflow.tasks)
    tasks: JsonObject = {id_: kind_of(task) for id_, task in zip(ids, workflow.tasks, strict=True)}
    if whole:
        return {**document, "versions": [*listed.versions], "tasks": tasks}
    return {**document, "tasks": [*tasks]}
