"""Addresses are checked before a page or a header trusts them."""

from __future__ import annotations

import pytest

from worker.desktop.addresses import address, origin
from worker.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://Acme.My.Connect.AWS/ccp-v2/", "https://acme.my.connect.aws"),
        ("https://org.crm4.dynamics.com:443", "https://org.crm4.dynamics.com"),
        ("https://desktop.example.com:8443/a?b=c", "https://desktop.example.com:8443"),
        ("http://127.0.0.1:8080/ccp-v2/", "http://127.0.0.1:8080"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_an_origin_is_scheme_host_and_unusual_port(given: str, expected: str) -> None:
    assert origin(given, "it") == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "acme.my.connect.aws",
        "http://acme.my.connect.aws",
        "http://127.0.0.1.example.com",
        "javascript:alert(1)",
        "https://",
        "https://user:word@acme.example",
        "https://a b.example",
        "https://a.example;script-src *",
        "https://a.example'",
        "https://*.example",
        "https://a.example:99999",
        "https://[::1",
        "//a.example",
        "ftp://a.example",
    ],
)
def test_what_could_end_a_header_or_leads_elsewhere_is_no_origin(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^it: "):
        origin(given, "it")


@pytest.mark.parametrize(
    "given",
    [
        "https://a.example/\r\nX: y",
        'https://a.example/"',
        "https://a.example/#x",
        "https://a.example/ä",
    ],
)
def test_an_address_with_odd_characters_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"^it: "):
        address(given, "it")


def test_an_address_stays_as_it_was_given() -> None:
    given = "https://idp.example.com/sso?app=connect&relay=%2Fccp-v2"
    assert address(f" {given} ", "it") == given
