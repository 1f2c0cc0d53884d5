"""The pages over HTTP: headers, caches, and nothing but the pages."""

from __future__ import annotations

import asyncio
import socket

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from worker.desktop.headers import Sites, headers, kind_of
from worker.desktop.server import load, serving
from worker.errors import ConfigError


CONFIG: dict[str, Any] = {
    "version": 1,
    "connect": {"ccpUrl": "https://acme.my.connect.aws/ccp-v2/"},
    "dynamics": {"url": "https://org.crm4.dynamics.com"},
}
SITES = Sites.of(CONFIG)


@pytest.fixture
async def http(dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(load(dist, CONFIG), SITES, "127.0.0.1", 0) as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base) as client:
            yield client


def asset(dist: Path, name: str) -> str:
    (path,) = dist.glob(f"assets/*/{name}")
    return f"/{path.relative_to(dist).as_posix()}"


@pytest.mark.parametrize("path", ["/agent.html", "/cif.html", "/companion.html", "/config.json"])
async def test_a_page_comes_with_its_headers(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    expected = headers(kind_of(path), SITES)
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert answer.headers["cache-control"] == "no-store"
    assert "aiohttp" not in answer.headers["server"].lower()


async def test_an_asset_may_be_kept_for_a_year_and_is_what_was_assembled(
    http: httpx.AsyncClient, dist: Path
) -> None:
    path = asset(dist, "connect-streams-min.js")
    answer = await http.get(path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.content == b"var connect = {};"


async def test_the_configuration_is_what_the_pages_are_told(http: httpx.AsyncClient) -> None:
    answer = await http.get("/config.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == CONFIG


async def test_the_root_is_the_agents_page(http: httpx.AsyncClient) -> None:
    root, page = await http.get("/"), await http.get("/agent.html")
    assert (root.status_code, root.content) == (200, page.content)
    policy = "content-security-policy"
    assert root.headers[policy] == page.headers[policy]


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "//secret.txt",
        "/./agent.html",
        "/agent%2ehtml",
        "/assets/",
        "/assets",
        "/config.json/",
        "/agent.html\\..\\..\\secret.txt",
        "/secret.txt%00.html",
        "http://127.0.0.1/../secret.txt",
    ],
)
async def test_no_path_leads_out_of_the_pages(http: httpx.AsyncClient, target: str) -> None:
    """As raw lines, for a client tidies a path before it sends it."""
    head, body = await _raw(http, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"not served" not in body
    assert b"<!doctype" not in body


async def test_a_page_that_is_not_there_lets_nothing_in_either(http: httpx.AsyncClient) -> None:
    answer = await http.get("/admin.html")
    assert answer.status_code == 404
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_an_asset_that_is_not_there_is_not_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/assets/0123/agent.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_pages_are_read_and_nothing_else(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/agent.html")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_head_says_what_get_would(http: httpx.AsyncClient) -> None:
    got, head = await http.get("/agent.html"), await http.head("/agent.html")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-security-policy"):
        assert head.headers[name] == got.headers[name]


async def test_what_a_browser_has_is_not_sent_again(http: httpx.AsyncClient, dist: Path) -> None:
    path = asset(dist, "agent.js")
    tag = (await http.get(path)).headers["etag"]
    answer = await http.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"].endswith("immutable")
    fresh = await http.get(path, headers={"If-None-Match": '"other"'})
    assert fresh.status_code == 200


async def test_pages_that_were_not_assembled_are_not_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make desktop"):
        load(tmp_path, CONFIG)


async def test_a_port_that_is_taken_is_named(dist: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}"):
            async with serving(load(dist, CONFIG), SITES, "127.0.0.1", port):
                pass


async def _raw(http: httpx.AsyncClient, request: str) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
    writer.write(request.encode())
    answer = await asyncio.wait_for(reader.read(), timeout=10)
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body
