"""The table as it is made."""

from __future__ import annotations

from typing import Any

import pytest

from botocore.exceptions import ClientError

from worker.errors import ConfigError
from worker.stores import tables
from worker.stores.tables import create_tables


pytestmark = pytest.mark.services


async def test_a_table_is_made_as_defined(client: Any, table: str) -> None:
    made = (await client.describe_table(TableName=table))["Table"]
    assert made["KeySchema"] == tables.DEFINITION["KeySchema"]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    indexes = {i["IndexName"]: i["Projection"] for i in made["GlobalSecondaryIndexes"]}
    assert indexes == {
        i["IndexName"]: i["Projection"] for i in tables.DEFINITION["GlobalSecondaryIndexes"]
    }
    live = (await client.describe_time_to_live(TableName=table))["TimeToLiveDescription"]
    assert live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    backups = await client.describe_continuous_backups(TableName=table)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_every_key_has_a_type_and_nothing_else_has() -> None:
    keys = list(tables.DEFINITION["KeySchema"])
    for index in tables.DEFINITION["GlobalSecondaryIndexes"]:
        keys += index["KeySchema"]
    typed = {a["AttributeName"] for a in tables.DEFINITION["AttributeDefinitions"]}
    assert typed == {key["AttributeName"] for key in keys}


async def test_making_a_table_again_changes_nothing(client: Any, table: str) -> None:
    item = {"pk": {"S": "memory#start"}, "sk": {"S": "head"}, "value": {"S": "now"}}
    await client.put_item(TableName=table, Item=item)
    await create_tables(client, table)
    assert (await client.scan(TableName=table))["Items"] == [item]


async def test_a_table_that_was_begun_is_finished(client: Any) -> None:
    await client.create_table(TableName="begun", **tables.DEFINITION)
    await create_tables(client, "begun")
    live = (await client.describe_time_to_live(TableName="begun"))["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] == "ENABLED"
    await client.delete_table(TableName="begun")


async def test_a_table_of_another_form_is_left_alone(client: Any) -> None:
    await client.create_table(
        TableName="leases",
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(ConfigError, match="leases is not of the form"):
        await create_tables(client, "leases")
    live = (await client.describe_time_to_live(TableName="leases"))["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] == "DISABLED"
    await client.delete_table(TableName="leases")


async def test_a_refusal_by_aws_is_passed_on() -> None:
    class Forbidding:
        async def create_table(self, **_request: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "CreateTable")

    with pytest.raises(ClientError, match="AccessDenied"):
        await create_tables(Forbidding(), "contacts")
