"""Which workflow a command means, and the parameters that it is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from orchestration.cli.approval_answers import read_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from state.jsonvalue import JsonObject, JsonValue
    from state.workflow import Workflow


def chosen(reference: str) -> Workflow:
    """Return the workflow in a file or of a name, checked against the agents there are.

    Raises:
        WorkflowFileError: The file is no workflow, or one that cannot run; with every problem.
        WorkflowNotFoundError, WorkflowConflictError: No workflow has the name, or no certain one.
    """
    from orchestration.agent_registry import get_registry  # noqa: PLC0415
    from orchestration.workflows.checking import check_file  # noqa: PLC0415  pydantic
    from orchestration.workflows.reading import is_file  # noqa: PLC0415
    from orchestration.workflows.registry import get_workflows  # noqa: PLC0415

    found: Workflow | str = reference
    workflows = get_workflows()
    if not is_file(reference) and not os.path.isfile(reference):  # noqa: PTH113  never raises
        name, _, version = reference.partition("@")
        found = workflows.find(name, version or None)
    if isinstance(found, str):
        return check_file(found, agents=get_registry(), workflows=workflows)
    return found


def given_parameters(
    workflow: Workflow, changes: Sequence[str], whole: str | None
) -> JsonObject | None:
    """Return the parameters in `--params` and `--param`; None where there are none.

    Raises:
        typer.BadParameter: One cannot be read.
    """
    from orchestration.workflows.parameters import known_parameters  # noqa: PLC0415

    if whole is None and not changes:
        return None
    parameters = {} if whole is None else _whole(whole)
    known = known_parameters(workflow)
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"--param {change!r} is not of the form NAME=VALUE")
        parameters[name] = _value(text, known.get(name))
    return parameters


def _value(text: str, schema: Mapping[str, object] | object) -> JsonValue:
    """Read a value; where the workflow wants a text, `5` is a text too."""
    wants_text = isinstance(schema, dict) and schema.get("type") == "string"
    return text if wants_text else read_value(text)


def _whole(text: str) -> JsonObject:
    value = read_value(text)
    if not isinstance(value, dict):
        raise typer.BadParameter(f"--params {text!r:.80} is not a JSON object")
    return value
