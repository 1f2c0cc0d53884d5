"""The messages there are.

Dataverse has some hundred. Here are those that somebody needs who keeps contacts and activities;
the others that clients know of are refused by name, so that nobody takes them for a typing error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.messages.actions import ACTIONS
from worker.sandbox.dataverse.messages.functions import FUNCTIONS
from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from worker.sandbox.dataverse.messages.asked import Answer


#: Messages of Dataverse that clients call and the sandbox does not have.
ELSEWHERE: Final = frozenset(
    {
        "CalculatePrice",
        "CancelSalesOrder",
        "CloseQuote",
        "ConvertQuoteToSalesOrder",
        "ExpandCalendar",
        "ExportSolution",
        "FormatAddress",
        "GetDefaultPriceLevel",
        "InitializeFrom",
        "RetrieveDuplicates",
        "ReviseQuote",
        "SendEmailFromTemplate",
        "WinQuote",
    }
)


def find(method: str, logical: str, name: str) -> Answer | None:
    """The message of that name, if there is one.

    Args:
        method: HTTP method: GET for functions, POST for actions.
        logical: The table of the row it is asked of; "" for the organisation.
        name: Without namespace.

    Raises:
        Refusal: Dataverse has it, the sandbox does not.
    """
    if name in ELSEWHERE:
        message = f"The sandbox does not have the message '{name}'."
        raise refusals.Refusal(501, "0x80040203", message)
    return {"GET": FUNCTIONS, "POST": ACTIONS}.get(method, {}).get((logical, name))
