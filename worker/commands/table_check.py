"""DynamoDB tables: whether they are there, with the keys, indexes and lifetimes that are needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from operator import itemgetter
from typing import Any, Final

from worker.commands.amazon_question import Question, answer_to
from worker.commands.finding import Finding, good, note
from worker.settings import PREFIX
from worker.stores.tables import DEFINITION, TIME_TO_LIVE, form


Ask = Callable[[], Awaitable[list[Finding]]]

#: The key of KCL's lease tables.
LEASE_KEY: Final = [{"AttributeName": "leaseKey", "KeyType": "HASH"}]

_ON: Final = ("ENABLING", "ENABLED")


def state_questions(client: Any, table: str) -> list[Ask]:
    """What to ask of the table of contacts."""
    question = partial(
        Question,
        f"{PREFIX}STATE (table {table})",
        missing="there is no such table in this account and Region: mind AWS_REGION, or make it: "
        f"connect-dynamics tables create {table}",
    )
    return [
        partial(_state, client, table, question("dynamodb:DescribeTable")),
        partial(_lifetime, client, table, question("dynamodb:DescribeTimeToLive", for_check=True)),
        partial(
            _recovery, client, table, question("dynamodb:DescribeContinuousBackups", for_check=True)
        ),
    ]


async def _state(client: Any, table: str, question: Question) -> list[Finding]:
    about = await _described(client, table, question)
    subject, found, wanted = question.subject, form(about), form(DEFINITION)
    if found.get("") != wanted[""]:
        return [Finding(f"{subject}: has other keys than a state's; name a table of its own")]
    lacks = sorted(name for name, keys in wanted.items() if found.get(name) != keys)
    if lacks:
        return [
            Finding(
                f"{subject}: lacks the index {', '.join(lacks)}, or has it with other keys; "
                "update its stack (state.yaml), or name another table"
            )
        ]
    filling = [
        str(one["IndexName"])
        for one in about.get("GlobalSecondaryIndexes", ())
        if one.get("IndexStatus", "ACTIVE") != "ACTIVE"
    ]
    if filling:
        return [Finding(f"{subject}: index {', '.join(filling)} is not ready yet; wait for it")]
    return [good(f"{subject}: {about.get('TableStatus')}, keys and indexes are as needed")]


async def _lifetime(client: Any, table: str, question: Question) -> list[Finding]:
    call = partial(client.describe_time_to_live, TableName=table)
    about = await answer_to(question, call, itemgetter("TimeToLiveDescription"))
    column = TIME_TO_LIVE["AttributeName"]
    if about.get("TimeToLiveStatus") in _ON and about.get("AttributeName") == column:
        return []
    return [
        Finding(
            f"{question.subject}: nothing in it is ever removed: turn time to live on, attribute "
            f"{column}; connect-dynamics tables create {table} does"
        )
    ]


async def _recovery(client: Any, table: str, question: Question) -> list[Finding]:
    call = partial(client.describe_continuous_backups, TableName=table)
    about = await answer_to(question, call, itemgetter("ContinuousBackupsDescription"))
    status = about.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if status in _ON:
        return []
    return [
        note(
            f"{question.subject}: point-in-time recovery is off, so a deleted table is gone; "
            f"connect-dynamics tables create {table} turns it on"
        )
    ]


def lease_questions(client: Any, setting: str, table: str) -> list[Ask]:
    """What to ask of a lease table; the worker itself only scans and changes it."""
    question = partial(
        Question,
        f"{PREFIX}{setting.upper()} (table {table})",
        missing="there is no such table in this account and Region: mind AWS_REGION, or make it: "
        f"connect-dynamics tables create STATE --leases {table}",
    )
    return [
        partial(_leases, client, table, question("dynamodb:DescribeTable", for_check=True)),
        partial(_scan, client, table, question("dynamodb:Scan")),
    ]


async def _leases(client: Any, table: str, question: Question) -> list[Finding]:
    about = await _described(client, table, question)
    if about["KeySchema"] != LEASE_KEY:
        return [
            Finding(
                f"{question.subject}: its key is not leaseKey, so it is no lease table; name one of"
                " its own"
            )
        ]
    return [good(f"{question.subject}: {about.get('TableStatus')}, its key is as needed")]


async def _scan(client: Any, table: str, question: Question) -> list[Finding]:
    await answer_to(question, partial(client.scan, TableName=table, Limit=1), itemgetter("Items"))
    return []


async def _described(client: Any, table: str, question: Question) -> dict[str, Any]:
    about: dict[str, Any] = await answer_to(
        question, partial(client.describe_table, TableName=table), itemgetter("Table")
    )
    return about
