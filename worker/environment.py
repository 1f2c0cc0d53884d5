"""The environment's address as people paste it, and the cloud that it is in.

Hosts: powerapps-docs ``developer/data-platform/webapi/discover-url-organization-web-api``; where
each cloud's tokens come from: entra-docs ``identity-platform/authentication-national-cloud``.
"""

from __future__ import annotations

import re

from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit


class Cloud(NamedTuple):
    """One of Microsoft's clouds.

    Attributes:
        name: What Microsoft calls it.
        hosts: What environments' hosts end in, as a regular expression.
        authority: Where its tokens come from.
    """

    name: str
    hosts: str
    authority: str


PUBLIC: Final = Cloud("commercial", r"crm\d*\.dynamics\.com", "https://login.microsoftonline.com")

#: The first that fits a host is its cloud.
CLOUDS: Final = (
    # GCC's environments are in a cloud of their own, its users in the public one's directory.
    Cloud("GCC", r"crm9\.dynamics\.com", PUBLIC.authority),
    PUBLIC,
    Cloud("GCC High", r"crm\.microsoftdynamics\.us", "https://login.microsoftonline.us"),
    Cloud("DoD", r"crm\.appsplatform\.us", "https://login.microsoftonline.us"),
    Cloud(
        "China, operated by 21Vianet",
        r"crm\.dynamics\.cn",
        "https://login.partner.microsoftonline.cn",
    ),
)

#: Hosts that answer for every tenant: what follows in their address is none of the authority.
#: ``login.chinacloudapi.cn`` and ``login.windows.net`` are older names of two of them.
AUTHORITIES: Final = frozenset(
    {
        *(urlsplit(cloud.authority).hostname for cloud in CLOUDS),
        "login.chinacloudapi.cn",
        "login.windows.net",
    }
)

#: Addresses that are taken for an environment's, by what their host is or ends in.
MISTAKEN: Final = {
    "make.powerapps.com": "the maker portal's address",
    "apps.powerapps.com": "the address of Power Apps",
    "admin.powerplatform.microsoft.com": "the admin center's address",
    "home.dynamics.com": "the address of all apps",
    "operations.dynamics.com": "an environment of finance and operations, which has no tables",
    "onmicrosoft.com": "a tenant's name",
    "my.connect.aws": "Amazon Connect's address",
}

_DISCOVERY: Final = re.compile(r"(global)?disco\.")
_FIND_IT: Final = (
    "write the environment's, https://ORG.crm.dynamics.com: in the Power Platform admin center, "
    "Environments, Environment URL"
)
_API: Final = re.compile(r"^([^.]+)\.api\.")
#: Where the environment's own part of an address ends.
_BEHIND: Final = re.compile(
    r"/(api/(data|discovery)|xrmservices|main\.aspx|apps|webresources)(/.*)?$"
)


def cloud_of(address: str) -> Cloud | None:
    """The cloud of an environment; None if its host is none of Microsoft's."""
    host = urlsplit(address).hostname or ""
    return next((c for c in CLOUDS if re.fullmatch(rf"(.+\.)?{c.hosts}", host)), None)


def authority_of(address: str) -> str:
    """Where the tokens of an environment come from; what is none of Microsoft's is public."""
    return (cloud_of(address) or PUBLIC).authority


def environment_in(text: str) -> str:
    """The environment's address in what was pasted: a Web API address, a page of it, or itself.

    Raises:
        ValueError: There is none; the message never repeats the text, which may hold anything.
    """
    parts = _split(text)
    host = parts.hostname or ""
    _check_mistakes(host)
    if cloud_of(f"https://{host}"):
        # The developer resources page gives ORG.api.crm.dynamics.com; tokens are ORG's.
        return "https://" + _API.sub(r"\1.", host)
    path = _BEHIND.sub("", parts.path.lower())
    return f"https://{_place(parts)}{parts.path[: len(path)].rstrip('/')}"


def authority_in(text: str) -> str:
    """The authority in what was pasted: its address, or one of a tenant's endpoints below it.

    Raises:
        ValueError: There is none.
    """
    parts = _split(text)
    path = "" if parts.hostname in AUTHORITIES else parts.path.rstrip("/")
    return f"https://{_place(parts)}{path}"


def _split(text: str) -> SplitResult:
    stripped = text.strip().strip("<>\"'").strip()
    bare = stripped.partition("/")[0].lower()
    if "://" not in stripped and (cloud_of(f"https://{bare}") or bare in AUTHORITIES):
        stripped = f"https://{stripped}"  # a host that can only be meant so
    parts = urlsplit(stripped)
    if parts.scheme.lower() != "https":
        raise ValueError("must begin with https://")
    try:
        plain = parts.hostname and not parts.username and not parts.password and (parts.port or 1)
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("must be an address with a host, without a user")
    return parts


def _place(parts: SplitResult) -> str:
    """Host and, if it is named, port."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def _check_mistakes(host: str) -> None:
    for ending, what in MISTAKEN.items():
        if host == ending or host.endswith(f".{ending}"):
            raise ValueError(f"is {what}: {_FIND_IT}")
    if _DISCOVERY.match(host) and cloud_of(f"https://{host}"):
        raise ValueError(f"is the address of discovery: {_FIND_IT}")
    if any(re.fullmatch(cloud.hosts, host) for cloud in CLOUDS):
        raise ValueError(f"lacks the environment's name: {_FIND_IT}")
