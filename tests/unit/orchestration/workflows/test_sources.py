"""Text becomes the values that it says, and every value knows its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestration import WorkflowFileError, load_workflow
from orchestration.documents.json_source import read_json
from orchestration.documents.reading import SUFFIXES
from orchestration.documents.source import BadTextError, Source
from orchestration.documents.yaml_source import read_yaml
from state.errors import FileProblem
from state.task import Task

letters = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | letters
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=12,
)


def at(text: str, source: Source, path: tuple[str | int, ...]) -> str:
    """What stands where a value is said to stand."""
    position = source.position(path)
    assert position is not None
    return text.split("\n")[position.line - 1][position.column - 1 :]


@given(values, st.sampled_from([None, 0, 3, "\t"]), st.sampled_from(["ascii", "utf8"]))
def test_json_says_what_the_standard_library_reads(
    value: object, indent: int | str | None, letters_of: str
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=letters_of == "ascii")
    source = read_json(text, "x.json")
    assert (source.value, source.findings) == (value, [])
    for path, spot in source.spots.items():
        assert at(text, source, path).startswith(spot.text)


@given(values, st.sampled_from(["flow", "block", "mixed"]))
def test_yaml_says_what_was_dumped(value: object, style: str) -> None:
    flow = {"flow": True, "block": False}.get(style)
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    source = read_yaml(text, "x.yaml")
    assert (source.value, source.findings) == (value, [])


@given(
    st.text(max_size=40) | st.text(st.sampled_from('{}[]:," \n\t0-1.eEtrufalsn\\u"'), max_size=40)
)
def test_only_json_is_read_as_json(text: str) -> None:
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False
    try:
        read_json(text, "x.json")
        was_read = True
    except BadTextError:
        was_read = False
    assert was_read == is_json


SIGNS = "a|:| |\n|  |- |tasks:|&x |*x|<<: |[|]|{|}|,|\"|!!int |!!set |? |0x|1:3|.inf|=|!|%|>|#|'|~"
signs = st.sampled_from([*SIGNS.split("|"), "|", "\t"])


@given(st.text(max_size=60) | st.lists(signs, max_size=25).map("".join), st.sampled_from(SUFFIXES))
def test_any_text_is_a_workflow_or_a_workflow_file_error(text: str, suffix: str) -> None:
    file = Path(f"any{suffix}")
    file.write_text(text, encoding="utf-8", errors="replace")
    tasks: Sequence[Task] = ()
    problems: Sequence[FileProblem] = ()
    try:
        tasks = load_workflow(file).tasks
    except WorkflowFileError as error:
        problems = error.problems
    assert bool(tasks) != bool(problems)
    assert {problem.file for problem in problems} <= {str(file)}


NOT_JSON_VALUES = {
    "a: .nan": (1, 4, "a", ".nan is no JSON number; use null"),
    "a: 1\nb: 99999999999999999999": (2, 4, "b", "needs more than 64 bits; put it in quotes"),
    "a: !!binary aGk=": (1, 4, "a", "could not determine a constructor for the tag"),
    "a: !!set {b, c}": (1, 4, "a", "could not determine a constructor for the tag"),
    "a: =": (1, 4, "a", "could not determine a constructor for the tag"),
    "a: !!int nine": (1, 4, "a", "'nine' is no int; put it in quotes"),
    "a: {b: 1, b: 2}": (1, 11, "a.b", "this key is there twice"),
    "a:\n  - on: 1": (2, 5, "a[0]", "the key 'on' is no text; put it in quotes"),
    "a:\n  ? [b]\n  : 1": (2, 5, "a", "a key is no text; put it in quotes"),
    "a: &a\n  b: [*a]": (1, 4, "a.b[0]", "is an alias for something that it is a part of"),
    "a: {<<: 5}": (1, 9, "a.<<", "should be a mapping, or a list of mappings"),
    'a: "\\ud800"': (1, 4, "a", "is text that UTF-8 cannot hold"),
    '"\\ud800": 1': (1, 1, "", "has a key that UTF-8 cannot hold"),
}


@pytest.mark.parametrize("text", NOT_JSON_VALUES)
def test_what_json_does_not_have_is_refused_where_it_stands(text: str) -> None:
    source = read_yaml(text, "x.yaml")
    line, column, path, message = NOT_JSON_VALUES[text]
    (problem,) = map(source.problem, source.findings)
    assert (problem.line, problem.message[: len(message)]) == (line, message)
    if path:
        assert (problem.column, problem.path) == (column, path)


def test_numbers_too_large_for_json_are_refused_in_json_too() -> None:
    source = read_json('{"a": 1e999,\n "b": -123456789012345678901234567890}', "x.json")
    assert [str(source.problem(each)) for each in source.findings] == [
        "x.json:1:7: a: 1e999 is no JSON number; use null",
        "x.json:2:7: b: needs more than 64 bits; put it in quotes",
    ]


def test_merged_keys_are_there_and_the_mappings_own_come_first() -> None:
    text = "base: &base {a: 1, b: 2}\nmade:\n  <<: [*base, {a: 5, c: 3}]\n  b: 7\nalso: {<<: *base}"
    source = read_yaml(text, "x.yaml")
    assert source.value == {
        "base": {"a": 1, "b": 2},
        "made": {"a": 1, "b": 7, "c": 3},
        "also": {"a": 1, "b": 2},
    }
    assert not source.findings


def bomb(link: str) -> str:
    """Nine lines that stand for a billion values."""
    lines = ["a0: &a0 " + ("{x: 1}" if "<<" in link else "[x, x, x, x, x, x, x, x, x, x]")]
    lines += [
        f"a{n + 1}: &a{n + 1} " + link.replace("*", ", ".join([f"*a{n}"] * 10)) for n in range(9)
    ]
    return "\n".join(lines)


def test_aliases_of_aliases_do_not_grow_into_gigabytes() -> None:
    with pytest.raises(BadTextError, match="more than 200,000 values"):
        read_yaml(bomb("[*]"), "x.yaml")


def test_merges_of_merges_do_not_grow_either() -> None:
    assert not read_yaml(bomb("{<<: [*]}"), "x.yaml").findings


def test_the_same_merged_again_and_again_takes_no_minutes() -> None:
    base = ", ".join(f"k{each}: 1" for each in range(1000))
    text = f"a: &a {{{base}}}\nb: {{<<: [{', '.join(['*a'] * 1000)}]}}"
    with pytest.raises(BadTextError, match="merges more than 200,000 keys"):
        read_yaml(text, "x.yaml")


@pytest.mark.parametrize("opening", ["[", '{"a":', "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    depths = [*accumulate([opening] * 150)]
    read = read_yaml if opening == "- " else read_json
    text = depths[-1] + "1" + {"[": "]", "- ": ""}.get(opening, "}") * 150
    with pytest.raises(BadTextError, match="nested too deeply"):
        read(text, "x")
