"""`${NAME}` in an agents file stands for a variable, whose value shows in no message."""

from __future__ import annotations

import pytest

from orchestration import AgentFileError
from orchestration.agents.configuration.reading import load_agents
from tests.unit.orchestration.agents.configuration.conftest import Write

VALUES = {"HOST": "eu.example.com", "EMPTY": "", "SECRET": "sesame-17"}


def address(write: Write, said: str) -> str | None:
    file = write("agents.yaml", f"agents: [{{id: a, endpoint: '{said}', kind: http}}]")
    return load_agents(file, environment=VALUES)[0].endpoint


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("https://${HOST}/agent", "https://eu.example.com/agent"),
        ("https://${HOST}/${HOST}", "https://eu.example.com/eu.example.com"),
        ("https://${NONE:-a.example}", "https://a.example"),
        ("https://${EMPTY:-a.example}", "https://a.example"),
        ("https://${HOST:-a.example}", "https://eu.example.com"),
        ("https://x.example/$${HOST}", "https://x.example/${HOST}"),
        ("https://x.example/$HOST$", "https://x.example/$HOST$"),
    ],
)
def test_what_a_reference_stands_for(write: Write, said: str, meant: str) -> None:
    assert address(write, said) == meant


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("https://${NONE}", "the environment has no NONE; set it, or say ${NONE:-instead}"),
        ("https://${EMPTY}", "the environment has no EMPTY; set it"),
        ("https://${HO ST}", "'${HO ST}' is no reference; say ${NAME}, or $${ for the signs"),
        ("https://x.example/${HOST", "'${HOST' is no reference"),
        ("https://x.example/${}", "'${}' is no reference"),
    ],
)
def test_one_that_stands_for_nothing_is_a_problem(write: Write, said: str, problem: str) -> None:
    with pytest.raises(AgentFileError) as caught:
        address(write, said)
    (found,) = caught.value.problems
    assert (found.line, found.column, found.path) == (1, 28, "agents[0].endpoint")
    assert found.message.startswith(problem)


def test_what_stands_for_nothing_is_not_found_wrong_a_second_time(write: Write) -> None:
    file = write(
        "agents.yaml",
        "agents: [{id: a, endpoint: https://x.y, settings: {credentials_file: '${NONE}'}}]",
    )
    with pytest.raises(AgentFileError) as caught:
        load_agents(file, environment=VALUES)
    (found,) = caught.value.problems
    assert found.message.startswith("the environment has no NONE")


def test_they_stand_in_settings_and_metadata_at_any_depth(write: Write) -> None:
    file = write(
        "agents.yaml",
        "agents:\n- id: a\n  settings: {transport: [{to: '${HOST}'}]}\n"
        "  metadata: {region: '${HOST}'}\n  description: '${HOST}'\n"
        "  versions: [{version: 1, endpoints: [{address: 'https://${HOST}'}]}]\n",
    )
    (spec,) = load_agents(file, environment=VALUES)
    assert spec.places[0].settings == {"transport": [{"to": "eu.example.com"}]}
    assert spec.places[0].address == "https://eu.example.com"
    assert (spec.metadata, spec.description) == ({"region": "eu.example.com"}, "${HOST}")


def test_headers_and_keys_keep_theirs_which_are_filled_in_for_each_call(write: Write) -> None:
    file = write(
        "agents.yaml",
        "agents: [{id: a, endpoint: https://x.y, metadata: {headers: '${HOST}'},"
        " settings: {headers: {X: '${SECRET}'}, api_key: '${NONE}'}}]",
    )
    (spec,) = load_agents(file, environment=VALUES)
    assert spec.settings == {"headers": {"X": "${SECRET}"}, "api_key": "${NONE}"}
    assert spec.metadata == {"headers": "eu.example.com"}


def test_numbers_are_not_references(write: Write) -> None:
    file = write("agents.yaml", "agents: [{id: a, endpoint: https://x.y, weight: '${SECRET}'}]")
    with pytest.raises(AgentFileError, match=r"valid number, not '\$\{SECRET\}'"):
        load_agents(file, environment=VALUES)


def test_no_message_tells_what_a_variable_holds(write: Write) -> None:
    file = write(
        "agents.yaml",
        "agents:\n- {id: a, kind: http, endpoint: 'ftp://u:${SECRET}@x.y', colour: red}\n"
        "- {id: b, endpoint: https://x.y, settings: {credentials_file: '/${SECRET}'}}\n",
    )
    with pytest.raises(AgentFileError) as caught:
        load_agents(file, environment=VALUES)
    assert "sesame" not in str(caught.value)
    assert "credentials_file is '/${SECRET}', which is no file" in str(caught.value)
