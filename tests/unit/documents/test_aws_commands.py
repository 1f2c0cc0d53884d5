"""The AWS commands that pages give are commands of the AWS CLI with options that they have."""

from __future__ import annotations

import re
import shlex

from collections.abc import Iterator
from functools import cache
from itertools import takewhile

import pytest

from botocore import xform_name
from botocore.model import OperationModel, ServiceModel
from botocore.session import Session

from document_tables import ROOT


#: Options that every command has.
GLOBAL = {"query", "output", "region", "profile"}

#: Commands that the CLI has beside the services' own.
OF_THE_CLI = {"s3", "cloudformation deploy"}

#: Options that the CLI makes of an operation's input, or adds.
MADE = {"interactive"}


def commands() -> Iterator[list[str]]:
    """The words of each AWS command in a block of code, up to the end of its line or a pipe."""
    for page in sorted((ROOT / "infra").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```(?:bash|console)\n(.*?)```", text, re.DOTALL):
            for found in re.finditer(r"\baws (?=[a-z0-9]+ [a-z])", block):
                yield _words(block[found.end() :].replace("\\\n", " "))


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="\n|;&()")
    lexer.whitespace, lexer.commenters = " \t", ""
    lexer.whitespace_split = True
    return list(takewhile(lambda word: word[0] not in "\n|;&()#", lexer))


@cache
def _service(name: str) -> ServiceModel:
    session, name = Session(), {"s3api": "s3"}.get(name, name)
    return ServiceModel(session.get_component("data_loader").load_service_model(name, "service-2"))


def _operation(service: str, command: str) -> OperationModel | None:
    model = _service(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    return model.operation_model(names[command]) if command in names else None


COMMANDS = [
    words
    for words in commands()
    if words[0] not in OF_THE_CLI and " ".join(words[:2]) not in OF_THE_CLI
]


def test_pages_give_commands_for_the_task_that_operators_work_in() -> None:
    given = {" ".join(words[:2]) for words in COMMANDS}
    assert {"ecs run-task", "ecs execute-command", "ecs stop-task", "ecs wait"} <= given


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_aws_command_that_a_page_gives_is_one_that_there_is(words: list[str]) -> None:
    service, command, *rest = words
    if command == "wait":
        waiters = Session().get_component("data_loader").load_service_model(service, "waiters-2")
        name = next(name for name in waiters["waiters"] if xform_name(name, "-") == rest[0])
        command = xform_name(waiters["waiters"][name]["operation"], "-")
    operation = _operation(service, command)
    assert operation is not None
    shape = operation.input_shape
    members = {xform_name(name, "-") for name in (shape.members if shape else ())}
    options = {word[2:] for word in rest if word.startswith("--")}
    assert options <= members | GLOBAL
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    assert required <= options | MADE
