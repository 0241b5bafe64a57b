"""What SRV records mean, and which templates and settings can be."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import AgentSpec
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.spec import AGENT_ID
from orchestration.routing.discovery.dns_srv import DnsSettings, DnsSrvSource
from orchestration.routing.discovery.srv_records import (
    SrvRecord,
    endpoint_id,
    is_allowed,
    weighed,
    zone_of,
)
from state.errors import ConfigurationError

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(LABEL, min_size=1, max_size=8).map(".".join)
RECORDS = st.builds(
    SrvRecord,
    priority=st.integers(0, 3),
    weight=st.integers(0, 65535),
    port=st.integers(1, 65535),
    target=HOSTS,
)


def record(target: str, *, priority: int = 0, weight: int = 1, port: int = 80) -> SrvRecord:
    return SrvRecord(priority, weight, port, target)


def weights(*records: SrvRecord) -> dict[str, float]:
    return {each.target: weight for each, weight in weighed(records)}


class TestWeights:
    def test_they_are_shares(self) -> None:
        assert weights(record("a", weight=3), record("b", weight=60_000)) == {"a": 3, "b": 60_000}

    def test_where_all_are_0_they_share_evenly(self) -> None:
        assert weights(record("a", weight=0), record("b", weight=0)) == {"a": 1, "b": 1}

    def test_beside_others_0_is_very_little_but_not_nothing(self) -> None:
        found = weights(record("a", weight=0), record("b", weight=10))

        assert 0 < found["a"] < 0.05 * found["b"]

    def test_each_priority_is_for_itself(self) -> None:
        found = weights(record("a", weight=0), record("b", weight=7, priority=1))

        assert found == {"a": 1, "b": 7}

    def test_a_place_named_twice_counts_once_at_its_first_priority(self) -> None:
        twice = [
            record("a", priority=5, weight=9),
            record("a", priority=1, weight=2),
            record("a", priority=1, weight=3),
        ]

        assert list(weighed(twice)) == [(record("a", priority=1, weight=3), 3)]

    @given(st.lists(RECORDS, max_size=30))
    def test_their_order_changes_nothing_and_nobody_gets_nothing(
        self, records: list[SrvRecord]
    ) -> None:
        found = list(weighed(records))

        assert found == list(weighed(records[::-1]))
        assert all(weight > 0 for _, weight in found)
        assert {(each.target, each.port) for each, _ in found} == {
            (each.target, each.port) for each in records
        }


class TestIds:
    @given(st.lists(RECORDS, max_size=30))
    def test_each_place_has_its_own_that_an_endpoint_can_have(
        self, records: list[SrvRecord]
    ) -> None:
        ids = {(each.target, each.port): endpoint_id(each) for each in records}

        assert len(set(ids.values())) == len(ids)
        assert all(AGENT_ID.fullmatch(each) for each in ids.values())

    def test_they_outlast_other_priorities_and_weights(self) -> None:
        assert endpoint_id(record("a", priority=3, weight=9)) == endpoint_id(record("a"))

    def test_long_ones_are_cut_and_stay_apart(self) -> None:
        long = "a" * 60 + "." + "b" * 60
        first, second = endpoint_id(record(long, port=1)), endpoint_id(record(long, port=2))

        assert len(first) == len(second) == 64
        assert first != second


class TestAllowed:
    @pytest.mark.parametrize("host", ["example.com", "a.example.com", "a-1.b.example.com"])
    def test_hosts_in_the_zone(self, host: str) -> None:
        assert is_allowed(record(host), ["example.com"])

    @pytest.mark.parametrize(
        "host",
        ["", "com", "badexample.com", "example.com.evil.net", "a/b.example.com", "a_.example.com"],
    )
    def test_others(self, host: str) -> None:
        assert not is_allowed(record(host), ["example.com"])

    def test_the_zone_follows_the_labels_of_the_service(self) -> None:
        assert zone_of("_ticketing._tcp.example.com") == "example.com"
        assert zone_of("ticketing.service.consul") == "ticketing.service.consul"
        assert zone_of("_ticketing._tcp") == ""


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("grpc://_a._tcp.example.com", "give a URL such as https://"),
            ("projects/p/locations/l/endpoints/1", "give a URL such as https://"),
            ("https://example_com", "give a URL such as https://"),
            ("https://[::1]/", "give a URL such as https://"),
            ("https://[::1/", "is no URL"),
            ("https://_a._tcp.example.com:443/", "the port comes from the DNS"),
            ("https://me:secret@_a._tcp.example.com/", "the port comes from the DNS"),
            ("https://_a._tcp/", "give `allowed`"),
        ],
    )
    def test_addresses(self, address: str, words: str) -> None:
        template = AgentSpec("seer", endpoint=address, kind="http")

        with pytest.raises(ConfigurationError, match=words) as raised:
            DnsSrvSource(template)

        assert "secret" not in str(raised.value)

    def test_templates_that_are_no_place(self) -> None:
        places = [
            Endpoint(endpoint_id=each, address="https://_a._tcp.example.com") for each in "ab"
        ]

        for template in (AgentSpec("seer", handler=dict), AgentSpec("seer", endpoints=places)):
            with pytest.raises(ConfigurationError, match="give one endpoint"):
                DnsSrvSource(template)

    def test_settings_and_all_at_once(self) -> None:
        settings = DnsSettings(
            nameservers=["ns.example.com"],
            port=0,
            timeout=timedelta(),
            shortest=timedelta(hours=1),
            allowed=["*.example.com", ""],
        )

        with pytest.raises(ConfigurationError) as raised:
            DnsSrvSource(
                AgentSpec("seer", endpoint="https://_a._tcp.example.com"), settings=settings
            )

        for words in (
            "'ns.example.com'",
            "port is 0",
            "timeout",
            "shortest",
            "'*.",
            "allowed has ''",
        ):
            assert words in str(raised.value)

    def test_without_dnspython_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "dns", None)

        with pytest.raises(ConfigurationError, match=r"pip install 'agent-.*\[discovery\]'"):
            DnsSrvSource(AgentSpec("seer", endpoint="https://_a._tcp.example.com"))


def test_dnspython_is_loaded_only_to_ask() -> None:
    script = (
        "import sys; from orchestration import AgentSpec;"
        "from orchestration.routing.discovery.dns_srv import DnsSrvSource;"
        "s = DnsSrvSource(AgentSpec('a', endpoint='https://_a._tcp.example.com'));"
        "assert s.name == 'dns:_a._tcp.example.com';"
        "assert 'dns' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
