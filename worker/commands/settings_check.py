"""What is wrong with settings that are each valid: misspelt, expired, or missing for a pipeline."""

from __future__ import annotations

import re

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Final

from pipelines.odata import GUID
from pipelines.pipeline import Pipeline
from pipelines.step import OpenStep
from worker.settings import PREFIX, SOURCES, STREAMS, ApplicationUser, Settings


#: How much alike two names are of which one is a slip of the other.
_ALIKE: Final = 0.9

#: From how long before its expiry a secret is told.
EXPIRY_NOTICE: Final = timedelta(days=30)

#: Names of the settings that templates can name, without which what names them is of no use.
_CONSTANTS: Final = {"AppId": "app_id", "EnvironmentUri": "environment_url"}

#: What people call settings, whose names are not like it.
_MEANT: Final = {
    "AWS_SECRET": "SECRET",
    "BUCKET": "RECORDING_BUCKETS",
    "BUCKETS": "RECORDING_BUCKETS",
    "CLIENT_SECRET": "SECRET",
    "CTR_STREAM": "CONTACT_RECORDS",
    "DYNAMICS_URL": "ENVIRONMENT_URL",
    "EVENTS": "CONTACT_EVENTS",
    "KINESIS_STREAM": "CONTACT_EVENTS",
    "ORG_URL": "ENVIRONMENT_URL",
    "QUEUE": "RECORDINGS",
    "QUEUE_URL": "RECORDINGS",
    "RECORDS": "CONTACT_RECORDS",
    "SQS_URL": "RECORDINGS",
    "STREAM": "CONTACT_EVENTS",
    "TABLE": "STATE",
    "URL": "ENVIRONMENT_URL",
}

#: Where AWS says the Region is, in the order in which botocore and ``worker.aws`` look.
_REGIONS: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")

#: The Region in the ARN of a stream, and in the URL of a queue.
_IN_ARN = re.compile(r"arn:[^:]*:kinesis:([^:]*):")
_IN_URL = re.compile(r"https://(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com")

#: How alike two names are, without what all names begin with, of which one is meant.
_MEANS: Final = 0.6

_QUOTES: Final = "\"'"

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)


def misspelt(environment: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """The variables that look like settings and are none, each with what to do.

    Args:
        environment: Names of the variables that are set.
        secrets: Where secrets are, as settings say; a variable of one may be called anything.
    """
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, "settings")}
    named = {secret.removeprefix("env:") for secret in secrets}
    for variable in sorted(environment):
        name = variable.upper()  # as pydantic-settings compares them
        if name in known or variable in named:
            continue
        ours = name.startswith(PREFIX)
        near = _meant(name.removeprefix(PREFIX)) if ours else _slip(name, known)
        if near:
            yield f"{variable} is set, and there is no such setting; did you mean {near}?"
        elif ours:
            yield f"{variable} is set, and there is no such setting; remove it"


def _meant(name: str) -> str:
    """The variable that was meant by what stands behind the common beginning; or ""."""
    if name in _MEANT:
        return PREFIX + _MEANT[name]
    names = [one.upper() for one in (*Settings.model_fields, "settings")]
    near = get_close_matches(name, names, 1, _MEANS)
    return PREFIX + near[0] if near else ""


def _slip(name: str, known: Iterable[str]) -> str:
    """The variable of which another is a slip, that does not begin like ours; or ""."""
    near = get_close_matches(name, list(known), 1, _ALIKE)
    return near[0] if near and _numbers(near[0]) == _numbers(name) else ""


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", name)


def contradictions(
    settings: Settings, today: date, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """What cannot work although each setting is valid by itself.

    Args:
        settings: The settings.
        today: The day.
        environment: The variables that are set, for AWS's Region.
    """
    yield from _users(settings, today)
    tenant = settings.tenant
    if tenant and not (GUID.fullmatch(tenant) or _DOMAIN.fullmatch(tenant)):
        yield f"{PREFIX}TENANT: is neither the GUID of a tenant nor one of its domains"
    if settings.app_id and not GUID.fullmatch(settings.app_id):
        yield (
            f"{PREFIX}APP_ID: is no GUID; it is what follows appid= in the app's address in a "
            "browser"
        )
    yield from _regions(settings, environment or {})
    yield from _shared(settings)


def _users(settings: Settings, today: date) -> Iterator[str]:
    """What is wrong with application users, each told by the setting it is in."""
    single = (settings.client_id, settings.secret, settings.secret_expires)
    users = [(PREFIX, "", *single)] + [
        (f"{PREFIX}APPLICATION_USERS, ", f" of {user.client_id}", *_parts(user))
        for user in settings.application_users
    ]
    where: dict[str, str] = {}
    for prefix, whose, client_id, secret, expires in users:
        if expires and expires < today:
            yield (
                f"{prefix}SECRET_EXPIRES{whose}: {expires} is over: create a new secret, store it, "
                "and set its date; or set the date right"
            )
        if client_id and not GUID.fullmatch(client_id):
            yield (
                f"{prefix}CLIENT_ID{whose}: is no GUID; it is the application (client) id of "
                "Entra's page"
            )
        if secret and secret in where:
            yield (
                f"{prefix}SECRET{whose}: is where that of {where[secret]} is, and two applications "
                "never have the same; name its own"
            )
        where.setdefault(secret, client_id)


def _parts(user: ApplicationUser) -> tuple[str, str, date | None]:
    return user.client_id, user.secret, user.secret_expires


def _regions(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Streams and queues that are looked for in another Region than they are in."""
    variable = next((name for name in _REGIONS if environment.get(name)), "")
    if not variable:
        return  # AWS's configuration files say it
    used = environment[variable]
    for name in SOURCES:
        value = getattr(settings, name)
        found = (_IN_URL if name == "recordings" else _IN_ARN).match(value)
        named = next(filter(None, found.groups()), "") if found else used
        if not named:
            yield f"{PREFIX}{name.upper()}: the ARN lacks its Region: copy it whole"
        elif named != used:
            yield (
                f"{PREFIX}{name.upper()}: is in the Region {named}, but AWS is asked in {used} "
                f"({variable}): the worker reads one Region; name that of the instance"
            )


def _shared(settings: Settings) -> Iterator[str]:
    """Streams, lease tables and the state: none may be two things at a time."""
    events, records = settings.contact_events, settings.contact_records
    if events and events.rpartition("/")[2] == records.rpartition("/")[2]:
        yield (
            f"{PREFIX}CONTACT_RECORDS: is the stream of {PREFIX}CONTACT_EVENTS as well, which would"
            " be read twice; leave one out, both kinds of message are understood in either"
        )
    state = settings.state.removeprefix("dynamodb:")
    tables = {state: "STATE"} if state != settings.state else {}
    for name in STREAMS:
        setting = f"{name}_leases".upper()
        table = getattr(settings, f"{name}_leases")
        if not table:
            continue
        if table in tables:
            yield (
                f"{PREFIX}{setting}: is the table of {PREFIX}{tables[table]} as well; each stream "
                "has a lease table of its own"
            )
        if not getattr(settings, name):
            yield f"{PREFIX}{setting}: without {PREFIX}{name.upper()} there is nothing to share"
        tables.setdefault(table, setting)


def surprises(settings: Settings, pipelines: Iterable[Pipeline], today: date) -> Iterator[str]:
    """What works, and may not be what somebody meant."""
    for user in settings.users:
        if user.secret_expires and today <= user.secret_expires <= today + EXPIRY_NOTICE:
            days = (user.secret_expires - today).days
            yield (
                f"the secret of {user.client_id} expires in {days} days: create a new one and store"
                " it; the worker finds it without a restart"
            )
    if settings.state == "memory":
        yield f"{PREFIX}STATE: memory is forgotten when the worker ends; name a file or a table"
    if settings.state.startswith("sqlite:///"):
        path = settings.state.removeprefix("sqlite://")
        yield (
            f"{PREFIX}STATE: is the file {path} at the root; write sqlite:{path} if that is meant, "
            f"and sqlite:{path[1:]} for one in this folder"
        )
    if (settings.contact_events_leases or settings.contact_records_leases) and not (
        settings.state.startswith("dynamodb:")
    ):
        yield (
            f"{PREFIX}STATE: is this machine's, though streams have lease tables: workers that "
            f"share a stream must share their state too, {PREFIX}STATE=dynamodb:TABLE"
        )
    if odd := [one for one in settings.recording_buckets if one != one.lower() or "_" in one]:
        yield (
            f"{PREFIX}RECORDING_BUCKETS: {', '.join(odd)} has capitals or underscores, which "
            "buckets have not been given since 2018; is it written right?"
        )
    opens = [one for one in pipelines if any(isinstance(s, OpenStep) for s in one.steps)]
    if opens and not settings.connect_share and settings.open_by == "attributes":
        yield (
            f"{PREFIX}CONNECT_SHARE: is 0, so no agent is told of a page, though {opens[0].source} "
            f"opens one and {PREFIX}OPEN_BY is attributes"
        )


def odd_secret(secret: str) -> str:
    """What is the matter with a secret that cannot be one of Entra's; or ""."""
    if GUID.fullmatch(secret):
        return "holds a GUID, which is a secret's id: store its value, which Entra shows once"
    if secret[0] in _QUOTES or secret[-1] in _QUOTES:
        return "holds quotes around the secret: store it without"
    return ""


def unset(settings: Settings, pipelines: Iterable[Pipeline]) -> Iterator[str]:
    """The settings that pipelines name and that have no value: what names them has none either."""
    values: Mapping[str, str] = {name: getattr(settings, s) for name, s in _CONSTANTS.items()}
    for pipeline in pipelines:
        for where, name in _constants_of(pipeline):
            if not values[name]:
                setting = f"{PREFIX}{_CONSTANTS[name].upper()}"
                place = f"{pipeline.source}: {where}"
                yield f"{place} names {{{{{name}}}}}, which has no value: set {setting}"


def _constants_of(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Where a pipeline names which setting, each once."""
    readers: list[tuple[str, Iterable[tuple[str, ...]]]] = [
        (f"step {step.name}", step.names()) for step in pipeline.steps
    ]
    if pipeline.writeback is not None:
        readers.append(("writeback", pipeline.writeback.names()))
    folded = {name.lower(): name for name in _CONSTANTS}
    for where, names in readers:
        for name in dict.fromkeys(path[0].lower() for path in names):
            if name in folded:
                yield where, folded[name]
