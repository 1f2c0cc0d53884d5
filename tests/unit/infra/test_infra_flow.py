"""The flow module is whole, and flow.yaml, the module and the Lambda agree."""

from __future__ import annotations

import importlib
import json
import re
import runpy

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.template import Template
from pipelines.view import Names
from worker.definitions import find
from worker.desktop.configuration import load_names
from worker.flow.answer import NAMES, OPERATIONS
from worker.flow.handler import SPARE_S
from worker.flow.session import ANSWER_S
from worker.settings import DYNAMICS, PREFIX, Settings


CONNECT = Path(__file__).parents[3] / "infra" / "connect"
PACKAGE = Path(__file__).parents[3] / "infra" / "lambda" / "package.py"

Stack = Callable[[str], dict[str, Any]]

#: Block -> parameters it must have, parameters it may have, errors it ends in (API Reference,
#: "Actions in the Amazon Connect Flow language").
BLOCKS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "UpdateContactAttributes": ({"Attributes"}, {"TargetContact"}, {"NoMatchingError"}),
    "InvokeLambdaFunction": (
        {"LambdaFunctionARN", "InvocationTimeLimitSeconds"},
        {"InvocationType", "LambdaInvocationAttributes", "ResponseValidation"},
        {"NoMatchingError"},
    ),
    "Compare": ({"ComparisonValue"}, set(), {"NoMatchingCondition"}),
    "EndFlowModuleExecution": (set(), set(), set()),
}

#: What the worker writes beside its pipeline's attributes: the page to open.
PAGES = {
    Settings.model_fields[name].default for name in ("open_url_attribute", "open_tab_attribute")
}

#: The steps of the CornerstoneCX D365 module that have a block of their own.
STEPS = [
    "Initialise",
    "Lookup",
    "Store results",
    "Match",
    "Multi-match",
    "No match",
    "Log activity",
    "Store activity",
]


@pytest.fixture(scope="module")
def module() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((CONNECT / "customer-module.json").read_text("utf-8"))
    return read


@pytest.fixture(scope="module")
def actions(module: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {action["Identifier"]: action for action in module["Actions"]}


def following(action: dict[str, Any]) -> set[str]:
    """The actions that may come next."""
    transitions = action["Transitions"]
    ways = [*transitions.get("Errors", []), *transitions.get("Conditions", [])]
    ahead = {transitions["NextAction"]} if "NextAction" in transitions else set()
    return ahead | {way["NextAction"] for way in ways}


# --- the module ---


def test_the_module_is_in_the_flow_language(module: dict[str, Any]) -> None:
    assert module["Version"] == "2019-10-30"
    assert set(module) == {"Version", "StartAction", "Metadata", "Actions", "Settings"}
    assert len(json.dumps(module)) < 256_000  # the most a module's content may have


def test_identifiers_are_unique_and_allowed(module: dict[str, Any]) -> None:
    names = [action["Identifier"] for action in module["Actions"]]
    assert len(set(names)) == len(names)
    for name in names:
        assert 0 < len(name) <= 50
        assert not re.search(r"[%:(\\/)=$,;\[\]{}]", name)


def test_every_transition_leads_somewhere_and_every_block_is_reached(
    module: dict[str, Any], actions: dict[str, dict[str, Any]]
) -> None:
    reached, pending = set(), [module["StartAction"]]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += following(actions[name])
    assert reached == set(actions)


def test_the_module_ends_and_never_goes_in_a_circle(
    module: dict[str, Any], actions: dict[str, dict[str, Any]]
) -> None:
    def longest(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path
        ahead = following(actions[name])
        assert bool(ahead) == (actions[name]["Type"] != "EndFlowModuleExecution")
        for other in ahead:
            longest(other, (*path, name))

    longest(module["StartAction"])


def test_blocks_and_their_parameters_are_known(actions: dict[str, dict[str, Any]]) -> None:
    for name, action in actions.items():
        needed, allowed, errors = BLOCKS[action["Type"]]
        assert needed <= set(action["Parameters"]) <= needed | allowed, name
        told = {error["ErrorType"] for error in action["Transitions"].get("Errors", [])}
        assert told == errors, name
        for condition in action["Transitions"].get("Conditions", []):
            assert condition["Condition"]["Operator"] == "Equals"
            assert len(condition["Condition"]["Operands"]) == 1


def test_the_module_has_the_steps_of_the_d365_module(actions: dict[str, dict[str, Any]]) -> None:
    assert set(STEPS) <= set(actions)
    assert following(actions["Who is it"]) == {"Match", "Multi-match", "No match"}


def test_each_block_has_its_place_on_the_canvas(
    module: dict[str, Any], actions: dict[str, dict[str, Any]]
) -> None:
    shown = module["Metadata"]["ActionMetadata"]
    assert set(shown) == set(actions)
    places = [(entry["position"]["x"], entry["position"]["y"]) for entry in shown.values()]
    assert len(set(places)) == len(places)


def test_whatever_is_read_of_an_answer_is_in_every_answer(module: dict[str, Any]) -> None:
    assert set(re.findall(r"\$\.External\.(\w+)", json.dumps(module))) <= set(NAMES)


def test_the_lambda_is_asked_for_what_it_does(actions: dict[str, dict[str, Any]]) -> None:
    calls = [a["Parameters"] for a in actions.values() if a["Type"] == "InvokeLambdaFunction"]
    asked = [call["LambdaInvocationAttributes"]["ms_operation"] for call in calls]
    assert asked == list(OPERATIONS)
    for call in calls:
        assert ANSWER_S < int(call["InvocationTimeLimitSeconds"]) <= 8
        assert call["ResponseValidation"] == {"ResponseType": "STRING_MAP"}


def test_the_attributes_are_those_that_the_worker_writes_back(
    actions: dict[str, dict[str, Any]],
) -> None:
    stores = [a["Parameters"] for a in actions.values() if a["Type"] == "UpdateContactAttributes"]
    names = {name for store in stores for name in store["Attributes"]}
    writeback = find("timeline").writeback
    assert writeback is not None
    assert names == set(writeback.attributes) | PAGES


def test_what_an_earlier_contact_left_is_cleared_before_anything_else(
    module: dict[str, Any], actions: dict[str, dict[str, Any]]
) -> None:
    """Attributes are shared along a chain of contacts. What a flow sets for this one stays."""
    first = actions[module["StartAction"]]
    assert first["Parameters"] == {"ComparisonValue": "$.Attributes.ms_id"}
    (ours,) = first["Transitions"]["Conditions"]
    assert ours["Condition"] == {"Operator": "Equals", "Operands": ["$.ContactId"]}
    cleared = {}
    for name in following(first):
        block = actions[name]
        assert following(block) == {"Initialise"}
        assert set(block["Parameters"]["Attributes"].values()) == {""}
        cleared[name] = set(block["Parameters"]["Attributes"])
    writeback = find("timeline").writeback
    assert writeback is not None
    everything = (set(writeback.attributes) | PAGES) - {"LookupStatus"}  # set by Initialise itself
    given = {"ms_id", "ms_contact_id", "ms_customer_entity_name"}
    assert cleared.pop(ours["NextAction"]) == everything - given
    assert list(cleared.values()) == [everything]


def test_templates_are_chosen_by_the_page_unless_a_flow_names_one(
    actions: dict[str, dict[str, Any]],
) -> None:
    """The page knows channel and match; a flow's block knows no channel."""
    named = {
        attributes[name]
        for action in actions.values()
        for attributes in [action["Parameters"].get("Attributes", {})]
        for name in ("ms_session_template", "ms_notify_template")
        if name in attributes
    }
    assert named == {""}


@pytest.mark.parametrize("channel", ["VOICE", "CHAT", "TASK", "EMAIL"])
@pytest.mark.parametrize(("status", "kind"), [("SingleMatch", "match"), ("NoMatch", "search")])
def test_the_worker_names_the_templates_that_are_installed(
    channel: str, status: str, kind: str
) -> None:
    names = load_names("connect")
    writeback = find("timeline").writeback
    assert writeback is not None
    values = Names({"Channel": channel, "CUSTOMER-Response": {"LookupStatus": status}})
    for attribute, table in (
        ("ms_session_template", "session"),
        ("ms_notify_template", "notification"),
    ):
        template = writeback.attributes[attribute]
        assert isinstance(template, Template)
        assert template.render(values) == names[table][channel.lower()][kind]


def test_the_readme_names_every_template_and_attribute(
    actions: dict[str, dict[str, Any]],
) -> None:
    text = (CONNECT / "README.md").read_text("utf-8")
    for action in actions.values():
        for name, value in action["Parameters"].get("Attributes", {}).items():
            assert name in text
            assert name not in {"ms_session_template", "ms_notify_template"} or value in text
    assert "{customerName}" in text


# --- the stack ---


def test_the_stack_has_this_very_module(template: Stack, module: dict[str, Any]) -> None:
    content, replaced = template("flow")["Resources"]["Module"]["Properties"]["Content"]["Fn::Sub"]
    assert json.loads(content) == module
    assert set(re.findall(r"\$\{(\w+)\}", content)) == set(replaced) == {"FlowLambdaArn"}


def test_every_setting_of_the_lambda_exists(template: Stack) -> None:
    function = template("flow")["Resources"]["Function"]["Properties"]
    named = set(function["Environment"]["Variables"])
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}
    assert {PREFIX + name.upper() for name in DYNAMICS} <= named


def test_the_entry_is_there_and_the_zip_is_for_its_runtime(template: Stack) -> None:
    function = template("flow")["Resources"]["Function"]["Properties"]
    module, _, name = function["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    package = runpy.run_path(str(PACKAGE))
    assert function["Runtime"] == f"python{package['RUNTIME']}"
    for architecture in function["Architectures"]:
        assert all(platform.endswith(architecture) for platform in package["PLATFORMS"])


def test_the_lambda_answers_before_it_is_ended(template: Stack) -> None:
    function = template("flow")["Resources"]["Function"]["Properties"]
    assert ANSWER_S + SPARE_S < function["Timeout"] <= 8


def test_only_the_instance_may_call(template: Stack) -> None:
    permission = template("flow")["Resources"]["Permission"]["Properties"]
    assert permission["Principal"] == "connect.amazonaws.com"
    assert permission["SourceArn"] == {"Ref": "ConnectInstanceArn"}
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
