"""A file that changes: what it says now is found, what it says halfway or wrongly never counts."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentFileError, AgentSpec
from orchestration.routing.discovery.watched_file import MOST_READS, WatchedFile
from tests.unit.orchestration.picky_kind import use_picky_kinds


class Writer:
    """Stands in for time: while the file is left to settle, somebody may write."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.writes: list[Callable[[], object]] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.writes:
            self.writes.pop(0)()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with kinds of its own."""
    monkeypatch.chdir(tmp_path)
    use_picky_kinds(monkeypatch)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def source(writer: Writer) -> WatchedFile:
    return WatchedFile("agents.yaml", environment={}, sleep=writer)


def text(*agent_ids: str, version: int = 1) -> str:
    """What a file with these agents says."""
    lines = [
        f"- {{id: {each}, version: {version}, endpoint: 'https://{each}.example'}}\n"
        for each in agent_ids
    ]
    return "agents:" + ("\n" + "".join(lines) if lines else " []\n")


def put(content: str, name: str = "agents.yaml") -> None:
    Path(name).write_text(content)


def replace(content: str) -> None:
    """Write the file as one should: beside it, then renamed into place."""
    put(content, "agents.new")
    move("agents.new", "agents.yaml")


def remove(name: str = "agents.yaml") -> None:
    Path(name).unlink()


def link(target: str, name: str = "agents.yaml") -> None:
    Path(name).symlink_to(target)


def stamp() -> os.stat_result:
    return Path("agents.yaml").stat()


def move(name: str, to: str) -> None:
    Path(name).replace(to)


def folder(name: str) -> None:
    Path(name).mkdir()


def ids(specs: list[AgentSpec]) -> list[str]:
    return [each.agent_id for each in specs]


async def refused(source: WatchedFile) -> str:
    with pytest.raises(AgentFileError) as caught:
        await source.find()
    return str(caught.value)


async def test_a_change_is_found_and_without_one_nothing_is_read(
    source: WatchedFile, writer: Writer
) -> None:
    put(text("a"))
    first = await source.find()
    assert ids(first) == ["a"]
    assert writer.pauses == [0.25]
    again = await source.find()
    assert again[0] is first[0]
    assert writer.pauses == [0.25]
    put(text("a", "b"))
    assert ids(await source.find()) == ["a", "b"]
    assert source.name == "file:agents.yaml"


async def test_one_that_says_the_same_again_brings_the_same_objects(source: WatchedFile) -> None:
    put(text("a"))
    (first,) = await source.find()
    os.utime("agents.yaml", (1, 1))
    (touched,) = await source.find()
    replace(text("a"))
    (replaced,) = await source.find()
    assert touched is first
    assert replaced is first


async def test_a_list_that_was_found_is_the_callers_own(source: WatchedFile) -> None:
    put(text("a"))
    (await source.find()).clear()
    assert ids(await source.find()) == ["a"]


async def test_as_many_letters_at_the_same_time_are_a_change_too(source: WatchedFile) -> None:
    put(text("a"))
    await source.find()
    before = stamp()
    put(text("b"))
    after = before
    while after.st_ctime_ns == before.st_ctime_ns:  # until the file system's clock ticks
        os.utime("agents.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
        after = stamp()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert ids(await source.find()) == ["b"]


async def test_a_bad_file_is_refused_each_time_until_it_is_good(source: WatchedFile) -> None:
    put(text("a"))
    (first,) = await source.find()
    put("agents: [{id: a b, wieght: 1}]")
    told = await refused(source)
    assert "agents.yaml has 3 problems; nothing was changed:" in told
    assert await refused(source) == told
    put(text("a"))
    assert (await source.find())[0] is first


async def test_what_a_bad_file_lacks_may_come(writer: Writer) -> None:
    environment: dict[str, str] = {}
    source = WatchedFile("agents.yaml", environment=environment, sleep=writer)
    put("agents: [{id: a, endpoint: 'https://${HOST}'}]")
    assert "the environment has no HOST" in await refused(source)
    environment["HOST"] = "a.example"
    assert (await source.find())[0].endpoint == "https://a.example"


async def test_a_file_that_is_gone_is_an_error_and_not_an_empty_one(source: WatchedFile) -> None:
    assert await refused(source) == "agents.yaml: cannot be read: No such file or directory"
    put(text("a"))
    await source.find()
    remove()
    assert "No such file" in await refused(source)
    put(text())
    assert await source.find() == []


async def test_what_is_written_slowly_counts_when_it_is_whole(
    source: WatchedFile, writer: Writer
) -> None:
    put(text("a", "b", "c"))
    await source.find()
    whole = text("a", "b", "d")
    pieces = [whole[: whole.index("- {id: b")], whole[: whole.index("- {id: d")], whole]
    put(pieces[0])  # each piece is a good file by itself, with agents missing
    writer.writes = [lambda: put(pieces[1]), lambda: put(pieces[2])]
    assert ids(await source.find()) == ["a", "b", "d"]


async def test_one_that_is_emptied_before_it_is_written_is_never_empty(
    source: WatchedFile, writer: Writer
) -> None:
    put("")
    writer.writes = [lambda: put(text("a"))]
    assert ids(await source.find()) == ["a"]
    put("")
    assert "should be a mapping" in await refused(source)


async def test_one_that_goes_while_it_settles_is_an_error(
    source: WatchedFile, writer: Writer
) -> None:
    put(text("a"))
    writer.writes = [remove]
    assert "No such file" in await refused(source)


async def test_one_that_never_rests_is_refused(source: WatchedFile, writer: Writer) -> None:
    put(text("a"))
    writer.writes = [partial(put, text("a", version=each)) for each in range(100)]
    assert await refused(source) == ("agents.yaml: is different each time it is read; let it rest")
    assert len(writer.pauses) == MOST_READS


async def test_what_is_written_after_it_settled_is_found_the_next_time(
    source: WatchedFile, writer: Writer
) -> None:
    put(text("a"))
    writer.writes = [lambda: None, lambda: put(text("b"))]
    assert ids(await source.find()) == ["a"]
    put(text("b"))
    assert ids(await source.find()) == ["b"]


async def test_a_config_map_turns_a_link_to_another_folder(writer: Writer) -> None:
    """Kubernetes: agents.yaml -> ..data/agents.yaml, and ..data -> a folder of each version."""
    for name, content in (("..v1", text("a")), ("..v2", text("b")), ("..v3", "agents: 5")):
        folder(name)
        put(content, f"{name}/agents.yaml")
        os.utime(f"{name}/agents.yaml", (1, 1))
    link("..v1", "..data")
    link("..data/agents.yaml")
    source = WatchedFile("agents.yaml", environment={}, sleep=writer)

    def turn(name: str) -> None:
        link(name, "..tmp")
        move("..tmp", "..data")

    assert ids(await source.find()) == ["a"]
    turn("..v2")
    assert ids(await source.find()) == ["b"]
    turn("..v3")
    assert "should be a valid list" in await refused(source)
    turn("..v1")
    assert ids(await source.find()) == ["a"]


async def test_a_link_to_nowhere_a_folder_and_a_pipe_are_refused(source: WatchedFile) -> None:
    link("nowhere")
    assert "No such file" in await refused(source)
    remove()
    folder("agents.yaml")
    assert "is no file, but a folder, a pipe or a device" in await refused(source)
    move("agents.yaml", "away")
    os.mkfifo("agents.yaml")
    assert "is no file, but a folder, a pipe or a device" in await refused(source)


async def test_a_path_that_is_none_is_refused() -> None:
    assert "cannot be read" in await refused(WatchedFile("a\0b"))


class Slow(dict[str, str]):
    """An environment that answers only when it is told to."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  as a dict's
        self.asked.set()
        assert self.may_answer.wait(10)
        return super().get(name, default)


async def test_the_loop_goes_on_while_a_file_is_read(writer: Writer) -> None:
    put("agents: [{id: a, endpoint: 'https://${HOST}'}]")
    environment = Slow(HOST="a.example")
    source = WatchedFile("agents.yaml", environment=environment, sleep=writer)
    finding = asyncio.create_task(source.find())
    assert await asyncio.to_thread(environment.asked.wait, 10)
    environment.may_answer.set()
    assert ids(await finding) == ["a"]
