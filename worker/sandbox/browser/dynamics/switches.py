"""How Dynamics' pages behave where organisations differ or the documentation does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class PageSwitches:
    """May be changed while the sandbox runs; pages read it when they load.

    Attributes:
        frame_ancestors: Who may frame ``main.aspx`` and the workspace: the sources of CSP's
            ``frame-ancestors``; "" sends none. An organisation that enforces its policy says
            ``'self' https://*.powerapps.com``; whether one that does not sends anything is
            unverified.
        coop: ``Cross-Origin-Opener-Policy`` of the pages; "" sends none. Dynamics' is unverified.
        signed_in: Whether the person is signed in. If not, pages and the library lead to a sign-in
            page that cannot be framed.
        results: What the library's promises give for objects: JSON texts, as Microsoft's sample
            reads them, or objects, as some pages of the reference show.
        countdown_s: How long a notification waits, whatever its template says; None: as it says.
        toasts: How many notifications are shown at once; up to ten in all wait. Unverified.
        focus_request: What ``requestFocusSession`` does: the overview of the methods says that it
            sets the focus, its own page that it only marks the session.
        click_entity_id: Whether ``onclicktoact`` names the record's id, which is not documented.
        presences: The texts ``setPresence`` takes.
        panel_sandbox: Value of the ``sandbox`` attribute of the provider's frame; "" for none. A
            provider's own ``msdyn_sandboxconfiguration`` wins.
    """

    frame_ancestors: str = "'self'"
    coop: Literal["", "same-origin", "same-origin-allow-popups"] = ""
    signed_in: bool = True
    results: Literal["strings", "objects"] = "strings"
    countdown_s: float | None = None
    toasts: int = 3
    focus_request: Literal["focus", "indicator"] = "focus"
    click_entity_id: bool = False
    presences: tuple[str, ...] = ("Available", "Busy", "Do not disturb", "Away", "Offline")
    panel_sandbox: str = ""
