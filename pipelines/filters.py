"""Filters that pipeline authors have beside Liquid's own.

======================= ==========================================================================
``| e164``              ``0049 (30) 90-18`` -> ``+49309018``; ``| e164: "49"`` also takes
                        national numbers: ``030 9018`` -> ``+49309018``
``| digits``            the digits alone
``| date: "%d.%m.%Y"``  a timestamp by strftime, in UTC or ``| date: "%H:%M", "Europe/Berlin"``
``| seconds_to: End``   whole seconds from one timestamp to another
``| duration``          seconds as ``1:02:03``
``| minutes``           seconds as begun minutes
``| fit``               cut to the length of the column it is for, or ``| fit: 100``
``| unless: Other``     the value as long as the other name has none, then nothing
``| boolean``           true or false of ``true``, ``yes``, ``1``, ``false``, ``no``, ``0``
``| integer``           a text as a whole number: ``2.0`` -> ``2``
``| decimal``           a text as a number
``| choice: "level"``   what the pipeline's table ``[choices.level]`` has for the value
======================= ==========================================================================

They are pure: Liquid's own ``date`` knows ``"now"``, this one does not. No filter raises: what one
has no use for is as if there were no value (``forgiving``).
"""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from liquid import RenderContext, Undefined
from liquid.exceptions import FilterArgumentError, UndefinedError
from liquid.filter import with_context

from pipelines import conversion
from pipelines.decode.timestamp import normalise
from pipelines.text import cut, sound
from pipelines.value import ABSENT


#: Where ``fit`` finds the length of the column being rendered (``RenderContext.tag_namespace``).
LENGTH = "column length"

#: Where ``choice`` finds the pipeline's tables.
CHOICES = "choices"

#: Table -> label or code, in lower case -> option value.
Choices = Mapping[str, Mapping[str, bool | int | str]]


def digits(value: object) -> str:
    """The digits of a value."""
    return re.sub(r"[^0-9]", "", str(value))


def e164(value: object, country: object = "") -> str:
    """A telephone number as ``+`` and digits (ITU-T E.164), as far as it can be made out.

    Args:
        value: The number as anybody writes it.
        country: Country code for numbers written the national way, without ``+``.
    """
    text = str(value).strip()
    number = digits(text)
    if text.startswith("+"):
        return f"+{number}"
    if number.startswith("00"):
        return f"+{number[2:]}"
    if country and number:
        return f"+{digits(country)}{number.removeprefix('0')}"
    return number


def date(value: object, form: object = "%Y-%m-%dT%H:%M:%SZ", zone: object = "UTC") -> str:
    """A timestamp by a strftime pattern in a time zone of the IANA database."""
    try:
        return _moment(value).astimezone(ZoneInfo(str(zone))).strftime(str(form))
    except (KeyError, OSError, ValueError) as error:
        raise FilterArgumentError("date: no timestamp or no time zone", token=None) from error


def seconds_to(value: object, end: object) -> int:
    """Whole seconds from one timestamp to a later one; 0 if it is not later."""
    try:
        return max(0, int((_moment(end) - _moment(value)).total_seconds()))
    except ValueError as error:
        raise FilterArgumentError("seconds_to: no timestamp", token=None) from error


def duration(value: object) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, seconds = divmod(_whole(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def minutes(value: object) -> int:
    """Seconds as minutes, a begun one counted whole."""
    return -(-_whole(value) // 60)


@with_context
def fit(value: object, length: object = None, *, context: RenderContext) -> str:
    """Text cut to the column's length (or the one given), an ellipsis where it was cut."""
    most = _whole(length) if length is not None else context.tag_namespace.get(LENGTH)
    text = sound(str(value))
    return text if most is None else cut(text, most, "…")


def unless(value: object, other: object) -> object:
    """The value as long as the other has none: an address until its owner is found."""
    return value if _is_nothing(value) or _is_nothing(other) else None


def boolean(value: object) -> object:
    """True or false, of a text that means one of them."""
    return _clear(conversion.boolean(value))


def integer(value: object) -> object:
    """A whole number, of a text that is one."""
    return _clear(conversion.integer(value))


def decimal(value: object) -> object:
    """A number, of a text that is one."""
    return _clear(conversion.decimal(value))


@with_context
def choice(value: object, table: object, *, context: RenderContext) -> object:
    """The option value that a table of the pipeline has for a label or code.

    A value that is one of the table's option values already stays what it is.
    """
    options = context.tag_namespace.get(CHOICES, {}).get(str(table), {})
    text = str(value).strip().lower()
    own = {str(option).lower(): option for option in options.values()}
    return _clear(options.get(text, own.get(text, ABSENT)))


def _clear(value: object) -> object:
    if value is ABSENT:
        raise FilterArgumentError("the text means no such value", token=None)
    return value


def _is_nothing(value: object) -> bool:
    return issubclass(type(value), Undefined)  # isinstance would touch it, which it forbids


FILTERS: dict[str, Any] = {
    "digits": digits,
    "e164": e164,
    "date": date,
    "seconds_to": seconds_to,
    "duration": duration,
    "minutes": minutes,
    "fit": fit,
    "unless": unless,
    "boolean": boolean,
    "integer": integer,
    "decimal": decimal,
    "choice": choice,
}


def forgiving(
    name: str, function: Callable[..., Any], undefined: type[Undefined]
) -> Callable[..., Any]:
    """The filter, which gives an undefined value where it would raise.

    Values are people's and Amazon Connect's: Liquid's own filters get some that their authors
    did not expect (infinite numbers, deep lists), and raise errors of many kinds.
    """

    @wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except UndefinedError:
            raise  # it was given nothing: the template waits for that name
        except Exception:  # noqa: BLE001 - see above; what it is about is a value, not a bug of ours
            return undefined(name, token=None)

    return call


def _moment(value: object) -> datetime:
    text = normalise(str(value))
    if not text:
        raise ValueError("no timestamp")
    return datetime.fromisoformat(text).astimezone(UTC)


def _whole(value: object) -> int:
    try:
        return int(float(str(value)))
    except (OverflowError, ValueError) as error:
        raise FilterArgumentError("a number is needed", token=None) from error
