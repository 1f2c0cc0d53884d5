"""Looking a name up in a payload, however its producer spells it.

Real contact events use lower camel case, documentation samples and contact records other cases
(``instanceArn``, ``instanceARN``, ``InstanceARN``; Administrator Guide, "contact-events").
"""

from __future__ import annotations

from typing import Any


def field(data: dict[str, Any], name: str) -> Any:
    """The value under ``name``, exactly spelled or else in any case; None if there is none.

    Of several other spellings the first in text order counts, so the order of keys does not.
    """
    value = data.get(name)
    if value is not None:
        return value
    folded = name.lower()
    spellings = [key for key in data if key.lower() == folded and data[key] is not None]
    return data[min(spellings)] if spellings else None
