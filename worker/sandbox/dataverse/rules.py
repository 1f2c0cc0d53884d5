"""Which requests a fault befalls: named by record, table, action, body or query; how often."""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote_plus

import orjson
import pydantic

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from worker.sandbox.dataverse.faults import Ending, InjectedFault
from worker.sandbox.dataverse.odata.paths import Path, parse_path
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Call
from worker.sandbox.dataverse.schema.columns import Table


#: What a request does to its table. ``write`` is everything but ``read``; ``parties`` replaces an
#: activity's, ``link`` is about a relation's ``$ref``, ``other`` no table's (WhoAmI, $batch).
Action = Literal["create", "read", "update", "delete", "parties", "link", "other", "write"]

#: How many mistakes an answer tells.
_TOLD: Final = 5

_BY_METHOD: Final[dict[str, Action]] = {
    "GET": "read",
    "POST": "create",
    "PATCH": "update",
    "PUT": "update",
    "DELETE": "delete",
}


def _without_braces(text: str) -> str:
    """An id, or what fits one, in lower case and without the braces it may be in."""
    return text.strip("{}").lower()


@pydantic.dataclasses.dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Rule(InjectedFault):
    """A fault, and the requests that it befalls: those that all that is named fits.

    Attributes:
        method: HTTP method.
        path: Regular expression, found in what follows ``/api/data/v9.2/``, percent-encoded.
        table: Logical name or entity set.
        record: Regular expression that a whole id fits of a record the request is about: the one in
            its path, or its body's primary key.
        action: What it does.
        body: Regular expression, found in the body; JSON without white space between its tokens.
        query: Regular expression, found in what follows the ``?``, decoded.
        times: How many requests; None: all until the rules are cleared.
        probability: Of befalling a request that fits.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"] | None = None
    path: re.Pattern[str] | None = None
    table: str | None = None
    record: Annotated[re.Pattern[str], BeforeValidator(_without_braces)] | None = None
    action: Action | None = None
    body: re.Pattern[str] | None = None
    query: re.Pattern[str] | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def does_nothing(self) -> bool:
        """Whether nothing would go wrong."""
        return self.status is None and not self.delay_s and self.ending is Ending.ANSWER

    def fits(self, asked: Asked) -> bool:
        """Whether it is about a request."""
        return (
            self.method in {None, asked.call.method}
            and (self.table is None or self.table in asked.tables)
            and (self.action is None or self.action in asked.actions)
            and (self.record is None or any(map(self.record.fullmatch, asked.records)))
            and _found(self.path, asked.call.path)
            and _found(self.query, asked.query)
            and _found(self.body, asked.body)
        )


_RULES: Final = TypeAdapter(list[Rule])


def read_rules(data: bytes, tables: Mapping[str, Table]) -> list[Rule]:
    """The rules of a JSON list, about these tables, by entity set.

    Raises:
        ValueError: One line that names each rule, counted from 1, and the field that is wrong.
    """
    try:
        rules = _RULES.validate_json(data)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        told = (_told(one["loc"], one["msg"]) for one in mistakes[:_TOLD])
        raise ValueError("; ".join(told)) from None
    known = {name for table in tables.values() for name in (table.logical, table.entity_set)}
    for number, rule in enumerate(rules):
        if rule.does_nothing:
            raise ValueError(_told((number, "status"), "missing, and delay_s and ending are too"))
        if rule.table not in {None, *known}:
            raise ValueError(_told((number, "table"), "there is no such table"))
    return rules


def _told(place: tuple[int | str, ...], what: str) -> str:
    if not place:
        return f"the body must be a JSON list of rules: {what}"
    number, *fields = place
    name = ".".join(str(one) for one in fields if isinstance(one, str)) or "the whole"
    return f"rule {int(number) + 1}, {name}: {what}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about.

    Attributes:
        call: The request.
        tables: The names of its table: logical, and entity set.
        actions: What it does.
        records: Ids of the records it is about, in lower case.
        query: Decoded.
        body: JSON without white space between its tokens; else as it came.
    """

    call: Call
    tables: frozenset[str]
    actions: frozenset[str]
    records: frozenset[str]
    query: str
    body: str


def asked_by(call: Call, tables: Mapping[str, Table], is_missing: Callable[[Call], bool]) -> Asked:
    """Find out what a request is about; ``is_missing``: whether an upsert makes its row."""
    try:
        path = parse_path(call.path)
    except Refusal:
        path = Path("", None, "")
    try:
        value = orjson.loads(call.body)
        body = orjson.dumps(value).decode()
    except orjson.JSONDecodeError:
        value, body = None, call.body.decode(errors="replace")
    table = tables.get(path.name)
    if table is None:
        names, records = frozenset[str](), frozenset[str]()
        actions = {"other"} | ({"read"} if call.method == "GET" else set())
    else:
        names = frozenset((table.logical, table.entity_set))
        records = _records(path, table.key, value)
        action = _action(call, path, table.parties, is_missing)
        actions = {action, "read" if action == "read" else "write"}
    return Asked(call, names, frozenset(actions), records, unquote_plus(call.query), body)


def _action(call: Call, path: Path, parties: str, is_missing: Callable[[Call], bool]) -> Action:
    match call.method, path.member:
        case "GET", _:
            return "read"
        case _, member if "$ref" in member:
            return "link"
        case _, member if member == parties:
            return "parties"
        case _, member if member.endswith("UpdateMultiple") or (member and path.key):
            return "update"  # of one column, also by DELETE
        case "PATCH", _ if "if-match" not in call.headers and is_missing(call):
            return "create"
    return _BY_METHOD.get(call.method, "other")


def _records(path: Path, key: str, body: Any) -> frozenset[str]:
    ids = [path.key or ""]
    rows = body.get("Targets", [body]) if isinstance(body, dict) else ()
    ids += [str(row.get(key, "")) for row in rows if isinstance(row, dict)]
    return frozenset(_without_braces(one) for one in ids if one)


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or pattern.search(text) is not None


@dataclass(slots=True)
class InjectedFaults:
    """The faults that are due.

    Attributes:
        random: Decides about faults that come now and then.
        tables: The tables there are, by entity set.
        rules: The rules in order, with how often each is still due.
    """

    random: Random
    tables: Mapping[str, Table]
    rules: list[Rule] = field(default_factory=list)

    def next(self, fault: InjectedFault, *, times: int = 1, **where: Any) -> None:
        """Let the next ``times`` requests fail that ``where`` fits (see ``Rule``)."""
        self.rules.append(Rule(**asdict(fault), times=times, **where))

    def sometimes(self, fault: InjectedFault, probability: float, **where: Any) -> Rule:
        """Let requests that ``where`` fits fail with this probability, until it is removed."""
        rule = Rule(**asdict(fault), probability=probability, **where)
        self.rules.append(rule)
        return rule

    def always(self, fault: InjectedFault, **where: Any) -> Rule:
        """Let all requests that ``where`` fits fail until it is removed."""
        return self.sometimes(fault, 1.0, **where)

    def remove(self, rule: Rule) -> None:
        """Remove one of the faults, if it is still there."""
        if rule in self.rules:
            self.rules.remove(rule)

    def add(self, data: bytes) -> None:
        """Add the rules of a JSON list.

        Raises:
            ValueError: See ``read_rules``.
        """
        self.rules += read_rules(data, self.tables)

    def clear(self) -> None:
        """Remove all faults."""
        self.rules.clear()

    def take(self, call: Call, is_missing: Callable[[Call], bool]) -> InjectedFault | None:
        """The fault of this request; of several rules the first that applies."""
        if not self.rules:
            return None
        asked = asked_by(call, self.tables, is_missing)
        for place, rule in enumerate(self.rules):
            if not rule.fits(asked):
                continue
            if rule.probability < 1 and self.random.random() >= rule.probability:
                continue
            if rule.times == 1:
                del self.rules[place]
            elif rule.times is not None:
                self.rules[place] = replace(rule, times=rule.times - 1)
            return rule
        return None

    def shown(self) -> bytes:
        """The rules as JSON, with how often each is still due."""
        return _RULES.dump_json(self.rules, exclude_defaults=True)
