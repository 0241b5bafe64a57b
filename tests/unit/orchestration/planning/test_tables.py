from __future__ import annotations

import pytest

from tests.unit.orchestration.planning.plan import differences, proposed, table

KNOWN = table("known_requests.yaml")
HELD_OUT = [
    *table("second_requests.yaml"),
    *table("third_requests.yaml"),
    *table("fourth_requests.yaml"),
    *table("fifth_requests.yaml"),
    *table("sixth_requests.yaml"),
    *table("seventh_requests.yaml"),
    *table("eighth_requests.yaml"),
    *table("ninth_requests.yaml"),
]
EVERYTHING = [*KNOWN, *HELD_OUT]


@pytest.mark.parametrize(("request_", "plan"), KNOWN, ids=[row[0][:60] for row in KNOWN])
async def test_a_known_request_gives_its_plan(request_: str, plan: str) -> None:
    assert differences(await proposed(request_), plan) == []


async def test_at_least_nine_in_ten_of_the_held_out_requests_give_their_plan() -> None:
    wrong = [request for request, plan in HELD_OUT if differences(await proposed(request), plan)]
    assert len(HELD_OUT) >= 200
    assert len(wrong) <= len(HELD_OUT) // 10, wrong


async def test_nothing_that_is_to_be_refused_can_run() -> None:
    runnable = [
        request
        for request, plan in EVERYTHING
        if plan.startswith("REFUSE") and not (await proposed(request)).not_understood
    ]
    assert runnable == []


async def test_no_plan_has_an_effect_that_is_not_expected() -> None:
    surprising = []
    for request, plan in EVERYTHING:
        proposal = await proposed(request)
        wanted = {part.split()[0].rstrip("!") for part in plan.split(" | ")}
        if not proposal.not_understood and {task.task_id for task in proposal.tasks} - wanted:
            surprising.append(request)
    assert surprising == []


async def test_the_same_request_gives_the_same_proposal() -> None:
    for request, _ in EVERYTHING:
        assert await proposed(request) == await proposed(request)


async def test_every_refusal_says_what_is_the_matter() -> None:
    for request, plan in EVERYTHING:
        if plan.startswith("REFUSE"):
            for sentence in (await proposed(request)).not_understood:
                assert len(sentence) > 30, request
                assert "\ue000" not in sentence, request
