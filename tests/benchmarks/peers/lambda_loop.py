"""The Lambda-style loop: what a function behind a Kinesis trigger usually does, as a process.

As the trigger has it by default: a poller per shard, a look a second, at most 100 records a batch,
and a batch of which any record fails is tried again whole, until it succeeds or expires. The
function upserts record by record, by the contact's alternate key. Where it was is in memory.

Arguments: Kinesis' URL, Dynamics' URL, its authority's file, the streams.
"""

from __future__ import annotations

import json
import sys
import time

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import boto3
import urllib3

from tests.benchmarks.peers.columns import HEADERS, phonecall


POLL_S: Final = 1.0
BATCH_RECORDS: Final = 100
TIMEOUT_S: Final = 30.0


def handle(http: urllib3.PoolManager, dynamics_url: str, records: list[dict[str, Any]]) -> None:
    """The function: upsert every record.

    Raises:
        Exception: One failed; what follows it was not tried.
    """
    for record in records:
        path, columns = phonecall(json.loads(record["Data"]))
        answer = http.request(
            "PATCH", dynamics_url + path, body=json.dumps(columns), headers=HEADERS
        )
        if answer.status >= 400:
            raise RuntimeError(f"Dynamics answered {answer.status}")


def poll(kinesis: Any, http: urllib3.PoolManager, dynamics_url: str, reading: Any) -> None:
    """The trigger: read one shard for ever, batch by batch."""
    iterator = kinesis.get_shard_iterator(**reading, ShardIteratorType="TRIM_HORIZON")
    position = iterator["ShardIterator"]
    while position:
        answer = kinesis.get_records(ShardIterator=position, Limit=BATCH_RECORDS)
        while True:
            try:
                handle(http, dynamics_url, answer["Records"])
            except Exception as error:  # noqa: BLE001 - whatever a function raises fails its batch
                print(f"batch failed: {type(error).__name__}", file=sys.stderr)
            else:
                break
        position = answer.get("NextShardIterator")
        if not answer["MillisBehindLatest"]:
            time.sleep(POLL_S)


def main() -> None:
    """Read all shards, until killed."""
    kinesis_url, dynamics_url, ca, *streams = sys.argv[1:]
    kinesis = boto3.client("kinesis", endpoint_url=kinesis_url)
    shards = [
        {"StreamName": stream, "ShardId": shard["ShardId"]}
        for stream in streams
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]
    ]
    http = urllib3.PoolManager(ca_certs=ca, maxsize=len(shards), timeout=TIMEOUT_S, retries=False)
    with ThreadPoolExecutor(len(shards)) as pollers:
        done = [pollers.submit(poll, kinesis, http, dynamics_url, shard) for shard in shards]
        for one in done:
            one.result()


if __name__ == "__main__":
    main()
