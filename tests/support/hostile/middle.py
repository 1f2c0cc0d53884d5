"""A man in the middle: hands requests on to a service that works, and spoils some of them."""

from __future__ import annotations

import asyncio
import ssl

from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from hostile.behaviours import BOMBS, EARLY, At, Behaviour, End, bomb
from hostile.channel import Channel, Ended
from hostile.http import Message, read_body, read_head


HOST: Final = "127.0.0.1"

#: What is sent without end ends here (bytes): a client that takes all this has no bound.
ENDLESS_BYTES: Final = 16 * 1024 * 1024

#: Connections are the client's and ours; what a service says of its own does not reach it.
_HOP: Final = (b"connection", b"keep-alive")


@dataclass(slots=True)
class Spoiling:
    """What is being spoiled just now.

    Attributes:
        behaviours: One of these, whichever comes in question.
        left: How often still.
        share: To which share of what it could happen to.
        random: Decides.
    """

    behaviours: Sequence[Behaviour] = ()
    left: float = 0
    share: float = 1.0
    random: Random = field(default_factory=Random)

    def take(self, at: At, about: str) -> Behaviour | None:
        """What happens now, if anything."""
        fitting = [one for one in self.behaviours if one.at is at and one.is_about(about)]
        if not fitting or self.left <= 0 or self.random.random() >= self.share:
            return None
        self.left -= 1
        return self.random.choice(fitting)


class Middle:
    """Between a client and a service.

    Args:
        far: The service's port on this machine.
        tls: The certificate shown to the client; None: in clear.
        far_tls: Trusts the service's certificate; None: it speaks in clear.

    Attributes:
        port: Where clients find it.
        spoiled: How often each behaviour happened.
    """

    def __init__(
        self,
        far: int,
        tls: ssl.SSLContext | None = None,
        far_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = 0
        self.spoiled: Counter[str] = Counter()
        self._far_port = far
        self._tls = tls
        self._far_tls = far_tls
        self._spoiling = Spoiling()
        self._mended = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve, for as long as the block lasts."""
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await self._drop()

    async def spoil(
        self,
        behaviours: Sequence[Behaviour],
        times: float = float("inf"),
        share: float = 1.0,
        random: Random | None = None,
    ) -> None:
        """Spoil this share of what comes from now on, so many times; see ``Spoiling``."""
        self._mended.clear()
        self._spoiling = Spoiling(behaviours, times, share, random or Random())
        if any(one.at in EARLY for one in behaviours):
            await self._drop()  # or no new connection would come

    def mend(self) -> None:
        """Spoil nothing any more; what is silent or drips ends."""
        self._spoiling = Spoiling()
        self._mended.set()

    async def _drop(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        link = asyncio.create_task(self._carry(Channel(reader, writer, self._tls)))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _carry(self, near: Channel) -> None:
        far = _Far(self._far_port, self._far_tls)
        with suppress(OSError):
            try:
                if await self._begin(near):
                    served = 0
                    while await self._serve(near, far, served):
                        served += 1
            finally:
                near.close()
                far.close()

    async def _begin(self, near: Channel) -> bool:
        """Bring the connection about; False: it was spoiled."""
        if self._tls is not None:
            if await self._spoil(near, At.ACCEPTED):
                return False
            if behaviour := self._spoiling.take(At.HELLO, ""):
                await near.hello()
                return await self._do(near, behaviour, behaviour.says)
        await near.shake_hands()
        return not await self._spoil(near, At.SHAKEN)

    async def _serve(self, near: Channel, far: _Far, served: int) -> bool:
        """One request; whether the connection goes on."""
        head = await read_head(near)
        about = Message(head, b"").about
        if behaviour := self._spoiling.take(At.HEAD, about):
            return await self._do(near, behaviour, behaviour.says)
        request = Message(head, await read_body(near, head, answer=False))
        at = (At.ASKED, At.AGAIN) if served else (At.ASKED,)
        for moment in at:
            if behaviour := self._spoiling.take(moment, about):
                return await self._do(near, behaviour, _said(behaviour))
        answer = await far.ask(request)
        if behaviour := self._spoiling.take(At.DONE, about):
            says = behaviour.edit(answer) if behaviour.edit else behaviour.says
            return await self._do(near, behaviour, says)
        await near.write(answer.whole)
        return not await self._spoil(near, At.ANSWERED, about)

    async def _spoil(self, near: Channel, at: At, about: str = "") -> bool:
        """Do what is to be done at this moment; whether the connection is over with it."""
        behaviour = self._spoiling.take(at, about)
        return behaviour is not None and not await self._do(near, behaviour, behaviour.says)

    async def _do(self, near: Channel, behaviour: Behaviour, says: bytes) -> bool:
        """Carry a behaviour out; whether the connection goes on."""
        self.spoiled[behaviour.name] += 1
        try:
            await asyncio.sleep(behaviour.after_s)
            await self._say(near, behaviour, says)
            if behaviour.end is End.SILENT:
                await self._mended.wait()
        except OSError:
            return False  # the client had enough
        if behaviour.end is End.RESET:
            near.reset()
        return behaviour.end is End.KEPT

    async def _say(self, near: Channel, behaviour: Behaviour, says: bytes) -> None:
        if behaviour.every_s:
            for byte in says:
                await near.write(bytes([byte]), past_tls=behaviour.past_tls)
                with suppress(TimeoutError):
                    async with asyncio.timeout(behaviour.every_s):
                        await self._mended.wait()
                        return
            return
        await near.write(says, past_tls=behaviour.past_tls)
        sent = 0
        while behaviour.endless and sent < ENDLESS_BYTES and not self._mended.is_set():
            await near.write(behaviour.endless)
            sent += len(behaviour.endless)


def _said(behaviour: Behaviour) -> bytes:
    return bomb(BOMBS[behaviour.name]) if behaviour.name in BOMBS else behaviour.says


class _Far:
    """The way to the service, opened when it is needed."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._port = port
        self._tls = tls
        self._channel: Channel | None = None

    async def ask(self, request: Message) -> Message:
        """Its answer.

        Raises:
            OSError: It gives none.
        """
        kept = self._channel is not None
        try:
            return await self._ask(request)
        except Ended:
            self.close()
            if not kept:
                raise
            return await self._ask(request)  # it had closed the connection meanwhile

    async def _ask(self, request: Message) -> Message:
        if self._channel is None:
            reader, writer = await asyncio.open_connection(HOST, self._port)
            self._channel = Channel(reader, writer, self._tls, HOST if self._tls else "")
            await self._channel.shake_hands()
        channel = self._channel
        await channel.write(request.whole)
        head = await read_head(channel)
        answer = Message(head, await read_body(channel, head, answer=True))
        if not answer.framed:  # the end of the connection was the end of the body
            answer = answer.having(b"Content-Length: %d" % len(answer.body), b"Connection: close")
        if answer.header(b"connection").lower() == b"close":
            self.close()
        return answer.without(*_HOP)

    def close(self) -> None:
        """Let go of it."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
