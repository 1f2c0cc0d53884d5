"""Invented people and the invented contact centre they call.

Numbers are of ranges nobody owns, addresses end in example.com, ids are hashes of the names here.
"""

from __future__ import annotations

import uuid

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote


if TYPE_CHECKING:
    from random import Random


ACCOUNT = "111122223333"
REGION = "eu-central-1"
INSTANCE_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, "connect.example.com"))
INSTANCE_ARN = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE_ID}"
BUCKET = "example-connect-recordings"

#: The numbers and the mailbox customers reach the contact centre by.
LINES = ("+15550100200", "+15550100201", "+4915550000001")
MAILBOX = "service@example.com"

_FIRST = ("Ada", "Björn", "Chloé", "Daisuke", "Emre", "Fatima", "Grace", "Hana", "Iván", "Jürgen")
_LAST = ("Abendroth", "Bakker", "Castillo", "Dvořák", "Eriksen", "Fontaine", "García", "Hoang")
_TOPICS = ("delivery", "invoice", "repair", "contract", "complaint", "advice")


@dataclass(frozen=True, slots=True)
class Agent:
    """Someone who answers. ``profile`` and ``team`` are parts of contact records."""

    username: str
    arn: str
    profile: dict[str, str]
    team: dict[str, Any]

    @property
    def user_id(self) -> str:
        """The key of the agent's user record in Dynamics."""
        return _id(self.username)


@dataclass(frozen=True, slots=True)
class Queue:
    """Where customers wait. The queue of a single agent has no name."""

    name: str | None
    arn: str
    type: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Customer:
    """Someone who calls, writes or is called."""

    name: str
    number: str
    email: str
    account: str

    @property
    def contact_id(self) -> str:
        """The key of the customer's contact in Dynamics, if there is one."""
        return _id(self.number)


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example.com"))


def object_url(key: str) -> str:
    """The https address of a file of the contact centre."""
    return f"https://{BUCKET}.s3.{REGION}.amazonaws.com/{quote(key)}"


def _arn(kind: str, name: str) -> str:
    return f"{INSTANCE_ARN}/{kind}/{_id(name)}"


def _agent(name: str, team: str) -> Agent:
    group = {"ARN": _arn("agent-group", team), "GroupName": team}
    return Agent(
        username=name,
        arn=_arn("agent", name),
        profile={"ARN": _arn("routing-profile", team), "Name": f"{team} routing"},
        team={"Level1": group, "Level2": None, "Level3": None, "Level4": None, "Level5": None},
    )


QUEUES = tuple(Queue(name, _arn("queue", name)) for name in ("Service", "Sales", "Billing", "VIP"))
AGENTS = tuple(
    _agent(f"{first}.{last}", team)
    for first, last, team in (
        ("maria", "keller", "Berlin"),
        ("tom", "okafor", "Berlin"),
        ("lena", "fischer", "Berlin"),
        ("jonas", "weber", "Hamburg"),
        ("sofia", "rossi", "Hamburg"),
        ("amir", "haddad", "Hamburg"),
        ("nina", "novak", "Hamburg"),
        ("paul", "martin", "Lyon"),
    )
)


def queue_of(agent: Agent) -> Queue:
    """The agent's own queue, as transfers to a person use it."""
    return Queue(None, agent.arn.replace("/agent/", "/queue/agent/"), "AGENT")


def customer(rng: Random) -> Customer:
    """Someone invented."""
    n = rng.getrandbits(19)
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    prefix = "+4915550" if n % 3 else "+1555"
    return Customer(
        name=f"{first} {last}",
        number=f"{prefix}{n:07d}",
        email=f"customer{n}@example.com",
        account=f"C-{n:06d}",
    )


def attributes(who: Customer, rng: Random) -> dict[str, str]:
    """Contact attributes a flow would have set."""
    return {
        "customerName": who.name,
        "customerNumber": who.account,
        "CallReason": rng.choice(_TOPICS),
        "language": "de-DE" if rng.random() < 0.5 else "en-US",  # noqa: PLR2004 - a fair coin
    }
