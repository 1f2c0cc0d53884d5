"""The loop of async-kinesis' README, with httpx: a consumer per stream, an upsert per record.

A failed upsert is tried three times; then its record is dropped, with a line that says so. Where it
was is in memory.

Arguments: Kinesis' URL, Dynamics' URL, its authority's file, the streams.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys

from typing import Any, Final

import httpx

from kinesis import Consumer

from tests.benchmarks.peers.columns import HEADERS, phonecall


POLL_S: Final = 1.0
TRIES: Final = 3
TIMEOUT_S: Final = 30.0


async def upsert(http: httpx.AsyncClient, message: dict[str, Any]) -> None:
    """Bring a message to Dynamics, or drop it."""
    path, columns = phonecall(message)
    for _ in range(TRIES):
        try:
            answer = await http.patch(path, json=columns)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            print(f"upsert failed: {type(error).__name__}", file=sys.stderr)
        else:
            return
    print("dropped", file=sys.stderr)


async def consume(http: httpx.AsyncClient, kinesis_url: str, stream: str) -> None:
    """Read a stream for ever: iterating ends whenever the stream is quiet."""
    async with Consumer(
        stream,
        endpoint_url=kinesis_url,
        region_name=os.environ["AWS_DEFAULT_REGION"],
        sleep_time_no_records=POLL_S,
    ) as consumer:
        while True:
            async for message in consumer:
                await upsert(http, message)


async def main() -> None:
    """Read all streams, until killed."""
    kinesis_url, dynamics_url, ca, *streams = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    async with httpx.AsyncClient(
        base_url=dynamics_url, verify=context, headers=HEADERS, timeout=TIMEOUT_S
    ) as http:
        await asyncio.gather(*(consume(http, kinesis_url, stream) for stream in streams))


if __name__ == "__main__":
    asyncio.run(main())
