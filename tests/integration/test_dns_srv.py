"""Agents found in the DNS, from a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from datetime import timedelta

import pytest

from orchestration import AgentSpec
from orchestration.routing.discovery.dns_srv import DnsSettings, DnsSrvSource
from orchestration.routing.discovery.source import DiscoverySource
from state.errors import DiscoveryError
from tests.integration.dns_server import LOOPBACK, Zone, dns_server, port_of, silent_nameserver

SERVICE = "_ticketing._tcp.example.internal"
TEMPLATE = AgentSpec(
    "ticketing",
    ["ticket_purchase"],
    endpoint=f"https://{SERVICE}/agent?tenant=acme",
    kind="http",
    settings={"health_path": "/health"},
    version="2",
    cost=0.5,
    idempotent=True,
    max_concurrency=4,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def zone() -> Iterator[Zone]:
    with dns_server() as served:
        yield served


@pytest.fixture
def clock() -> Clock:
    return Clock()


def source(
    port: int, clock: Clock | None = None, *, template: AgentSpec = TEMPLATE, **more: object
) -> DnsSrvSource:
    settings = DnsSettings(nameservers=[LOOPBACK], port=port, **more)  # type: ignore[arg-type]  # of tests
    return DnsSrvSource(template, settings=settings, clock=clock or Clock())


def record(
    target: str, *, priority: int = 0, weight: int = 1, port: int = 443, ttl: int = 60
) -> str:
    return f"{SERVICE}. {ttl} IN SRV {priority} {weight} {port} {target}\n"


async def only(found: DiscoverySource) -> AgentSpec:
    (spec,) = await found.find()
    return spec


class TestWhatIsFound:
    async def test_each_record_is_an_endpoint_of_the_version(self, zone: Zone) -> None:
        zone.lines = record("a.example.internal.", weight=3, port=8443) + record(
            "B.Example.Internal.", priority=10, weight=1
        )

        spec = await only(source(zone.port))

        first, second = sorted(spec.places, key=lambda place: place.endpoint_id)
        assert (first.endpoint_id, first.address, first.priority, first.weight) == (
            "a.example.internal_8443",
            "https://a.example.internal:8443/agent?tenant=acme",
            0,
            3,
        )
        assert (second.address, second.priority) == (
            "https://b.example.internal:443/agent?tenant=acme",
            -10,
        )

    async def test_all_else_is_as_the_template_says(self, zone: Zone) -> None:
        zone.lines = record("a.example.internal.") + record("b.example.internal.")

        spec = await only(source(zone.port))

        assert (spec.agent_id, spec.version, spec.idempotent, spec.kind) == (
            "ticketing",
            "2",
            True,
            "http",
        )
        assert list(spec.capabilities) == list(TEMPLATE.capabilities)
        for place in spec.places:
            assert (place.kind, place.cost, place.max_concurrency) == ("http", 0.5, 4)
            assert place.settings == {"health_path": "/health"}

    async def test_an_answer_too_long_for_a_datagram_comes_over_tcp(self, zone: Zone) -> None:
        zone.lines = "".join(record(f"host-{n}.example.internal.") for n in range(60))

        spec = await only(source(zone.port))

        assert len(spec.places) == 60
        assert [how for how, _ in zone.asked] == ["udp", "tcp"]

    async def test_an_alias_is_followed(self, zone: Zone) -> None:
        zone.lines = (
            f"{SERVICE}. 60 IN CNAME _real._tcp.example.internal.\n"
            "_real._tcp.example.internal. 60 IN SRV 0 1 80 a.example.internal.\n"
        )

        spec = await only(source(zone.port))

        assert [place.endpoint_id for place in spec.places] == ["a.example.internal_80"]

    async def test_a_single_dot_is_a_service_that_is_not_available(self, zone: Zone) -> None:
        zone.lines = record(".", weight=0, port=0)

        assert await source(zone.port).find() == ()

    async def test_a_service_that_comes_back_is_found_again(self, zone: Zone, clock: Clock) -> None:
        zone.lines = record(".", port=0, ttl=60)
        found = source(zone.port, clock)
        assert await found.find() == ()

        zone.lines = record("a.example.internal.")
        clock.now += 61

        assert len((await only(found)).places) == 1

    async def test_another_nameserver_is_asked_if_the_first_is_gone(self, zone: Zone) -> None:
        zone.lines = record("a.example.internal.")
        settings = DnsSettings(nameservers=["127.0.0.2", LOOPBACK], port=zone.port)

        spec = await only(DnsSrvSource(TEMPLATE, settings=settings))

        assert [place.endpoint_id for place in spec.places] == ["a.example.internal_443"]

    async def test_nothing_but_the_name_itself_is_asked_for(self, zone: Zone) -> None:
        zone.rcode = "NXDOMAIN"

        with pytest.raises(DiscoveryError):
            await source(zone.port).find()

        assert {name for _, name in zone.asked} == {f"{SERVICE}."}


class TestHowLongItIsGood:
    async def test_the_dns_is_asked_again_when_the_ttl_is_over(
        self, zone: Zone, clock: Clock
    ) -> None:
        zone.lines = record("a.example.internal.", ttl=60)
        found = source(zone.port, clock)
        first = await found.find()

        zone.lines = record("b.example.internal.", ttl=60)
        clock.now += 59
        assert await found.find() is first
        assert len(zone.asked) == 1
        clock.now += 1

        assert (await only(found)).places[0].endpoint_id == "b.example.internal_443"
        assert len(zone.asked) == 2

    @pytest.mark.parametrize(("ttl", "kept"), [(0, 5), (100_000, 600)])
    async def test_it_has_bounds(self, zone: Zone, clock: Clock, ttl: int, kept: int) -> None:
        zone.lines = record("a.example.internal.", ttl=ttl)
        found = source(zone.port, clock)
        await found.find()

        clock.now += kept - 0.5
        await found.find()
        assert len(zone.asked) == 1
        clock.now += 0.5
        await found.find()

        assert len(zone.asked) == 2

    async def test_the_shortest_ttl_on_the_way_counts(self, zone: Zone, clock: Clock) -> None:
        zone.lines = (
            f"{SERVICE}. 20 IN CNAME _real._tcp.example.internal.\n"
            "_real._tcp.example.internal. 300 IN SRV 0 1 80 a.example.internal.\n"
        )
        found = source(zone.port, clock)
        await found.find()

        clock.now += 20
        await found.find()

        assert len(zone.asked) == 2

    async def test_a_failure_is_not_kept(self, zone: Zone, clock: Clock) -> None:
        zone.rcode = "SERVFAIL"
        found = source(zone.port, clock)
        with pytest.raises(DiscoveryError):
            await found.find()

        zone.rcode, zone.lines = "NOERROR", record("a.example.internal.")

        assert len((await only(found)).places) == 1

    async def test_after_the_ttl_a_failure_is_said(self, zone: Zone, clock: Clock) -> None:
        zone.lines = record("a.example.internal.", ttl=60)
        found = source(zone.port, clock)
        await found.find()

        zone.rcode = "SERVFAIL"
        clock.now += 60

        with pytest.raises(DiscoveryError, match="SERVFAIL"):
            await found.find()


class TestNoAnswer:
    @pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED", "NOTIMP"])
    async def test_is_an_error_that_names_the_source(self, zone: Zone, rcode: str) -> None:
        zone.rcode = rcode

        with pytest.raises(DiscoveryError, match=f"^dns:{SERVICE}: "):
            await source(zone.port).find()

    async def test_so_is_a_name_without_such_records(self, zone: Zone) -> None:
        zone.lines = f"{SERVICE}. 60 IN A 192.0.2.1\n"

        with pytest.raises(DiscoveryError, match="absent_is_empty"):
            await source(zone.port).find()

    async def test_unless_a_name_that_is_gone_means_that_nobody_is_there(self, zone: Zone) -> None:
        found = source(zone.port, absent_is_empty=True)

        assert await found.find() == ()
        zone.lines = f"{SERVICE}. 60 IN A 192.0.2.1\n"
        assert await source(zone.port, absent_is_empty=True).find() == ()

    async def test_but_a_broken_server_never_means_that(self, zone: Zone) -> None:
        zone.rcode = "SERVFAIL"

        with pytest.raises(DiscoveryError):
            await source(zone.port, absent_is_empty=True).find()

    async def test_silence_ends_with_the_timeout(self) -> None:
        with silent_nameserver() as silent:
            found = source(port_of(silent), timeout=timedelta(seconds=0.2))

            async with asyncio.timeout(10):
                with pytest.raises(DiscoveryError, match="lifetime expired"):
                    await found.find()

    async def test_a_cancelled_question_leaves_nothing_open(self) -> None:
        with silent_nameserver() as silent:
            found = source(port_of(silent), timeout=timedelta(seconds=30))
            asking = asyncio.create_task(found.find())
            await asyncio.to_thread(silent.recv, 512)
            asking.cancel()

            with pytest.raises(asyncio.CancelledError):
                await asking
        gc.collect()  # an open socket would warn, and a warning is an error


class TestWhatIsNotBelieved:
    @pytest.mark.parametrize(
        "target",
        [
            "evil.example.com.",
            "169.254.169.254.",
            "example.internal.evil.com.",
            "notexample.internal.",
            "localhost.",
            r"evil\.com/.example.internal.",
            r"user@evil\.com:1.example.internal.",
            r"a\032b.example.internal.",
            "-a.example.internal.",
        ],
    )
    async def test_a_target_elsewhere_spoils_the_answer(self, zone: Zone, target: str) -> None:
        zone.lines = record("a.example.internal.") + record(target)

        with pytest.raises(DiscoveryError, match=r"a host in example\.internal "):
            await source(zone.port).find()

    async def test_nor_one_without_a_port(self, zone: Zone) -> None:
        zone.lines = record("a.example.internal.", port=0)

        with pytest.raises(DiscoveryError, match="with a port from 1"):
            await source(zone.port).find()

    async def test_other_domains_can_be_allowed(self, zone: Zone) -> None:
        zone.lines = record("a.eu.example.net.") + record("example.org.")

        spec = await only(source(zone.port, allowed=[".Example.NET.", "example.org"]))

        assert {place.endpoint_id for place in spec.places} == {
            "a.eu.example.net_443",
            "example.org_443",
        }

    async def test_then_the_own_one_is_not_unless_it_is_named(self, zone: Zone) -> None:
        zone.lines = record("a.example.internal.")

        with pytest.raises(DiscoveryError):
            await source(zone.port, allowed=["example.net"]).find()

    async def test_more_records_than_a_pool_should_have(self, zone: Zone) -> None:
        zone.lines = "".join(record(f"h{n}.example.internal.") for n in range(1_001))

        with pytest.raises(DiscoveryError, match="1001 records; at most 1000"):
            await source(zone.port).find()
