from __future__ import annotations

import json

import pytest

from orchestration import Optimizer
from tests.unit.orchestration.cli.conftest import Invoke

URL = "sqlite:///cache.db"


@pytest.fixture
async def filled() -> None:
    async with Optimizer(cache_url=URL) as optimizer:
        optimizer.cache_response("When?", "At seven.", tags=["game"], tenant="acme")
        optimizer.cache_response("Where?", "At home.", tags=["game"])
        optimizer.cache_response("Why?", "For fun.")


def stats(invoke: Invoke) -> dict[str, int]:
    found: dict[str, int] = json.loads(invoke("cache", "stats", "--cache", URL, "--json").stdout)
    return found


@pytest.mark.usefixtures("filled")
def test_a_cache_says_how_much_it_holds(invoke: Invoke) -> None:
    assert stats(invoke)["entries"] == 3
    words = invoke("cache", "stats", "--cache", URL).stdout
    assert words.startswith("3 answers, ")
    assert words.endswith(" kB.\n")


@pytest.mark.usefixtures("filled")
def test_answers_are_forgotten_that_everything_said_fits(invoke: Invoke) -> None:
    done = invoke("cache", "invalidate", "--tag", "game", "--tenant", "acme", "--cache", URL)
    assert done.stdout == "Forgotten: 1 answer.\n"
    assert stats(invoke)["entries"] == 2


@pytest.mark.usefixtures("filled")
def test_a_cache_is_emptied(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATION_CACHE_URL", URL)
    assert json.loads(invoke("cache", "clear", "--json").stdout) == {"forgotten": 3}
    assert stats(invoke)["entries"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("stats",), "ORCHESTRATION_CACHE_URL): 'sqlite:///path/to/cache.db', or 'redis://'"),
        (("stats", "--cache", "sqlite:///none.db"), "there is no cache at 'sqlite:///none.db'"),
        (("clear", "--cache", "mysql://x"), "scheme 'mysql' is not supported"),
    ],
)
def test_what_is_no_shared_cache_is_refused(
    invoke: Invoke, words: tuple[str, ...], told: str
) -> None:
    done = invoke("cache", *words)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


@pytest.mark.usefixtures("filled")
def test_to_forget_nothing_in_particular_is_refused(invoke: Invoke) -> None:
    done = invoke("cache", "invalidate", "--cache", URL)
    assert done.exit_code == 2
    assert stats(invoke)["entries"] == 3
