"""The page of settings lists exactly the settings there are."""

from __future__ import annotations

import inspect
import re

from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from document_tables import code, rows, written
from worker.environment import CLOUDS, authority_of
from worker.flow import handler
from worker.flow.session import open_session
from worker.settings import PREFIX, ApplicationUser, Settings


PAGE = "infra/settings.md"

TYPES: dict[Any, str] = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Path | None: "path",
    date | None: "date",
    tuple[str, ...]: "list",
    tuple[ApplicationUser, ...]: "list of users",
}

BOUNDS = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"))


def test_the_page_of_settings_has_a_row_for_every_setting_with_type_and_default() -> None:
    """And no other row; the order is the model's."""
    expected = [_row(name, setting) for name, setting in Settings.model_fields.items()]
    found = rows(PAGE, "variable", "in TOML", "type", "default", "what it is for")
    assert [row[:4] for row in found] == expected, written(expected)


def test_the_page_of_settings_says_what_each_setting_is_for() -> None:
    found = rows(PAGE, "variable", "in TOML", "type", "default", "what it is for")
    assert [row[0] for row in found if not row[4]] == []


def test_the_page_of_settings_has_a_row_for_every_cloud_with_where_its_tokens_come_from() -> None:
    found = rows(PAGE, "cloud", "environments", "tokens come from")
    assert {(name, tokens.strip("`")) for name, _, tokens in found} == {
        (cloud.name, cloud.authority) for cloud in CLOUDS
    }
    for _, hosts, tokens in found:
        host = hosts.split("`")[1].replace("*", "org")
        assert authority_of(f"https://{host}") == tokens.strip("`")


async def test_the_page_of_settings_lists_what_the_lambda_reads() -> None:
    read = await _read_by_the_lambda()
    listed = {row[0].strip("`") for row in rows(PAGE, "variable", "in the Lambda")}
    assert listed == {PREFIX + name.upper() for name in read}


def test_the_page_of_settings_names_every_form_in_which_a_secret_is_named() -> None:
    described = Settings.model_fields["secret"].description or ""
    forms = [row[0].strip("`") for row in rows(PAGE, "form", "where the secret is", "read again")]
    assert forms == ["env:NAME", "file:/path", "file:/path#NAME", "arn:…:secretsmanager:…"]
    assert "env:NAME, file:/path[#NAME] or a secret's ARN" in described


def _row(name: str, setting: FieldInfo) -> list[str]:
    return [code(PREFIX + name.upper()), code(name), _type(setting), code(_default(setting))]


def _type(setting: FieldInfo) -> str:
    annotation = setting.annotation
    if get_origin(annotation) is Literal:
        return " or ".join(code(value) for value in get_args(annotation))
    bounds = [
        f"{words} {getattr(bound, attribute):g}"
        for kind, attribute, words in BOUNDS
        for bound in setting.metadata
        if isinstance(bound, kind)
    ]
    return ", ".join([TYPES[annotation], *bounds])


def _default(setting: FieldInfo) -> str:
    default = setting.default
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


async def _read_by_the_lambda() -> set[str]:
    """The settings that the handler and its session read, as they do so."""
    read = set(re.findall(r"settings\.(\w+)", inspect.getsource(handler)))

    class Watched(Settings):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    settings = Watched(
        environment_url="https://org.example",
        pipelines=("timeline",),
        tenant="t",
        client_id="c",
        secret="env:SECRET",
    )
    async with open_session(settings):
        return read & Settings.model_fields.keys()
