from __future__ import annotations

import pytest

from nodes.compression.mentions import Kind, kind_of, kind_of_text, mentions_of


def values_of(text: str) -> list[str]:
    return [text[mention.start : mention.end] for mention in mentions_of(text)]


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("order", Kind.PLAIN),
        ("and/or", Kind.PLAIN),
        ("prod-eu", Kind.NAME),
        ("I", Kind.PLAIN),
        ("12", Kind.NUMBER),
        ("Denver", Kind.NAME),
        ("SFO", Kind.NAME),
        ("$1,234.50", Kind.AMOUNT),
        ("2024-05-20", Kind.AMOUNT),
        ("2024-05-20T10:00:00Z", Kind.AMOUNT),
        ("15:30", Kind.AMOUNT),
        ("credit_card", Kind.CODE),
        ("HttpServer", Kind.CODE),
        ("#W2378156", Kind.IDENTIFIER),
        ("ZFA04Y", Kind.IDENTIFIER),
        ("7747408585", Kind.IDENTIFIER),
        ("mia_li_3668", Kind.IDENTIFIER),
        ("ann.lee@example.com", Kind.PATH),
        ("https://example.com/a?b=1", Kind.PATH),
        ("/testbed/app/views.py", Kind.PATH),
    ],
)
def test_a_token_is_told_by_how_it_is_written(token: str, kind: Kind) -> None:
    assert kind_of(token) is kind
    assert kind_of_text(token) is kind


def test_values_are_found_among_prose_and_signs() -> None:
    text = "so, it is mia_li_3668 (ann@example.com); see /var/log/app.log, or order #W2378156."
    assert values_of(text) == [
        "mia_li_3668",
        "ann@example.com",
        "/var/log/app.log",
        "#W2378156",
    ]


def test_neighbours_are_one_value_and_a_number_takes_its_noun_along() -> None:
    assert values_of("send it to 842 Maple Drive, with 2 bags") == ["842 Maple Drive", "2 bags"]


def test_what_is_quoted_is_a_value() -> None:
    assert values_of('the reason is "no longer needed" and `git push`') == [
        "no longer needed",
        "git push",
    ]


def test_names_of_fields_are_no_values() -> None:
    assert values_of("{'user_id': 'mia_li_3668', \"order_ids\": [\"W99887\"") == [
        "mia_li_3668",
        "W99887",
    ]


def test_codes_end_where_chinese_or_japanese_begins() -> None:
    assert values_of("你好。我的客户编号是A28034063。包裹还没有到。") == ["A28034063"]
    assert values_of("予約番号ZFA04Yをキャンセル「至急」") == ["ZFA04Y", "至急"]
