"""One HTTP agent on loopback in a process of its own, for load tests.

Prints its address; does what lines on its standard input say: `die`, `return`; ends with it.
"""

from __future__ import annotations

import argparse
import sys

from orchestration.testing.fake_http_agent import FakeHttpAgent


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-seconds", type=float, default=0.02)
    parser.add_argument("--failure-rate", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with FakeHttpAgent(
        latency_seconds=given.latency_seconds, failure_rate=given.failure_rate, seed=given.seed
    ) as agent:
        print(agent.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "die":
                agent.die()
            elif line.strip() == "return":
                agent.come_back()


if __name__ == "__main__":
    main()
