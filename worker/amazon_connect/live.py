"""Live actions: what goes to Connect and the agent's desktop while a contact is active."""

from __future__ import annotations

import asyncio

from typing import Final

from pipelines.action import LiveAction, OpenPage
from pipelines.outcome import Delayed, Done, Logged, Shown, Undeliverable
from worker.amazon_connect.errors import ConnectError, ConnectRefused
from worker.amazon_connect.protocol import Connect, Page, ScreenPop
from worker.faults import Faults


#: How long one of these may take (s).
LIVE_S: Final = 10.0


async def perform(
    action: LiveAction, connect: Connect, desktop: ScreenPop, faults: Faults
) -> Done | Shown | Logged | Delayed | Undeliverable:
    """Carry out a live action. Nothing in Dynamics depends on its outcome.

    Args:
        action: What to do.
        connect: Stores attributes.
        desktop: Opens pages.
        faults: Counts the bugs of either.
    """
    try:
        async with asyncio.timeout(LIVE_S):
            if isinstance(action, OpenPage):
                return await desktop.open(_page(action))
            attributes = action.attributes | (dict(desktop.no_page) if action.begins else {})
            await connect.update_attributes(
                action.instance_id, action.initial_contact_id, attributes
            )
    except TimeoutError:
        return Delayed(f"no answer in {LIVE_S} s")
    except ConnectRefused as error:
        return Undeliverable(str(error))
    except ConnectError as error:
        return Delayed(str(error))
    except Exception as error:  # noqa: BLE001 - the boundary: Dynamics must not suffer
        return Delayed(str(faults.note("desktop", error, contact_id=action.contact_id)))
    return Done()


def _page(action: OpenPage) -> Page:
    return Page(
        action.contact_id, action.initial_contact_id, action.instance_id, action.url, action.tab
    )
