"""`for them`, `she`: the customer or colleague of whom was spoken last in the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.problems import NotUnderstoodError, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.drafts import Draft


_SAME_CUSTOMER = re.compile(
    (
        r"\b(?:for|with|to)\s+(?:them|it|him|her|(?:the\s+same|that|this)\s+(?:client"
        r"|customer|account|company|one))\b|^(?:send|get|give|write|make)\s+them\b"
    ),
    re.IGNORECASE,
)


def name_employee(draft: Draft, words: str, before: Sequence[Draft]) -> None:
    """`she` is the employee of whom was spoken last."""
    if (
        draft.capability != "leave_management"
        or "employee" in draft.fields
        or not re.search(r"\b(?:he|she|they|him|her|them)\b", words, re.IGNORECASE)
    ):
        return
    name = next(
        (other.fields["employee"] for other in reversed(before) if "employee" in other.fields), None
    )
    if name is None:
        raise NotUnderstoodError(f"Who is meant in {quoted(draft.quote)}? Say the name.")
    draft.fields["employee"] = name
    draft.message = re.sub(
        r"\b(?:he|she|they|him|her|them|me)\b", str(name), draft.message, flags=re.IGNORECASE
    )


def name_customer(draft: Draft, words: str, before: Sequence[Draft]) -> None:
    """`for them` is for the customer of whom was spoken last."""
    if (
        draft.name not in {"proposal", "opportunity", "crm_update"}
        or draft.account
        or not _SAME_CUSTOMER.search(words)
    ):
        return
    account = next((other.account for other in reversed(before) if other.account), None)
    if account is not None:
        draft.account, draft.missing = account, None
        draft.fields["account"] = account
        draft.message = re.sub(
            r"^(Create an? \w+|(?:Update|Log a \w+ in) the CRM)",
            rf"\1 for {account}",
            draft.message,
        )
