"""The contract test on the page about connectors passes as it stands."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"
(_BLOCK,) = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
exec(compile(_BLOCK, _PAGE.name, "exec", dont_inherit=True))  # noqa: S102  pytest collects its class


def test_the_class_of_the_page_is_here_and_has_the_tests_of_the_contract() -> None:
    contract = globals()["TestDesk"]
    assert callable(contract.test_a_reply_is_a_json_object_with_the_text)
