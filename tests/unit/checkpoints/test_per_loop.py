"""One client for each event loop."""

from __future__ import annotations

import asyncio
import threading

from checkpoints.per_loop import PerLoop


class Client:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed_in: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        assert self.closed_in is None, "closed twice"
        await asyncio.sleep(0)
        self.closed_in = asyncio.get_running_loop()


def clients() -> tuple[PerLoop[Client], list[Client]]:
    made: list[Client] = []

    def make() -> Client:
        made.append(Client())
        return made[-1]

    return PerLoop(make, Client.close), made


async def test_a_loop_has_one_client_that_is_closed() -> None:
    kept, made = clients()
    first, *others = await asyncio.gather(*(kept.get() for _ in range(5)))
    assert made == [first]
    assert all(each is first for each in others)
    await kept.close()
    await kept.close()
    assert first.closed_in is first.loop


def test_the_client_of_a_loop_that_ends_is_closed_in_it() -> None:
    kept, made = clients()
    for _ in range(2):
        asyncio.run(kept.get())
    asyncio.run(kept.close())
    assert len(made) == 2
    assert all(each.closed_in is each.loop for each in made)
    assert made[0].loop is not made[1].loop


def test_after_closing_there_are_new_clients() -> None:
    kept, made = clients()

    async def twice() -> None:
        await kept.get()
        await kept.close()
        await kept.get()

    asyncio.run(twice())
    assert [each.closed_in is each.loop for each in made] == [True, True]


def test_clients_of_a_loop_that_runs_elsewhere_are_closed_there() -> None:
    kept, made = clients()
    has, may_end = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        await kept.get()
        has.set()
        await asyncio.to_thread(may_end.wait, 20)

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()
    assert has.wait(20)
    asyncio.run(kept.close())
    assert made[0].closed_in is made[0].loop
    may_end.set()
    thread.join(20)
    assert not thread.is_alive()
