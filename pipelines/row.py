"""A row: a record as it was read from Dynamics, and whether it says what we would write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.decode.timestamp import normalise
from pipelines.entity import AUTOMATIC_ROLES, is_party_list
from pipelines.link import LINK, address, linked


#: What somebody has done to a record, as its columns name it.
DID = ("created", "modified")


def actors(row: Mapping[str, Any]) -> set[str]:
    """Who created and who last modified a record: ids in lower case."""
    return {actor(row, did) for did in DID}


def actor(row: Mapping[str, Any], did: str) -> str:
    """Who created or modified a record: of two, the one who did it on the other's behalf."""
    who = row.get(f"_{did}onbehalfby_value") or row.get(f"_{did}by_value")
    return str(who or "").lower()


def as_sent(row: Mapping[str, Any], column: str, value: Any, actual: Any) -> list[Any]:
    """The forms in which a value that was read may have been sent, judging by the desired one."""
    forms = [actual]
    if isinstance(actual, str):
        if at := normalise(actual):
            forms += [at, f"{at[:19]}Z"]
        if column.endswith(LINK):
            forms.append(address(row, column))
            if isinstance(value, str) and value.endswith(")"):  # /contacts(<guid>)
                forms.append(f"{value.rpartition('(')[0]}({actual})")
    return forms


def current(row: Mapping[str, Any], column: str) -> Any:
    """The value a column written by us has in a record read with annotations."""
    if column.endswith(LINK):
        return linked(row, column)[0]
    value = row.get(column)
    return _ours(value) if is_party_list(column) and isinstance(value, list) else value


def same(column: str, desired: Any, actual: Any) -> bool:
    """Whether Dynamics' value means what we would write."""
    if isinstance(desired, list) and isinstance(actual, list):
        return sorted(map(_party, _ours(desired))) == sorted(map(_party, _ours(actual)))
    if desired == actual:
        return True
    if not isinstance(desired, str) or not isinstance(actual, str):
        return False
    if column.endswith(LINK):  # /contacts(<guid>)
        return desired.rpartition("(")[2].removesuffix(")").lower() == actual.lower()
    return "" != normalise(desired)[:19] == normalise(actual)[:19]


def _ours(parties: list[Any]) -> list[Any]:
    """The parties without those that Dataverse keeps by itself."""
    return [one for one in parties if one.get("participationtypemask") not in AUTOMATIC_ROLES]


def _party(party: Mapping[str, Any]) -> str:
    """What of a party counts: its role and who it is."""
    links = [str(v) for k, v in party.items() if k.endswith(LINK)]
    who = links[0].rpartition("(")[2].removesuffix(")") if links else party.get("_partyid_value")
    who = who or party.get("addressused") or party.get("unresolvedpartyname")
    return f"{party.get('participationtypemask')} {who}".lower()
