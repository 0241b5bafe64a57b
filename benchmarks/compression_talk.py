"""What all generated transcripts share: how a talk is written down, and whom it is about."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

Message = dict[str, Any]
Script = Callable[[random.Random], list[Message]]
"""Writes one transcript; the same for the same state of the random source."""

FIRST: Final = [
    "Sofia",
    "Noah",
    "Mia",
    "Raj",
    "Yusuf",
    "Lei",
    "Ava",
    "Omar",
    "Isabella",
    "Ethan",
    "Chen",
    "Fatima",
    "Liam",
    "Olivia",
]
LAST: Final = [
    "Kim",
    "Rossi",
    "Li",
    "Sanchez",
    "Patel",
    "Johnson",
    "Garcia",
    "Khan",
    "Silva",
    "Muller",
    "Davis",
    "Nguyen",
    "Lopez",
]
STREETS: Final = [
    "Laurel Lane",
    "Maple Drive",
    "Cedar Avenue",
    "Hillcrest Road",
    "Park Street",
    "Elm Court",
]
CITIES: Final = (
    ("Houston", "TX"),
    ("San Francisco", "CA"),
    ("Chicago", "IL"),
    ("New York", "NY"),
    ("Denver", "CO"),
    ("Seattle", "WA"),
)
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
MIXED: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Talk:
    """A transcript in OpenAI's form while it is written."""

    def __init__(self, chance: random.Random, system: str) -> None:
        self.chance = chance
        self.messages: list[Message] = [{"role": "system", "content": system}]

    def user(self, *variants: str) -> None:
        """Let the user say one of several things."""
        self.messages.append({"role": "user", "content": self.chance.choice(variants)})

    def say(self, *variants: str) -> None:
        """Let the assistant say one of several things."""
        self.messages.append({"role": "assistant", "content": self.chance.choice(variants)})

    def call(self, name: str, arguments: Message, result: Any, *, said: str | None = None) -> None:  # noqa: ANN401
        """Let the assistant call one tool."""
        self.calls([(name, arguments, result)], said=said)

    def calls(self, calls: Sequence[tuple[str, Message, Any]], *, said: str | None = None) -> None:
        """Let the assistant call several tools at once."""
        ids = ["call_" + code(self.chance, 24, MIXED) for _ in calls]
        listed = [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for call_id, (name, arguments, _) in zip(ids, calls, strict=True)
        ]
        self.messages.append({"role": "assistant", "content": said, "tool_calls": listed})
        for call_id, (name, _, result) in zip(ids, calls, strict=True):
            content = result if isinstance(result, str) else json.dumps(result)
            self.messages.append(
                {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}
            )


def code(chance: random.Random, length: int, letters: str = LETTERS) -> str:
    """Return a random code."""
    return "".join(chance.choice(letters) for _ in range(length))


def digits(chance: random.Random, length: int) -> str:
    """Return a random number of so many digits, as text."""
    return str(chance.randrange(10 ** (length - 1), 10**length))


def date(chance: random.Random, year: int = 2024) -> str:
    """Return a random date."""
    return f"{year}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"


def person(chance: random.Random) -> Message:
    """Return a customer: names, id, e-mail, birthday, address."""
    first, last = chance.choice(FIRST), chance.choice(LAST)
    return {
        "name": {"first_name": first, "last_name": last},
        "user_id": f"{first}_{last}_{digits(chance, 4)}".lower(),
        "email": f"{first}.{last}{digits(chance, 4)}@example.com".lower(),
        "dob": date(chance, chance.randrange(1950, 2000)),
        "address": address(chance),
    }


def address(chance: random.Random) -> Message:
    """Return an address."""
    city, state = chance.choice(CITIES)
    return {
        "address1": f"{digits(chance, 3)} {chance.choice(STREETS)}",
        "address2": f"Suite {digits(chance, 3)}",
        "city": city,
        "country": "USA",
        "state": state,
        "zip": digits(chance, 5),
    }


def payments(chance: random.Random) -> dict[str, Message]:
    """Return payment methods by their ids."""
    made: dict[str, Message] = {}
    for source in chance.sample(["credit_card", "gift_card", "certificate", "paypal"], 3):
        key = f"{source}_{digits(chance, 7)}"
        made[key] = {"source": source, "id": key}
        if source == "credit_card":
            made[key] |= {
                "brand": chance.choice(["visa", "mastercard"]),
                "last_four": digits(chance, 4),
            }
        elif source != "paypal":
            made[key]["amount"] = chance.randrange(10, 400)
    return made
