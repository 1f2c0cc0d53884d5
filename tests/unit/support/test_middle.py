"""A man in the middle hands on what he does not spoil; what he spoils is no true answer."""

from __future__ import annotations

import asyncio
import ssl

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import httpx
import pytest
import trustme

from hostile.behaviours import COMMON, HARMLESS, HTML, HTTP, LATE, OWN, TLS, At, Behaviour, End
from hostile.middle import HOST, Middle
from worker.dynamics.http import make_http


PATIENCE_S = 0.5
TRUE = b'{"true": 1}'


async def answer(reader: StreamReader, writer: StreamWriter) -> None:
    """A service that works."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(head % len(TRUE) + TRUE)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@pytest.fixture
async def middle(tmp_path: Path) -> AsyncIterator[tuple[Middle, httpx.AsyncClient]]:
    authority = trustme.CA()
    near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(near)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    service = await asyncio.start_server(answer, HOST, 0)
    made = Middle(service.sockets[0].getsockname()[1], near)
    async with (
        service,
        made.listening(),
        make_http(tmp_path / "ca.pem") as client,
    ):
        yield made, client


async def asked(middle: Middle, client: httpx.AsyncClient) -> bytes:
    """What the client comes to know; the exception's name if nothing."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await client.post(f"https://{HOST}:{middle.port}/")
        return answer.content if answer.is_success else b"%d" % answer.status_code
    except (httpx.HTTPError, TimeoutError) as error:
        return type(error).__name__.encode()


async def test_what_is_not_spoiled_comes_as_it_is(middle: tuple[Middle, httpx.AsyncClient]) -> None:
    assert [await asked(*middle) for _ in range(3)] == [TRUE] * 3
    assert middle[0].spoiled.total() == 0


@pytest.mark.parametrize("line", [*TLS, *HTTP], ids=lambda line: line.name)
async def test_a_behaviour_happens_as_often_as_asked_for_and_then_all_is_well(
    middle: tuple[Middle, httpx.AsyncClient], line: Behaviour
) -> None:
    way, _ = middle
    assert await asked(*middle) == TRUE
    await way.spoil([line], times=1)
    found = [await asked(*middle), await asked(*middle)]
    assert way.spoiled == {line.name: 1}
    assert (line.at is At.ANSWERED) or found[0] != TRUE
    way.mend()


@pytest.mark.parametrize("line", HARMLESS, ids=lambda line: line.name)
async def test_what_is_odd_but_harmless_is_the_true_answer(
    middle: tuple[Middle, httpx.AsyncClient], line: Behaviour
) -> None:
    await middle[0].spoil([line], times=1)
    assert await asked(*middle) == TRUE
    assert middle[0].spoiled == {line.name: 1}


IDLE = next(line for line in HTTP if line.name == "answer_nobody_asked_for_while_idle")


async def test_an_answer_on_an_idle_connection_is_nobodys(
    middle: tuple[Middle, httpx.AsyncClient],
) -> None:
    way, _ = middle
    await way.spoil([IDLE], times=1)
    assert await asked(*middle) == TRUE
    await asyncio.sleep(3 * IDLE.after_s)  # until it has come
    assert way.spoiled == {IDLE.name: 1}
    assert [await asked(*middle) for _ in range(3)] == [TRUE] * 3


async def test_a_share_is_spoiled_until_it_is_mended(
    middle: tuple[Middle, httpx.AsyncClient],
) -> None:
    lines = [line for line in HTTP if line.name in {"html_200", "empty_200"}]
    await middle[0].spoil(lines, share=0.5, random=Random(1))
    found = {await asked(*middle) for _ in range(30)}
    assert {TRUE, HTML, b""} <= found
    assert middle[0].spoiled.keys() == {"html_200", "empty_200"}
    middle[0].mend()
    assert await asked(*middle) == TRUE


def test_each_line_of_a_service_has_a_name_of_its_own_and_an_end() -> None:
    for own in OWN.values():
        names = [line.name for line in (*COMMON, *own)]
        assert len(names) == len(set(names))
    late = [line for line in COMMON if line.at in LATE]
    assert {line.end for line in late} >= {End.CLOSED, End.RESET, End.KEPT, End.SILENT}
