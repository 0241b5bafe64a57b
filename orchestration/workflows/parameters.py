"""The parameters of a run, and the JSON Schema that a workflow has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from state.errors import PlanError, Problem
from state.jsonvalue import NotJsonError, json_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.jsonvalue import JsonObject
    from state.workflow import Workflow


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Say why something is no JSON Schema for parameters, or None."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415  only where used

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f".{part}" for part in error.absolute_path)
        return f"no JSON Schema: {place.removeprefix('.') or 'it'}: {error.message}"
    return None


def checked_parameters(workflow: Workflow, given: Mapping[str, Any] | None) -> JsonObject:
    """Return the parameters of a run, with the defaults that the workflow's schema has.

    Raises:
        PlanError: They do not fit the schema, with every reason; nothing was run.
    """
    try:
        parameters = json_object(given or {}, at="parameters")
    except NotJsonError as error:
        raise PlanError([Problem("bad_parameters", str(error))]) from error
    if workflow.parameters is None:
        if parameters:
            raise PlanError([_needless(workflow, parameters)])
        return {}
    schema = workflow.parameters
    if problem := schema_problem(schema):
        message = f"the parameters of workflow {workflow.name!r} are {problem}"
        raise PlanError([Problem("bad_parameters", message)])
    filled = {**_defaults(schema), **parameters}
    if problems := [*_problems(workflow.name, schema, filled)]:
        raise PlanError(problems)
    return filled


def known_parameters(workflow: Workflow) -> Mapping[str, Any]:
    """The schemas of a workflow's parameters, by name."""
    properties = (workflow.parameters or {}).get("properties")
    return properties if isinstance(properties, Mapping) else {}


def undemanding(workflow: Workflow) -> Workflow:
    """Return a workflow that can be planned without parameters: to check it, or to draw it."""
    return workflow if workflow.parameters is None else replace(workflow, parameters=None)


def _needless(workflow: Workflow, given: JsonObject) -> Problem:
    message = (
        f"workflow {workflow.name!r} takes no parameters, and {sorted(given)} were given; leave "
        "them out, or give the workflow `parameters`"
    )
    return Problem("bad_parameters", message)


def _defaults(schema: Mapping[str, Any]) -> JsonObject:
    properties = schema.get("properties")
    return {
        name: each["default"]
        for name, each in (properties if isinstance(properties, Mapping) else {}).items()
        if isinstance(each, Mapping) and "default" in each
    }


def _problems(name: str, schema: Mapping[str, Any], parameters: JsonObject) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  only where used
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    # with a registry of its own, no address in a schema is ever asked
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        for error in validator.iter_errors(parameters):
            place = "".join(f".{part}" for part in error.absolute_path)
            yield Problem(
                "bad_parameters", f"parameters{place} of workflow {name!r}: {error.message}"
            )
    except Unresolvable as error:
        yield Problem("bad_parameters", f"the parameters of workflow {name!r}: {error}")
