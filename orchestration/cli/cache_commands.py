"""`orchestration cache stats|invalidate|clear`: answers that are used again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import JsonOption
from orchestration.cli.reporting import reported
from orchestration.cli.running import wait_for
from orchestration.cli.terminal import console, print_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from checkpoints.cache_store import ResponseStore
    from state.jsonvalue import JsonObject

T = TypeVar("T")
MEGABYTE: Final = 1_000_000

app = typer.Typer(help="Answers that are used again.", no_args_is_help=True)

CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="URL",
        help="Where answers are kept: sqlite:///cache.db, redis://HOST:PORT. Default: "
        "ORCHESTRATION_CACHE_URL.",
        show_default=False,
    ),
]


def _named(flag: str, words: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(
        flag, metavar="NAME", help=words, show_default=False
    )
    return info


@app.command(epilog=EPILOG)
def stats(*, cache: CacheOption = None, json_output: JsonOption = False) -> None:
    """Say how much a cache holds."""
    with reported(json_output=json_output):
        held = wait_for(_with(cache, lambda store: store.stats()))
        found: JsonObject = {"entries": held["entries"], "bytes": held["bytes"]}
        if json_output:
            print_json(found)
            return
        size = held["bytes"]
        words = "" if size is None else f", {_sized(size)}"
        console().print(f"{_answers(held['entries'])}{words}.")


@app.command(epilog=EPILOG)
def invalidate(  # noqa: PLR0913  one for each option
    *,
    agent: Annotated[str | None, _named("--agent", "Answers of this agent.")] = None,
    version: Annotated[str | None, _named("--version", "Of this version of it.")] = None,
    tenant: Annotated[str | None, _named("--tenant", "Answers to this tenant.")] = None,
    tag: Annotated[str | None, _named("--tag", "Answers with this tag.")] = None,
    cache: CacheOption = None,
    json_output: JsonOption = False,
) -> None:
    """Forget the answers that all of this fits; those being given meanwhile are not kept either."""
    with reported(json_output=json_output):

        def forget(store: ResponseStore) -> Awaitable[int]:
            return store.ainvalidate(agent_id=agent, version=version, tenant=tenant, tag=tag)

        _tell(wait_for(_with(cache, forget)), json_output=json_output)


@app.command(epilog=EPILOG)
def clear(*, cache: CacheOption = None, json_output: JsonOption = False) -> None:
    """Forget every answer."""
    with reported(json_output=json_output):

        async def forget(store: ResponseStore) -> int:
            held = await store.stats()
            await store.aclear()
            return held["entries"]

        _tell(wait_for(_with(cache, forget)), json_output=json_output)


async def _with(url: str | None, act: Callable[[ResponseStore], Awaitable[T]]) -> T:
    """Open the cache that other processes share, and close it again.

    Raises:
        CacheError: It cannot be opened, or is one that lives in a process.
    """
    from checkpoints.response_caches import open_shared_cache  # noqa: PLC0415  heavy

    store = open_shared_cache(url)
    try:
        return await act(store)
    finally:
        await store.aclose()


def _tell(number: int, *, json_output: bool) -> None:
    if json_output:
        print_json({"forgotten": number})
    else:
        console().print(f"Forgotten: {_answers(number)}.")


def _answers(number: int) -> str:
    return f"{number:,} {'answer' if number == 1 else 'answers'}"


def _sized(size: int) -> str:
    return f"{size / MEGABYTE:,.2f} MB" if size >= MEGABYTE else f"{size / 1000:,.1f} kB"
