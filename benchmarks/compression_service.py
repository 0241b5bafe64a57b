"""Transcripts of customer service: an airline, a shop, a bank."""

from __future__ import annotations

import random
from typing import Any, Final

from benchmarks.compression_talk import (
    FIRST,
    LAST,
    Message,
    Talk,
    address,
    code,
    date,
    digits,
    payments,
    person,
)

AIRPORTS: Final = ["SFO", "JFK", "LAX", "ORD", "DEN", "IAH", "SEA", "MCO", "BOS", "CLT", "EWR"]
POLICY: Final = (
    "# {domain} agent policy\n\nThe current time is 2024-05-15 15:00:00 EST.\n\nBefore any action "
    "that updates the database you must list the details and obtain explicit confirmation (yes). "
    "Make one tool call at a time. Deny requests that are against this policy. Transfer the user "
    "to a human agent only if the request cannot be handled within the scope of your actions. "
    "Do not provide information, knowledge or procedures not provided by the user or the tools.\n"
)
ANYTHING_ELSE: Final = (
    "Is there anything else I can help you with today?",
    "All done! Please let me know if there is anything else you would like me to look at.",
)
MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def spoken(day: str, chance: random.Random) -> str:
    """Say a date as people do, or as it is written."""
    number, month = int(day[-2:]), MONTHS[int(day[5:7]) - 1]
    return chance.choice([f"{month} {number}", f"the {number}th of {month}", day])


def _flight(chance: random.Random, origin: str, destination: str) -> Message:
    classes = ("basic_economy", "economy", "business")
    return {
        "flight_number": f"HAT{digits(chance, 3)}",
        "origin": origin,
        "destination": destination,
        "scheduled_departure_time_est": f"{chance.randrange(5, 22):02}:00:00",
        "scheduled_arrival_time_est": f"{chance.randrange(5, 22):02}:30:00",
        "status": "available",
        "available_seats": {name: chance.randrange(0, 20) for name in classes},
        "prices": {name: chance.randrange(50, 500) for name in classes},
    }


def _reservation(chance: random.Random, who: Message, paid_with: str) -> Message:
    origin, destination = chance.sample(AIRPORTS, 2)
    flown = [_flight(chance, origin, destination) for _ in range(chance.randrange(1, 4))]
    companions = [
        {
            "first_name": chance.choice(FIRST),
            "last_name": chance.choice(LAST),
            "dob": date(chance, 1985),
        }
        for _ in range(chance.randrange(0, 3))
    ]
    return {
        "reservation_id": code(chance, 6),
        "user_id": who["user_id"],
        "origin": origin,
        "destination": destination,
        "flight_type": chance.choice(["one_way", "round_trip"]),
        "cabin": chance.choice(["economy", "basic_economy", "business"]),
        "flights": [
            {
                "origin": each["origin"],
                "destination": each["destination"],
                "flight_number": each["flight_number"],
                "date": date(chance),
                "price": each["prices"]["economy"],
            }
            for each in flown
        ],
        "passengers": [{**who["name"], "dob": who["dob"]}, *companions],
        "payment_history": [{"payment_id": paid_with, "amount": chance.randrange(100, 3000)}],
        "created_at": f"{date(chance)}T{chance.randrange(10, 24)}:22:47",
        "total_baggages": chance.randrange(0, 4),
        "nonfree_baggages": 0,
        "insurance": chance.choice(["yes", "no"]),
    }


def airline(chance: random.Random) -> list[Message]:
    """Look up a traveller and the bookings; change one, book another or cancel."""
    who, cards = person(chance), payments(chance)
    talk = Talk(chance, POLICY.format(domain="Airline") * chance.randrange(1, 4))
    bookings = [_reservation(chance, who, chance.choice(list(cards))) for _ in range(5)]
    wanted = chance.choice(bookings)
    if chance.randrange(3) == 0:
        talk.say("Hi! How can I help you today?")
    talk.user(
        f"Hi, I need to change my trip to {wanted['destination']}. It is rather urgent, since my "
        "plans changed and I would really hate to lose the money that I spent on it.",
        f"Hello! I'd like to do something about my flight from {wanted['origin']}.",
        f"I want to cancel reservation {wanted['reservation_id']}, and then book a new one.",
    )
    talk.say("I can help you with that. Could you please provide your user ID?")
    talk.user(
        f"Sure, it's {who['user_id']}.", f"My user id is {who['user_id']}. I'm in a hurry, thanks!"
    )
    profile = {
        **{key: who[key] for key in ("name", "address", "email", "dob")},
        "payment_methods": cards,
        "saved_passengers": [
            {"first_name": chance.choice(FIRST), "last_name": chance.choice(LAST)}
        ],
        "membership": chance.choice(["gold", "silver", "regular"]),
        "reservations": [each["reservation_id"] for each in bookings],
    }
    talk.call("get_user_details", {"user_id": who["user_id"]}, profile)
    if chance.choice([True, False]):
        talk.say(
            f"Thank you, {who['name']['first_name']}. You have {len(bookings)} reservations. "
            "Could you tell me which of them it is, or shall I look through them for you?"
        )
        talk.user("I don't remember the number, please look through them.", "Please check for me.")
    for each in bookings[: bookings.index(wanted) + 1]:
        talk.call("get_reservation_details", {"reservation_id": each["reservation_id"]}, each)
    chance.choice([_change, _book, _luggage, _cancel])(talk, who, wanted, cards)
    talk.say(*ANYTHING_ELSE)
    talk.user("Yes, one more thing. Could you also add a bag to that reservation?")
    _luggage(talk, who, wanted, cards)
    return talk.messages


def _change(talk: Talk, _who: Message, booking: Message, cards: dict[str, Message]) -> None:
    chance, day = talk.chance, date(talk.chance)
    route = {"origin": booking["origin"], "destination": booking["destination"]}
    found = [_flight(chance, **route) for _ in range(chance.randrange(3, 9))]
    talk.say(
        f"I found your reservation {booking['reservation_id']} from {route['origin']} to "
        f"{route['destination']}. On which day would you like to fly instead?"
    )
    talk.user(f"I'd like to fly on {day}, as early as possible.")
    talk.call("search_direct_flight", {**route, "date": day}, found)
    best, card = chance.choice(found), chance.choice(list(cards))
    talk.say(
        f"Here are the details of the change:\n\n- **Flight**: {best['flight_number']} on {day}, "
        f"leaving at {best['scheduled_departure_time_est']}\n- **Price**: "
        f"${best['prices']['economy']}\n\nWhich payment method would you like to use for it?",
        "There are several flights on that day. The earliest one seems to fit what you asked for. "
        "Which payment method would you like to use for the difference?",
    )
    talk.user(f"Use {card}.", f"The {cards[card]['source'].replace('_', ' ')} please. And yes, go.")
    arguments = {
        "reservation_id": booking["reservation_id"],
        "cabin": booking["cabin"],
        "flights": [{"flight_number": best["flight_number"], "date": day}],
        "payment_id": card,
    }
    talk.call("update_reservation_flights", arguments, {**booking, "flights": arguments["flights"]})


def _book(talk: Talk, who: Message, booking: Message, cards: dict[str, Message]) -> None:
    chance, day = talk.chance, date(talk.chance)
    origin, destination = chance.sample(AIRPORTS, 2)
    talk.say("Where would you like to go, on which date, and how many passengers will there be?")
    talk.user(
        f"From {origin} to {destination} on {spoken(day, chance)}, economy. Same passengers as in "
        "my old booking, 2 bags in all, and no travel insurance please."
    )
    found = [_flight(chance, origin, destination) for _ in range(chance.randrange(3, 8))]
    talk.call(
        "search_direct_flight", {"origin": origin, "destination": destination, "date": day}, found
    )
    best, card = chance.choice(found), chance.choice(list(cards))
    talk.say(
        f"The cheapest is {best['flight_number']} at ${best['prices']['economy']} each. Shall I "
        "book it, and how would you like to pay for it?"
    )
    talk.user(f"Yes, book it. Pay with {card}.", "Yes. Use the same payment method as last time.")
    if "same" in talk.messages[-1]["content"]:
        card = booking["payment_history"][0]["payment_id"]
    arguments = {
        "user_id": who["user_id"],
        "origin": origin,
        "destination": destination,
        "flight_type": "one_way",
        "cabin": "economy",
        "flights": [{"flight_number": best["flight_number"], "date": day}],
        "passengers": booking["passengers"],
        "payment_methods": [{"payment_id": card, "amount": best["prices"]["economy"]}],
        "total_baggages": 2,
        "nonfree_baggages": 0,
        "insurance": "no",
    }
    talk.call("book_reservation", arguments, {"reservation_id": code(chance, 6), **arguments})


def _luggage(talk: Talk, _who: Message, booking: Message, cards: dict[str, Message]) -> None:
    card = talk.chance.choice(list(cards))
    kind = cards[card]["source"].replace("_", " ")
    talk.say(f"Certainly. Shall I charge the fee to your {kind}? Please confirm (yes) to proceed.")
    talk.user("yes", "Yes, please go ahead.")
    arguments = {
        "reservation_id": booking["reservation_id"],
        "total_baggages": booking["total_baggages"] + 1,
        "nonfree_baggages": 1,
        "payment_id": card,
    }
    talk.call("update_reservation_baggages", arguments, {**booking, **arguments})


def _cancel(talk: Talk, _who: Message, booking: Message, _cards: dict[str, Message]) -> None:
    talk.say(f"To cancel {booking['reservation_id']} I need to know why. What is your reason?")
    talk.user("A change of plan, that is all.", "My doctor says that I must not fly. I'm ill.")
    arguments = {"reservation_id": booking["reservation_id"]}
    talk.call("cancel_reservation", arguments, {**booking, "status": "cancelled"})


COLOURS: Final = ["red", "blue", "black", "white", "silver", "green"]
SIZES: Final = ["small", "medium", "large", "XL"]
GOODS: Final = [
    "T-Shirt",
    "Water Bottle",
    "Desk Lamp",
    "Backpack",
    "Mechanical Keyboard",
    "Sneakers",
]


def _product(chance: random.Random) -> Message:
    variants = {}
    for _ in range(chance.randrange(6, 14)):
        item = digits(chance, 10)
        variants[item] = {
            "item_id": item,
            "options": {
                "color": chance.choice(COLOURS),
                "size": chance.choice(SIZES),
                "material": chance.choice(["cotton", "steel", "leather", "glass"]),
            },
            "available": chance.choice([True, True, False]),
            "price": round(chance.uniform(10, 400), 2),
        }
    return {"name": chance.choice(GOODS), "product_id": digits(chance, 10), "variants": variants}


def _order(chance: random.Random, who: Message, products: list[Message], card: str) -> Message:
    items = []
    for product in chance.sample(products, 2):
        variant = chance.choice(list(product["variants"].values()))
        items.append(
            {
                "name": product["name"],
                "product_id": product["product_id"],
                "item_id": variant["item_id"],
                "price": variant["price"],
                "options": variant["options"],
            }
        )
    total = round(sum(item["price"] for item in items), 2)
    return {
        "order_id": f"#W{digits(chance, 7)}",
        "user_id": who["user_id"],
        "address": who["address"],
        "items": items,
        "fulfillments": [
            {"tracking_id": [digits(chance, 12)], "item_ids": [i["item_id"] for i in items]}
        ],
        "status": chance.choice(["delivered", "pending"]),
        "payment_history": [
            {"transaction_type": "payment", "amount": total, "payment_method_id": card}
        ],
    }


def retail(chance: random.Random) -> list[Message]:
    """Find a customer and the orders, exchange for another variant, or change the address."""
    who, cards = person(chance), payments(chance)
    products = [_product(chance) for _ in range(4)]
    orders = [_order(chance, who, products, chance.choice(list(cards))) for _ in range(3)]
    talk = Talk(chance, POLICY.format(domain="Retail") * chance.randrange(1, 4))
    order = chance.choice(orders)
    item = chance.choice(order["items"])
    product = next(each for each in products if each["product_id"] == item["product_id"])
    wish = chance.choice(list(product["variants"].values()))
    options = wish["options"]
    talk.user(
        f"Hi! I ordered a {product['name'].lower()}, and I'd like to exchange it for one that is "
        f"{options['color']} and {options['size']}, please.",
        f"Hello, my order {order['order_id']} has the wrong {product['name'].lower()} in it.",
    )
    name, where = who["name"], who["address"]
    talk.say(
        "I'd be happy to help you with that! To get started, please provide your email address, or "
        "your full name and zip code, so that I can verify your identity."
    )
    if chance.choice([True, False]):
        talk.user(f"I'm {name['first_name']} {name['last_name']}, zip {where['zip']}.")
        talk.call("find_user_id_by_name_zip", {**name, "zip": where["zip"]}, who["user_id"])
    else:
        talk.user(f"My email is {who['email']}.")
        talk.call("find_user_id_by_email", {"email": who["email"]}, who["user_id"])
    profile: dict[str, Any] = {
        "name": name,
        "address": where,
        "email": who["email"],
        "payment_methods": cards,
        "orders": [each["order_id"] for each in orders],
    }
    talk.call("get_user_details", {"user_id": who["user_id"]}, profile)
    for each in orders[: orders.index(order) + 1]:
        talk.call("get_order_details", {"order_id": each["order_id"]}, each)
    if chance.choice([True, False]):
        talk.call("list_all_product_types", {}, {g: digits(chance, 10) for g in GOODS * 2})
    talk.call("get_product_details", {"product_id": product["product_id"]}, product)
    talk.say(
        f"I found the {options['color']} {product['name']} in {options['size']} for "
        f"${wish['price']}. Which payment method should be used for the price difference?",
        f"There is one that fits: item {wish['item_id']}. How would you like to settle the price "
        "difference? Please note that all items of an order must be exchanged at once.",
    )
    card = chance.choice([*cards, order["payment_history"][0]["payment_method_id"]])
    talk.user(f"With my {cards[card]['source'].replace('_', ' ')}. Yes, please do.", f"{card}, yes")
    arguments: Message = {
        "order_id": order["order_id"],
        "item_ids": [item["item_id"]],
        "new_item_ids": [wish["item_id"]],
        "payment_method_id": card,
    }
    talk.call(
        f"exchange_{order['status']}_order_items", arguments, {**order, "status": "requested"}
    )
    talk.say("The exchange has been requested, you will get an email. " + ANYTHING_ELSE[0])
    moved = address(chance)
    talk.user(
        f"Yes, I have moved to {moved['address1']}, {moved['address2']}, {moved['city']}, "
        f"{moved['state']} {moved['zip']}. Please change my default address."
    )
    talk.call("modify_user_address", {"user_id": who["user_id"], **moved}, {"address": moved})
    talk.say("Your address is changed. " + ANYTHING_ELSE[0])
    other = chance.choice(orders)
    talk.user(f"Then please return the {other['items'][0]['name'].lower()} of my other order.")
    talk.call(
        "return_delivered_order_items",
        {
            "order_id": other["order_id"],
            "item_ids": [other["items"][0]["item_id"]],
            "payment_method_id": other["payment_history"][0]["payment_method_id"],
        },
        {**other, "status": "return requested"},
    )
    return talk.messages


def bank(chance: random.Random) -> list[Message]:
    """Check accounts, look through transactions, dispute one, pay a bill, block a card."""
    who = person(chance)
    talk = Talk(chance, "You are the assistant of a bank. Identify callers before you act.")
    accounts = [
        {
            "account_id": f"ACC-{digits(chance, 8)}",
            "iban": f"DE{digits(chance, 20)}",
            "type": kind,
            "balance": {"amount": round(chance.uniform(50, 9000), 2), "currency": "EUR"},
            "opened": date(chance, 2015),
            "holder": f"{who['name']['first_name']} {who['name']['last_name']}",
            "notes": None,
            "overdraft_limit": 500,
        }
        for kind in ("checking", "savings", "credit")
    ]
    shops = ["Blue Bottle", "City Grocers", "Rail Europe", "Cloud Host Ltd", "Book Barn", "Gym One"]
    entries: list[Message] = [
        {
            "transaction_id": f"tx_{code(chance, 10).lower()}",
            "date": date(chance),
            "amount": -round(chance.uniform(5, 400), 2),
            "counterparty": chance.choice(shops),
            "category": chance.choice(["food", "travel", "fees", "shopping"]),
            "description": "Card payment authorised online with strong authentication, settled "
            "through the network on the following business day.",
            "status": "settled",
        }
        for _ in range(chance.randrange(8, 20))
    ]
    talk.user(
        f"Good morning. {accounts[0]['holder']} here, customer number {who['user_id']}. There is a "
        "payment in my account that I did not make."
    )
    talk.calls(
        [
            ("get_customer", {"customer_id": who["user_id"]}, {**who, "kyc": "passed"}),
            ("list_accounts", {"customer_id": who["user_id"]}, {"accounts": accounts}),
        ],
        said="Let me look that up.",
    )
    talk.say("I see three accounts of yours. Which one is it, and what kind of payment?")
    wrong: Message = chance.choice(entries)
    talk.user(f"My checking account. It's one at {wrong['counterparty']} over {-wrong['amount']}.")
    arguments = {"account_id": accounts[0]["account_id"], "from": "2024-01-01", "limit": 50}
    talk.call("list_transactions", arguments, {"transactions": entries, "next_cursor": None})
    talk.call(
        "open_dispute",
        {
            "transaction_id": wrong["transaction_id"],
            "amount": wrong["amount"],
            "reason": "not recognised by the customer",
        },
        {"dispute_id": f"DSP{digits(chance, 6)}", "state": "open"},
    )
    talk.say("The dispute is open. You will hear from us within ten days. Anything else?")
    payee, amount = f"GB{digits(chance, 14)}", f"{chance.randrange(50, 900)}.{digits(chance, 2)}"
    talk.user(
        f"Yes: send {amount} euros from savings to {payee}, reference 'rent {digits(chance, 4)}'. "
        "It is a standing thing between me and my landlord, who is rather strict about it."
    )
    reference = talk.messages[-1]["content"].split("'")[1]
    talk.call(
        "create_transfer",
        {
            "from_iban": accounts[1]["iban"],
            "to_iban": payee,
            "amount": amount,
            "reference": reference,
        },
        {"transfer_id": f"tr_{code(chance, 8).lower()}", "status": "queued"},
    )
    talk.say("Done, it will be carried out today.")
    talk.user("Please also block my credit card account and send me the papers.")
    talk.calls(
        [
            ("block_account", {"account_id": accounts[2]["account_id"]}, {"ok": True}),
            ("send_letter", {"to": who["email"], "template": "dispute"}, {"ok": True}),
        ]
    )
    return talk.messages
