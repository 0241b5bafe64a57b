from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from checkpoints.approvals import Asked, NewRequest
from orchestration import AmbiguousRequestError, RequestNotFoundError, SimpleCoordinator
from orchestration.approvals import ApprovalInbox
from state.approval import DEFAULT_POLICY

IDS = ["abcd1111", "abcd2222", "abce"]


@pytest.fixture
async def inbox() -> AsyncIterator[ApprovalInbox]:
    async with SimpleCoordinator(database_url="memory://") as coordinator:
        requests = [
            NewRequest(
                thread_id="t",
                run_id="r",
                asked=Asked(request_id, "pay", {"number": number}),
                kind="approval",
                action="finance",
                policy=DEFAULT_POLICY,
                requester=None,
                tenant=None,
            )
            for number, request_id in enumerate([*IDS, *IDS[:1]])
        ]
        ledger = await coordinator.ledger()
        for request in requests:
            await ledger.record([request], token=None)
        yield coordinator.approvals


@pytest.mark.parametrize(
    ("beginning", "found"),
    [("abcd2", "abcd2222"), ("abce", "abce"), ("abcd1111-", "abcd1111-2")],
)
async def test_a_beginning_that_one_id_has_is_enough(
    inbox: ApprovalInbox, beginning: str, found: str
) -> None:
    assert (await inbox.find(beginning)).request_id == found


async def test_a_whole_id_is_its_own_although_another_begins_so(inbox: ApprovalInbox) -> None:
    assert (await inbox.find("abcd1111")).request_id == "abcd1111"


async def test_an_ambiguous_beginning_is_refused_with_the_candidates(inbox: ApprovalInbox) -> None:
    with pytest.raises(AmbiguousRequestError, match="Give more of the id") as caught:
        await inbox.find("abcd")
    assert {*caught.value.pending} == {"abcd1111", "abcd1111-2", "abcd2222"}


@pytest.mark.parametrize("beginning", ["", "abc", "abd", "bcde", "%bcd", "abcd1111-3"])
async def test_what_no_id_begins_with_is_not_found(inbox: ApprovalInbox, beginning: str) -> None:
    with pytest.raises(RequestNotFoundError) as caught:
        await inbox.find(beginning)
    assert not isinstance(caught.value, AmbiguousRequestError)
