from __future__ import annotations

from collections.abc import Callable

import pytest

from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]


def test_crm_gets_each_order_once_on_the_house_account(call: Call, rows: Rows) -> None:
    call("ticketing", "Book 2 tickets")
    call("ticketing", "Book 3 tickets")
    answer = call("sales", action="update_crm", key="k")
    assert (answer["recorded"], answer["account"]) == (2, "House Account")
    assert call("sales", "Update the CRM")["recorded"] == 0
    references = rows("SELECT order_reference FROM activities WHERE idempotency_key = 'k'")
    assert [row["order_reference"] for row in references] == ["order:1", "order:2"]


def test_crm_gets_the_orders_upstream_on_the_account_named(call: Call) -> None:
    call("ticketing", "Book 2 tickets")
    order = call("ticketing", "Book 3 tickets")
    answer = call("sales", "Update the CRM for Acme", upstream={"ticketing": order})
    assert (answer["order_ids"], answer["account"]) == ([2], "Acme Corporation")


@pytest.mark.parametrize(
    ("customer", "account"),
    [("Acme", "Acme Corporation"), ("Alice", "House Account"), ("Nobody", "House Account")],
)
def test_crm_gets_orders_on_the_account_of_who_bought_if_there_is_one(
    call: Call, customer: str, account: str
) -> None:
    call("ticketing", "Book 2 tickets")
    assert call("sales", action="update_crm", customer=customer)["account"] == account


def test_crm_takes_orders_of_other_sellers(call: Call, rows: Rows) -> None:
    order = {"order_id": "A-1", "total_price": 10.0, "quantity": 2, "event": "Opera"}
    assert call("sales", action="update_crm", upstream={"x": order})["recorded"] == 1
    assert call("sales", action="update_crm", upstream={"x": order})["recorded"] == 0
    assert rows("SELECT note FROM activities") == [{"note": "Order A-1: 2 tickets for Opera."}]


@pytest.mark.parametrize(
    ("text", "fields", "note"),
    [
        ("Update the CRM for Acme: they do not renew", {}, "they do not renew"),
        (None, {"action": "update_crm", "account": "Acme", "note": "met"}, "met"),
        ("Log a call with Acme about prices", {}, "Log a call with Acme about prices"),
    ],
)
def test_crm_takes_notes(
    call: Call, rows: Rows, text: str | None, fields: JsonObject, note: str
) -> None:
    assert call("sales", text, **fields)["account"] == "Acme Corporation"
    assert rows("SELECT note FROM activities") == [{"note": note}]


def test_proposal_is_written_for_the_account(call: Call, rows: Rows) -> None:
    answer = call("sales", "Create a proposal for Globex worth $20,000", key="k")
    assert (answer["proposal_id"], answer["account"], answer["amount"]) == (1, "Globex", 20000.0)
    assert answer["valid_until"] == "2026-12-23"
    (row,) = rows("SELECT * FROM proposals WHERE idempotency_key = 'k'")
    assert "Hank Scott, Globex" in str(row["body"])
    assert "$20,000.00" in str(row["body"])


def test_opportunity_moves_through_its_stages(call: Call, rows: Rows) -> None:
    opened = call("sales", "Create an opportunity for Initech worth $5,000 called Spring renewal")
    assert (opened["name"], opened["stage"]) == ("Spring renewal", "prospecting")
    moved = call("sales", "Move opportunity 1 to negotiation")
    assert (moved["previous_stage"], moved["stage"]) == ("prospecting", "negotiation")
    won = call("sales", action="update_opportunity", opportunity_id=1, stage="won", amount=6000)
    assert (won["stage"], won["amount"]) == ("won", 6000.0)
    assert rows("SELECT stage, amount_cents FROM opportunities") == [
        {"stage": "won", "amount_cents": 600000}
    ]
    assert len(rows("SELECT * FROM activities WHERE kind = 'opportunity'")) == 2


def test_account_is_told_with_what_happened(call: Call) -> None:
    call("sales", "Create an opportunity for Globex worth $5,000")
    call("sales", "Create a proposal for Globex worth $7,000")
    call("sales", "Update the CRM for Globex: called")
    answer = call("sales", "What's the status of Globex?")
    assert (answer["open_opportunities"], answer["pipeline"]) == (1, 5000.0)
    assert answer["contact"] == "Hank Scott"
    assert answer["recent_activities"] == ["2026-11-23: called"]
    assert answer["proposals"] == [
        {"id": 1, "name": "Proposal for Globex", "status": "draft", "amount": 7000.0}
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Create a proposal for Globex", "What is it worth"),
        ("Create a proposal for Globex worth $0", r"\$0.00 is not possible"),
        ("Create a proposal for Zorro worth $5", "no account 'Zorro'; known are Acme"),
        ("Create a proposal worth $5", "Which account"),
        ("Create an opportunity for Acme worth $5 and $6", "several amounts"),
        ("Move opportunity 9 to won", "no opportunity 9"),
        ("Update the opportunity", "Which opportunity"),
        ("Update the CRM: sold a lot", "Which account is the note for"),
        ("What's the status of Zorro?", "no account 'Zorro'"),
        ("Don't update the CRM", "did not understand"),
        ("Update the CRM somehow", "does not tell what to record"),
        ("Update the opportunity 1.5k", "Which opportunity"),
        ("Sing", "understands for example"),
    ],
)
def test_what_cannot_be_done_is_refused(call: Call, text: str, why: str) -> None:
    with pytest.raises(AgentRefusedError, match=why):
        call("sales", text)


def test_unknown_stage_is_refused(call: Call) -> None:
    call("sales", "Create an opportunity for Acme worth $5")
    with pytest.raises(AgentRefusedError, match="no stage 'dreaming'"):
        call("sales", action="update_opportunity", opportunity_id=1, stage="dreaming")
    with pytest.raises(AgentRefusedError, match="What shall change"):
        call("sales", action="update_opportunity", opportunity_id=1)
