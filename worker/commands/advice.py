"""Advice: what to do about a failure of a request to Dynamics."""

from __future__ import annotations

from worker.dynamics.classify import USER_REFUSED
from worker.dynamics.errors import DynamicsError, Forbidden, Missing, Unauthorized, Unavailable
from worker.dynamics.privileges import names_in


_NO_USER = "Check that the application user exists in this environment, and is enabled."


def advised(error: DynamicsError) -> str:
    """A failure's text and what to do about it, unless the text says that itself.

    A server that is away says nothing of who asks, nor of what is asked.
    """
    text, advice = str(error), _advice(error)
    end = "" if text.endswith((".", "?")) or not advice else "."
    return f"{text}{end} {advice}".rstrip()


def _advice(error: DynamicsError) -> str:
    if isinstance(error, Unauthorized):
        says_it = error.status is None or error.code in USER_REFUSED
        return "" if says_it else _NO_USER
    if error.status == 403:  # noqa: PLR2004 - HTTP
        names = ", ".join(names_in(error)) if isinstance(error, Forbidden) else ""
        lacks = f" ({names})" if names else ""
        return f"Give the application user a security role that may do this{lacks}."
    if isinstance(error, Missing):
        return "Check the address: it is the environment's own, with no path behind it."
    if isinstance(error, Unavailable) and error.status is not None:
        return "It is away or busy, which says nothing of these settings: try again later."
    if isinstance(error, Unavailable):
        return "Check address, network and proxy; or it is away: try again later."
    return _NO_USER
