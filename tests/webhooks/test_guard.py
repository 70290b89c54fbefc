"""No message goes to a private network, however its address is written."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network
from typing import Any

import pytest

from boards.webhooks.guard import Forbidden, addresses_of
from boards.webhooks.http_post import post
from obeya.webhooks.addresses import may_be_reached

WITHIN = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:7f00:0:100:0:101",
    "64:ff9b::c058:6301",
    "::ffff:0:7f00:1",
    "192.88.99.1",
    "::ffff:192.88.99.1",
    "2002:c058:6301::1",
    "fec0::1",
    "3fff::1",
    "5f00::1",
    "::1.1.1.1",
    "2002:a9fe:a9fe::",
    "2002:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",
]
# Notations of this machine's address that resolvers accept.
NAMES = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::ffff:127.0.0.1]",
]


def test_at_least_thirty_private_addresses_are_listed() -> None:
    assert len(set(WITHIN) | set(NAMES)) >= 30


@pytest.mark.parametrize("address", WITHIN)
def test_a_private_address_is_refused(address: str) -> None:
    assert not may_be_reached(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
def test_a_public_address_is_accepted(address: str) -> None:
    assert may_be_reached(address)


def test_only_configured_networks_are_accepted() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert may_be_reached("10.1.2.3", allowed)
    assert may_be_reached("fd00::1", allowed)
    for embedding in ("::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2002:a01:203::"):
        assert may_be_reached(embedding, allowed)
    assert not may_be_reached("10.2.0.1", allowed)
    assert not may_be_reached("169.254.169.254", allowed)


@pytest.fixture
def trap() -> Any:
    """Listen on this machine and fail if anything connects; yield the port."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                try:
                    came.append(listener.accept()[1])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stopping.set()
        thread.join()
    assert came == []


@pytest.mark.parametrize("name", NAMES)
def test_no_connection_reaches_this_machine(trap: int, name: str) -> None:
    with pytest.raises(Forbidden, match="OBEYA_WEBHOOK_NETWORKS"):
        post(f"http://{name}:{trap}/", b"{}", {})


def test_a_name_with_a_public_and_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 80)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(Forbidden):
        addresses_of("both.example.org", 80, ())


def test_a_resolver_with_changing_answers_is_asked_once(
    trap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is both checked and used for the connection; there is no second query."""
    asked: list[str] = []
    connected: list[object] = []

    def rebinding(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        address = "1.1.1.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    class Refused(OSError):
        pass

    def connect(self: socket.socket, address: object) -> None:
        connected.append(address)
        raise Refused("nothing is there")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Exception, match="cannot be reached"):
        post(f"http://rebinding.example.org:{trap}/", b"{}", {})
    assert asked == ["rebinding.example.org"]
    assert connected == [("1.1.1.1", trap)]
