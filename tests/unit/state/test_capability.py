from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.capability import AgentCapability, acts

names = st.from_regex(r"[a-z][a-z0-9]{0,5}( [a-z0-9]{1,5}){0,2}", fullmatch=True)


@given(names, st.sampled_from([" ", "-", "_", "  ", " - "]))
def test_any_words_are_a_capability_however_they_are_joined(name: str, joint: str) -> None:
    capability = AgentCapability(joint.join(name.split()).upper())
    assert capability == "_".join(name.split())
    assert AgentCapability(capability) == capability
    assert hash(capability) == hash(str(capability))


@pytest.mark.parametrize("capability", AgentCapability.known())
def test_a_known_capability_equals_its_plain_string(capability: AgentCapability) -> None:
    assert getattr(AgentCapability, capability.upper()) is capability
    assert {str(capability): 1}[capability] == 1
    assert type(str(capability)) is str
    assert json.dumps(capability) == f'"{capability}"'


def test_the_descriptions_capabilities_are_known() -> None:
    areas = {"ticket", "crm", "proposal", "expense", "budget", "leave", "employee", "onboarding"}
    for area in areas:
        assert any(area in name for name in AgentCapability.known())
    assert len(set(AgentCapability.known())) == len(AgentCapability.known())


def test_an_unknown_word_is_as_good_and_changes_nothing_known() -> None:
    before = AgentCapability.known()
    assert AgentCapability("fleet-booking") == "fleet_booking"
    assert AgentCapability.known() == before


@pytest.mark.parametrize("name", ["", "  ", "-", "_ -"])
def test_a_capability_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        AgentCapability(name)


def test_a_capability_survives_a_process_boundary() -> None:
    twin = pickle.loads(pickle.dumps(AgentCapability.NOTIFICATION))  # noqa: S301
    assert type(twin) is AgentCapability
    assert twin == copy.deepcopy(twin) == AgentCapability.NOTIFICATION


@pytest.mark.parametrize(
    ("action", "capability"),
    [
        ("purchase_tickets", AgentCapability.TICKET_PURCHASE),
        ("Purchase Tickets", AgentCapability.TICKET_PURCHASE),
        ("send_sms", AgentCapability.NOTIFICATION),
        ("update_crm", AgentCapability.CRM_UPDATE),
        ("log_expense", AgentCapability.EXPENSE_LOGGING),
        ("ticket_purchase", AgentCapability.TICKET_PURCHASE),
        ("paint the fence", AgentCapability("paint_the_fence")),
    ],
)
def test_an_action_asks_for_a_capability(action: str, capability: AgentCapability) -> None:
    assert AgentCapability.of_action(action) == capability


def test_a_capability_knows_its_actions() -> None:
    assert "buy_tickets" in AgentCapability("Ticket Purchase").actions
    assert AgentCapability("paint_the_fence").actions == ()


@pytest.mark.parametrize(
    "action",
    ["purchase_tickets", "Purchase Tickets", " buy-tickets ", "ticket_purchase", "Ticket Purchase"],
)
def test_an_action_changes_something_however_it_is_spelt(action: str) -> None:
    assert acts(action)


@pytest.mark.parametrize(
    "action",
    ["check_budget", "Check Budget", "event_information", "leave_management", "paint", "", " -_ "],
)
def test_what_only_looks_or_is_not_known_is_not_known_to_change_anything(action: str) -> None:
    assert not acts(action)
