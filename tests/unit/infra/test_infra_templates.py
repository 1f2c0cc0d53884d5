"""The CloudFormation templates agree with the program, and with each other."""

from __future__ import annotations

import json
import re

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cfnlint.api import lint_file

from exposed_metrics import samples
from worker.leases.dynamodb import create_lease_table
from worker.settings import PREFIX, Settings
from worker.stores import tables
from worker.telemetry.metrics import PREFIX as METRIC


Template = Callable[[str], dict[str, Any]]

#: Actions that know no resource.
WITHOUT_RESOURCE = ("ecr:GetAuthorizationToken", "ssmmessages:")

STACKS = ("key", "streams", "recordings", "state", "archive", "worker", "alarms", "flow", "desktop")


def test_every_template_is_known_here(template_paths: list[Path]) -> None:
    assert {path.stem for path in template_paths} == set(STACKS)


@pytest.mark.parametrize("name", STACKS)
def test_cfn_lint_finds_nothing(name: str, template_paths: list[Path]) -> None:
    path = next(path for path in template_paths if path.stem == name)
    assert [str(match) for match in lint_file(path)] == []


# --- the tables are those of the program ---


def test_the_contact_table_is_the_one_the_store_defines(template: Template) -> None:
    table = template("state")["Resources"]["Contacts"]["Properties"]
    assert {name: table[name] for name in tables.DEFINITION} == tables.DEFINITION
    assert table["TimeToLiveSpecification"] == tables.TIME_TO_LIVE
    assert table["PointInTimeRecoverySpecification"] == tables.RECOVERY


@pytest.mark.parametrize("name", ["ContactEventsLeases", "ContactRecordsLeases"])
async def test_the_lease_tables_are_those_that_leases_are_kept_in(
    name: str, template: Template
) -> None:
    table = template("state")["Resources"][name]["Properties"]
    made = await _made_by_the_program()
    assert {name: table[name] for name in made} == made


async def _made_by_the_program() -> dict[str, Any]:
    """What ``create_lease_table`` asks for, but for the name."""

    class Recorder:
        asked: dict[str, Any]

        async def create_table(self, **asked: Any) -> None:
            self.asked = asked

        def get_waiter(self, _name: str) -> Recorder:
            return self

        async def wait(self, **_how: Any) -> None: ...

    client = Recorder()
    await create_lease_table(client, "leases")
    del client.asked["TableName"]
    return client.asked


def test_nothing_that_holds_data_goes_with_its_stack(template: Template) -> None:
    kept = re.compile(r"::(Stream|Table|Secret|Key|Bucket|Queue)$")
    for stack in STACKS:
        for name, resource in template(stack)["Resources"].items():
            if kept.search(resource["Type"]):
                assert resource.get("DeletionPolicy") == "Retain", name


# --- settings ---


def test_every_setting_of_the_worker_exists(template: Template) -> None:
    worker = _containers(template)["worker"]
    names = {variable["Name"] for variable in worker["Environment"]}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert names - known == {"AWS_DEFAULT_REGION"}  # botocore looks for no other name


def test_the_workers_share_streams_and_state(template: Template) -> None:
    worker = _containers(template)["worker"]
    names = {variable["Name"].removeprefix(PREFIX) for variable in worker["Environment"]}
    assert {"STATE", "CONTACT_EVENTS_LEASES", "CONTACT_RECORDS_LEASES"} <= names


def test_outputs_name_the_settings_they_are_for(template: Template) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = {
        name
        for stack in STACKS
        for output in template(stack).get("Outputs", {}).values()
        for name in re.findall(rf"{PREFIX}[A-Z_]+", output["Description"])
    }
    assert named <= known
    assert {PREFIX + name for name in ("CONTACT_EVENTS", "RECORDINGS", "STATE", "SECRET")} <= named


def test_a_stack_gets_its_parameters_from_those_before_it(template: Template) -> None:
    """Where a parameter says which template has it, that template puts out its name."""
    for stack in STACKS:
        for name, parameter in template(stack).get("Parameters", {}).items():
            for source in re.findall(r"\b([a-z]+)\.yaml", parameter["Description"]):
                assert name in template(source)["Outputs"], f"{stack}: {name} from {source}"
                assert STACKS.index(source) < STACKS.index(stack)


def test_the_worker_may_drain_before_it_is_killed(template: Template) -> None:
    drain_s = Settings.model_fields["drain_s"].default
    assert drain_s < _containers(template)["worker"]["StopTimeout"] <= 30


def test_a_message_is_hidden_as_long_in_the_queue_as_by_the_worker(template: Template) -> None:
    queue = template("recordings")["Resources"]["Queue"]["Properties"]
    assert queue["VisibilityTimeout"] == Settings.model_fields["visibility_s"].default


# --- what the parts rely on ---


def test_events_of_a_contact_go_to_one_shard(template: Template) -> None:
    (target,) = template("streams")["Resources"]["Rule"]["Properties"]["Targets"]
    assert target["KinesisParameters"] == {"PartitionKeyPath": "$.detail.contactId"}
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86_400
    assert target["DeadLetterConfig"]


def test_dead_letters_are_kept_longer_than_what_they_were(template: Template) -> None:
    queues = template("recordings")["Resources"]
    live, dead = queues["Queue"]["Properties"], queues["DeadLetters"]["Properties"]
    assert dead["MessageRetentionPeriod"] > live["MessageRetentionPeriod"]
    assert live["RedrivePolicy"]["maxReceiveCount"] > 1


def test_roles_are_allowed_exact_actions_on_exact_resources(template: Template) -> None:
    for stack in STACKS:
        for statement in _statements(template(stack)["Resources"]):
            actions = statement["Action"]
            listed = [actions] if isinstance(actions, str) else actions
            for action in listed:
                assert "*" not in action, f"{stack}: {action}"
            if not all(action.startswith(WITHOUT_RESOURCE) for action in listed):
                assert statement["Resource"] != "*", f"{stack}: {actions}"


# --- operators' tools ---


def _tools(template: Template) -> dict[str, Any]:
    (container,) = template("worker")["Resources"]["Tools"]["Properties"]["ContainerDefinitions"]
    found: dict[str, Any] = container
    return found


def test_what_operators_see_in_the_tools_shell_goes_into_no_log(template: Template) -> None:
    assert "LogConfiguration" not in _tools(template)
    cluster = template("worker")["Resources"]["Cluster"]["Properties"]
    assert cluster["Configuration"]["ExecuteCommandConfiguration"] == {"Logging": "NONE"}


def test_the_tools_work_on_the_state_dynamics_and_pipelines_of_the_worker(
    template: Template,
) -> None:
    of_the_worker = {v["Name"]: v["Value"] for v in _containers(template)["worker"]["Environment"]}
    of_the_tools = {v["Name"]: v["Value"] for v in _tools(template)["Environment"]}
    assert of_the_tools.items() <= of_the_worker.items()
    named = {PREFIX + name for name in ("STATE", "SECRET", "ENVIRONMENT_URL", "PIPELINES")}
    assert named <= of_the_tools.keys()
    assert _tools(template)["Image"] == _containers(template)["worker"]["Image"]


def test_the_tools_change_nothing_at_aws_unless_that_was_asked(template: Template) -> None:
    role = template("worker")["Resources"]["ToolsRole"]["Properties"]
    (policy,) = role["Policies"]
    always = [one for one in policy["PolicyDocument"]["Statement"] if "Fn::If" not in one]
    allowed = {
        action
        for statement in always
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert {action for action in allowed if action.startswith("dynamodb:")} == {
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeTable",
        "dynamodb:Query",
    }
    assert template("worker")["Parameters"]["ToolsMayChange"]["Default"] == "no"


def test_the_dashboard_can_be_read(template: Template) -> None:
    body, _ = template("alarms")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    dashboard = json.loads(body)
    alarms = [w for w in dashboard["widgets"] if w["type"] == "alarm"]
    shown = set(re.findall(r"\{(\w+)\.Arn\}", str(alarms)))
    resources = template("alarms")["Resources"].items()
    assert shown == {name for name, r in resources if r["Type"] == "AWS::CloudWatch::Alarm"}


def test_only_metrics_that_the_worker_has_are_watched(template: Template) -> None:
    known = samples().keys()
    agent = {v["Name"]: v["Value"] for v in _containers(template)["metrics"]["Environment"]}
    config = json.loads(agent["CW_CONFIG_CONTENT"]["Fn::Sub"])
    processor = config["logs"]["metrics_collected"]["prometheus"]["emf_processor"]
    sent = {
        selector.strip("^$")
        for declaration in processor["metric_declaration"]
        for selector in declaration["metric_selectors"]
    }
    assert sent <= known
    assert set(re.findall(rf"{METRIC}\w+", str(template("alarms")))) <= sent


def _containers(template: Template) -> dict[str, dict[str, Any]]:
    task = template("worker")["Resources"]["Task"]["Properties"]
    return {container["Name"]: container for container in task["ContainerDefinitions"]}


def _statements(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What roles are allowed, conditional or not."""
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role":
            policies = resource["Properties"].get("Policies", [])
        elif resource["Type"] == "AWS::IAM::RolePolicy":
            policies = [resource["Properties"]]
        else:
            continue
        for policy in policies:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield statement["Fn::If"][1] if "Fn::If" in statement else statement
