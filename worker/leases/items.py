"""Leases as the Kinesis Client Library writes them to DynamoDB, attribute by attribute.

``leases/dynamodb/DynamoDBLeaseSerializer.java`` in awslabs/amazon-kinesis-client v3.5.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from worker.leases.lease import Lease
from worker.leases.position import Position


#: DynamoDB's notation of values: {"S": text}, {"N": number as text}, {"SS": set of texts}.
Item = dict[str, dict[str, Any]]

LEASE: Final = "LEASE"


def is_lease(item: Mapping[str, Any]) -> bool:
    """Whether it is a lease: KCL keeps other items there too; old leases have no entity type."""
    return "entityType" not in item or item["entityType"] == text(LEASE)


def item_of(lease: Lease) -> Item:
    """A new lease as an item."""
    item: Item = {
        "leaseKey": text(lease.key),
        "leaseCounter": number(lease.counter),
        "ownerSwitchesSinceCheckpoint": number(lease.switches),
        "checkpoint": text(lease.checkpoint.at),
        "checkpointSubSequenceNumber": number(lease.checkpoint.sub),
        "entityType": text(LEASE),
    }
    if lease.owner:
        item["leaseOwner"] = text(lease.owner)
    if lease.checkpoint_owner:
        item["checkpointOwner"] = text(lease.checkpoint_owner)
    if lease.parents:
        item["parentShardId"] = texts(lease.parents)
    if lease.children:
        item["childShardIds"] = texts(lease.children)
    if lease.hashes:
        item["startingHashKey"], item["endingHashKey"] = (text(str(end)) for end in lease.hashes)
    return item


def lease_from(item: Mapping[str, Any]) -> Lease:
    """The lease in an item, with the attributes that we use."""
    begin, end = item.get("startingHashKey"), item.get("endingHashKey")
    return Lease(
        key=item["leaseKey"]["S"],
        checkpoint=Position(
            item["checkpoint"]["S"], int(item.get("checkpointSubSequenceNumber", number(0))["N"])
        ),
        owner=item.get("leaseOwner", {}).get("S"),
        counter=int(item["leaseCounter"]["N"]),
        switches=int(item.get("ownerSwitchesSinceCheckpoint", number(0))["N"]),
        parents=frozenset(item.get("parentShardId", {}).get("SS", ())),
        children=frozenset(item.get("childShardIds", {}).get("SS", ())),
        hashes=(int(begin["S"]), int(end["S"])) if begin and end else None,
        checkpoint_owner=item.get("checkpointOwner", {}).get("S"),
    )


def text(value: str) -> dict[str, str]:
    """A string in DynamoDB's notation."""
    return {"S": value}


def number(value: int) -> dict[str, str]:
    """A number in DynamoDB's notation."""
    return {"N": str(value)}


def texts(values: Iterable[str]) -> dict[str, list[str]]:
    """A set of strings in DynamoDB's notation."""
    return {"SS": sorted(values)}
