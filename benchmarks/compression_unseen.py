"""Transcripts that were written last, and by which no constant or rule was chosen."""

from __future__ import annotations

import json
import random
from typing import Final

from benchmarks.compression_engineering import Tree
from benchmarks.compression_talk import FIRST, LAST, Message, Talk, code, date, digits, person

WORDS: Final = [
    *("amber", "basin", "cedar", "delta", "ember", "frost", "grove", "haven", "inlet", "jetty"),
    *("knoll", "ledge", "marsh", "north", "orbit", "pearl", "quartz", "ridge", "slope", "tower"),
]
HEX: Final = "0123456789abcdef"


def hotel(chance: random.Random) -> list[Message]:
    """Search, compare and book; results are Python's repr, as tools print that return str(…)."""
    guest, town = person(chance), chance.choice(["Lisbon", "Vienna", "Bruges", "Turin"])
    arrival, nights = date(chance, 2025), chance.randrange(2, 9)
    talk = Talk(chance, "You book hotels. Ask before you pay. Quote prices with taxes.")
    talk.user(
        f"I need a room in {town} from {arrival} for {nights} nights, two adults, not over 180 a "
        "night, with breakfast if that is possible at all, and quiet, please, I sleep badly."
    )
    hotels: list[Message] = [
        {
            "hotel": f"{chance.choice(['Grand', 'Park', 'Central', 'Astoria'])} {town} {n}",
            "property_code": f"{town[:3].upper()}{digits(chance, 3)}",
            "rooms": [
                {
                    "rate_key": f"RK-{code(chance, 9)}",
                    "type": kind,
                    "board": chance.choice(["BB", "RO", "HB"]),
                    "price": {"net": chance.randrange(70, 260) + 0.5, "currency": "EUR"},
                    "cancellation": "Free until two days before arrival, then one night is due.",
                }
                for kind in ("double", "twin")
            ],
            "stars": chance.randrange(2, 6),
            "photos": [f"https://img.example.com/{code(chance, 8).lower()}.jpg" for _ in range(3)],
        }
        for n in range(6)
    ]
    search = {"city": town, "checkin": arrival, "nights": nights, "adults": 2}
    talk.call("search_hotels", search, str(hotels))
    picked = chance.choice(hotels)
    room = chance.choice(picked["rooms"])
    detail = {
        "code": picked["property_code"],
        "address": f"{digits(chance, 2)} Rua Nova",
        "wifi": 1,
    }
    talk.call("hotel_details", {"property_code": picked["property_code"]}, str(detail))
    talk.say(
        f"{picked['hotel']} has a quiet {room['type']} room. Shall I book it? I need a name, an "
        "e-mail address and a phone number for the booking."
    )
    phone = f"+351 9{digits(chance, 8)}"
    name = " ".join(guest["name"].values())
    talk.user(f"Yes! {name}, {guest['email']}, {phone}. Arrival will be late, about 22:30.")
    booking = {
        "rate_key": room["rate_key"],
        "guest": {"name": name, "email": guest["email"], "phone": phone},
        "remarks": "late arrival",
        "arrival": "22:30",
    }
    locator = code(chance, 7)
    talk.call("create_booking", booking, str({"locator": locator, "status": "CONFIRMED"}))
    talk.say("It is booked. You will get a confirmation by e-mail.")
    talk.user("Could you also arrange a transfer from the airport to the hotel?")
    talk.call(
        "book_transfer",
        {"to": picked["property_code"], "date": arrival, "booking": locator, "phone": phone},
        "{'ok': True}",
    )
    return talk.messages


def analyst(chance: random.Random) -> list[Message]:
    """Query a warehouse: schemas, tables as text, then the same columns again."""
    names = ["orders", "order_items", "customers", "refunds", "shipments", "web_events"]
    columns = {each: [f"{each[:3]}_{word}" for word in chance.sample(WORDS, 7)] for each in names}
    table = chance.choice(names)
    talk = Talk(chance, "You answer questions with SQL over the warehouse. Never write to it.")
    region, quarter = chance.choice(["EMEA", "APAC", "LATAM"]), f"2024-Q{chance.randrange(1, 5)}"
    talk.user(f"Why did our numbers in {region} fall in {quarter}? Start with {table}, I think.")
    talk.call("list_tables", {"schema": "analytics"}, "\n".join(f"analytics.{n}" for n in names))
    for each in dict.fromkeys([table, chance.choice(names)]):
        kinds = ["varchar", "int8", "date"]
        lines = [f"{name:<24}| {chance.choice(kinds)} | null" for name in columns[each]]
        talk.call("describe_table", {"table": f"analytics.{each}"}, "\n".join(lines))
    rows = [
        f"| {date(chance)} | {region} | {digits(chance, 6)} | {digits(chance, 4)}.50 |"
        for _ in range(25)
    ]
    query = f"SELECT {columns[table][0]}, region FROM analytics.{table}"  # noqa: S608  never run
    talk.call("run_sql", {"query": query}, "| day | region | id | total |\n" + "\n".join(rows))
    odd = chance.choice(rows).split(" | ")
    talk.say(f"One day stands out: {odd[0][2:]}. I will look at it more closely.")
    talk.user("Good. Which column says why? And keep it short, the board meets at noon.")
    talk.call(
        "profile_column",
        {"table": f"analytics.{table}", "column": columns[table][2], "day": odd[0][2:]},
        json.dumps({"distinct": 12, "top": [code(chance, 5) for _ in range(6)]}),
    )
    talk.call(
        "lookup_row", {"table": f"analytics.{table}", "id": odd[2]}, json.dumps({"id": odd[2]})
    )
    talk.call("save_chart", {"title": f"{region} {quarter}", "query": query}, "chart_81")
    return talk.messages


def browser(chance: random.Random) -> list[Message]:
    """Drive a browser by numbered elements; fill a form with what the user said."""
    who, shop = person(chance), f"https://www.{chance.choice(LAST).lower()}-shop.example.com"
    where = who["address"]
    wish, coupon = chance.choice(["raincoat", "kettle", "desk lamp"]), f"SAVE{digits(chance, 2)}"
    talk = Talk(chance, "You act in a web browser. Elements are numbered in the page's text.")
    talk.user(
        f"Go to {shop}, find a {wish} under 60 dollars, and order it to {where['address1']}, "
        f"{where['city']} {where['zip']}. My name is {' '.join(who['name'].values())}, the mail is "
        f"{who['email']}, and use the coupon {coupon}."
    )

    def page(title: str, count: int) -> tuple[str, list[str]]:
        links = [
            f"[{n}] <a href='/p/{digits(chance, 5)}'>{chance.choice(WORDS).title()} {wish}</a> "
            f"${digits(chance, 2)}.99 Free returns within 30 days, see terms and conditions."
            for n in range(10, 10 + count)
        ]
        head = f"URL: {shop}/{title}\nTitle: {title.title()} | All you need\n[1] <input search>\n"
        return head + "\n".join(links), links

    text, _ = page("home", 12)
    talk.call("goto", {"url": shop}, text)
    text, links = page("search", 25)
    talk.call("type", {"element": 1, "text": wish, "submit": True}, text)
    link = chance.choice(links).split("'")[1]
    text, _ = page("product", 8)
    talk.call("goto", {"url": shop + link}, text + f"\nSKU: {code(chance, 8)}\n[40] Add to basket")
    talk.call("click", {"element": 40}, page("basket", 6)[0] + "\n[50] coupon [51] Check out")
    talk.call("type", {"element": 50, "text": coupon}, page("basket", 6)[0])
    talk.call(
        "click", {"element": 51}, "Title: Check out\n[60] name [61] mail [62] street [63] zip"
    )
    for element, text in enumerate(
        (" ".join(who["name"].values()), who["email"], where["address1"], where["zip"]), 60
    ):
        talk.call("type", {"element": element, "text": text}, page("checkout", 4)[0])
    return talk.messages


def clinic(chance: random.Random) -> list[Message]:
    """Appointments over FHIR-like resources, deeply nested and wordy."""
    who = person(chance)
    talk = Talk(chance, "You are the front desk of a clinic. Never give medical advice.")
    name = " ".join(who["name"].values())
    record = f"MRN-{digits(chance, 7)}"
    talk.user(f"Hi, this is {name}, born {who['dob']}. I must move my appointment with the doctor.")
    patient = {
        "resourceType": "Patient",
        "id": code(chance, 16, HEX),
        "identifier": [{"system": "urn:oid:1.2.36.146", "value": record, "use": "usual"}],
        "name": [{"family": who["name"]["last_name"], "given": [who["name"]["first_name"]]}],
        "telecom": [{"system": "email", "value": who["email"]}],
        "text": {"status": "generated", "div": "<div>A patient of this clinic since 2009.</div>"},
        "meta": {"versionId": "3", "lastUpdated": f"{date(chance)}T10:10:10Z"},
    }
    talk.call("find_patient", {"name": name, "birthdate": who["dob"]}, {"entry": [patient]})
    visits: list[Message] = [
        {
            "resource": {
                "resourceType": "Appointment",
                "id": f"appt-{digits(chance, 6)}",
                "status": "booked",
                "start": f"{date(chance, 2025)}T{chance.randrange(8, 17):02}:00:00Z",
                "participant": [
                    {"actor": {"reference": f"Practitioner/{code(chance, 8, HEX)}"}},
                    {"actor": {"reference": f"Location/{code(chance, 4)}", "display": "Room 2"}},
                ],
                "comment": "Please come ten minutes early and bring your insurance card with you.",
            }
        }
        for _ in range(4)
    ]
    talk.call("list_appointments", {"patient": patient["id"]}, {"total": 4, "entry": visits})
    visit = chance.choice(visits)["resource"]
    talk.say(f"You have four appointments. Is it the one on {visit['start'][:10]}?")
    talk.user("That one, yes. Any morning in the week after would be fine for me.")
    doctor = visit["participant"][0]["actor"]["reference"]
    slots = [
        {"slot": f"s-{code(chance, 10, HEX)}", "start": f"{date(chance, 2025)}T09:{n}0:00Z"}
        for n in range(6)
    ]
    talk.call("free_slots", {"practitioner": doctor, "after": visit["start"]}, {"slots": slots})
    slot = chance.choice(slots)
    talk.say(f"How about {slot['start'][:10]} at {slot['start'][11:16]}?")
    talk.user("Perfect.", "Yes, thank you!")
    talk.call(
        "reschedule",
        {"appointment": visit["id"], "slot": slot["slot"], "patient": patient["id"]},
        {"status": "booked"},
    )
    talk.call("send_reminder", {"to": who["email"], "reference": record}, {"queued": True})
    return talk.messages


def cluster(chance: random.Random) -> list[Message]:
    """Run kubectl and git in a shell; whole commands, YAML, hashes."""
    talk = Talk(chance, "You are on call. You have a shell with kubectl, helm and git.")
    space, app = chance.choice(["prod-eu", "prod-us"]), chance.choice(["cart", "search", "auth"])
    pods = [
        f"{app}-{code(chance, 10, HEX)}-{code(chance, 5, 'bcdfghjk')}   "
        f"{chance.choice(['1/1   Running', '0/1   CrashLoopBackOff'])}   {digits(chance, 2)}   5d"
        for _ in range(9)
    ]
    pod = chance.choice(pods).split()[0]
    talk.user(f"Page: {app} in {space} returns 503s since 04:12. Please mitigate, then explain.")
    listing = f"kubectl -n {space} get pods -l app={app}"
    talk.call(
        "shell", {"command": listing}, "NAME   READY   STATUS   RESTARTS   AGE\n" + "\n".join(pods)
    )
    image = f"registry.example.com/{app}:{code(chance, 7, HEX)}"
    events = "\n".join(
        f"  Warning  BackOff  {n}m  kubelet  Back-off restarting failed container {app} in pod"
        for n in range(8)
    )
    talk.call(
        "describe_pod",
        {"namespace": space, "pod": pod},
        f"Name: {pod}\nNode: ip-10-0-{digits(chance, 2)}-7\nImage: {image}\nEvents:\n{events}",
        said="One pod looks bad, I will look at what it says.",
    )
    trace = "\n".join(
        f"  File '/srv/{app}/{chance.choice(WORDS)}.py', line {digits(chance, 3)}, in {word}"
        for word in chance.sample(WORDS, 9)
    )
    missing = f"{app.upper()}_{chance.choice(WORDS).upper()}_URL"
    talk.call(
        "logs", {"namespace": space, "pod": pod}, f"Traceback:\n{trace}\nKeyError: '{missing}'"
    )
    commits = [
        f"{code(chance, 7, HEX)} {chance.choice(FIRST)}: {chance.choice(WORDS)} the "
        f"{chance.choice(WORDS)} setting"
        for _ in range(12)
    ]
    talk.call("shell", {"command": f"git log --oneline -12 deploy/{app}"}, "\n".join(commits))
    commit = chance.choice(commits).split()[0]
    talk.call("git_show", {"commit": commit}, f"-  - name: {missing}\n-    value: http://db:5432")
    talk.call("shell", {"command": listing}, "\n".join(pods))
    talk.call("revert", {"commit": commit, "namespace": space}, "done")
    talk.call("set_env", {"namespace": space, "name": missing, "value": "http://db:5432"}, "ok")
    talk.call("delete_pod", {"namespace": space, "pod": pod}, "deleted")
    return talk.messages


REQUEST: Final = (
    "<uploaded_files>\n{root}\n</uploaded_files>\nI've uploaded a repository. Consider this pull "
    "request:\n\n<pr_description>\n`{name}` ignores empty input. We saw it in production, and it "
    "needs to be solved soon, since users complain. It worked before the last refactoring.\n\n"
    "Example:\n```python\nx = X()\nprint(x.{name}(0))  # prints None\n```\n</pr_description>\n\n"
    "Implement what is needed. Tests are taken care of. First explore, then write a script that "
    "reproduces the error, then edit the source, then run the script again, and think of edge "
    "cases too."
)


def patching(chance: random.Random) -> list[Message]:
    """A long run of a coding agent: numbered views of parts of files, edits, scripts, traces."""
    tree = Tree(chance, "/testbed")
    path = chance.choice(list(tree.files))
    name, _ = tree.functions[path]
    callers = tree.use(chance, name, path)
    talk = Talk(chance, "You are a software engineer who works in a repository with two tools.")
    talk.user(REQUEST.format(root=tree.root, name=name))
    talk.call("bash", {"command": "find /testbed -name '*.py' | head -50"}, tree.listing())
    command = f'grep -rn "{name}" /testbed --include=*.py'
    talk.call("bash", {"command": command}, tree.found(name), said="Let me look where it is used.")
    script, run = f"{tree.root}/reproduce.py", "cd /testbed && python reproduce.py"
    known = [path, *callers]
    for step in range(9):
        seen = path if step % 3 == 0 else chance.choice(known)
        lines = _view(talk, tree, seen)
        if step % 3 == 0:
            _edit(talk, seen, lines)
        if step == 1:
            made = {"command": "create", "path": script, "file_text": f"print(X().{name}(0))\n"}
            talk.call("str_replace_editor", made, f"New file created successfully at: {script}")
        if step % 2 == 1:
            frames = chance.sample(list(tree.files), 3)
            known.append(frames[-1])
            trace = "\n".join(
                f'  File "{each}", line {digits(chance, 2)}, in {chance.choice(WORDS)}\n    call()'
                for each in frames
            )
            talk.call("bash", {"command": run}, f"Traceback:\n{trace}\nAssertionError")
    return talk.messages


def _view(talk: Talk, tree: Tree, path: str) -> list[str]:
    lines = tree.files[path].splitlines()
    first = talk.chance.randrange(1, max(2, len(lines) - 25))
    shown = lines[first - 1 : first + 34]
    numbered = "\n".join(f"{number:6}\t{line}" for number, line in enumerate(shown, first))
    wanted = {"command": "view", "path": path, "view_range": [first, first + 34]}
    told = f"Here's the result of running `cat -n` on {path}:\n{numbered}\n"
    talk.call("str_replace_editor", wanted, told, said="I will look at this part of the file.")
    return shown


def _edit(talk: Talk, path: str, lines: list[str]) -> None:
    old = talk.chance.choice([line for line in lines if line.strip()])
    given = {"command": "str_replace", "path": path, "old_str": old, "new_str": f"{old}  # fixed"}
    talk.call("str_replace_editor", given, f"The file {path} has been edited.", said="I fix it.")
