"""A bad agents file, as the kinds that there really are see it: the whole, with every line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import AgentFileError
from orchestration.agents.configuration.reading import load_agents

BAD = """\
agents:
  - id: ticketing
    kind: htpp
    endpoint: https://t.example.com
  - id: sales
    endpoint: "https://"
    weight: -1
    settings:
      timeout_seconds: -1
      colour: red
      headers: {Authorization: "Bearer ${AGENTS_TEST_TOKEN}"}
  - id: finance
    endpoints:
      - {id: main, address: "https://user:sesame@f.example.com"}
      - {id: main, kind: langgraph, address: "https://g.example.com"}
  - id: ticketing
    endpoint: https://u.example.com
"""


def test_every_problem_is_listed_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTS_TEST_TOKEN", raising=False)
    Path("agents.yaml").write_text(BAD)
    with pytest.raises(AgentFileError) as caught:
        load_agents("agents.yaml")
    found = [(each.line, each.path.rpartition("agents")[2]) for each in caught.value.problems]
    assert found == [
        (3, "[0].kind"),
        (6, "[1].endpoint"),
        (7, "[1].weight"),
        (9, "[1].settings.timeout_seconds"),
        (10, "[1].settings.colour"),
        (11, "[1].settings.headers.Authorization"),
        (14, "[2].endpoints[0].address"),
        (15, "[2].endpoints[1].id"),
        (15, "[2].endpoints[1].address"),
        (16, "[3].id"),
    ]
    told = str(caught.value)
    assert told.startswith("agents.yaml has 10 problems; nothing was changed:\n")
    assert "the variable AGENTS_TEST_TOKEN of the environment, which is not set" in told
    assert "sesame" not in told
