"""AWS's models are cut to what the worker calls, and what it calls is never cut out."""

from __future__ import annotations

import ast
import shutil

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from botocore import xform_name
from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel
from botocore.regions import EndpointResolver

import worker

from worker import aws
from worker.aws_models import CREDENTIALS, ENDPOINTS, OPERATIONS, cut_files, used_models


#: What botocore calls by itself.
BY_ITSELF = {"CreateSession", "DescribeEndpoints"}

#: These run where another kit is: the sandbox makes its own clients, the flow has Lambda's boto3.
ELSEWHERE = ("sandbox", "flow")

WHOLE, CUT = create_loader(), used_models(None)


@cache
def nodes() -> list[ast.AST]:
    """The syntax of the worker's modules."""
    root = Path(worker.__file__).parent
    paths = [p for p in root.rglob("*.py") if p.relative_to(root).parts[0] not in ELSEWHERE]
    return [n for path in paths for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


@cache
def names() -> set[Any]:
    """Methods that are called stand there as attributes, or as texts for getattr."""
    attributes = {node.attr for node in nodes() if isinstance(node, ast.Attribute)}
    return attributes | {node.value for node in nodes() if isinstance(node, ast.Constant)}


def called(service: str) -> set[str]:
    """Operations of a service whose method's name the worker's modules use."""
    model = WHOLE.load_service_model(service, "service-2")
    return {name for name in model["operations"] if xform_name(name) in names()}


@pytest.mark.parametrize("service", OPERATIONS)
def test_the_operations_kept_are_those_that_the_worker_calls(service: str) -> None:
    assert set(OPERATIONS[service]) - BY_ITSELF == called(service)


def test_the_worker_waits_for_tables_alone_and_asks_for_nothing_by_pages() -> None:
    """Whose operations a waiter and a paginator call stands in models of their own."""
    waiting = [
        ast.unparse(n)
        for n in nodes()
        if isinstance(n, ast.Call) and "get_waiter" in ast.unparse(n.func)
    ]
    assert waiting
    assert all("get_waiter('table_exists')" in call for call in waiting)
    waiter = WHOLE.load_service_model("dynamodb", "waiters-2")["waiters"]["TableExists"]
    assert waiter["operation"] in OPERATIONS["dynamodb"]
    assert "get_paginator" not in names()


async def test_an_operation_that_was_cut_out_cannot_be_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "invented")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "invented")
    async with aws.client("kinesis", region="eu-central-1") as client:
        assert callable(client.get_records)
        with pytest.raises(AttributeError):
            _ = client.create_stream
    async with aws.client("kinesis", region="eu-central-1", whole=True) as client:
        assert callable(client.create_stream)


@pytest.mark.parametrize(
    ("service", "operation"), [(s, o) for s, used in OPERATIONS.items() for o in sorted(used)]
)
def test_an_operation_kept_has_all_that_goes_in_and_comes_out(service: str, operation: str) -> None:
    def described(loader: Any) -> list[Any]:
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        of = model.operation_model(operation)
        shapes = [of.input_shape, of.output_shape, *of.error_shapes]
        return [described_shape(shape, set()) for shape in shapes if shape]

    assert described(CUT) == described(WHOLE)


def described_shape(shape: Any, above: set[str]) -> Any:
    """Type, traits and parts of a shape; one within itself by its name."""
    if shape.name in above:
        return shape.name
    within = above | {shape.name}
    members: dict[str, Any] = {}
    if shape.type_name == "structure":
        members = shape.members
    elif shape.type_name == "list":
        members = {"member": shape.member}
    elif shape.type_name == "map":
        members = {"key": shape.key, "value": shape.value}
    parts = {name: described_shape(part, within) for name, part in members.items()}
    return shape.name, shape.type_name, shape.serialization, shape.metadata, parts


@pytest.mark.parametrize("service", sorted(ENDPOINTS))
def test_where_a_service_is_does_not_depend_on_the_cut(service: str) -> None:
    whole, cut = (EndpointResolver(loader.load_data("endpoints")) for loader in (WHOLE, CUT))
    for partition in whole.get_available_partitions():
        regions = whole.get_available_endpoints("s3", partition, allow_non_regional=True)
        for region in regions:
            known = whole.construct_endpoint(service, region, partition)
            assert cut.construct_endpoint(service, region, partition) == known


def test_a_service_that_only_credentials_come_from_is_whole() -> None:
    assert CUT.load_service_model("sts", "service-2") == WHOLE.load_service_model(
        "sts", "service-2"
    )


def test_the_images_files_hold_what_the_worker_reads_and_no_other_service(tmp_path: Path) -> None:
    for service in (*OPERATIONS, *CREDENTIALS, "ec2"):
        shutil.copytree(Path(WHOLE.BUILTIN_DATA_PATH) / service, tmp_path / service)
    for file in Path(WHOLE.BUILTIN_DATA_PATH).glob("*.json"):
        shutil.copy(file, tmp_path)

    cut_files(tmp_path)

    image = Loader([str(tmp_path)], include_default_search_paths=False)
    assert {*image.list_available_services("service-2")} == OPERATIONS.keys() | CREDENTIALS
    for service in (*OPERATIONS, *CREDENTIALS):
        known = CUT.load_service_model(service, "service-2")
        assert image.load_service_model(service, "service-2") == known
    assert image.load_data("endpoints") == used_models(None).load_data("endpoints")
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 2_000_000


def test_the_image_is_built_with_models_that_are_cut() -> None:
    text = (Path(worker.__file__).parents[1] / "infra/docker/Dockerfile").read_text()
    assert "-m worker.aws_models /opt/worker/lib/python3*/site-packages/botocore/data" in text
