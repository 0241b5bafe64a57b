"""A host that answers for Google with a little that becomes a lot."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from state.agent_context import AgentContext
from state.errors import UnknownReplyError
from tests.integration.raw_answers import Raw, answering

pytestmark = pytest.mark.filterwarnings("ignore")
BOMB = Raw(
    gzip.compress(b'{"predictions": ["' + b"x" * 40_000_000 + b'"]}'),
    more="content-encoding: gzip\r\n",
)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("vertex_chat", "endpoints/9"),
        ("vertex_predict", "endpoints/9"),
        ("vertex_agent_engine", "reasoningEngines/9"),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_a_packed_answer_is_not_unpacked(
    kind: str,
    resource: str,
    streams: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    context, heard = AgentContext("thread", "task", "run", "key"), list[str]()
    if streams:
        context = context._replace(emit=heard.append)
    async with asyncio.timeout(60), answering(lambda _path: BOMB) as url:
        address = f"{url}/v1/projects/p/locations/us-central1/{resource}"
        connector = module_of(kind).connect(Endpoint(kind=kind, address=address))
        with pytest.raises(UnknownReplyError, match=r"packed|larger than"):
            await connector.call({"messages": [{"role": "user", "content": "?"}]}, context)
        await connector.close()
    assert heard == []
