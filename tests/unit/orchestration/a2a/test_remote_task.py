from __future__ import annotations

import pytest
from a2a.types import (
    Artifact,
    Message,
    Part,
    Role,
    StreamResponse,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
)

from orchestration.a2a.remote_task import RemoteTask
from orchestration.a2a.values import data_part
from state.errors import AgentAuthError, AgentError, AgentRefusedError, UnknownReplyError
from state.jsonvalue import JsonValue

COMPLETED = TaskState.TASK_STATE_COMPLETED


def task(
    state: TaskState, *artifacts: Artifact, said: str = "", task_id: str = "t-1"
) -> StreamResponse:
    message = Message(role=Role.ROLE_AGENT, parts=[Part(text=said)]) if said else None
    status = TaskStatus(state=state, message=message)
    return StreamResponse(task=Task(id=task_id, status=status, artifacts=artifacts))


def artifact(name: str, *parts: Part) -> Artifact:
    return Artifact(artifact_id=name, name=name, parts=parts)


def reply_to(*updates: StreamResponse) -> dict[str, JsonValue]:
    remote = RemoteTask()
    for update in updates:
        remote.take(update)
    return remote.reply()


def test_a_message_alone_is_a_reply() -> None:
    message = Message(role=Role.ROLE_AGENT, parts=[Part(text="done")])
    assert reply_to(StreamResponse(message=message)) == {"content": "done"}


def test_fields_of_data_parts_are_fields_of_the_reply() -> None:
    made = artifact("a", Part(text="4 seats"), data_part({"seats": 4, "price": 12.5}))
    assert reply_to(task(COMPLETED, made)) == {"content": "4 seats", "seats": 4, "price": 12.5}


def test_whole_numbers_stay_whole_and_large_ones_exact() -> None:
    made = artifact("a", data_part({"seats": 4, "order": 2**60 + 1}))
    reply = reply_to(task(COMPLETED, made))
    assert reply == {"seats": 4, "order": str(2**60 + 1)}
    assert type(reply["seats"]) is int


def test_of_several_artifacts_each_is_shown() -> None:
    one, two = artifact("a", Part(text="one")), artifact("b", data_part({"n": 2}))
    assert reply_to(task(COMPLETED, one, two)) == {
        "content": "one",
        "artifacts": [
            {"id": "a", "name": "a", "content": "one"},
            {"id": "b", "name": "b", "n": 2},
        ],
    }


def test_files_are_handed_on() -> None:
    made = artifact("a", Part(raw=b"\x00\x01", filename="x.bin", media_type="application/x"))
    file = {"name": "x.bin", "media_type": "application/x", "base64": "AAE="}
    assert reply_to(task(COMPLETED, made)) == {"content": "", "files": [file]}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TaskState.TASK_STATE_REJECTED, AgentRefusedError),
        (TaskState.TASK_STATE_FAILED, AgentError),
        (TaskState.TASK_STATE_CANCELED, AgentError),
        (TaskState.TASK_STATE_INPUT_REQUIRED, AgentRefusedError),
        (TaskState.TASK_STATE_AUTH_REQUIRED, AgentAuthError),
        (TaskState.TASK_STATE_UNSPECIFIED, UnknownReplyError),
    ],
)
def test_other_ends_are_errors_that_say_why(state: TaskState, expected: type[AgentError]) -> None:
    with pytest.raises(AgentError) as raised:
        reply_to(task(state, said="which evening?"))
    assert raised.type is expected
    assert "which evening?" in str(raised.value) or expected is UnknownReplyError


def test_secrets_are_taken_out_of_what_an_agent_says() -> None:
    remote = RemoteTask(hide=lambda text: text.replace("s3cret", "***"))
    remote.take(task(TaskState.TASK_STATE_FAILED, said="bad token s3cret"))
    with pytest.raises(AgentError, match=r"bad token \*\*\*"):
        remote.reply()


def test_data_that_is_no_object_is_no_reply() -> None:
    with pytest.raises(UnknownReplyError, match="list"):
        reply_to(task(COMPLETED, artifact("a", data_part([1, 2]))))


def test_an_answer_about_another_task_is_refused() -> None:
    with pytest.raises(UnknownReplyError, match="t-2"):
        reply_to(task(TaskState.TASK_STATE_WORKING), task(COMPLETED, task_id="t-2"))


def test_text_is_passed_on_once_however_often_it_is_said() -> None:
    heard: list[str] = []
    remote = RemoteTask(heard.append)

    def piece(text: str, *, append: bool) -> None:
        made = artifact("a", Part(text=text))
        update = TaskArtifactUpdateEvent(task_id="t-1", artifact=made, append=append)
        remote.take(StreamResponse(artifact_update=update))

    piece("Two ", append=False)
    piece("seats", append=True)
    piece("Two seats", append=False)  # the whole, once more
    remote.take(task(COMPLETED, artifact("a", Part(text="Two seats."))))
    assert heard == ["Two ", "seats", "."]
    assert remote.reply() == {"content": "Two seats."}


def test_too_many_artifacts_are_refused() -> None:
    remote = RemoteTask()
    many = [artifact(str(number)) for number in range(1001)]
    with pytest.raises(UnknownReplyError, match="1000 artifacts"):
        remote.take(task(COMPLETED, *many))
