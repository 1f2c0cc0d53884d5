"""Web addresses that people give us, checked before a page or a header trusts them."""

from __future__ import annotations

import re

from urllib.parse import SplitResult, urlsplit

from worker.errors import ConfigError


#: What a host may be written with; nothing that could end a header or one of its directives.
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")

#: What the rest of an address may be written with.
_REST = re.compile(r"[\w/?&=%.~:@!$()*+,;-]*", re.ASCII)

_PORTS = {"https": 443, "http": 80}


def address(text: str, name: str) -> str:
    """An https address as it is given, without spaces around it; http only on this machine.

    Args:
        text: The address.
        name: What it is, for the message.

    Raises:
        ConfigError: It is none.
    """
    parts = _parts(text.strip(), name)
    if not _REST.fullmatch(parts.path + parts.query) or parts.fragment:
        raise ConfigError(f"{name}: {text!r} has characters that an address here cannot have")
    return text.strip()


def origin(text: str, name: str) -> str:
    """The origin of an address: scheme, host and, unless it is the usual one, port.

    Raises:
        ConfigError: See ``address``.
    """
    parts = _parts(text.strip(), name)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    port = parts.port
    usual = port is None or port == _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if usual else f":{port}")


def _parts(text: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{name}: {text!r} is not an address") from None
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise ConfigError(f"{name}: {text!r} is not an https:// address")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{name}: an address with a user's name or password in it is not used")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"{name}: {text!r} must begin with https://; http is for this machine")
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host is this machine; the pages know the same three (``core/config.js``)."""
    return host in ("localhost", "127.0.0.1", "::1")
