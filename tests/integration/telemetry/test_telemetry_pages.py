"""The worker's pages over HTTP: small requests, GET only, bounded in time and number."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from prometheus_client.parser import text_string_to_metric_families

from twins.clock import Turned
from worker.dynamics.errors import Unauthorized
from worker.dynamics.gate import make_gate
from worker.errors import ConfigError
from worker.faults import Faults
from worker.heartbeat import Health
from worker.telemetry import http
from worker.telemetry.http import CONNECTIONS, REQUEST_BYTES, StatusPage, serving
from worker.telemetry.metrics import Metrics
from worker.telemetry.pages import pages


HOST = "127.0.0.1"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Worker:
    """What the pages are about."""

    def __init__(self) -> None:
        self.clock = Turned()
        self.metrics = Metrics()
        self.health = Health(self.clock.clock())
        self.gate = make_gate()
        self.port = 0

    async def get(self, path: str, method: str = "GET") -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.request(method, f"http://{HOST}:{self.port}{path}")

    async def said(self, request: bytes) -> bytes:
        """What comes back, until the end of the connection."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(request)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    served = pages(worker.metrics, worker.health, {"": worker.gate})
    async with serving(f"{HOST}:0", served) as worker.port:
        yield worker


async def test_metrics_are_in_prometheus_text_format(worker: Worker) -> None:
    answer = await worker.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"connect_dynamics_build_info", "process_resident_memory_bytes"} <= names


async def test_healthz_names_the_loop_that_fell_silent(worker: Worker) -> None:
    worker.health.heart("push", 10)
    answer = await worker.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    worker.clock.now += 11
    answer = await worker.get("/healthz")
    assert (answer.status_code, answer.text) == (503, "silent: push\n")


async def test_readyz_says_what_is_waited_for(worker: Worker) -> None:
    heart = worker.health.heart("recordings", 10, connects=True)
    answer = await worker.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "waiting for: store, recordings\n")
    worker.health.store_answered()
    heart.reached.set()
    answer = await worker.get("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")


async def test_without_dynamics_the_worker_is_ready_but_degraded(worker: Worker) -> None:
    worker.health.store_answered()
    worker.gate.breaker.failed(Unauthorized("test"))
    answer = await worker.get("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready, degraded: unauthorized\n")


async def test_a_query_does_not_matter(worker: Worker) -> None:
    assert (await worker.get("/healthz?verbose=1")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/", 404), ("POST", "/metrics", 405), ("PUT", "/x", 405)],
)
async def test_other_paths_and_methods_are_refused(
    worker: Worker, method: str, path: str, status: int
) -> None:
    answer = await worker.get(path, method)
    assert answer.status_code == status
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("request_", [b"\r\n\r\n", b"GET /\r\n\r\n", b"\xff\x00 / HTTP/9\r\n\r\n"])
async def test_what_is_not_http_is_refused(worker: Worker, request_: bytes) -> None:
    assert (await worker.said(request_)).startswith(b"HTTP/1.1 400 ")


async def test_a_request_that_is_too_long_gets_no_answer(worker: Worker) -> None:
    long = GET.replace(b"Host: x", b"Host: " + b"x" * 2 * REQUEST_BYTES)
    assert await worker.said(long) == b""
    assert (await worker.said(GET)).startswith(b"HTTP/1.1 200 ")


async def test_who_sends_too_slowly_is_cut_off(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.01)
    assert await worker.said(GET[:-2]) == b""


async def test_who_goes_away_harms_nobody(worker: Worker) -> None:
    _, writer = await asyncio.open_connection(HOST, worker.port)
    writer.write(GET[:10])
    writer.close()
    await writer.wait_closed()
    assert (await worker.said(GET)).startswith(b"HTTP/1.1 200 ")


async def test_health_is_told_whatever_number_of_idle_connections_there_is(
    worker: Worker,
) -> None:
    """All at once, as a scanner opens them, and one after the other."""
    opened = [asyncio.open_connection(HOST, worker.port) for _ in range(CONNECTIONS)]
    idle = await asyncio.gather(*opened)
    assert (await worker.said(GET)).startswith(b"HTTP/1.1 200 ")
    idle += [await asyncio.open_connection(HOST, worker.port) for _ in range(200)]
    for _ in range(24):
        async with asyncio.timeout(1):
            assert (await worker.said(GET)).startswith(b"HTTP/1.1 200 ")
    for _, writer in idle:
        writer.transport.abort()


async def test_connections_side_by_side_are_bounded_and_the_oldest_goes_first(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECTIONS", 2)
    (first, at_first), (second, at_second), (third, at_third) = [
        await asyncio.open_connection(HOST, worker.port) for _ in range(3)
    ]
    assert await _rest(first) == b""
    at_first.transport.abort()
    for reader, writer in ((second, at_second), (third, at_third)):
        writer.write(GET)
        assert (await _rest(reader)).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()


async def test_connections_from_elsewhere_take_no_place_of_this_machines_own(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECTIONS", 1)
    from_here, writer = await asyncio.open_connection(HOST, worker.port)
    await asyncio.sleep(0.05)
    monkeypatch.setattr(http, "_is_local", lambda _writer: False)
    idle = [await asyncio.open_connection(HOST, worker.port) for _ in range(5)]
    writer.write(GET)
    assert (await _rest(from_here)).startswith(b"HTTP/1.1 200 ")
    for _, stranger in [(None, writer), *idle]:
        stranger.transport.abort()


async def test_a_bug_in_a_page_is_an_answer_and_ends_nothing() -> None:
    def broken() -> StatusPage:
        raise TypeError("+4930")

    faults = Faults()
    async with serving(f"{HOST}:0", {"/healthz": broken}, faults) as port:
        for _ in range(2):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(GET)
            assert (await reader.read()).startswith(b"HTTP/1.1 500 ")
            writer.transport.abort()
    assert [(boundary, n) for (boundary, _), n in faults.counts.items()] == [("telemetry", 2)]


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_the_end_waits_for_nobody_and_frees_the_port() -> None:
    async with serving(f"{HOST}:0", {}) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET ")
        await writer.drain()
    assert await _end(reader) == b""
    writer.transport.abort()
    async with serving(f"{HOST}:{port}", {"/": lambda: StatusPage(b"again")}) as again:
        assert again == port


async def _end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize("address", ["127.0.0.1:70000", "192.0.2.1:0", "localhost"])
async def test_an_address_that_cannot_be_used_is_told(address: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen at {address}"):
        async with serving(address, {}):
            pytest.fail("it listens")


async def test_a_port_that_is_taken_is_told(worker: Worker) -> None:
    with pytest.raises(ConfigError, match="address already in use"):
        async with serving(f"{HOST}:{worker.port}", {}):
            pytest.fail("it listens")


async def test_ipv6_addresses_stand_in_brackets() -> None:
    served: Any = {"/": lambda: StatusPage(b"six")}
    try:
        async with serving("[::1]:0", served) as port:
            _, writer = await asyncio.open_connection("::1", port)
            writer.transport.abort()
    except ConfigError:
        pytest.skip("this machine has no IPv6")
