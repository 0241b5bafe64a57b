"""Installed packages offer agents, and a broken one hides no other."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from orchestration import AgentSpec
from orchestration.routing.discovery.entry_points import EntryPointAgents

Install = Callable[[str, str, str], Path]

MODULE = """
from orchestration import AgentSpec

calls = []
def answer(input_data):
    return {"content": "It rains."}

weather = AgentSpec("weather", ["forecast"], handler=answer)
pair = [AgentSpec("legal", handler=answer), AgentSpec("legal", handler=answer, version="2")]
def made():
    calls.append(1)
    yield AgentSpec("made", endpoint="https://made.example")
nothing = 5
def fails():
    raise RuntimeError("no licence")
async def later():
    return []
def leaves():
    raise SystemExit(3)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with entry points on the path, as pip does."""
    modules = []

    def install(name: str, entries: str, module: str = MODULE) -> Path:
        folder = tmp_path / name
        information = folder / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / f"{name}.py").write_text(module)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (information / "METADATA").write_text(metadata)
        (information / "entry_points.txt").write_text(f"[orchestration.agents]\n{entries}")
        monkeypatch.syspath_prepend(str(folder))
        modules.append(name)
        return folder

    yield install
    for each in modules:
        sys.modules.pop(each, None)


def named(specs: list[AgentSpec]) -> list[str]:
    return sorted(f"{each.agent_id}@{each.version}" for each in specs)


async def test_an_agent_several_and_a_callable_are_offered(install: Install) -> None:
    install("company_a", "one = company_a:weather\ntwo = company_a:pair\n", MODULE)
    install("company_b", "made = company_b:made\n", MODULE)
    source = EntryPointAgents()
    found = await source.find()
    assert named(found) == ["legal@1", "legal@2", "made@1", "weather@1"]
    assert source.problems == ()
    (weather,) = [each for each in found if each.agent_id == "weather"]
    assert weather.handler({}) == {"content": "It rains."}
    assert source.name == "entry-points:orchestration.agents"


async def test_a_package_is_asked_once_so_that_its_agents_stay_the_same(install: Install) -> None:
    install("company_c", "made = company_c:made\n", MODULE)
    source = EntryPointAgents()
    (first,), (again,) = await source.find(), await source.find()
    assert again is first
    assert sys.modules["company_c"].calls == [1]


async def test_a_broken_package_hides_no_other(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(
        "company_d",
        "nothing = company_d:nothing\nfails = company_d:fails\nlater = company_d:later\n"
        "gone = company_d:gone\nleaves = company_d:leaves\n",
        MODULE,
    )
    install("company_e", "broken = company_e:weather\n", "import nowhere_to_be_found")
    install("company_f", "one = company_f:weather\n", MODULE)
    source = EntryPointAgents()
    with caplog.at_level(logging.WARNING):
        assert named(await source.find()) == ["weather@1"]
        assert named(await source.find()) == ["weather@1"]
    told = sorted(map(str, source.problems))
    assert told == [
        (
            "entry point broken = company_e:weather of company_e: ModuleNotFoundError: "
            "No module named 'nowhere_to_be_found'"
        ),
        "entry point fails = company_d:fails of company_d: RuntimeError: no licence",
        (
            "entry point gone = company_d:gone of company_d: AttributeError: "
            "module 'company_d' has no attribute 'gone'"
        ),
        (
            "entry point later = company_d:later of company_d: TypeError: an async function cannot "
            "be asked; make it a plain one"
        ),
        "entry point leaves = company_d:leaves of company_d: SystemExit: 3",
        "entry point nothing = company_d:nothing of company_d: TypeError: 5 is no AgentSpec",
    ]
    assert sorted(caplog.messages) == told


async def test_one_that_failed_is_asked_again(install: Install) -> None:
    folder = install("company_g", "one = company_g:weather\n", "raise OSError('not yet')")
    source = EntryPointAgents()
    assert await source.find() == []
    (folder / "company_g.py").write_text(MODULE + "# longer than before\n")
    assert named(await source.find()) == ["weather@1"]
    assert source.problems == ()


async def test_packages_come_and_go(install: Install) -> None:
    source = EntryPointAgents()
    assert await source.find() == []
    folder = install("company_h", "one = company_h:weather\n", MODULE)
    assert named(await source.find()) == ["weather@1"]
    rmtree(folder)
    assert await source.find() == []


async def test_of_two_offers_of_one_version_the_first_on_the_path_counts(install: Install) -> None:
    install("company_i", "late = company_i:weather\n", MODULE)
    install("company_j", "early = company_j:weather\n", MODULE)
    source = EntryPointAgents()
    (found,) = await source.find()
    assert found is sys.modules["company_j"].weather
    assert [*map(str, source.problems)] == [
        (
            "entry point late = company_i:weather of company_i offers the agent 'weather' version "
            "'1', as does entry point early = company_j:weather of company_j, which counts"
        )
    ]
