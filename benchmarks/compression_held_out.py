"""Transcripts on which nothing was tuned: other domains, forms, languages."""

from __future__ import annotations

import json
import random
from typing import Final

from benchmarks.compression_engineering import Tree
from benchmarks.compression_talk import FIRST, LAST, Message, Talk, code, date, digits, person

UUID: Final = "0123456789abcdef"
PADDING: Final = (
    "The account manager was in touch last quarter and reports that they are happy in general, "
    "though they would like to see better response times. A renewal is likely. They asked for a "
    "roadmap presentation, and for references in their industry. The contract has the usual terms."
)


def _uuid(chance: random.Random) -> str:
    return "-".join(code(chance, length, UUID) for length in (8, 4, 4, 4, 12))


def customers(chance: random.Random) -> list[Message]:
    """Work in a CRM: search, read, update, schedule; long prose fields and links."""
    talk = Talk(chance, "You are a sales assistant with access to the CRM and the calendar.")
    firms = ["Acme Rail", "Northwind", "Contoso Energy", "Globex", "Initech", "Umbra Foods"]
    records: list[Message] = [
        {
            "id": f"003{code(chance, 15)}",
            "attributes": {"type": "Opportunity", "url": f"/services/data/v59.0/{_uuid(chance)}"},
            "Name": f"{firm} - {chance.choice(['Renewal', 'Expansion', 'Pilot'])}",
            "Amount": float(chance.randrange(10, 900) * 1000),
            "StageName": chance.choice(["Prospecting", "Negotiation/Review", "Closed Won"]),
            "CloseDate": date(chance, 2025),
            "Description": PADDING,
            "Owner": {
                "Email": f"{chance.choice(FIRST).lower()}@ourfirm.example",
                "Id": _uuid(chance),
            },
            "NextStep": None,
            "LastModifiedDate": f"{date(chance)}T08:00:00.000+0000",
        }
        for firm in firms
    ]
    deal = chance.choice(records)
    firm = deal["Name"].split(" - ")[0]
    talk.user(f"What is going on with {firm}? And please get the deal ready for the board meeting.")
    talk.call(
        "search_opportunities", {"query": firm, "limit": 6}, {"records": records, "done": True}
    )
    talk.say(f"{firm} is at stage {deal['StageName']}, worth {deal['Amount']:.0f}. What next?")
    stage, day = chance.choice(["Proposal", "Contracting"]), date(chance, 2025)
    talk.user(f"Move it to {stage}, closing on {day}. Then set up a call with its owner at 14:30.")
    talk.call(
        "update_opportunity",
        {"id": deal["id"], "fields": {"StageName": stage, "CloseDate": day}},
        {"success": True, "errors": []},
    )
    owner = deal["Owner"]
    talk.call("get_user", {"id": owner["Id"]}, {"Email": owner["Email"], "Zone": "Europe/Paris"})
    talk.call(
        "create_event",
        {
            "attendees": [owner["Email"]],
            "start": f"{day}T14:30",
            "time_zone": "Europe/Paris",
            "about": deal["Name"],
        },
        {"event": _uuid(chance), "link": f"https://meet.example.com/{code(chance, 10)}"},
    )
    link = json.loads(talk.messages[-1]["content"])["link"]
    talk.say("The call is set up, the invitation has gone out.")
    talk.user("Great. Put the link in a note on the deal, and log the amount with finance.")
    talk.calls(
        [
            ("add_note", {"parent": deal["id"], "text": link}, {"ok": True}),
            ("log_amount", {"deal": deal["id"], "amount": deal["Amount"]}, {"ok": True}),
        ]
    )
    return talk.messages


def staff(chance: random.Random) -> list[Message]:
    """HR: leave, payroll, a new manager; results as text with fields, not JSON."""
    people = [person(chance) for _ in range(8)]
    who, boss = chance.sample(people, 2)
    talk = Talk(chance, "You are the HR desk's agent. Personal data stays confidential.")
    name = " ".join(who["name"].values())
    first, last = date(chance, 2025), date(chance, 2025)
    talk.user(
        f"Hi, it's {name}. I'd like to take leave from {first} to {last}, and my pay slip of last "
        "month seems to be wrong. I was ill for two days, perhaps it has to do with that, I do not "
        "know; my colleague had the same thing in spring and it took weeks to be sorted out."
    )
    rows = [
        f"{1000 + n} | {' '.join(each['name'].values())} | {each['email']} | "
        f"E{digits(chance, 6)} | "
        f"{chance.choice(['Sales', 'Finance', 'IT'])} | since {date(chance, 2019)}"
        for n, each in enumerate(people)
    ]
    talk.call(
        "search_staff",
        {"name": name},
        "no | name | mail | staff no | team | since\n" + "\n".join(rows),
    )
    row = rows[people.index(who)].split(" | ")
    talk.call(
        "leave_balance",
        {"staff_number": row[3]},
        f"Employee: {name}\nStaff number: {row[3]}\nEntitlement: 30 days\nTaken: 11.5 days\n"
        f"Approver: {boss['email']}\nCost centre: CC-{digits(chance, 4)}\nCalendar: DE-BY\n"
        + PADDING,
    )
    centre = talk.messages[-1]["content"].split("Cost centre: ")[1].split("\n")[0]
    talk.say(f"You have 18.5 days left. Shall I hand in the leave from {first} to {last}?")
    talk.user("Yes please, it is for a family visit.")
    talk.call(
        "request_leave",
        {"staff_number": row[3], "from": first, "to": last, "approver": boss["email"]},
        f"Request LV-{digits(chance, 5)} created, waits for approval.",
    )
    talk.say("It waits for approval. Now to your pay slip: I will look at the last one.")
    talk.user("Thanks.")
    slips = "\n".join(
        f"{2024}-{month:02}: slip PS-{digits(chance, 7)}, gross {digits(chance, 4)}.00, net "
        f"{digits(chance, 4)}.{digits(chance, 2)}, sick days {chance.randrange(3)}"
        for month in range(1, 13)
    )
    talk.call("list_pay_slips", {"staff_number": row[3], "year": 2024}, slips)
    slip = chance.choice(slips.splitlines())
    talk.call(
        "open_payroll_case",
        {
            "slip": slip.split("slip ")[1].split(",")[0],
            "cost_centre": centre,
            "contact": row[2],
            "team": row[4],
        },
        f"Case PC{digits(chance, 6)} opened.",
    )
    return talk.messages


def research(chance: random.Random) -> list[Message]:
    """Search the web and read pages: much prose, few values, links that are opened later."""
    talk = Talk(chance, "You research questions on the web and report with sources.")
    topics = ["heat pumps", "rail freight", "coral reefs", "tidal power", "urban bees"]
    topic, town = chance.choice(topics), chance.choice(["Lisbon", "Oslo", "Graz", "Porto"])
    talk.user(f"How has {topic} developed in {town} since 2015? Give me figures and sources.")
    sentences = (
        "Experts say that growth has been steady over the years. ",
        f"In {town} the share rose to {digits(chance, 2)} per cent in 2021. ",
        "Others point out that the picture is mixed, and that much depends on how one counts. ",
        f"Dr. {chance.choice(LAST)} leads a programme of {digits(chance, 2)} million euros. ",
        "The report was received well, though its methods were debated at length in the press. ",
    )
    for query in (f"{topic} {town}", f"{topic} statistics 2021"):
        results = [
            {
                "title": f"{topic.title()} in {town}: {chance.choice(['a review', 'figures'])}",
                "url": f"https://{chance.choice(LAST).lower()}.example.org/{code(chance, 8)}/{n}",
                "snippet": "".join(chance.choices(sentences, k=4)),
            }
            for n in range(6)
        ]
        talk.call("web_search", {"query": query}, {"results": results})
        for result in chance.sample(results, 2):
            page = "".join(chance.choices(sentences, k=40))
            further = f"https://data.example.net/{code(chance, 6)}.csv"
            talk.call("open_page", {"url": result["url"]}, f"{page}\n\nData: {further}\n\n{page}")
    talk.call("open_page", {"url": results[0]["url"]}, "".join(chance.choices(sentences, k=30)))
    talk.call("open_page", {"url": further}, "year,share\n2015,4\n2021,19")
    talk.say(f"Growth was steady, see {results[0]['url']}.")
    talk.user("Please save that page, and the one with the data, to my reading list.")
    talk.calls(
        [
            ("save", {"url": results[0]["url"], "tag": topic}, "saved"),
            ("save", {"url": further, "tag": topic}, "saved"),
        ]
    )
    return talk.messages


def team(chance: random.Random) -> list[Message]:
    """The built-in team: tickets, an expense, an approval, a CRM entry, in one request."""
    talk = Talk(chance, "You coordinate agents for ticketing, finance, HR and sales.")
    event, seats = chance.choice(["Hamlet", "Derby Final", "Jazz Night"]), chance.randrange(2, 12)
    client, day = f"{chance.choice(FIRST)} {chance.choice(LAST)}", date(chance, 2025)
    talk.user(
        f"Book {seats} tickets for {event} on {day} for our client {client}, log the expense on "
        f"project PRJ-{digits(chance, 4)}, get my manager's approval, then update the CRM."
    )
    project = "PRJ-" + talk.messages[-1]["content"].split("PRJ-")[1].split(",")[0]
    offers = [
        {
            "offer_id": f"of_{code(chance, 12).lower()}",
            "block": code(chance, 2),
            "price_per_ticket": {"value": f"{digits(chance, 3)}.50", "currency": "EUR"},
            "available": chance.randrange(1, 40),
            "terms": PADDING,
        }
        for _ in range(7)
    ]
    talk.call(
        "ticketing_search", {"event": event, "date": day, "quantity": seats}, {"offers": offers}
    )
    offer = chance.choice(offers)
    booking = f"BK{digits(chance, 8)}"
    talk.call(
        "ticketing_purchase",
        {"offer_id": offer["offer_id"], "quantity": seats},
        {"booking_reference": booking, "total": f"{digits(chance, 4)}.00", "status": "held"},
    )
    total = json.loads(talk.messages[-1]["content"])["total"]
    manager = f"{chance.choice(LAST).lower()}@firm.example"
    talk.call("hr_manager_of", {"employee": "me"}, {"manager": manager, "level": 4})
    talk.call(
        "request_approval",
        {"approver": manager, "amount": total, "reference": booking},
        {"approval_id": f"apr-{digits(chance, 5)}", "decision": "approve"},
    )
    approval = json.loads(talk.messages[-1]["content"])["approval_id"]
    talk.calls(
        [
            (
                "finance_log_expense",
                {"project": project, "amount": total, "approval": approval},
                {"expense_id": f"EXP{digits(chance, 6)}"},
            ),
            ("sales_find_contact", {"name": client}, {"contact_id": _uuid(chance), "name": client}),
        ]
    )
    contact = json.loads(talk.messages[-1]["content"])["contact_id"]
    talk.call(
        "sales_add_activity",
        {"contact_id": contact, "subject": event, "date": day, "reference": booking},
        {"ok": True},
    )
    return talk.messages


def blocks(chance: random.Random) -> list[Message]:
    """A coding agent in Anthropic's form, with numbered lines."""
    tree = Tree(chance, "/home/dev/project")
    path = chance.choice(list(tree.files))
    name, source = tree.functions[path]
    callers = tree.use(chance, name, path)
    messages: list[Message] = [
        {"role": "system", "content": "You are a careful programmer."},
        {"role": "user", "content": f"Please rename `{name}` to `{name}_all` everywhere."},
    ]

    def call(tool: str, given: Message, result: str) -> None:
        call_id = f"toolu_{code(chance, 22)}"
        used = {"type": "tool_use", "id": call_id, "name": tool, "input": given}
        text = {"type": "text", "text": "I will look at this next."}
        messages.append({"role": "assistant", "content": [text, used]})
        answer = {"type": "tool_result", "tool_use_id": call_id, "content": result}
        messages.append({"role": "user", "content": [answer]})

    call("Glob", {"pattern": "**/*.py"}, tree.listing())
    call("Grep", {"pattern": name, "path": tree.root}, tree.found(name))
    viewed = [*callers, path]
    for each in viewed:
        lines = tree.files[each].splitlines()
        call("Read", {"file_path": each}, "\n".join(f"{n:6}→{x}" for n, x in enumerate(lines, 1)))
    old = source.splitlines()[0]
    new = old.replace(name, f"{name}_all")
    call("Edit", {"file_path": path, "old_string": old, "new_string": new}, "The file was edited.")
    call("Read", {"file_path": viewed[0]}, tree.files[viewed[0]])
    call("Bash", {"command": f"git diff {path}"}, f"-{old}\n+{new}")
    return messages


def abroad(chance: random.Random) -> list[Message]:
    """Service in German, Spanish and Chinese, with umlauts and full-width signs."""
    number, phone, day = f"A{digits(chance, 8)}", f"+49 170 {digits(chance, 7)}", date(chance)
    parcels = [
        {
            "sendung": f"JJD{digits(chance, 12)}",
            "größe": chance.choice(["klein", "groß"]),
            "empfänger": f"{chance.choice(FIRST)} Müller",
            "straße": f"Hauptstraße {digits(chance, 2)}",
            "ort": chance.choice(["München", "Köln", "Zürich"]),
            "hinweis": "Die Sendung wurde dem Zusteller übergeben und wird voraussichtlich am "
            "nächsten Werktag zugestellt, sofern nichts dazwischenkommt.",
        }
        for _ in range(8)
    ]
    parcel = chance.choice(parcels)
    said = chance.choice(
        [
            (
                f"Guten Tag, meine Kundennummer ist {number}, und mein Paket ist nicht da!",
                f"Bitte am {day} noch einmal zustellen. Rufen Sie mich an: {phone}.",
            ),
            (
                f"Hola, mi número de cliente es {number} y mi paquete no ha llegado.",
                f"Por favor, entréguenlo el {day}. Mi teléfono es {phone}.",
            ),
            (
                f"你好，我的客户编号是{number}，包裹还没有到。我已经等了很久了。请帮我查一下！",  # noqa: RUF001  Chinese
                f"请在{day}重新派送。我的电话是{phone}。谢谢！",  # noqa: RUF001  Chinese
            ),
        ]
    )
    talk = Talk(chance, "You help customers of a parcel service, in their language.")
    talk.user(said[0])
    listed = json.dumps({"sendungen": parcels}, ensure_ascii=False)
    talk.call("list_parcels", {"customer": number}, listed)
    talk.call("track", {"sendung": parcel["sendung"]}, json.dumps({**parcel, "status": "LOST"}))
    talk.say("I am sorry. When shall we deliver it again?")
    talk.user(said[1])
    talk.messages[-1]["content"] += " 🙂"
    talk.call(
        "redeliver",
        {"customer": number, "sendung": parcel["sendung"], "day": day, "phone": phone},
        "ok",
    )
    talk.call(
        "notify",
        {"street": parcel["straße"], "town": parcel["ort"], "customer": number},
        "ok",
    )
    return talk.messages
