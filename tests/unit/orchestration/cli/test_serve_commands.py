from __future__ import annotations

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.serve_commands import TOKEN_VARIABLE


def serve(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", "a2a", "--database", "memory://", *words])
    return result.exit_code, result.output


def test_help_says_that_anybody_can_act_without_a_token() -> None:
    result = CliRunner().invoke(app, ["serve", "a2a", "--help"])
    assert "ANYBODY WHO REACHES THE PORT CAN" in result.output


def test_beyond_this_machine_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    code, said = serve("--all", "--host", "0.0.0.0")  # noqa: S104  what is refused
    assert code == ExitCode.BAD_INPUT
    assert TOKEN_VARIABLE in said
    assert "--without-token" in said


@pytest.mark.parametrize("words", [(), ("--all", "--agent", "hr")])
def test_what_is_served_has_to_be_said(words: tuple[str, ...]) -> None:
    code, said = serve(*words)
    assert code == ExitCode.BAD_INPUT
    assert "say what to serve" in said


def test_an_agent_that_is_not_there_is_not_served() -> None:
    code, said = serve("--agent", "nobody")
    assert code == ExitCode.BAD_INPUT
    assert "nobody" in said


def test_a_workflow_that_is_not_there_is_not_served() -> None:
    code, said = serve("--workflow", "nothing")
    assert code == ExitCode.BAD_INPUT
    assert "nothing" in said
