"""``config.json``: what the pages are told, made of the settings and the pipelines.

The pages have no server to ask. For each channel they get the table and the step whose record the
contact's is, from which they compute its id as the worker does (``pipelines/identity.py``).
"""

from __future__ import annotations

import json
import re

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pipelines.condition import may_admit
from pipelines.identity import NAMESPACE
from pipelines.odata import GUID
from pipelines.pipeline import Pipeline
from pipelines.step import RESPONSE, CreateStep, OpenStep, Step
from pipelines.template import templates
from worker.desktop.addresses import address, origin
from worker.desktop.names import checked_names
from worker.errors import ConfigError
from worker.settings import PREFIX, Settings


VERSION: Final = 1

#: How a page calls a channel -> how Amazon Connect does.
CHANNELS: Final[Mapping[str, str]] = {
    "voice": "VOICE",
    "chat": "CHAT",
    "task": "TASK",
    "email": "EMAIL",
}

#: After so long (ms) the page opens the contact's own record without having heard of it, and after
#: so long the search page.
RECORD_AFTER_MS: Final = 4_000
SEARCH_AFTER_MS: Final = 20_000

#: The table whose names the shipped pipelines write.
OURS: Final = "connect"

#: Notes have no page of their own.
_PAGELESS: Final = "annotationid"

_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_REGION: Final = re.compile(r"[a-z0-9-]{0,30}")

_TABLES: Final = resources.files("worker.desktop") / "tables"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line may say beside the settings.

    Attributes:
        region: Region of the Connect instance, for chats in the softphone; "" if not known.
        tab: Open pages in a tab of their own, or in a frame; None: as the pipelines say.
        countries: Countries that may be dialled, by two letters (ISO 3166-1: ``us``); none: all
            that the agent's routing profile allows.
    """

    region: str = ""
    tab: bool | None = None
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What ``config.json`` holds, and what to know about it."""

    content: dict[str, Any]
    warnings: tuple[str, ...] = ()


def configuration(
    settings: Settings, pipelines: Iterable[Pipeline], choices: Choices | None = None
) -> Configuration:
    """Make the configuration.

    Raises:
        ConfigError: A setting is missing or cannot be used; one line for each missing one.
    """
    choices = choices or Choices()
    for country in choices.countries:
        if not _COUNTRY.fullmatch(country):
            raise ConfigError(f"{country!r} is not a country's two letters, like us")
    if not _REGION.fullmatch(choices.region):
        raise ConfigError(f"{choices.region!r} is not an AWS Region")
    if missing := settings.missing("environment_url", "ccp_url"):
        raise ConfigError(f"for the agent's desktop, please set {', '.join(missing)}")
    if settings.app_id and not GUID.fullmatch(settings.app_id):
        raise ConfigError(f"{PREFIX}APP_ID: {settings.app_id!r} is not the id of an app")
    found = list(pipelines)
    records, pages, warnings = _records(found)
    steps = [step for opening in pages.values() for step in opening]
    names = load_names(settings.desktop_names)
    content: dict[str, Any] = {
        "version": VERSION,
        "connect": {
            "ccpUrl": _ccp_url(settings.ccp_url),
            "loginUrl": _login_url(settings.login_url),
            "region": choices.region,
            "softphone": True,
        },
        "dynamics": {
            "url": origin(settings.environment_url, f"{PREFIX}ENVIRONMENT_URL"),
            "appId": settings.app_id.lower(),
        },
        "open": {
            "tab": _tab(steps) if choices.tab is None else choices.tab,
            "urlAttribute": settings.open_url_attribute,
            "tabAttribute": settings.open_tab_attribute,
            "urlChannels": [
                channel
                for channel, opening in pages.items()
                if opening and settings.open_by == "attributes"
            ],
            "recordAfterMs": RECORD_AFTER_MS,
            "searchAfterMs": SEARCH_AFTER_MS,
        },
        "namespace": str(NAMESPACE),
        "records": records,
        "dial": {"enabled": True, "countries": [country.lower() for country in choices.countries]},
        "names": names,
    }
    warnings += _otherwise_named(found, names["attributes"])
    if not records:
        warnings.append("no pipeline creates a record: pages open what attributes name, or search")
    return Configuration(content, tuple(warnings))


def brief(content: Mapping[str, Any]) -> str:
    """The configuration as short as it can be written: the pages know what is left out.

    It is what a channel provider has room for (2000 characters).
    """
    kept = {
        part: (
            {name: value for name, value in values.items() if value != _KNOWN[part].get(name)}
            if part in _KNOWN
            else values
        )
        for part, values in content.items()
    }
    kept = {part: values for part, values in kept.items() if values != {}}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)


#: What ``core/config.js`` fills in.
_KNOWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "connect": {"loginUrl": "", "region": "", "softphone": True},
    "dynamics": {"appId": ""},
    "open": {
        "tab": True,
        "urlAttribute": "DynamicsUrl",
        "tabAttribute": "DynamicsTab",
        "urlChannels": [],
        "recordAfterMs": RECORD_AFTER_MS,
        "searchAfterMs": SEARCH_AFTER_MS,
    },
    "dial": {"enabled": True, "countries": []},
}


def load_names(name: str) -> dict[str, Any]:
    """A table of names: a shipped one, or a file.

    Raises:
        ConfigError: There is none, or it is not whole.
    """
    shipped = sorted(e.name.removesuffix(".json") for e in _TABLES.iterdir())
    where = _TABLES / f"{name}.json" if name in shipped else Path(name)
    if name not in shipped and not name.endswith(".json"):
        raise ConfigError(
            f"{PREFIX}DESKTOP_NAMES: there is no table {name!r}; give a path ending in .json or "
            f"one of: {', '.join(shipped)}"
        )
    try:
        read = json.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{name}: not JSON") from None
    return checked_names(read, name)


def _ccp_url(text: str) -> str:
    name = f"{PREFIX}CCP_URL"
    given = address(text, name)
    if given.rstrip("/") == origin(given, name):
        return f"{given.rstrip('/')}/ccp-v2/"
    if "/ccp-v2" not in given:
        raise ConfigError(f"{name}: {given!r} is not the softphone's address, …/ccp-v2/")
    return given


def _login_url(text: str) -> str:
    return address(text, f"{PREFIX}LOGIN_URL") if text else ""


def _records(
    pipelines: list[Pipeline],
) -> tuple[dict[str, dict[str, str]], dict[str, list[OpenStep]], list[str]]:
    """The record of each channel; its steps that open pages; and what may surprise."""
    records: dict[str, dict[str, str]] = {}
    pages: dict[str, list[OpenStep]] = {}
    warnings: list[str] = []
    for channel, value in CHANNELS.items():
        opening = list(_taking(pipelines, value, OpenStep))
        pages[channel] = [step for _, step in opening]
        for pipeline, step in opening:
            made = _opened(pipeline, step)
            if made is not None:
                records.setdefault(channel, _record(pipeline, made))
            elif not _vouches(pipeline):
                warnings.append(
                    f"{pipeline.source}: step {step.name} opens no record that this pipeline "
                    "creates, so a page cannot tell whether its address is of this contact; write "
                    'ms_id = "{{ContactId}}" in [writeback]'
                )
        creating = ((p, step) for p, step in _taking(pipelines, value, CreateStep))
        for pipeline, created in creating:
            if created.table.key != _PAGELESS:
                records.setdefault(channel, _record(pipeline, created))
    return records, pages, list(dict.fromkeys(warnings))


def _taking(
    pipelines: Iterable[Pipeline], channel: str, kind: type[Any]
) -> Iterator[tuple[Pipeline, Any]]:
    """The steps of a kind that a contact of a channel may reach, in their order."""
    names = {"Channel": channel}
    for pipeline in pipelines:
        for step in pipeline.steps if may_admit(pipeline.when, names) else ():
            if isinstance(step, kind) and may_admit(step.when, names):
                yield pipeline, step


def _opened(pipeline: Pipeline, step: OpenStep) -> CreateStep | None:
    """The step whose record a page shows; None if it shows something else."""
    query = {name.lower(): value for name, value in step.query.items()}
    for template in templates(query.get("id")):
        for path, _ in template.names:
            made = _made(pipeline.steps, path)
            if made is not None and query.get("etn") == made.table.logical:
                return made
    return None


def _made(steps: Iterable[Step], path: tuple[str, ...]) -> CreateStep | None:
    """The creating step whose key a path reads."""
    for step in steps:
        if isinstance(step, CreateStep):
            key = (f"{step.name}{RESPONSE}".lower(), step.table.key)
            if tuple(part.lower() for part in path) == key:
                return step
    return None


def _vouches(pipeline: Pipeline) -> bool:
    """Whether it writes which contact its attributes are of."""
    return pipeline.writeback is not None and "ms_id" in pipeline.writeback.attributes


def _otherwise_named(pipelines: Iterable[Pipeline], names: Mapping[str, str]) -> list[str]:
    """Attributes that are written by our own names, and read by others."""
    ours: Mapping[str, str] = load_names(OURS)["attributes"]
    return [
        f"{pipeline.source}: writeback: {ours[key]} is {names[key]} in {PREFIX}DESKTOP_NAMES; "
        "write it by that name"
        for pipeline in pipelines
        for key in ours
        if pipeline.writeback is not None
        and ours[key] in pipeline.writeback.attributes
        and names[key] not in pipeline.writeback.attributes
    ]


def _record(pipeline: Pipeline, step: CreateStep) -> dict[str, str]:
    return {
        "table": step.table.logical,
        "set": step.table.set,
        "pipeline": pipeline.name,
        "step": step.name,
    }


def _tab(pages: Iterable[OpenStep]) -> bool:
    """Whether pages get a tab of their own. Without a step that says it: the supported way."""
    return all(step.tab for step in pages)
