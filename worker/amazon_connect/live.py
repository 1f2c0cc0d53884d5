"""Live: what goes to Connect and the agent's desktop while a contact is on."""

from __future__ import annotations

import asyncio

from typing import Final

from pipelines.contact import Contact
from pipelines.view import view
from pipelines.write import Kind, Write
from worker.amazon_connect.errors import Busy, ConnectError
from worker.amazon_connect.protocol import Connect, Page, ScreenPop
from worker.faults import Faults


#: How long one of these may take (s).
LIVE_S: Final = 10.0


async def perform(
    contact: Contact,
    write: Write,
    connect: Connect,
    desktop: ScreenPop,
    faults: Faults | None = None,
) -> None:
    """Carry out one of ``pipelines.write.LIVE_ONLY``.

    Args:
        contact: The contact.
        write: What to do.
        connect: Takes attributes.
        desktop: Opens pages.
        faults: Counts the bugs that telling either of them ends in.

    Raises:
        ConnectError: It could not be done; no write to Dynamics depends on it.
    """
    try:
        async with asyncio.timeout(LIVE_S):
            if write.kind is Kind.ATTRIBUTES:
                columns = write.columns
                await connect.update_attributes(_instance_id(contact), write.key, columns)
            else:
                await desktop.open(_opening(contact, write))
    except TimeoutError:
        raise Busy(f"no answer in {LIVE_S} s") from None
    except ConnectError:
        raise
    except Exception as error:  # the boundary: whatever it is, Dynamics gets what it should
        fault = (faults or Faults()).note("desktop", error, contact_id=contact.id)
        raise Busy(str(fault)) from error


def _opening(contact: Contact, write: Write) -> Page:
    first = str(view(contact).get("InitialContactId") or contact.id)
    return Page(contact.id, first, _instance_id(contact), write.url, write.tab)


def _instance_id(contact: Contact) -> str:
    return str(view(contact).get("InstanceARN", "")).rpartition("/")[2]
