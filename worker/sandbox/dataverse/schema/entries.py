"""Objects of a document, read key by key; what is wrong with them is collected, not raised."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


class Entry:
    """An object of a document.

    Args:
        found: Mistakes so far; more are added.
        where: What it describes, for messages (``table cr8a1_case, column cr8a1_reason``).
        value: Parsed JSON.
    """

    def __init__(self, found: list[str], where: str, value: Any) -> None:
        self.found = found
        self.where = where
        self._values: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.mistake("is no object; write it in braces: {…}")

    def mistake(self, text: str) -> None:
        """Something is wrong with it: what, and what to write instead."""
        self.found.append(f"{self.where}: {text}" if self.where else text)

    def has(self, key: str) -> bool:
        """Whether it says anything about this."""
        return key in self._values

    def only(self, *keys: str) -> None:
        """It may have no other keys."""
        for key in self._values:
            if key not in keys:
                self.mistake(f"{key!r} is not known; {instead(key, keys)}")

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self._values.get(key, default)
        if not isinstance(value, str):
            self.mistake(f"{key!r} is no text; write it in double quotes")
            return default
        return value

    def one_of(self, key: str, values: Collection[str], default: str) -> str:
        """One of these texts."""
        value = self._values.get(key, default)
        if value not in values:
            self.mistake(f"{key!r} is {value!r}; {instead(str(value), values)}")
            return default
        return str(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Yes or no."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            self.mistake(f"{key!r} is {value!r}; write true or false")
            return default
        return value

    def number(self, key: str, default: float | None) -> float | None:
        """A number, or nothing."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            self.mistake(f"{key!r} is {value!r}; write a number")
            return default
        return value

    def whole(self, key: str, default: int | None) -> int | None:
        """A whole number, or nothing."""
        value = self.number(key, default)
        if value is not None and (value != int(value) or value < 0):
            self.mistake(f"{key!r} is {value}; write a whole number from 0")
            return default
        return None if value is None else int(value)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self.mistake(f'{key!r} is no list of names; write it like ["one", "two"]')
            return ()
        return tuple(value)

    def labels(self, key: str) -> dict[int, str]:
        """Labels by number."""
        value = self._values.get(key, {})
        good = isinstance(value, dict) and all(
            number.lstrip("-").isdigit() and isinstance(label, str)
            for number, label in value.items()
        )
        if not good:
            self.mistake(f'{key!r} is not labels by number; write it like {{"1": "Phone"}}')
            return {}
        return {int(number): label for number, label in value.items()}

    def entries(self, key: str, what: str) -> Iterator[tuple[str, Entry]]:
        """The objects below, by name."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self.mistake(f'{key!r} is no object; write it like {{"name": {{…}}}}')
            return
        before = f"{self.where}, " if self.where else ""
        for name, inner in value.items():
            yield name, Entry(self.found, f"{before}{what} {name}", inner)

    def value(self, key: str) -> Any:
        """Whatever is there."""
        return self._values.get(key)


def instead(wrong: str, right: Collection[str]) -> str:
    """What to write instead of a name that is not known."""
    close = get_close_matches(wrong, right, n=1)
    return f"write {close[0]!r}" if close else f"write one of {', '.join(sorted(right))}"
