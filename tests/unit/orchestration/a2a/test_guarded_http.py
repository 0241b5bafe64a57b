from __future__ import annotations

import ipaddress

import pytest

from orchestration.a2a.guarded_http import is_public, origin_of
from state.errors import ConfigurationError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  what is tested
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:fbff:80ff:fffe",
    ],
)
def test_addresses_that_only_this_machine_reaches_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_an_origin_has_its_port_and_no_case() -> None:
    assert origin_of("https://Agents.Example.com./a") == ("https", "agents.example.com", 443)
    assert str(origin_of("http://[::1]:81/")) == "http://[::1]:81"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x", "http://", "http://a:b@c"])
def test_other_urls_have_none(url: str) -> None:
    with pytest.raises(ConfigurationError):
        origin_of(url)
