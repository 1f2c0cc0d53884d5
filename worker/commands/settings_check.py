"""What is wrong with settings that are each valid: misspelt, expired, or missing for a pipeline."""

from __future__ import annotations

import re

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Final

from pipelines.odata import GUID
from pipelines.pipeline import Pipeline
from worker.settings import PREFIX, Settings


#: How much alike two names are of which one is a slip of the other.
_ALIKE: Final = 0.9

#: Names of the settings that templates can name, without which what names them is of no use.
_CONSTANTS: Final = {"AppId": "app_id", "EnvironmentUri": "environment_url"}

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
        near = get_close_matches(name, known, 1, 0.6 if ours else _ALIKE)
        if near and _numbers(near[0]) == _numbers(name):
            yield f"{variable} is set, and there is no such setting; did you mean {near[0]}?"
        elif ours:
            yield f"{variable} is set, and there is no such setting; remove it"


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", name)


def contradictions(settings: Settings, today: date) -> Iterator[str]:
    """What cannot work although each setting is valid by itself."""
    if settings.secret_expires and settings.secret_expires < today:
        yield (
            f"{PREFIX}SECRET_EXPIRES: {settings.secret_expires} is over: create a new secret, store"
            " it, and set its date; or set the date right"
        )
    if settings.client_id and not GUID.fullmatch(settings.client_id):
        yield f"{PREFIX}CLIENT_ID: is no GUID; it is the application (client) id of Entra's page"
    tenant = settings.tenant
    if tenant and not (GUID.fullmatch(tenant) or _DOMAIN.fullmatch(tenant)):
        yield f"{PREFIX}TENANT: is neither the GUID of a tenant nor one of its domains"


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
