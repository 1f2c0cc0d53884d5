"""The HTTP proxy for a host, as environment variables name it."""

from __future__ import annotations

import ipaddress
import urllib.request

from collections.abc import Callable
from typing import Final

from yarl import URL

from worker.errors import ConfigError


#: Schemes of proxies that can be used.
SCHEMES: Final = frozenset(("http", "https"))

USAGE: Final = "must be the address of an HTTP proxy: http:// or https:// and a host"


def environment_proxies() -> Callable[[str], URL | None]:
    """Reads ``HTTPS_PROXY``, else ``ALL_PROXY``, and ``NO_PROXY``; names in lower case win.

    Returns:
        The proxy for a host; None: there is none.

    Raises:
        ConfigError: The variable names no HTTP proxy. Its text is not repeated: it may hold a
            password.
    """
    named = urllib.request.getproxies()
    exempt = [one.strip() for one in named.get("no", "").split(",") if one.strip()]
    which = next((name for name in ("https", "all") if named.get(name)), None)
    if which is None or "*" in exempt:
        return lambda _host: None
    text = named[which]
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
    except ValueError:
        proxy = URL()
    if proxy.scheme not in SCHEMES or not proxy.host:
        raise ConfigError(f"{which.upper()}_PROXY {USAGE}")
    return lambda host: None if any(_covers(one, host) for one in exempt) else proxy


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of ``NO_PROXY`` names a host: a name, its end, an address or a network."""
    entry = entry.rpartition("://")[2].lower()
    host = host.strip("[]").lower()
    if (network := _network(entry)) is not None:
        address = _network(host)
        same = address is not None and address.version == network.version
        return same and address.network_address in network  # type: ignore[union-attr] # is one
    name = entry.partition(":")[0].lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or a network, in brackets and with a port or without."""
    bracketed, closed, _ = text.rpartition("]")
    for one in (bracketed.lstrip("[") if closed else text, text.partition(":")[0]):
        try:
            return ipaddress.ip_network(one, strict=False)
        except ValueError:
            continue
    return None
