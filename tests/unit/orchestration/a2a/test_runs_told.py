"""What a run tells is kept for late listeners, and does not fill the memory."""

from __future__ import annotations

from a2a.types import Artifact, TaskArtifactUpdateEvent

from orchestration.a2a.values import data_part, text_part
from orchestration.a2a_server.runs import Run, Update


def piece(
    text: str, name: str = "a", *, append: bool = True, last: bool = False
) -> TaskArtifactUpdateEvent:
    parts = [text_part(text)] if text else [data_part({"a": 1})]
    made = Artifact(artifact_id=name, parts=parts)
    return TaskArtifactUpdateEvent(task_id="t", artifact=made, append=append, last_chunk=last)


async def heard(run: Run) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    async for each in run.updates():
        assert isinstance(each, TaskArtifactUpdateEvent)
        said.append((each.artifact.artifact_id, each.artifact.parts[0].text))
    return said


async def test_many_pieces_become_few_and_say_the_same() -> None:
    run = Run()
    run.tell(piece("x", append=False))
    for _ in range(49_999):
        run.tell(piece("x"))
    run.end()
    said = await heard(run)
    assert "".join(text for _, text in said) == "x" * 50_000
    assert len(said) < 20


async def test_what_was_heard_is_not_changed_any_more() -> None:
    run = Run()
    run.tell(piece("one ", append=False))
    listener = run.updates()
    first = await anext(listener)
    assert isinstance(first, TaskArtifactUpdateEvent)
    run.tell(piece("two "))
    run.tell(piece("three"))
    run.end()
    rest: list[Update] = [each async for each in listener]
    assert first.artifact.parts[0].text == "one "
    assert [each.artifact.parts[0].text for each in rest] == ["two three"]


async def test_only_pieces_of_one_text_are_put_together() -> None:
    run = Run()
    told = [
        piece("a1", append=False),
        piece("b1", "b", append=False),
        piece("a2"),
        piece("", "a"),
        piece("a3"),
        piece("all", append=False, last=True),
        piece("more"),
        piece("again", append=False),
    ]
    for each in told:
        run.tell(each)
    run.end()
    assert [text for _, text in await heard(run)] == [
        "a1", "b1", "a2", "", "a3", "all", "more", "again",
    ]  # fmt: skip
