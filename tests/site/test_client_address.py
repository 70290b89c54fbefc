"""The client's address: forged headers never count, those of trusted proxies do."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from boards.access.client_address import client_address
from registry_site import environment as env

PROXY, INNER, CLIENT, FORGED = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.1"
V6 = "2001:db8::7"

# The address of the connection, the two headers, and the client's address.
CASES: list[tuple[str, str, str, str]] = [
    # Not from a proxy.
    (CLIENT, "", "", CLIENT),
    (CLIENT, FORGED, f"for={FORGED}", CLIENT),
    (CLIENT, PROXY, "", CLIENT),
    ("", FORGED, "", ""),
    ("::ffff:203.0.113.7", "", "", CLIENT),
    # From a proxy.
    (PROXY, "", "", PROXY),
    (PROXY, CLIENT, "", CLIENT),
    ("::ffff:10.0.0.1", CLIENT, "", CLIENT),
    ("fd00::1", CLIENT, "", CLIENT),
    (PROXY, f"{FORGED}, {CLIENT}", "", CLIENT),
    (PROXY, f"{FORGED},{CLIENT},{INNER}", "", CLIENT),
    (PROXY, f"{FORGED}, {PROXY}, {CLIENT}", "", CLIENT),
    (PROXY, INNER, "", INNER),
    (PROXY, V6.upper(), "", V6),
    (PROXY, f"{CLIENT}:4711", "", CLIENT),
    (PROXY, f"[{V6}]:4711", "", V6),
    (PROXY, f"{V6}%{'x' * 5000}", "", V6),
    (PROXY, "", f"for={CLIENT}", CLIENT),
    (PROXY, "", f'For="[{V6}]:4711";proto=https;by={PROXY}', V6),
    (PROXY, "", f"for={FORGED}, proto=https;for={CLIENT};host=a, for={INNER}", CLIENT),
    (PROXY, f"{FORGED}, {CLIENT}", f"for={CLIENT}", CLIENT),
    # Not understood.
    (PROXY, CLIENT, f"for={FORGED}", PROXY),
    (PROXY, "unknown", "", PROXY),
    (PROXY, f"{FORGED}, 203.0.113.7.8", "", PROXY),
    (PROXY, f"{FORGED}, 010.0.0.9", "", PROXY),
    (PROXY, f"{FORGED}, unknown, {INNER}", "", INNER),
    (PROXY, f"{FORGED},", "", PROXY),
    (PROXY, "", f"for={FORGED}, for=unknown", PROXY),
    (PROXY, "", f"for={FORGED}, for=_hidden;by={PROXY}", PROXY),
    (PROXY, "", f'for={FORGED}, for="{CLIENT}', PROXY),
    (PROXY, "", f"for={FORGED}, for={CLIENT};for={FORGED}", PROXY),
    (PROXY, "", f"for={FORGED}, by={PROXY}", PROXY),
    (PROXY, "", f"for={FORGED}, for={CLIENT} for={FORGED}", PROXY),
    (PROXY, "", f'for={FORGED}, for="a,{CLIENT}"', PROXY),
]


def test_only_what_trusted_proxies_append_counts(settings: Any) -> None:
    settings.OBEYA_TRUSTED_PROXIES = (ip_network("10.0.0.0/24"), ip_network("fd00::1"))
    wrong = []
    for peer, forwarded_for, forwarded, expected in CASES:
        headers = {"X-Forwarded-For": forwarded_for, "Forwarded": forwarded}
        sent = {name: value for name, value in headers.items() if value}
        request = RequestFactory(REMOTE_ADDR=peer).get("/", headers=sent)
        if (found := client_address(request)) != expected:
            wrong.append(f"{peer} {sent}: {found}, not {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "127.0.0.1,0.0.0.0/0", "::/0"])
def test_proxies_are_addresses_and_networks(monkeypatch: Any, value: str) -> None:
    monkeypatch.setenv("OBEYA_TESTED", "127.0.0.1, ::1,10.0.0.0/8")
    assert [str(found) for found in env.proxies("OBEYA_TESTED")] == [
        "127.0.0.1/32",
        "::1/128",
        "10.0.0.0/8",
    ]
    monkeypatch.setenv("OBEYA_TESTED", value)
    with pytest.raises(ImproperlyConfigured, match="OBEYA_TESTED"):
        env.proxies("OBEYA_TESTED")
