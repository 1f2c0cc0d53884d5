"""Amazon Connect's API: whether our role may call it, asked about what does not exist.

Connect has no DryRun. Its permissions are checked before it looks for what a call names, so a call
about an invented contact, agent or queue is answered with "not found" to whoever may make it, and
changes nothing: there is nothing to change.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final
from uuid import uuid4

from pipelines.pipeline import Pipeline
from pipelines.step import OpenStep
from worker.commands.amazon_question import DENIED, Question, Unanswered, answer_to
from worker.commands.finding import Finding, good, note
from worker.settings import PREFIX, Settings


#: The calls that add what events lack, and what each names beside the instance.
READING: Final = {
    "DescribeContact": "ContactId",
    "GetContactAttributes": "InitialContactId",
    "DescribeUser": "UserId",
    "DescribeQueue": "QueueId",
}
WRITING: Final = "UpdateContactAttributes"

_METHODS: Final = {
    "DescribeContact": "describe_contact",
    "GetContactAttributes": "get_contact_attributes",
    "DescribeUser": "describe_user",
    "DescribeQueue": "describe_queue",
    WRITING: "update_contact_attributes",
}

#: Statuses with which Connect refuses a call itself, once it is allowed.
_REFUSING: Final = frozenset(
    {
        "InvalidParameterException",
        "InvalidRequestException",
        "ResourceNotFoundException",
    }
)


def left_alone(settings: Settings) -> str:
    """Why Connect's API is not used; "" if it is."""
    if settings.connect_share:
        return ""
    return (
        f"{PREFIX}CONNECT_SHARE is 0: Connect is not asked for what events lack, and nothing is "
        "written back to contacts"
    )


def is_written(settings: Settings, pipelines: Iterable[Pipeline]) -> bool:
    """Whether anything is written to contacts' attributes."""
    opens = settings.open_by == "attributes"
    return any(
        one.writeback is not None or (opens and any(isinstance(s, OpenStep) for s in one.steps))
        for one in pipelines
    )


async def ask_connect(client: Any, instance: str, *, written: bool) -> list[Finding]:
    """Ask whether our role may make the calls that the worker makes.

    Args:
        client: A Connect client.
        instance: Id of an instance that contacts are of.
        written: Whether attributes are written as well.
    """
    refused: list[str] = []
    for call in [*READING, *([WRITING] if written else [])]:
        question = Question(f"Connect instance {instance}", f"connect:{call}", "")
        about: dict[str, Any] = {"InstanceId": instance, READING.get(call, ""): str(uuid4())}
        if call == WRITING:
            about = {"InstanceId": instance, "InitialContactId": str(uuid4()), "Attributes": {}}
        try:
            await answer_to(question, partial(getattr(client, _METHODS[call]), **about), dict)
        except Unanswered as unanswered:
            if unanswered.code in DENIED:
                refused.append(question.action)
            elif unanswered.code not in _REFUSING:
                return [unanswered.finding]
    if refused:
        actions = ", ".join(refused)
        return [
            Finding(
                f"Connect instance {instance}: our role may not call {actions}: allow it "
                f"(ConnectInstanceId of worker.yaml does), or set {PREFIX}CONNECT_SHARE=0"
            )
        ]
    may = "read, and attributes be written" if written else "read"
    return [good(f"Connect instance {instance}: its contacts may be {may}")]


def nobody_to_ask() -> Finding:
    """Said where no message names an instance yet."""
    return note(
        "Connect's API is not asked: neither the streams' oldest messages nor the state name an "
        "instance yet; check again after the first contact"
    )
