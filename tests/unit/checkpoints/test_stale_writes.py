"""A write that a lost lease left behind concerns nobody who has a newer one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.types import INTERRUPT

from checkpoints.database import open_database
from checkpoints.sqlite_saver import LEASE_TOKEN
from state.errors import LeaseLostError
from state.plan import Plan


def config(token: int) -> Any:  # noqa: ANN401  LangGraph's config
    return {
        "configurable": {
            "thread_id": "t",
            "checkpoint_ns": "",
            "checkpoint_id": empty_checkpoint()["id"],
            LEASE_TOKEN: token,
        }
    }


async def test_a_question_of_a_lost_lease_does_not_fail_the_next_holder(
    tmp_path: Path, make_plan: Callable[[str], Plan]
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'threads.db'}")
    saver = database.checkpointer
    stale = await database.threads.start("t", make_plan("run"), holder="me", seconds=0)
    _, mine = await database.threads.resume("t", holder="me again", seconds=60)
    await saver.aput_writes(config(stale.token), [(INTERRUPT, ["which seat?"])], "task")
    await saver.aput(config(mine.token), empty_checkpoint(), {"source": "loop", "step": 1}, {})
    with pytest.raises(LeaseLostError):
        await saver.aput(config(stale.token), empty_checkpoint(), {"source": "loop", "step": 2}, {})
    database.close()
