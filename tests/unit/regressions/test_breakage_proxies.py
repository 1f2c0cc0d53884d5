"""Proxies and authorities that the environment names, usable or not."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from pathlib import Path

import pytest

from rawserver import Server, well
from worker.dynamics.errors import Unavailable
from worker.dynamics.http import make_http
from worker.dynamics.protocol import Request
from worker.dynamics.proxy import environment_proxies
from worker.errors import ConfigError


FIND = Request("GET", "contacts?$select=contactid&$filter=telephone1%20eq%20'1'")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what the environment says of proxies, and nothing else."""

    def put(**names: str) -> None:
        for name in ("http", "https", "all", "no"):
            for spelt in (f"{name}_proxy", f"{name}_PROXY".upper()):
                monkeypatch.delenv(spelt, raising=False)
        for name, value in names.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://u:secret@proxy.test:1080",
        "ftp://proxy.test",
        "http://",
        "http://u:secret@:3128",
        "http://u:secret@proxy.test:port",
        "http://[::1",
        "://",
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
async def test_a_proxy_that_cannot_be_used_is_one_line_without_its_password(
    environment: Callable[..., None], name: str, proxy: str
) -> None:
    environment(**{name: proxy})
    with pytest.raises(ConfigError, match=f"^{name.upper()} must be") as caught:
        make_http()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


NO_PROXY = (
    "fd00::/8, [::1],[fe80::1]:443, 10.0.0.0/8,127.0.0.1:8443,.internal,Corp.test:443,,https://x.y"
)


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("org.crm.dynamics.com", False),
        ("fd12::1", True),
        ("fc00::1", False),
        ("::1", True),
        ("[::1]", True),
        ("fe80::1", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("127.0.0.1", True),
        ("a.internal", True),
        ("internal", True),
        ("xinternal", False),
        ("corp.test", True),
        ("crm.CORP.test", True),
        ("x.y", True),
    ],
)
def test_no_proxy_names_hosts_domains_addresses_and_networks(
    environment: Callable[..., None], host: str, *, direct: bool
) -> None:
    environment(HTTPS_PROXY="proxy.test:3128", NO_PROXY=NO_PROXY)
    proxy = environment_proxies()(host)
    assert (proxy is None) == direct
    assert direct or str(proxy) == "http://proxy.test:3128"


@pytest.mark.parametrize(
    "names", [{}, {"NO_PROXY": "*", "HTTPS_PROXY": "socks5://x"}, {"HTTP_PROXY": "http://x"}]
)
def test_without_a_proxy_for_https_the_way_is_direct(
    environment: Callable[..., None], names: dict[str, str]
) -> None:
    environment(**names)
    assert environment_proxies()("org.test") is None


@pytest.mark.services
async def test_requests_go_through_the_proxy_with_its_password_and_tls_ends_at_dynamics(
    server: Server, environment: Callable[..., None]
) -> None:
    heads: list[bytes] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def proxying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, back), pipe(there, writer), return_exceptions=True)

    proxy = await asyncio.start_server(proxying, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    environment(HTTPS_PROXY=f"http://user:secret@127.0.0.1:{port}")
    async with proxy, server.answering(well), server.client() as client:
        for _ in range(2):
            await client.send(FIND, timeout_s=10)
    (head,) = heads
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in head
    assert b"Bearer" not in head


@pytest.mark.services
@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 407 Who?\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n", b"", b"junk"]
)
async def test_a_proxy_that_refuses_is_no_answer_and_its_password_is_not_told(
    server: Server, environment: Callable[..., None], answer: bytes
) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    proxy = await asyncio.start_server(refusing, "127.0.0.1", 0)
    environment(HTTPS_PROXY=f"http://user:secret@127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    async with proxy, server.answering(well), server.client() as client:
        with pytest.raises(Unavailable) as caught:
            await client.send(FIND, timeout_s=10)
    assert "secret" not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_that_the_environment_names_and_that_are_not_there_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "junk").write_text("junk")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / ("junk" if name.endswith("R") else "gone")))
    with pytest.raises(ConfigError, match=r"^SSL_CERT_FILE or SSL_CERT_DIR: "):
        make_http()
