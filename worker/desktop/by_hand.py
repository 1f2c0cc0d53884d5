"""What nobody can set by the Web API: what to click, with the exact values."""

from __future__ import annotations

import json

from collections.abc import Mapping
from typing import Any

from worker.desktop.addresses import origin
from worker.desktop.templates import PROVIDER


def steps(content: Mapping[str, Any], desktop_url: str) -> list[str]:
    """What to do by hand, in this order.

    Args:
        content: What ``config.json`` holds.
        desktop_url: Where browsers find the pages.
    """
    ours = origin(desktop_url, "the desktop's address")
    softphone = origin(content["connect"]["ccpUrl"], "the softphone's address")
    organization = content["dynamics"]["url"]
    found = [
        (
            f"Amazon Connect console, the instance, Approved origins: add {ours} and, for the "
            f"panel inside Dynamics, {organization}"
        ),
        (
            "Copilot Service admin center, Workspaces, Experience profiles, the agents' profile, "
            f"Third party voice channel provider: choose Amazon Connect ({PROVIDER}), save"
        ),
        "The same profile, Users: add the agents; the workspace's app must be one they may open",
        (
            f"Browsers of the agents: allow third-party cookies for {softphone} on {ours} and "
            f"{organization}, popups on {ours}, and the microphone for {softphone}"
        ),
    ]
    if not content["open"]["tab"]:
        found.append(
            "Power Platform admin center, the environment, Settings, Privacy + Security, Content "
            f"security policy, model-driven: enforce, and add {ours} to frame-ancestors; or set "
            "the organization's iscontentsecuritypolicyenabled = true and "
            f"contentsecuritypolicyconfiguration = {framing(ours)}"
        )
    return found


def framing(ours: str) -> str:
    """The environment's setting that lets our page frame Dynamics; Microsoft does not support it.

    An enforced policy replaces the environment's own, so what belongs in it is named too.
    """
    sources = [{"source": source} for source in ("'self'", "https://*.powerapps.com", ours)]
    return json.dumps({"Frame-Ancestor": {"sources": sources}}, separators=(",", ":"))
