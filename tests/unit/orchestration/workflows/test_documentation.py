"""The examples in `docs/workflows.md` are what they say they are."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration import load_workflow
from orchestration.documents.entry import Entry
from orchestration.workflows.task_entries import KINDS, TaskEntry, WorkflowEntry
from tests.unit.orchestration.workflows.conftest import Write

PAGE = (Path(__file__).parents[4] / "docs" / "workflows.md").read_text(encoding="utf-8")
FILES = re.findall(r"```yaml\n((?:#[^\n]*\n)*# (\S+\.yaml)\n.*?)```", PAGE, re.DOTALL)


def test_every_file_on_the_page_can_be_read(write: Write) -> None:
    for text, name in FILES:
        write(name, text)
    read = {name: load_workflow(name) for _, name in FILES}
    assert len(read) == PAGE.count("```yaml") == 8
    assert read["purchase.yaml"].version == "2"


def keys_of(entry: type[Entry]) -> set[str]:
    return {*entry.keys()} - {"$schema"}


def test_every_key_is_explained() -> None:
    told = {*re.findall(r"`(\w+)`", PAGE), *re.findall(r"(\w+):", PAGE)}
    assert keys_of(WorkflowEntry) | keys_of(TaskEntry) | {*KINDS} <= told
