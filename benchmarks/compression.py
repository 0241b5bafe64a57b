"""How much of what the next tool call needs is left of compressed transcripts."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from benchmarks.compression_engineering import coding, terminal
from benchmarks.compression_held_out import abroad, blocks, customers, research, staff, team
from benchmarks.compression_service import airline, bank, retail
from benchmarks.compression_talk import Message, Script
from nodes.compression.compress import compress
from nodes.compression.counting import approximate_tokens

TUNED: Final[tuple[Script, ...]] = (airline, retail, bank, coding, terminal)
HELD_OUT: Final[tuple[Script, ...]] = (customers, staff, research, team, blocks, abroad)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif value is not None and not isinstance(value, bool) and value != "":
        yield value


def haystack(messages: Sequence[Message]) -> str:
    parts = []
    for m in messages:
        for leaf in leaves(
            {k: v for k, v in m.items() if k not in ("role", "name", "tool_call_id")}
        ):
            parts.append(str(leaf))
        for c in m.get("tool_calls") or ():
            parts += map(str, leaves(json.loads(c["function"]["arguments"])))
    return "\n".join(parts)


def calls_of(m: Message) -> list[Any]:
    if m["role"] != "assistant":
        return []
    out = [json.loads(c["function"]["arguments"]) for c in m.get("tool_calls") or ()]
    if isinstance(m["content"], list):
        out += [b["input"] for b in m["content"] if b["type"] == "tool_use"]
    return out


def has(text: str, value: Any) -> bool:
    v = str(value)
    return (
        v in text or json.dumps(v)[1:-1] in text or json.dumps(v, ensure_ascii=False)[1:-1] in text
    )


def keep_last(messages, max_tokens):
    kept = []
    left = max_tokens - approximate_tokens(messages[:1])
    for m in reversed(messages[1:]):
        left -= approximate_tokens([m])
        if left < 0:
            break
        kept.append(m)
    while kept and kept[-1]["role"] == "tool":
        kept.pop()
    return [messages[0], *reversed(kept)]


class Tally(NamedTuple):
    wanted: int = 0
    kept: int = 0
    last: int = 0


def judge(script, share, seeds, misses=None):
    wanted = kept = last = 0
    for seed in seeds:
        messages = script(random.Random(seed))
        for at, m in enumerate(messages):
            given = calls_of(m)
            if not given:
                continue
            prefix = messages[:at]
            system = approximate_tokens(prefix[:1])
            budget = system + int(share * approximate_tokens(prefix[1:]))
            full = haystack(prefix[1:])
            values = [v for v in leaves(given) if has(full, v)]
            if not values:
                continue
            result = compress(prefix, max_tokens=budget)
            assert result.tokens_after <= budget
            left = haystack(result.messages[1:])
            base = haystack(keep_last(prefix, budget)[1:])
            for v in values:
                wanted += 1
                ok = has(left, v)
                kept += ok
                last += has(base, v)
                if not ok and misses is not None:
                    misses.append((script.__name__, seed, at, v))
    return wanted, kept, last


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    show = len(sys.argv) > 2
    for title, scripts in (("tuned", TUNED), ("held out", HELD_OUT)):
        total = {0.5: [0, 0, 0], 0.25: [0, 0, 0]}
        for script in scripts:
            row = []
            for share in (0.5, 0.25):
                misses = []
                w, k, l = judge(script, share, range(n), misses)
                total[share] = [a + b for a, b in zip(total[share], (w, k, l))]
                row.append(f"{share}: {100 * k / w:5.1f} (last {100 * l / w:5.1f}) n={w}")
                if show and share == float(sys.argv[2]):
                    for x in misses[:25]:
                        print("   ", str(x)[:150])
            print(f"{script.__name__:12}", *row, sep="  ")
        print(
            f"{title:12}",
            *(
                f"{s}: {100 * k / w:5.1f} (last {100 * l / w:5.1f})"
                for s, (w, k, l) in total.items()
            ),
            sep="  ",
        )


if __name__ == "__main__":
    main()
