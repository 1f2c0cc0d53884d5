"""The DynamoDB table of the contact store, as data.

One table holds everything; keys show what an item is:

==================  =============================  =============================================
``pk``              ``sk``                         what
==================  =============================  =============================================
``contact#ID``      ``head``                       a contact
``quarantine#ID``   ``head``                       a message in quarantine
either              ``chunk#VERSION#SAVE#NUMBER``  part of contents too large for the head
``position#NAME``   SHARD                          the checkpoint of a stream's shard
``memory#NAME``     ``head``                       a remembered value
``label#LABEL``     ``SECONDS#ID``                 a contact that has a label, see ``listings``
==================  =============================  =============================================

An item is in an index only while it has the index's attributes:

``due``     contacts to push, by the time from which they are ready, in a few buckets
``parked``  contacts with parked steps or a fault, by id
``listed``  contacts and quarantined messages, by id
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

from worker import aws
from worker.errors import ConfigError


#: Names of the indexes.
DUE: Final = "due"
PARKED: Final = "parked"
LISTED: Final = "listed"

#: Pause (s) and number of tries while waiting for a new table.
WAIT: Final = {"Delay": 1, "MaxAttempts": 120}

#: Arguments of CreateTable, and properties of CloudFormation's AWS::DynamoDB::Table.
DEFINITION: Final[dict[str, Any]] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
        {"AttributeName": "due_bucket", "AttributeType": "S"},
        {"AttributeName": "ready_at", "AttributeType": "N"},
        {"AttributeName": "parked_shelf", "AttributeType": "S"},
        {"AttributeName": "shelf", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DUE,
            "KeySchema": [
                {"AttributeName": "due_bucket", "KeyType": "HASH"},
                {"AttributeName": "ready_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["due_at"]},
        },
        {
            "IndexName": PARKED,
            "KeySchema": [
                {"AttributeName": "parked_shelf", "KeyType": "HASH"},
                {"AttributeName": "pk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
        {
            "IndexName": LISTED,
            "KeySchema": [
                {"AttributeName": "shelf", "KeyType": "HASH"},
                {"AttributeName": "pk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ],
}

#: The table removes an item within some days after this time (s since 1970):
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
TIME_TO_LIVE: Final = {"AttributeName": "ttl", "Enabled": True}

#: The table can be restored to any second of the last 35 days:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
RECOVERY: Final = {"PointInTimeRecoveryEnabled": True}


async def create_tables(client: Any, name: str) -> None:
    """Create the table, or finish what an earlier call began; a complete one is not changed.

    Args:
        client: A DynamoDB client, see ``worker.aws.client``.
        name: The table's name.

    Raises:
        ConfigError: There is a table of that name with other keys or indexes.
        ClientError: AWS refuses the request; ``worker.aws.code`` says why.
    """
    try:
        await client.create_table(TableName=name, **DEFINITION)
    except ClientError as error:
        if aws.code(error) != "ResourceInUseException":
            raise
    await client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    table = (await client.describe_table(TableName=name))["Table"]
    if form(table) != form(DEFINITION):
        raise ConfigError(f"the table {name} is not of the form that this release uses")
    live = (await client.describe_time_to_live(TableName=name))["TimeToLiveDescription"]
    if live["TimeToLiveStatus"] not in {"ENABLING", "ENABLED"}:
        await client.update_time_to_live(TableName=name, TimeToLiveSpecification=TIME_TO_LIVE)
    await client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=RECOVERY
    )


def form(table: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in two tables: the keys of the table and of its indexes."""
    indexes = table.get("GlobalSecondaryIndexes", [])
    return {"": table["KeySchema"]} | {i["IndexName"]: i["KeySchema"] for i in indexes}
