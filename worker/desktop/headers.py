"""Which HTTP headers go with which page: one table, for our server and for CloudFront.

``infra/cloudformation/desktop.yaml`` says the same (a test compares them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from worker.desktop.addresses import origin


#: What is served, by the headers it gets.
Kind = Literal["agent", "cif", "companion", "config", "assets"]

#: Page or folder -> kind, in the order in which a path is looked for; any other path is an agent's
#: page, whose headers allow least.
PATHS: Final[Mapping[str, Kind]] = {
    "/agent.html": "agent",
    "/cif.html": "cif",
    "/companion.html": "companion",
    "/config.json": "config",
    "/assets/*": "assets",
}

#: Pages and the configuration are asked for each time; an asset's address changes with its bytes.
NEVER: Final = "no-store"
A_YEAR: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Sites:
    """The two other sites that the pages work with.

    Attributes:
        softphone: Origin of Amazon Connect's softphone.
        organization: Origin of the Dynamics organization.
    """

    softphone: str
    organization: str

    @classmethod
    def of(cls, config: Mapping[str, Mapping[str, str]]) -> Sites:
        """The sites of a configuration.

        Raises:
            ConfigError: An address cannot be used.
        """
        return cls(
            origin(config["connect"]["ccpUrl"], "the softphone's address"),
            origin(config["dynamics"]["url"], "the environment's address"),
        )


def kind_of(path: str) -> Kind:
    """What kind of thing is served at a path."""
    for pattern, kind in PATHS.items():
        if path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1])):
            return kind
    return "agent"


def headers(kind: Kind, sites: Sites) -> dict[str, str]:
    """The headers of an answer, whatever its status."""
    return {
        "Content-Security-Policy": _POLICIES[kind](sites),
        "X-Content-Type-Options": "nosniff",
        # Connect looks at the Referer before it lets itself be framed; without, it refuses
        # (amazon-connect-streams, issue 1026).
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Strict-Transport-Security": "max-age=31536000",  # browsers ignore it over plain http
        # The frame asks for the microphone; only the softphone may have it from us.
        "Permissions-Policy": f'microphone=(self "{sites.softphone}")',
        # Spelled out, though it is the default. Any other value cuts the ways between our windows:
        # the agent page would lose the tab that it opens Dynamics in (each record in one more
        # tab), and Dynamics' panel the companion window.
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Cache-Control": A_YEAR if kind == "assets" else NEVER,
    }


def _agent(sites: Sites) -> str:
    return _policy("'self'", f"{sites.softphone} {sites.organization}", "'none'", sites)


def _cif(sites: Sites) -> str:
    """Dynamics frames this page, alone, and gives it the script that talks to Dynamics."""
    scripts = f"'self' {sites.organization}"
    return _policy(scripts, sites.softphone, sites.organization, sites)


def _companion(sites: Sites) -> str:
    return _policy("'self'", sites.softphone, "'none'", sites)


def _data(_sites: Sites) -> str:
    """Whoever opens a file by itself gets it as it is, without anything that runs."""
    return "default-src 'none'; frame-ancestors 'none'"


def _policy(scripts: str, frames: str, ancestors: str, sites: Sites) -> str:
    """A page's policy. The softphone's library only posts messages to its frame, and may ring."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            "img-src 'self'",
            f"media-src 'self' {sites.softphone}",
            "connect-src 'self'",
            f"frame-src {frames}",
            f"frame-ancestors {ancestors}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


_POLICIES: Final[Mapping[Kind, Callable[[Sites], str]]] = {
    "agent": _agent,
    "cif": _cif,
    "companion": _companion,
    "config": _data,
    "assets": _data,
}
