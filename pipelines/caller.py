"""In whose name a step writes: its option ``as``, and the user that this is for a contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.filters import Choices
from pipelines.odata import GUID
from pipelines.template import Template, compile_data, render_data
from pipelines.view import Names


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a change is made, if that may be; else it is made in our own.

    Attributes:
        id: The user's systemuserid or, with ``entra``, the object id that Entra has for them.
        entra: Which of the two it is.
    """

    id: str
    entra: bool = False


@dataclass(frozen=True, slots=True)
class As:
    """A step's ``as``.

    Attributes:
        user: The user's id, or a template of it.
        entra: It is Entra's object id, else a systemuserid.
    """

    user: str | Template
    entra: bool = False

    def caller(self, names: Names) -> Caller | None:
        """The user for a contact; None as long as they are not known."""
        value = render_data(self.user, names, lenient=True)
        text = value.strip().strip("{}").lower() if isinstance(value, str) else ""
        return Caller(text, self.entra) if text else None


def read_as(given: Any, choices: Choices) -> As:
    """The ``as`` of a step, a text or ``{ entra = "…" }``.

    Raises:
        TemplateError: Its template is wrong.
        ValueError: It is neither.
    """
    entra = isinstance(given, dict) and given.keys() == {"entra"}
    source = given["entra"] if entra else given
    user = compile_data(source.strip(), choices=choices) if isinstance(source, str) else None
    if not isinstance(user, Template) and not (user and GUID.fullmatch(user.strip("{}"))):
        raise ValueError(
            'as: a user\'s id like "{{AGENT-Response.systemuserid}}", or '
            '{ entra = "{{AGENT-Response.azureactivedirectoryobjectid}}" }'
        )
    return As(user, entra)
