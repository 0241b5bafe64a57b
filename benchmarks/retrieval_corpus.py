"""Passages and questions to judge retrieval by: made up, with repeats and look-alikes.

A handbook's pages, each about one thing, said in the same words for several regions; product
sheets and incident reports that differ by an identifier and a few values; two thirds of them
again, slightly changed, as company wikis have it; some long pages with the answer in the
middle. Each question has the answers that it wants: short texts that stand in every passage
that gives them, and in no other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

REGIONS: Final = ("Germany", "France", "Spain", "Japan", "Brazil", "Canada")


@dataclass(frozen=True, slots=True)
class Passage:
    """One page."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, and what must be found for it."""

    kind: str
    text: str
    answers: tuple[str, ...]


PAGES: Final = {
    "expenses": "Employees in {region} file what they spent on a business trip within {n} days, "
    "with receipts. Finance reimburses the amount with the next payroll run.",
    "parental": "A new parent in {region} takes up to {n} weeks of paid leave after the birth or "
    "adoption of a child, and agrees the start with the manager.",
    "remote": "Staff in {region} may work from home on {n} days a month. The team lead signs the "
    "plan, and core hours from ten to three stay the same.",
    "laptops": "The IT desk in {region} replaces a notebook computer after {n} months of use. "
    "Broken devices are swapped at once, and old ones are wiped before they are sold.",
    "training": "Each person in {region} has a yearly budget of {n} euros for courses and "
    "conferences; what is left lapses in December.",
    "notice": "Either side ends an employment contract in {region} in writing, {n} days ahead. "
    "Unused holidays are paid out with the last salary.",
    "suppliers": "A purchase of more than {n} euros in {region} needs three offers. Procurement "
    "keeps them with the order for ten years.",
    "visitors": "Guests of the office in {region} are announced {n} hours ahead, wear a badge, "
    "and are met at the reception by their host.",
}
"""What the handbook says in each region, with another number."""

ASKED: Final = {
    "expenses": ("How long do I have to hand in travel costs in {region}?", "file spent trip"),
    "parental": ("How much time off do I get when my baby arrives in {region}?", "paid leave"),
    "remote": ("How often am I allowed to do home office in {region}?", "work from home"),
    "laptops": ("When do I get a new computer in {region}?", "replace notebook"),
    "training": ("What can I spend on seminars each year in {region}?", "courses budget"),
    "notice": ("I want to quit in {region}, when must I tell the company?", "end contract"),
    "suppliers": ("From what price on do we compare bids in {region}?", "three offers"),
    "visitors": ("How early do I register a customer who comes to see us in {region}?", "guests"),
}
"""A paraphrase of each page, and its own words."""

SINGLE: Final = (
    (
        "The canteen serves a vegetarian dish every day; the menu for the week is out on Friday.",
        "Can I get a meal without meat at lunch?",
        "vegetarian dish",
    ),
    (
        "The fire drill is held twice a year. Leave by the stairs and gather at the car park.",
        "Where do we meet when the alarm goes off?",
        "gather at the car park",
    ),
    (
        "Payslips are in the portal under Documents from the 25th of each month.",
        "Where do I find my salary statement?",
        "Payslips are in the portal",
    ),
    (
        "A forgotten password is reset at the login page with the link to your phone.",
        "I cannot log in any more because I forgot my password",
        "reset at the login page",
    ),
    (
        "Bicycles are leased through the company; the rate is deducted from the gross wage.",
        "Can I rent a bike via my employer?",
        "Bicycles are leased",
    ),
    (
        "The works council meets on the first Tuesday of a month and is open to everybody.",
        "When does the staff representation come together?",
        "first Tuesday",
    ),
    (
        "Air-conditioning is set to 23 degrees; the facility team changes it on request.",
        "It is too cold in my room, who can fix that?",
        "Air-conditioning is set",
    ),
    (
        "Company cars may be driven privately within the country; fuel for holidays is one's own.",
        "May I use the firm's vehicle on my vacation?",
        "driven privately",
    ),
    (
        "Customer data is deleted three years after the last contact, invoices after ten.",
        "How long do we keep information about clients?",
        "deleted three years after",
    ),
    (
        "A phishing mail is forwarded to the security desk and never opened.",
        "I received a suspicious message, what now?",
        "forwarded to the security desk",
    ),
    (
        "Sick notes go to the personnel office on the third day of absence at the latest.",
        "When must I send the doctor's certificate?",
        "third day of absence",
    ),
    (
        "The summer party takes place at the lake in July, families are welcome.",
        "May I bring my kids to the celebration?",
        "families are welcome",
    ),
    (
        "Standing desks are ordered through the intranet after a talk with the company doctor.",
        "I have back pain and want a table of adjustable height",
        "Standing desks",
    ),
    (
        "The newsletter is written by the communications team and goes out on Mondays.",
        "Who publishes the weekly news?",
        "written by the communications team",
    ),
    (
        "Contracts are signed by two directors; up to 5,000 euros a head of department is enough.",
        "Who may sign an agreement?",
        "signed by two directors",
    ),
    (
        "Source code is reviewed by a second engineer before it is merged.",
        "Does somebody have to look at my changes first?",
        "reviewed by a second engineer",
    ),
    (
        "Backups of the databases run every night and are kept in another city for 30 days.",
        "How far back can lost data be restored?",
        "kept in another city",
    ),
    (
        "Tickets of the local transport are paid by half through the job ticket.",
        "Does the firm pay for my train to work?",
        "job ticket",
    ),
    (
        "Press enquiries are answered by the spokesperson only.",
        "A journalist called me, what shall I say?",
        "answered by the spokesperson",
    ),
    (
        "The library lends books on software for four weeks; the shelf is on the second floor.",
        "Can I borrow specialist literature?",
        "library lends books",
    ),
)
"""A page, a question in other words, and the answer."""

COLOURS: Final = ("black", "silver", "blue", "white", "green")
CAUSES: Final = (
    ("the certificate had run out", "it was renewed"),
    ("the disk was full", "old logs were removed"),
    ("a queue had no consumer", "the worker was started again"),
    ("the time zone was wrong", "the clock was set"),
    ("two jobs held each other's locks", "one of them was killed"),
)
SERVICES: Final = ("billing", "search", "mail", "login")
FILLER: Final = (
    "This page belongs to the handbook and is looked after by its owners.",
    "Suggestions are welcome in the channel of the team.",
    "Whoever finds a mistake corrects it, and tells the others.",
    "The history of the page shows who changed what.",
    "Links to related pages stand at the bottom.",
    "New colleagues read it in their first week.",
    "A short film explains the same in three minutes.",
    "Printed copies are not kept up to date.",
)
LONG: Final = 0.3
"""The share of pages that are."""
NOTES: Final = (
    "(Copied from the old wiki.) {text}",
    "{text} Last checked in spring.",
    "Please note: {text}",
)
CHATTER: Final = (
    "Hi there, could you please tell me: {text} Thanks a lot!",
    "I was wondering, {text}",
    "Good morning! I would like to know about the following, please: {text}",
)


def passages() -> list[Passage]:
    """Return some 350 passages, the same ones each time."""
    chance = random.Random(7)
    plain = [*_handbook(), *_products(), *_incidents()]
    plain += [Passage(f"faq/{number}", text) for number, (text, _, _) in enumerate(SINGLE)]
    long = [_long(passage, chance) if chance.random() < LONG else passage for passage in plain]
    every = [*long, *(copy for passage in long for copy in _copies(passage, chance))]
    chance.shuffle(every)
    return every


def questions() -> list[Question]:
    """Return all questions; those of even place were looked at when settings were chosen."""
    asked = [
        *_paraphrases(),
        *_products_asked(),
        *_incidents_asked(),
        *_two_parts(),
        *_quoted(),
    ]
    slips = [Question("slip", _misspelt(each.text), each.answers) for each in _own_words()]
    chatty = [
        Question("chatty", CHATTER[place % 3].format(text=each.text), each.answers)
        for place, each in enumerate(asked[::4])
    ]
    return [*asked, *_own_words(), *slips, *chatty]


def _value(topic: str, region: str) -> int:
    return 11 + 7 * list(PAGES).index(topic) * 6 + 13 * REGIONS.index(region)


def _rule(topic: str, region: str) -> str:
    return PAGES[topic].format(region=region, n=_value(topic, region))


def _handbook() -> list[Passage]:
    return [
        Passage(f"handbook/{region}/{topic}", _rule(topic, region))
        for topic in PAGES
        for region in REGIONS
    ]


def _rule_answer(topic: str, region: str) -> str:
    return _rule(topic, region).split(". ")[0]


def _product(number: int) -> str:
    return (
        f"The desk lamp LX-{4100 + number} comes in {COLOURS[number % 5]}, needs "
        f"{5 + number % 7} watts and costs {49 + 3 * number} euros."
    )


def _products() -> list[Passage]:
    return [Passage(f"products/{number}", _product(number)) for number in range(40)]


def _incident(number: int) -> str:
    cause, remedy = CAUSES[number % 5]
    return (
        f"Incident ERR_{7000 + 11 * number}: the {SERVICES[number % 4]} service stopped for "
        f"{10 + number} minutes because {cause}; {remedy}."
    )


def _incidents() -> list[Passage]:
    return [Passage(f"incidents/{number}", _incident(number)) for number in range(40)]


def _long(passage: Passage, chance: random.Random) -> Passage:
    """The same in the middle of a page that says little else."""
    before, after = chance.choices(FILLER, k=9), chance.choices(FILLER, k=9)
    return Passage(passage.source, " ".join([*before, passage.text, *after]))


def _copies(passage: Passage, chance: random.Random) -> list[Passage]:
    number = chance.choice((0, 1, 3))
    return [
        Passage(f"{passage.source}/copy{place}", NOTES[place].format(text=passage.text))
        for place in range(number)
    ]


def _paraphrases() -> list[Question]:
    rules = [
        Question(
            "paraphrase", ASKED[topic][0].format(region=region), (_rule_answer(topic, region),)
        )
        for place, topic in enumerate(PAGES)
        for region in (REGIONS[place % 6], REGIONS[(place + 2) % 6], REGIONS[(place + 3) % 6])
    ]
    return [*rules, *(Question("paraphrase", asked, (answer,)) for _, asked, answer in SINGLE)]


def _own_words() -> list[Question]:
    return [
        Question("own words", f"{ASKED[topic][1]} {region}", (_rule_answer(topic, region),))
        for place, topic in enumerate(PAGES)
        for region in (REGIONS[(place + 1) % 6], REGIONS[(place + 4) % 6])
    ]


def _products_asked() -> list[Question]:
    return [
        Question("identifier", f"How much is the LX-{4100 + number}?", (_product(number),))
        for number in range(1, 40, 3)
    ]


def _incidents_asked() -> list[Question]:
    return [
        Question(
            "identifier", f"What was the reason for ERR_{7000 + 11 * number}?", (_incident(number),)
        )
        for number in range(2, 40, 3)
    ]


def _two_parts() -> list[Question]:
    topics = list(PAGES)
    pairs = [(topics[place], topics[(place + 3) % 8], REGIONS[place % 6]) for place in range(8)]
    rules = [
        Question(
            "two parts",
            f"{ASKED[one][0].format(region=region)[:-1]} and "
            f"{ASKED[other][0].format(region=region).lower()}",
            (_rule_answer(one, region), _rule_answer(other, region)),
        )
        for one, other, region in pairs
    ]
    lamps = [
        Question(
            "two parts",
            f"Compare LX-{4100 + number} and LX-{4120 + number}",
            (_product(number), _product(number + 20)),
        )
        for number in range(0, 20, 3)
    ]
    return [*rules, *lamps]


def _quoted() -> list[Question]:
    return [
        Question("quoted", f'Which page says "{answer}"?', (answer,))
        for _, _, answer in SINGLE[::2]
    ]


def _misspelt(text: str) -> str:
    """Swap two letters in the middle of each long word."""
    return " ".join(
        word if len(word) < 6 else f"{word[:3]}{word[4]}{word[3]}{word[5:]}"  # noqa: PLR2004
        for word in text.split()
    )
